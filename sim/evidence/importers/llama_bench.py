"""llama-bench output: JSON, JSON lines, CSV and the Markdown table.

Fields as in the tool's README (github.com/ggml-org/llama.cpp, tools/llama-bench): ``avg_ts`` is
the mean of tokens per second over the repeats, without tokenisation and without sampling. A row
with ``n_gen`` 0 is prefill, one with ``n_prompt`` 0 is decode after ``n_depth`` cached tokens. A
row with both is one mixed rate, which is not split.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sim.errors import SimError
from sim.evidence.checks import LARGEST_RELATIVE_SPREAD
from sim.evidence.importers.base import (
    Importer,
    build_run,
    count,
    mapping,
    number,
    parse_json,
    positive,
)
from sim.evidence.importers.names import identify
from sim.evidence.measured import MeasuredRun

_TABLE_HEADER: Final = re.compile(r"^[ \t]*\|.*\|\s*test\s*\|.*\bt/s\b.*\|\s*$", re.MULTILINE)
_TEST: Final = re.compile(r"(?:pp(\d+))?\+?(?:tg(\d+))?(?:\s*@\s*d(\d+))?")
_RATE: Final = re.compile(r"(\S+)\s*(?:±|\+/-|\+-)\s*(\S+)")
_GPU: Final = ("cuda", "metal", "vulkan", "opencl", "rocm", "hip", "sycl", "mtl")
_NPU: Final = ("htp", "hexagon")
_KV_DTYPES: Final = {"f16": "fp16", "f32": "fp32"}
_DEFINITIONS: Final = {
    "prefill_tokens_per_s": "llama-bench avg_ts of a prompt test; no tokenisation, no sampling",
    "tokens_per_s": "llama-bench avg_ts of a generation test; no tokenisation, no sampling",
}
_MIXED: Final = "Prompt and generation share one rate (-pg), which cannot be split."


def sniff(text: str) -> bool:
    """Whether text is any of the four outputs."""
    named = "avg_ts" in text and "n_gen" in text and "n_prompt" in text
    return named or bool(_TABLE_HEADER.search(text))


def read(text: str) -> list[MeasuredRun]:
    """Return one run per test of the file."""
    records = list(_records(text))
    if not records:
        raise SimError("llama-bench output must hold a test. Got none.")
    return [_run(index, record) for index, record in enumerate(records, start=1)]


def _records(text: str) -> Iterator[Mapping[str, Any]]:
    if _TABLE_HEADER.search(text):
        return _table_records(text)
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    if "n_prompt" in first and not first.startswith(("{", "[")):
        return _csv_records(text)
    if first.startswith("{"):
        return _line_records(text)
    found = parse_json(text)
    if not isinstance(found, list):
        raise SimError(f"llama-bench JSON must be an array. Got a {type(found).__name__}.")
    return (mapping(record, "a llama-bench test") for record in found)


def _line_records(text: str) -> Iterator[Mapping[str, Any]]:
    for line in text.splitlines():
        if line.strip():
            yield mapping(parse_json(line), "a llama-bench test")


def _csv_records(text: str) -> Iterator[Mapping[str, Any]]:
    try:
        for row in csv.DictReader(io.StringIO(text.strip()), strict=True):
            if None in row or None in row.values():
                raise SimError(f"a row must have as many cells as the header. Got {row!r:.80}.")
            yield row
    except csv.Error as error:
        raise SimError(f"must be CSV. Got: {error}.") from None


def _table_records(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of the Markdown table under the names of the JSON fields."""
    header: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.lstrip().startswith("|") or set("".join(cells)) <= set("-: "):
            continue
        if "test" in cells and "t/s" in cells:
            header = cells
        elif header and len(cells) == len(header):
            yield _table_record(dict(zip(header, cells, strict=True)))
        elif header:
            raise SimError(f"a table row must have {len(header)} cells. Got {line.strip()!r:.80}.")


def _table_record(row: Mapping[str, str]) -> dict[str, Any]:
    test, rate = _TEST.fullmatch(row["test"]), _RATE.fullmatch(row["t/s"])
    if not test or not any(test.groups()) or not rate:
        shown = f"{row['test']} | {row['t/s']}"
        raise SimError(f"a test must read like 'pp512 | 65.5 ± 0.3'. Got {shown!r:.80}.")
    prompt, generated, depth = (int(group or 0) for group in test.groups())
    named = {"n_prompt": prompt, "n_gen": generated, "n_depth": depth}
    rates = {"avg_ts": rate[1], "stddev_ts": rate[2]}
    return {
        **named,
        **rates,
        "model_type": row.get("model", ""),
        "backends": row.get("backend", ""),
        "n_gpu_layers": row.get("ngl"),
        "n_threads": row.get("threads", ""),
        **{key: row[key] for key in ("type_k", "type_v") if key in row},
    }


def _run(index: int, record: Mapping[str, Any]) -> MeasuredRun:
    missing = [key for key in ("n_prompt", "n_gen", "avg_ts") if record.get(key) in (None, "")]
    if missing:
        raise SimError(f"llama-bench test {index} must have {', '.join(missing)}.")
    prompt, generated = (count(record[key], key) for key in ("n_prompt", "n_gen"))
    if not (prompt or generated):
        raise SimError(f"llama-bench test {index} must have n_prompt or n_gen above 0. Got none.")
    depth = count(record.get("n_depth") or 0, "n_depth")
    names = identify(*(str(record.get(key) or "") for key in ("model_filename", "model_type")))
    stack, doubts = _stack(record)
    return build_run(
        id=f"{index}-{_test_name(prompt, generated, depth)}",
        stack=stack,
        backend=str(record.get("backends") or ""),
        model=names.model,
        weights=names.weights,
        kv_dtype=_kv_dtype(record),
        notes=_notes(record),
        source_format="llama-bench",
        warnings=(*names.warnings, *doubts, *_spread(record), *_mixed(prompt, generated)),
        **_measured(record, prompt, generated, depth),
    )


def _mixed(prompt: int, generated: int) -> tuple[str, ...]:
    return (_MIXED,) if prompt and generated else ()


def _measured(record: Mapping[str, Any], prompt: int, generated: int, depth: int) -> dict[str, Any]:
    """Return the counts, and the rate and its samples under the metric they measure."""
    rate = positive(record["avg_ts"], "avg_ts")
    samples = record.get("samples_ts") or [rate]
    if not isinstance(samples, list):
        raise SimError(f"samples_ts must be an array. Got {samples!r:.60}.")
    rates = tuple(number(sample, "samples_ts") for sample in samples)
    if prompt and generated:
        counts = {"prompt_tokens": prompt, "output_tokens": generated}
        return {**counts, "samples": {"mixed_tokens_per_s": rates}}
    metric = "prefill_tokens_per_s" if prompt else "tokens_per_s"
    return {
        "prompt_tokens": prompt or max(depth, 1),
        "output_tokens": generated or None,
        "context_tokens": prompt + depth if prompt and depth else None,
        metric: rate,
        "definitions": {metric: _DEFINITIONS[metric]},
        "samples": {metric: rates},
    }


def _test_name(prompt: int, generated: int, depth: int) -> str:
    parts = [f"pp{prompt}"] * bool(prompt) + [f"tg{generated}"] * bool(generated)
    return "+".join(parts) + (f"@d{depth}" if depth else "")


def _stack(record: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return the stack id, or why the backends do not settle one."""
    backends = str(record.get("backends") or "").lower()
    if any(name in backends for name in _NPU):
        return "llamacpp_hexagon", ()
    if any(name in backends for name in _GPU):
        if str(record.get("n_gpu_layers")) == "0":
            return "", ("backend is a GPU, but no layer runs on it: stack left open.",)
        return "llamacpp_gpu", ()
    if "cpu" in backends or "blas" in backends:
        return "llamacpp_cpu", ()
    return "", (f"backend {backends!r:.40} does not settle a stack.",)


def _kv_dtype(record: Mapping[str, Any]) -> str:
    k_type, v_type = (str(record.get(key) or "") for key in ("type_k", "type_v"))
    return _KV_DTYPES.get(k_type, k_type) if k_type == v_type else ""


def _notes(record: Mapping[str, Any]) -> str:
    shown = ("cpu_info", "gpu_info", "n_threads", "build_commit", "test_time")
    return "; ".join(f"{key}: {record[key]}" for key in shown if record.get(key))


def _spread(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Warn of a wide spread where only its standard deviation is given."""
    if record.get("samples_ts") or not record.get("stddev_ts"):
        return ()
    spread = number(record["stddev_ts"], "stddev_ts") / positive(record["avg_ts"], "avg_ts")
    if spread <= LARGEST_RELATIVE_SPREAD:
        return ()
    return (f"the repeats spread by {spread:.0%} of their mean.",)


LLAMA_BENCH: Final = Importer(
    "llama-bench", "llama.cpp tools/llama-bench, -o json, jsonl, csv or md", sniff, read
)
