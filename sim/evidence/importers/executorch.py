"""ExecuTorch LLM runner logs: the ``PyTorchObserver {...}`` line, also out of logcat.

Fields as in extension/llm/runner/stats.h (github.com/pytorch/executorch); one line is one run. The
MediaTek runner is a fork of this path, but that it prints the same line is unverified.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sim.errors import SimError
from sim.evidence.importers.base import (
    Importer,
    build_run,
    count,
    mapping,
    number,
    parse_json,
    positive,
)
from sim.evidence.measured import MeasuredRun

_MARK: Final = "PyTorchObserver"
_TICKS_PER_SECOND: Final = "SCALING_FACTOR_UNITS_PER_SECOND"
_DEFINITIONS: Final = {
    "prefill_tokens_per_s": "prompt_tokens / (prompt_eval_end - inference_start), with tokeniser",
    "tokens_per_s": "generated_tokens / (inference_end - prompt_eval_end)",
    "time_to_first_token_s": "first_token - inference_start, with tokeniser, without loading",
}


def sniff(text: str) -> bool:
    """Whether text holds an observer line."""
    return f"{_MARK} {{" in text


def read(text: str) -> list[MeasuredRun]:
    """Return one run per observer line."""
    lines = [line.split(_MARK, 1)[1] for line in text.splitlines() if f"{_MARK} {{" in line]
    if not lines:
        raise SimError(f"an ExecuTorch log must hold a line '{_MARK} {{...}}'. Got none.")
    return [
        _run(index, mapping(parse_json(line), _MARK)) for index, line in enumerate(lines, start=1)
    ]


def _run(index: int, stats: Mapping[str, Any]) -> MeasuredRun:
    prompt, generated = (
        count(_given(stats, key), key) for key in ("prompt_tokens", "generated_tokens")
    )
    prefill_s = _span_s(stats, "inference_start_ms", "prompt_eval_end_ms")
    first_token_s = _span_s(stats, "inference_start_ms", "first_token_ms")
    warnings = ["device, stack and model are not in the log."]
    fields: dict[str, float] = {
        "prefill_tokens_per_s": prompt / prefill_s,
        "time_to_first_token_s": first_token_s,
    }
    if generated > 1:
        decode_s = _span_s(stats, "prompt_eval_end_ms", "inference_end_ms")
        fields["tokens_per_s"] = generated / decode_s
    else:
        warnings.append("no tokens were generated after the first: no decode rate.")
    return build_run(
        id=f"run{index}",
        prompt_tokens=prompt,
        output_tokens=generated,
        source_format="executorch",
        definitions={name: _DEFINITIONS[name] for name in fields},
        warnings=tuple(warnings),
        **fields,
    )


def _given(stats: Mapping[str, Any], key: str) -> Any:
    if key not in stats:
        raise SimError(f"{_MARK} must hold {key}.")
    return stats[key]


def _span_s(stats: Mapping[str, Any], start: str, end: str) -> float:
    """Return the time between two stamps; zero or less means a clock that was not read."""
    per_second = positive(stats.get(_TICKS_PER_SECOND, 1000), _TICKS_PER_SECOND)
    ticks = number(_given(stats, end), end) - number(_given(stats, start), start)
    if ticks <= 0.0:
        raise SimError(f"{end} must be after {start}. Got {ticks:g} ticks: nothing was timed.")
    return ticks / per_second


EXECUTORCH: Final = Importer(
    "executorch", "ExecuTorch LLM runner log (PyTorchObserver line)", sniff, read
)
