"""ExecuTorch's LLM runner: the observer line, the lines of stats.h, the Android benchmark app.

Forms as printed by pytorch/executorch, extension/llm/runner/stats.h (``print_report``) and
extension/benchmark/android/benchmark (``BenchmarkMetric``; an iOS run is converted to the same). A
log holds the observer line and the lines that say the same to people: the first one is read. The
MediaTek runner prints other lines: `sim.evidence.importers.mediatek`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sim.errors import SimError
from sim.evidence.importers.base import array_items, number, positive
from sim.evidence.importers.engine import Format, N, Record, at


def _observed(record: Record) -> Record:
    """Return ExecuTorch's stamps as times; a stamp that was not read is a clock at 0."""
    ticks = positive(record.pop("per_second", 1000), "SCALING_FACTOR_UNITS_PER_SECOND")

    def span_s(start: str, end: str) -> float:
        given = [record.get(name) for name in (start, end)]
        if None in given:
            raise SimError(f"PyTorchObserver must hold {start} and {end}.")
        passed = number(given[1], end) - number(given[0], start)
        if passed <= 0.0:
            raise SimError(f"{end} must be after {start}. Got {passed:g} ticks: nothing was timed.")
        return passed / ticks

    if record.get("prompt_tokens") is None or record.get("output_tokens") is None:
        raise SimError("PyTorchObserver must hold prompt_tokens and generated_tokens.")
    record["prefill_s"] = span_s("inference_start", "prompt_eval_end")
    record["time_to_first_token_s"] = span_s("inference_start", "first_token")
    record.pop("metric", None)
    if record["output_tokens"] > 1:
        record["decode_s"] = span_s("prompt_eval_end", "inference_end")
    else:
        record["warnings"] = ("no tokens were generated after the first: no decode rate.",)
    return record


def _android(text: str) -> Iterator[Record]:
    """Yield a record per model of an Android benchmark file: an entry holds one metric."""
    named = {
        "token_per_sec": "tokens_per_s",
        "avg_inference_latency(ms)": "inference_s__ms",
        "peak_inference_mem_usage(mb)": "peak_dram_bytes__mib",
    }
    found: dict[str, Record] = {}
    for entry in array_items(text):
        model = at(entry, "benchmarkModel.name")
        record = found.setdefault(str(model), {"model_name": model or "", "line": 0})
        metric = named.get(str(at(entry, "metric")))
        if metric:
            record[metric] = at(entry, "actualValue")
            record["backend"] = at(entry, "benchmarkModel.backend") or ""
            chip = (at(entry, f"deviceInfo.{key}") for key in ("arch", "device"))
            record["processor"] = "; ".join(str(part) for part in chip if part)
    yield from found.values()


EXECUTORCH: Final = Format(
    "executorch",
    "ExecuTorch LLM runner log (PyTorchObserver line)",
    marks=(r"PyTorchObserver \{",),
    before=r"^.*?PyTorchObserver (?=\{)",
    keys={
        "prompt_tokens": "prompt_tokens",
        "generated_tokens": "output_tokens",
        "inference_start_ms": "inference_start",
        "inference_end_ms": "inference_end",
        "prompt_eval_end_ms": "prompt_eval_end",
        "first_token_ms": "first_token",
        "SCALING_FACTOR_UNITS_PER_SECOND": "per_second",
    },
    derive=_observed,
    definitions={
        "prefill_tokens_per_s": "prompt_tokens / (prompt_eval_end - inference_start), tokeniser in",
        "tokens_per_s": "generated_tokens / (inference_end - prompt_eval_end)",
        "time_to_first_token_s": "first_token - inference_start, with tokeniser, without loading",
    },
)
EXECUTORCH_STATS: Final = Format(
    "executorch-stats",
    "ExecuTorch LLM runner log (stats.h lines)",
    marks=(r"Prompt evaluation:\s*\S+ \(seconds\)|Generated \d+ tokens:\s*\S+ \(seconds\)",),
    lines=(
        r"Prompt Tokens: (?P<prompt_tokens>\d+)\s+Generated Tokens: (?P<output_tokens>\d+)",
        rf"Prompt evaluation:\s*(?P<prefill_s>{N}) \(seconds\)"
        rf"(?:\s*Rate:\s*(?P<prefill_tokens_per_s>{N}) \(tokens/second\))?",
        rf"Generated \d+ tokens:\s*(?P<decode_s>{N}) \(seconds\)"
        rf"(?:\s*Rate:\s*(?P<tokens_per_s>{N}) \(tokens/second\))?",
        rf"Time to first generated token:\s*(?P<time_to_first_token_s>{N}) \(seconds\)",
    ),
    begins=r"Prompt Tokens: \d+",
    definitions=EXECUTORCH.definitions,
)
EXECUTORCH_ANDROID: Final = Format(
    "executorch-android",
    "ExecuTorch Android benchmark app, benchmark_results.json",
    marks=(r'"benchmarkModel"', r'"actualValue"'),
    reads=_android,
    stacks={
        "xnnpack": "executorch_xnnpack",
        "qnn": "executorch_qnn",
        "coreml": "executorch_coreml",
    },
    definitions={"tokens_per_s": "the app's tokens per second of the whole generation"},
)
FORMATS: Final = (EXECUTORCH, EXECUTORCH_STATS, EXECUTORCH_ANDROID)
