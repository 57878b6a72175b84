"""Which importer reads a file: by name, by what the text looks like, or by a column mapping.

Other packages add a format as an `Importer` in the entry point group ``andesim.importers``. Files
are read as text up to 64 MB and never executed or unpickled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from sim.errors import SimError
from sim.evidence.checks import checks
from sim.evidence.importers import (
    executorch,
    llama_prints,
    mediatek,
    mnn,
    onnx_genai,
    phone_prints,
)
from sim.evidence.importers.base import Importer
from sim.evidence.importers.chrome_trace import CHROME_TRACE
from sim.evidence.importers.cleaning import cleaned
from sim.evidence.importers.graph_profiles import PROFILES
from sim.evidence.importers.kineto import KINETO
from sim.evidence.importers.llama_bench import LLAMA_BENCH
from sim.evidence.importers.own_csv import OWN_CSV
from sim.evidence.importers.own_csv import read as read_csv
from sim.evidence.measured import COLUMNS, SIZE_LIMIT_BYTES, MeasuredRun
from sim.evidence.operator_csv import with_operators
from workloads.errors import WorkloadError, did_you_mean
from workloads.files import read_bytes
from workloads.plugins import load_all

_GROUP: Final = "andesim.importers"
_TABLED: Final = (
    *(*llama_prints.FORMATS, *executorch.FORMATS, *mnn.FORMATS, *mediatek.FORMATS),
    *(*phone_prints.FORMATS, *onnx_genai.FORMATS),
)
_BUILT_IN: Final = (
    *(OWN_CSV, LLAMA_BENCH, KINETO, *PROFILES),
    *(found.importer() for found in _TABLED),
    CHROME_TRACE,
)
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_SEEN: Final = 64
"""Bytes that tell how a text without a mark is written."""
_BEGINNING: Final = 1000
"""Signs that tell whether a file is text."""
_STRAY: Final = 0.1
"""Assumed: share of signs that are none above which it is not; logs hold a few."""
_BINARY: Final = {"PK\x03\x04": ", such as a spreadsheet or an archive", "SQLite": ", a database"}
"""What binary files begin with that people take for measured ones."""


@cache
def importers() -> dict[str, Importer]:
    """Return every importer by name, in the order they are tried; ours first.

    One of another package that can not be loaded is left out with a warning.
    """
    found = {importer.name: importer for importer in _BUILT_IN}
    others = {importer.name: importer for importer in load_all(_GROUP, Importer).values()}
    return found | {name: other for name, other in others.items() if name not in found}


def import_measured(
    path: str | os.PathLike[str],
    format: str | None = None,
    mapping: Mapping[str, str] | None = None,
    ceiling: Callable[[MeasuredRun], float | None] | None = None,
) -> list[MeasuredRun]:
    """Return the runs of a file that some tool wrote.

    Parameters
    ----------
    format
        Name of an importer; found from the text if none.
    mapping
        Column names of a CSV, theirs to ours.
    ceiling
        Returns the decode rate [tokens/s] a run cannot exceed, or none where that is not known.

    A run that breaks a rule is refused alone, with the reason in ``refusal``; a file all of whose
    runs do is refused whole.
    """
    if mapping and format not in (None, OWN_CSV.name):
        raise SimError(f"a column mapping must go with format 'csv'. Got format {format!r}.")
    raw = _read_text(Path(path))
    try:
        if mapping:
            _check_is_text(raw)
            return _checked(read_csv(raw, mapping), ceiling)
        importer = _named(format) if format else _detected(raw)
        text = raw if importer is OWN_CSV else cleaned(raw)
        runs = _checked(importer.read(text), ceiling)
    except SimError as error:
        raise SimError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from None
    if importer is OWN_CSV:
        return with_operators(Path(path), runs)
    stem = Path(path).stem
    return [run.model_copy(update={"id": f"{stem}:{run.id}"}) for run in runs]


def _checked(
    runs: list[MeasuredRun], ceiling: Callable[[MeasuredRun], float | None] | None
) -> list[MeasuredRun]:
    """Return the runs with what checks doubt; `SimError` where every one is in error."""
    checked = [_one_checked(run, ceiling(run) if ceiling else None) for run in runs]
    if all(run.refusal for run in checked) and not all(run.refusal for run in runs):
        raise SimError("\n".join(f"{run.id}: {run.refusal}" for run in checked))
    return checked


def _one_checked(run: MeasuredRun, ceiling: float | None) -> MeasuredRun:
    if run.refusal:
        return run
    found = checks(run, ceiling)
    errors = [finding.message for finding in found if finding.severity == "error"]
    doubts = [finding.message for finding in found if finding.severity == "warning"]
    if not found:
        return run
    said = {"refusal": " ".join(errors), "warnings": tuple(dict.fromkeys((*run.warnings, *doubts)))}
    return run.model_copy(update=said)


def _named(name: str) -> Importer:
    if name not in importers():
        raise SimError(f"format {name!r} is not known. {did_you_mean(name, importers())}")
    return importers()[name]


def _detected(text: str) -> Importer:
    plain = cleaned(text)
    for importer in importers().values():
        if importer.sniff(text if importer is OWN_CSV else plain):
            return importer
    _check_is_text(text)
    seen = _appearance(text)
    hint = (
        " Name its columns in ours, as in --column 'TTFT (ms)=time_to_first_token_s'; they are "
        f"{', '.join(COLUMNS)}."
    )
    raise SimError(
        f"must be a measured file of a known format. Got {seen}. Known: {', '.join(importers())}."
        + (hint if seen.startswith("CSV") else "")
    )


def _check_is_text(raw: str) -> None:
    """Raise `SimError` for what was no text before it was decoded."""
    begin = raw[:_BEGINNING]
    stray = sum(sign == "\ufffd" or (sign < " " and sign not in "\t\n\r\x1b") for sign in begin)
    if stray > _STRAY * len(begin):
        kind = next((name for mark, name in _BINARY.items() if raw.startswith(mark)), "")
        raise SimError(
            f"must be text. Got a binary file{kind}: give what the tool prints or writes as text, "
            "a spreadsheet saved as CSV."
        )


def _appearance(text: str) -> str:
    """Say what a file of no known format looks like."""
    lines = [line.strip() for line in text.splitlines() if line.strip()][:2]
    first, second = (*lines, "", "")[:2]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        is_csv = any(first.count(s) > 1 or first.count(s) == second.count(s) == 1 for s in ",;\t")
        kind = "CSV with the header" if is_csv else "text that begins with"
        return f"{kind} {first!r:.120}" if first else "an empty file"
    if isinstance(found, dict):
        return f"JSON with the keys {', '.join(map(str, found))!r:.120}"
    return f"JSON, a {type(found).__name__}"


def _read_text(path: Path) -> str:
    """Return the text of a file; stray bytes, which logs hold, become replacement characters."""
    try:
        raw = read_bytes(path, SIZE_LIMIT_BYTES)
    except WorkloadError as error:
        raise SimError(str(error)) from None
    if raw.startswith(b"\x1f\x8b"):
        raise SimError(f"{path} must be plain text. Got a gzip file: decompress it first.")
    if raw.startswith(_UTF16):
        return raw.decode("utf-16", errors="replace")
    for order, place in (("utf-16-le", 1), ("utf-16-be", 0)):
        if len(raw) > 1 and not any(
            raw[place:_SEEN:2]
        ):  # every other byte is empty: no mark, two a sign
            return raw.decode(order, errors="replace")
    return raw.decode("utf-8-sig", errors="replace")
