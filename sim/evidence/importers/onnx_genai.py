"""onnxruntime-genai's benchmarks: CSV and JSON records, and what they print.

Forms as printed by microsoft/onnxruntime-genai: benchmark/python/benchmark_e2e.py (``Args:
batch_size = ...`` and ``Average ... Throughput (per token)``), whose records benchmark/python/
metrics.py flattens into columns such as ``metrics.token_generation_throughput_tps``, or in earlier
releases ``Token Generation Throughput (tps)``; and benchmark/c/main.cpp (``Prompt processing (time
to first token)``, microseconds). Rates are per sequence where a batch is one. The execution
provider is in the records; which of our stacks it means is open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sim.evidence.importers.base import documents
from sim.evidence.importers.engine import Format, N, Record, flat
from sim.evidence.importers.records import one_sequence
from sim.evidence.importers.tables import csv_rows

_FIRST: Final = {
    "Batch Size": "batch",
    "Prompt Length": "prompt_tokens",
    "Tokens Generated": "output_tokens",
    "Prompt Processing Throughput (tps)": "prefill_tokens_per_s",
    "Token Generation Throughput (tps)": "tokens_per_s",
}
_RECORD: Final = {
    "config.model_info.full_name": "model_name",
    "config.precision": "weights_name",
    "config.batch_size": "batch",
    "config.prompt_length": "prompt_tokens",
    "config.tokens_generated": "output_tokens",
    "metadata.device": "backend",
    "metadata.package_version": "release",
    "metrics.prompt_processing_throughput_tps": "prefill_tokens_per_s",
    "metrics.token_generation_throughput_tps": "tokens_per_s",
}
_COLUMNS: Final = (
    _FIRST | {f"Average {name}": ours for name, ours in _FIRST.items() if "tps" in name} | _RECORD
)
DEFINITIONS: Final = {
    "prefill_tokens_per_s": "onnxruntime-genai: prompt length / time of the prompt's logits",
    "tokens_per_s": "onnxruntime-genai: 1 / mean time of a token's logits, without sampling",
}


def _records(text: str) -> Iterator[Record]:
    if text.lstrip()[:1] in ("[", "{"):
        for document in flat(documents(text)):
            yield _named(_flat(document))
        return
    for row in csv_rows(text):
        yield {"fault": f"line {row.line}: {row.fault}"} if row.fault else _named(row.cells)


def _named(cells: Mapping[str, Any]) -> Record:
    return {_COLUMNS[name]: cell for name, cell in cells.items() if name in _COLUMNS and cell}


def _flat(document: object, before: str = "") -> dict[str, Any]:
    """Return a nested record as pandas flattens it."""
    if not isinstance(document, dict):
        return {before.rstrip("."): document}
    found: dict[str, Any] = {}
    for name, value in document.items():
        found |= _flat(value, f"{before}{name}.")
    return found


def _of_print(record: Record) -> Record:
    if "tokens_to_generate" in record:
        record.setdefault("output_tokens", int(record["tokens_to_generate"]))
    return one_sequence(record)


RECORDS: Final = Format(
    "onnxruntime-genai",
    "onnxruntime-genai benchmark_e2e.py CSV or JSON",
    marks=(
        r"\A\s*\"?Batch Size\"?,.*Tokens Generated|metrics\.token_generation_throughput_tps"
        r'|"token_generation_throughput_tps"\s*:',
    ),
    reads=_records,
    derive=one_sequence,
    definitions=DEFINITIONS,
)
PRINT: Final = Format(
    "onnxruntime-genai-print",
    "onnxruntime-genai print: benchmark_e2e.py, or model_benchmark of benchmark/c",
    marks=(
        r"^Average Token Generation Throughput \(per token\):|^Average Prompt Processing Thr"
        r"|^Prompt processing \(time to first token\):",
    ),
    lines=(
        r"^Args: batch_size = (?P<batch>\d+), prompt_length = (?P<prompt_tokens>\d+),"
        r" tokens = (?P<output_tokens>\d+)",
        rf"^Average Prompt Processing Throughput \(per token\): (?P<prefill_tokens_per_s>{N}) tps",
        rf"^Average Token Generation Throughput \(per token\): (?P<tokens_per_s>{N}) tps",
        rf"Peak CPU Memory Usage: (?P<peak_dram_bytes__gib>{N}) GiB",
        r"^Batch size: (?P<batch>\d+), prompt tokens: (?P<prompt_tokens>\d+),"
        r" tokens to generate: (?P<tokens_to_generate>[0-9]{1,9})",
        rf"^Prompt processing \(time to first token\):\s+avg \(us\):\s+{N}"
        rf"\s+avg \(tokens/s\):\s+(?P<prefill_tokens_per_s>{N})",
        rf"^Token generation:\s+avg \(us\):\s+{N}\s+avg \(tokens/s\):\s+(?P<tokens_per_s>{N})",
        r"^Peak working set size: (?P<peak_dram_bytes>\d+) bytes",
    ),
    begins=r"^Args: batch_size = |^Batch size: \d+, prompt tokens:",
    derive=_of_print,
    definitions=DEFINITIONS,
)
FORMATS: Final = (RECORDS, PRINT)
