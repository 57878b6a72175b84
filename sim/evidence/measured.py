"""Measured runs: one measurement of one session on one device, and the CSV that holds many.

An empty cell means unknown, never zero. Numbers carry no unit: the column name does
(`sim.evidence.column_units`). Not modelled: distributions beyond the raw samples, and conversions
between definitions of a metric.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sim.errors import SimError
from sim.evidence import csv_text
from sim.evidence.column_units import Reading, own_reading, reading, unit_of
from sim.evidence.measured_metrics import METRICS
from workloads.errors import WorkloadError, did_you_mean
from workloads.explain import sentences
from workloads.files import read_text
from workloads.weight_formats import get_format

SIZE_LIMIT_BYTES: Final = 64 * 2**20
"""Largest file that is read [B]."""
COLUMNS: Final = (
    *("id", "device", "stack", "backend", "model", "weights", "activations", "kv_dtype"),
    *("context_tokens", "prompt_tokens", "output_tokens", "image_px"),
    *METRICS[:6],
    *("source_url", "role", "notes"),
    *("depth_tokens", "threads", "release", "kv_value_dtype"),
    *METRICS[6:],
    *("ubatch_tokens", "flash_attention", "warnings", "refusal"),
    *("model_name", "model_parameters", "processor"),
)
"""Columns of the CSV."""
OPTIONAL: Final = COLUMNS[COLUMNS.index("notes") + 1 :]
"""Columns that are seldom known: a file may leave them out."""

NUMBERS: Final = frozenset(
    column
    for column in COLUMNS
    if column in (*METRICS, "threads", "model_parameters") or column.endswith("_tokens")
)
UNKNOWN: Final = ("", "-", "--", "–", "—", "na", "n/a", "none", "null", "?")
"""What a number's cell may hold for unknown; one that is none (NaN) is a fault."""
APART: Final = " || "
"""What stands between two warnings in a cell."""
_IMAGE: Final = re.compile(r"(\d{1,6})\s*[x×]\s*(\d{1,6})")

Count = Annotated[int, Field(ge=0, le=10**9)]
Quantity = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Images = tuple[tuple[int, int], ...]
Role = Literal["", "calibration", "validation", "context"]


class OperatorTime(NamedTuple):
    """Time one operator took over a whole run [s], without the operators it called.

    ``shape`` are the sizes of its inputs, where they were recorded.
    """

    name: str
    calls: int
    duration_s: float
    unit: str = ""
    shape: str = ""


class MeasuredRun(BaseModel):
    """One measurement; the first fields are the columns of the CSV, in their order.

    Attributes
    ----------
    device, stack, backend, model, weights, activations, kv_dtype
        Ids, or "" where the source does not settle them; ``weights`` is a format id of the body or
        a mapping such as ``body=w4;lm_head=w8``.
    context_tokens
        Cache positions at which decode was measured.
    depth_tokens
        Tokens in the cache before the prompt.
    threads
        CPU threads of the runtime.
    release
        Release or build of the runtime.
    kv_value_dtype
        Format of the values in the cache, where it differs from that of the keys.
    ubatch_tokens
        Most prompt tokens the runtime computes at once.
    flash_attention
        ``on`` or ``off``: whether attention keeps its scores on chip.
    energy_j_per_token
        Energy of one decoded token [J].
    inference_s
        One call of a network that is no session [s].
    image_px
        Width and height of each image [px].
    prefill_tokens_per_s, tokens_per_s
        Prompt tokens per second of prefill; output tokens per second of decode.
    source_format
        Name of the importer, or "csv".
    definitions
        Per metric: what exactly the source timed, since TTFT and decode rate differ between tools.
    samples
        Per metric, in its unit: the raw repeats in the order they ran. Unlike the fields, they may
        hold garbage.
    operators
        Time per operator, for sources that profile them.
    warnings
        What the importer had to leave open, or doubts.
    model_name, processor
        The model and the chip as the source writes them.
    model_parameters, model_bytes
        Weights of the model, and bytes of its file, as the source states them.
    stack_is_inferred
        The importer concluded the stack; the source does not write it.
    refusal
        Why nobody can judge or fit the row although it stands in the file; "" if one can.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(min_length=1)]
    device: str = ""
    stack: str = ""
    backend: str = ""
    model: str = ""
    weights: str = ""
    activations: str = ""
    kv_dtype: str = ""
    context_tokens: Count | None = None
    prompt_tokens: Count | None = None
    output_tokens: Count | None = None
    image_px: Images = ()
    prefill_tokens_per_s: Quantity | None = None
    tokens_per_s: Quantity | None = None
    time_to_first_token_s: Quantity | None = None
    vision_encode_s: Quantity | None = None
    peak_dram_bytes: Quantity | None = None
    power_w: Quantity | None = None
    source_url: str = ""
    role: Role = ""
    notes: str = ""
    depth_tokens: Count | None = None
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None
    release: str = ""
    kv_value_dtype: str = ""
    energy_j_per_token: Quantity | None = None
    inference_s: Quantity | None = None
    ubatch_tokens: Annotated[int, Field(ge=1, le=10**6)] | None = None
    flash_attention: Literal["", "on", "off"] = ""
    warnings: tuple[str, ...] = ()
    refusal: str = ""
    model_name: str = ""
    model_parameters: Quantity | None = None
    processor: str = ""
    source_format: str = "csv"
    definitions: Mapping[str, str] = {}
    samples: Mapping[str, tuple[float, ...]] = {}
    operators: tuple[OperatorTime, ...] = ()
    model_bytes: Quantity | None = None
    stack_is_inferred: bool = False

    @property
    def metrics(self) -> dict[str, float]:
        """The known metrics by name; zeros, which stand for "not measured", are left out.

        >>> MeasuredRun(id="a", tokens_per_s=20.0, time_to_first_token_s=0.0).metrics
        {'tokens_per_s': 20.0}
        """
        values = {name: getattr(self, name) for name in METRICS}
        return {name: value for name, value in values.items() if value}


def read_measured(path: str | os.PathLike[str]) -> list[MeasuredRun]:
    """Read a CSV of measured runs; a `SimError` tells every fault of the file, with its row."""
    try:
        text = read_text(path, SIZE_LIMIT_BYTES)
    except WorkloadError as error:
        raise SimError(str(error)) from None
    return parse_measured(text, str(path))


def parse_measured(
    text: str, name: str = "text", mapping: Mapping[str, str] | None = None
) -> list[MeasuredRun]:
    """Return the runs of CSV text; ``mapping`` renames columns, theirs to ours.

    Raises `SimError` with every fault and its line.

    >>> parse_measured("id,tokens_per_s\\nr1,24.5\\n")[0].tokens_per_s
    24.5
    """
    runs, faults = parse_rows(text, name, mapping)
    if faults:
        raise SimError("\n".join(f"{name}, line {line}: {fault}" for line, fault in faults))
    return runs


def parse_rows(
    text: str, name: str, mapping: Mapping[str, str] | None = None
) -> tuple[list[MeasuredRun], list[tuple[int, str]]]:
    """Return the runs of CSV text, and the faults of the rows that are none, by line.

    Raises `SimError` where the header is at fault, or the text is no CSV.
    """
    rows = list(csv_text.rows(text))
    if not rows:
        raise SimError(f"{name} must begin with a header. Got an empty file.")
    first = rows[0]
    if first.fault:
        raise SimError(f"{name}, line {first.number}: {first.fault}")
    header = _readings([cell.strip() for cell in first.cells], mapping or {}, name)
    wrong = _header_faults(header)
    if wrong:
        raise SimError("\n".join(f"{name}: {fault}" for fault in wrong))
    runs: dict[str, MeasuredRun] = {}
    faults: list[tuple[int, str]] = []
    for line, cells, fault in rows[1:]:
        run, found = (None, [fault]) if fault else _run_of(header, cells, line)
        if run and run.id in runs:
            found = [f"id {run.id!r} must be unique. It stands in an earlier row, too."]
        if run:
            runs.setdefault(run.id, run)
        faults += [(line, fault) for fault in found]
    return list(runs.values()), faults


def _readings(header: list[str], mapping: Mapping[str, str], name: str) -> list[Reading]:
    """Return how each column is read; a mapping drops those that neither side names, as ""."""
    own = [cell.lower() if cell.lower() in COLUMNS else cell for cell in header]
    faults = [
        f"{name}: the mapping names column {theirs!r}, which the file does not have. "
        + did_you_mean(theirs, header)
        for theirs in mapping
        if theirs not in (*header, *own)
    ]
    if faults:
        raise SimError("\n".join(faults))
    found = []
    for theirs, ours in zip(header, own, strict=True):
        mapped = mapping.get(theirs, mapping.get(ours, ours if ours in COLUMNS else ""))
        is_ours = mapped in COLUMNS
        read = reading(theirs, mapped, header) if is_ours and mapped != ours else None
        alike = None if is_ours else own_reading(mapped or theirs)
        found.append(read or alike or Reading(mapped or ("" if mapping else ours)))
    return found


def _header_faults(header: list[Reading]) -> list[str]:
    known = [column.ours for column in header if column.ours]
    faults = [column.fault for column in header if column.fault]
    faults += [
        f"column {column!r} is not known. {_meant(column)}"
        for column in known
        if column not in COLUMNS
    ]
    return faults + [
        f"column {column!r} must be given once."
        for column in dict.fromkeys(known)
        if known.count(column) > 1
    ]


def _meant(column: str) -> str:
    """Return which column was probably meant, with its unit: the name alone converts nothing."""
    hint = did_you_mean(column, COLUMNS)
    near = re.fullmatch(r"Did you mean '(\w+)'\?", hint)
    unit = unit_of(near[1]) if near and near[1] in METRICS else ""
    return f"{hint} It is in {unit}." if unit else hint


def _run_of(
    header: list[Reading], cells: list[str], line: int
) -> tuple[MeasuredRun | None, list[str]]:
    """Return the run of one row, or the row's faults; a row without an id is named by its line."""
    if len(cells) != len(header):
        return None, [f"a row must have {len(header)} cells. Got {len(cells)}."]
    if cells == [column.ours for column in header]:
        return None, ["a row must hold values. Got the header again."]
    values = [
        (column, cell.strip())
        for column, cell in zip(header, cells, strict=True)
        if column.ours and _says(column.ours, cell)
    ]
    faults: list[str] = []
    fields: dict[str, Any] = {"id": f"line{line}"}
    for column, cell in values:
        try:
            found = _value(column.ours, cell)
            fields[column.ours] = column.value(found) if isinstance(found, float) else found
        except ValueError as error:
            faults.append(f"{column.ours} must be {error}. Got {cell!r:.60}.")
    if faults:
        return None, faults
    said = [column.said for column, _ in values if column.said]
    if said:
        fields["warnings"] = (*fields.get("warnings", ()), *said)
    try:
        return MeasuredRun(**fields), []
    except ValidationError as error:
        return None, sentences(error)


def _says(column: str, cell: str) -> bool:
    """Whether a cell says anything: people write in several ways that a number is unknown."""
    if column in NUMBERS:
        return cell.strip().lower() not in UNKNOWN
    return bool(cell.strip())


def _value(column: str, cell: str) -> object:
    """Return the value of a cell; the ValueError says what it must be."""
    if column == "image_px":
        return parse_images(cell)
    if column == "warnings":
        return tuple(part.strip() for part in cell.split(APART) if part.strip())
    if column in METRICS or column == "model_parameters":
        return _number(cell)
    if column in NUMBERS:
        number = _number(cell)
        if not number.is_integer():
            raise ValueError(f"a whole number of {column.rpartition('_')[2]}")
        return int(number)
    return _known_format(cell) if column == "weights" else cell


def _known_format(cell: str) -> str:
    """Return a weight format as it is spelt here, if it differs by capitals only."""
    try:
        return get_format(cell.lower()).id
    except WorkloadError:
        return cell


def _number(cell: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        raise ValueError("a number without a unit, or empty for unknown") from None
    if not math.isfinite(number) or number < 0.0:
        raise ValueError("a finite number, zero or above")
    return number


def write_measured(runs: Iterable[MeasuredRun]) -> str:
    """Return runs as the CSV that `parse_measured` reads.

    Optional columns that no run fills are left out. Operators stand in a file of their own
    (`sim.evidence.operator_csv`); samples are not kept.
    """
    listed = list(runs)
    used = [c for c in COLUMNS if c not in OPTIONAL or any(getattr(r, c) for r in listed)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(used)
    writer.writerows([_cell(run, column) for column in used] for run in listed)
    return text.getvalue()


def _cell(run: MeasuredRun, column: str) -> str:
    value = getattr(run, column)
    if column == "warnings":
        return APART.join(value)
    if column == "image_px":
        return ";".join(f"{width}x{height}" for width, height in value)
    return "" if value is None else str(value)


def parse_images(text: str) -> Images:
    """Return width and height of each image [px]; the ValueError says what the text must be.

    >>> parse_images("1080x2400;448x448")
    ((1080, 2400), (448, 448))
    """
    found = [_IMAGE.fullmatch(part.strip()) for part in text.split(";")]
    if not all(found):
        raise ValueError("WIDTHxHEIGHT, several separated by ';'")
    return tuple((int(match[1]), int(match[2])) for match in found if match)
