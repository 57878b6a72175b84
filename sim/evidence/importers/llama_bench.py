"""llama-bench output: JSON, JSON lines, CSV, SQL and the Markdown table, also that of 2023.

Fields as printed by ggml-org/llama.cpp, tools/llama-bench/llama-bench.cpp (its README lists
them): ``avg_ts`` is the mean of tokens per second over the repeats, without tokenisation and
without sampling. A row with ``n_gen`` 0 is prefill, one with ``n_prompt`` 0 is decode; both follow
``n_depth`` cached tokens. A row with both is one mixed rate, which is not split. ``build: COMMIT
(NUMBER)`` stands behind a table and holds for the rows above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from sim.errors import SimError
from sim.evidence.checks import LARGEST_RELATIVE_SPREAD
from sim.evidence.csv_text import delimiter, header
from sim.evidence.importers.base import Importer, array_items, count, number, with_point
from sim.evidence.importers.engine import Format, Record
from sim.evidence.importers.llama_stacks import (
    Placed,
    apart,
    cache_types,
    flash_attention,
    generation,
    mapped,
    placed,
)
from sim.evidence.importers.names import identify
from sim.evidence.importers.tables import Row, csv_rows, insert_rows, table_rows
from workloads.catalogue import trace_for

_TEST: Final = re.compile(r"(?:pp\s*(\d+))?\s*\+?\s*(?:tg\s*(\d+))?(?:\s*@\s*d\s*(\d+))?")
_RATE: Final = re.compile(r"([-+\w.,]+)\s*(?:±\s*([^\s%]+))?(?:\s+t(?:ok(?:ens)?)?/s)?")
_BUILD: Final = re.compile(r"^build: (?P<build_commit>\w+) \((?P<build_number>\d+)\)", re.MULTILINE)
_SIZE: Final = re.compile(r"([\d.]+)\s*([KMG]i?B|[KMBT])\b")
_FACTORS: Final = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12} | {
    f"{letter}{kind}": base**power
    for power, letter in enumerate("KMG", start=1)
    for kind, base in (("iB", 2**10), ("B", 10**3))
}
UBATCH: Final = 512
"""Prompt tokens that llama.cpp computes at once unless told otherwise."""
_DEFINITIONS: Final = {
    "prefill_tokens_per_s": "llama-bench avg_ts of a prompt test; no tokenisation, no sampling",
    "tokens_per_s": "llama-bench avg_ts of a generation test; no tokenisation, no sampling",
}
_MIXED: Final = "Prompt and generation share one rate (-pg), which cannot be split."
_OF_TABLE: Final = {
    "model": "model_type",
    "backend": "backends",
    "ngl": "n_gpu_layers",
    "threads": "n_threads",
    "dev": "devices",
    "fa": "flash_attn",
    "mmap": "use_mmap",
    "nkvo": "no_kv_offload",
    "ncmoe": "n_cpu_moe",
    "ot": "tensor_buft_overrides",
    **{name: name for name in ("n_batch", "n_ubatch", "type_k", "type_v", "repack", "load_mode")},
    **{"device": "devices", "test": "test", "t/s": "rate", "size": "size", "params": "params"},
}
"""Columns of the table by the fields of the other outputs."""


def is_header(cells: list[str]) -> bool:
    """Whether cells head a table of llama-bench; MNN prints one that looks much like it."""
    found = {cell.lower() for cell in cells}
    return {"model", "test", "t/s"} <= found and not {"modelsize", "precision"} & found


def _saved_as(text: str) -> str:
    """Return the delimiter of a table that a spreadsheet saved as CSV; empty for other texts."""
    sign = delimiter(text)
    return sign if sign in ",;" and is_header(header(text)) else ""


def _records(text: str) -> Iterator[Record]:
    if sign := _saved_as(text):
        for row in csv_rows(text, sign):
            if not next(iter(row.cells.values()), "").startswith("build:"):
                yield _row(row, _of_table)
    elif any(is_header(_split(line)) for line in text.splitlines() if "t/s" in line.lower()):
        builds = [
            (text.count("\n", 0, m.start()) + 1, m.groupdict()) for m in _BUILD.finditer(text)
        ]
        for row in table_rows(text, is_header):
            build = next((found for line, found in builds if line > row.line), {})
            yield build | _row(row, _of_table)
    elif re.search(r"INSERT\s+INTO", text, re.IGNORECASE):
        yield from (_row(row, dict) for row in insert_rows(text))
    elif re.search(r"^[^{\[\n]*\bn_prompt\b[^\n]*,", text):
        yield from (_row(row, dict) for row in csv_rows(text))
    else:
        for item in array_items(text):
            yield (
                item
                if isinstance(item, dict)
                else {"fault": "a llama-bench test must be a JSON object."}
            )


def _split(line: str) -> list[str]:
    return [cell.strip(" *") for cell in re.split(r"[|\t]", line.strip().strip("|"))]


def _row(row: Row, read: Any) -> Record:
    if row.fault:
        return {"fault": f"line {row.line}: {row.fault}"}
    try:
        return dict(read(row.cells)) | {"line": row.line}
    except SimError as error:
        return {"fault": f"line {row.line}: {error}"}


@lru_cache(maxsize=256)
def _column(name: str) -> str:
    return _OF_TABLE.get(name.lower(), "")


def _of_table(cells: Mapping[str, str]) -> Record:
    ours = ((_column(name), value) for name, value in cells.items())
    found = {name: value for name, value in ours if name}
    test, rate = _TEST.fullmatch(found["test"]), _RATE.fullmatch(found["rate"])
    if not test or not any(test.groups()) or not rate:
        shown = f"{found['test']} | {found['rate']}"
        raise SimError(f"a test must read like 'pp512 | 65.5 ± 0.3'. Got {shown!r:.80}.")
    counts = [int(group[:10]) if group else 0 for group in test.groups()]
    return {
        **found,
        **dict(zip(("n_prompt", "n_gen", "n_depth"), counts, strict=True)),
        "avg_ts": with_point(rate[1]),
        "stddev_ts": rate[2] and with_point(rate[2]),
        "model_size": _size(found.get("size", "")),
        "model_n_params": _size(found.get("params", "")),
    }


@lru_cache(maxsize=4096)
def _size(text: str) -> float | None:
    """Return a number with its unit as the table prints it.

    >>> _size("1.24 B"), _size("0.5 GiB")
    (1240000000.0, 536870912.0)
    """
    match = _SIZE.match(text)
    return number(match[1], "size") * _FACTORS[match[2]] if match else None


def _derive(record: Record) -> Record:
    """Return a test in our fields."""
    missing = [key for key in ("n_prompt", "n_gen", "avg_ts") if record.get(key) in (None, "")]
    if missing:
        raise SimError(f"a llama-bench test must have {', '.join(missing)}.")
    prompt, generated = (count(record[key], key) for key in ("n_prompt", "n_gen"))
    if not (prompt or generated):
        raise SimError("a llama-bench test must have n_prompt or n_gen above 0. Got none.")
    depth = count(record.get("n_depth") or 0, "n_depth")
    metric = "prefill_tokens_per_s" if prompt else "tokens_per_s"
    rates = _samples(record)
    mixed = bool(prompt and generated)
    return {
        "name": _test_name(prompt, generated, depth),
        "prompt_tokens": prompt or 1,
        "output_tokens": generated or None,
        "depth_tokens": depth or None,
        **({} if mixed else {metric: record["avg_ts"]}),
        "samples": {"mixed_tokens_per_s" if mixed else metric: rates},
        "backend": _text(record, "backends"),
        "model_file": _text(record, "model_filename"),
        "model_name": _text(record, "model_type") or _text(record, "model_filename"),
        "model_parameters": _positive(record.get("model_n_params")),
        "model_bytes": _positive(record.get("model_size")),
        "processor": _processor(record),
        "release": _text(record, "build_commit") or _text(record, "build_number"),
        "notes": _text(record, "test_time") and f"test_time: {record['test_time']}",
        **_way(record),
        **_stack(record, bool(generated), (*_spread(record), *([_MIXED] if mixed else []))),
    }


def _way(record: Record) -> Record:
    """Return what a test was started with, where it changes the run."""
    return {
        "threads": _positive(record.get("n_threads")),
        "ubatch_tokens": min(
            _positive(record.get(key)) or UBATCH for key in ("n_batch", "n_ubatch")
        ),
        "flash_attention": flash_attention(_text(record, "flash_attn")),
        **cache_types(*(_text(record, key).lower() for key in ("type_k", "type_v"))),
    }


def _stack(record: Record, decodes: bool, said: tuple[str, ...]) -> Record:
    """Return where a test ran, and with what is said of it."""
    keys = ("model_filename", "model_type", "backends", "devices", "n_gpu_layers", "repack")
    parameters, build = (_positive(record.get(key)) for key in ("model_n_params", "build_number"))
    found, repacked = _where(*(_text(record, key) for key in keys), parameters, build, decodes)
    return {
        "stack": found.stack,
        "stack_doubt": found.doubt,
        "refusal": found.refusal or apart(found.stack, record),
        "warnings": (*said, *([repacked] if repacked else []), *mapped(record)),
    }


@lru_cache(maxsize=4096)
def _where(
    file: str,
    kind: str,
    backends: str,
    ran: str,
    on_gpu: str,
    repack: str,
    parameters: float | None,
    build: float | None,
    decodes: bool,
) -> tuple[Placed, str]:
    """Return the stack of a test, and what is to be said of its repacked weights."""
    known = identify(file, kind, parameters=parameters)
    layers = trace_for(known.model).decoder.layers if known.model else 0
    found = placed(backends, ran, on_gpu, layers, decodes)
    stack, said = generation(found.stack, repack, int(build) if build else None, known.weights)
    return found._replace(stack=stack), said


def _processor(record: Record) -> str:
    """Return the chip that the test's information names first."""
    infos = (_text(record, key) for key in ("cpu_info", "gpu_info", "device_info"))
    return "; ".join(filter(None, infos))


def _samples(record: Record) -> tuple[float, ...]:
    samples = record.get("samples_ts") or [record["avg_ts"]]
    if not isinstance(samples, list):
        raise SimError(f"samples_ts must be an array. Got {samples!r:.60}.")
    return tuple(number(sample, "samples_ts") for sample in samples)


def _spread(record: Record) -> tuple[str, ...]:
    """Warn of a wide spread where only its standard deviation is given."""
    if record.get("samples_ts") or not record.get("stddev_ts"):
        return ()
    rate = number(record["avg_ts"], "avg_ts")
    spread = number(record["stddev_ts"], "stddev_ts") / rate if rate else 0.0
    if spread <= LARGEST_RELATIVE_SPREAD:
        return ()
    return (f"the repeats spread by {spread:.0%} of their mean.",)


def _test_name(prompt: int, generated: int, depth: int) -> str:
    parts = [f"pp{prompt}"] * bool(prompt) + [f"tg{generated}"] * bool(generated)
    return "+".join(parts) + (f"@d{depth}" if depth else "")


def _positive(value: object) -> float | None:
    """Return a count above zero, none where a field is empty or says "the tool's choice"."""
    return None if value is None else _count_of(str(value).strip())


@lru_cache(maxsize=4096)
def _count_of(text: str) -> float | None:
    return number(text, "a count") or None if re.fullmatch(r"[\d.]+(?:e\+?\d+)?", text) else None


def _text(record: Record, key: str) -> str:
    value = record.get(key)
    return "" if value is None else str(value).strip()


_FORMAT: Final = Format(
    "llama-bench",
    "llama.cpp tools/llama-bench, -o json, jsonl, csv, sql or md",
    reads=_records,
    derive=_derive,
    definitions=_DEFINITIONS,
)


def sniff(text: str) -> bool:
    """Whether text is any of the five outputs."""
    if ("avg_ts" in text and "n_gen" in text and "n_prompt" in text) or _saved_as(text):
        return True
    return any(is_header(_split(line)) for line in text.splitlines() if "t/s" in line.lower())


LLAMA_BENCH: Final = Importer(_FORMAT.name, _FORMAT.describes, sniff, _FORMAT.read)
