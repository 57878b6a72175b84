"""LiteRT-LM benchmark output: the printed block, the log lines, the command line, the text proto.

Fields as printed by runtime/engine/litert_lm_lib.cc and io_types.cc (github.com/google-ai-edge/
LiteRT-LM). Where a value is printed several times the last counts: a median block comes last. Its
time to first token is prefill plus the mean decode time of a token, not an observed instant, and
0.0 stands for "no turn recorded". Its "MB" of memory are MiB: kibibytes of getrusage over 1024
(tensorflow/lite/profiling/memory_usage_monitor.h), with -1 and 0 for "not watched". Not read: the
binary proto, whose field numbers are unverified.
"""

from __future__ import annotations

import re
from typing import Final

from sim.errors import SimError
from sim.evidence.importers.base import Importer, build_run, count, number, positive
from sim.evidence.measured import MeasuredRun

_VALUE: Final = r"\s*([-+\w.]+)"
_PATTERNS: Final = {
    "prefill_tokens_per_s": (
        rf"Prefill [Ss]peed(?: turn \d+)?:{_VALUE}\s*(?:tokens/s|tk/s)",
        rf"prefill_turns\s*\{{[^}}]*?tokens_per_second:{_VALUE}",
    ),
    "tokens_per_s": (
        rf"Decode [Ss]peed(?: turn \d+)?:{_VALUE}\s*(?:tokens/s|tk/s)",
        rf"decode_turns\s*\{{[^}}]*?tokens_per_second:{_VALUE}",
    ),
    "time_to_first_token_s": (
        rf"Time to first token:{_VALUE}\s*s\b",
        rf"time_to_first_token_seconds:{_VALUE}",
    ),
    "prompt_tokens": (
        rf"Prefill Turn \d+: Processed{_VALUE} tokens",
        rf"benchmark_prefill_tokens={_VALUE}",
        rf"num_prefill_tokens:{_VALUE}",
    ),
    "output_tokens": (
        rf"Decode Turn \d+: Processed{_VALUE} tokens",
        rf"benchmark_decode_tokens={_VALUE}",
        rf"num_decode_tokens:{_VALUE}",
    ),
    "peak_mib": (rf"Peak system ram usage:{_VALUE}\s*MB", rf"peak_mem_mb:{_VALUE}"),
}
_MIB: Final = 2**20
_RATES: Final = ("prefill_tokens_per_s", "tokens_per_s")
_COUNTS: Final = ("prompt_tokens", "output_tokens")
_BACKEND: Final = re.compile(r"\bbackend=(\w+)")
_STACKS: Final = {"cpu": "litert_cpu", "gpu": "litert_gpu", "npu": "litert_npu"}
_MARKS: Final = ("BenchmarkInfo:", "Prefill Turns", "refill speed", "prefill_turns", "decode_turns")
_DEFINITIONS: Final = {
    "prefill_tokens_per_s": "LiteRT-LM prefill turn; no initialisation, no tokenisation",
    "tokens_per_s": "LiteRT-LM decode turn: tokens / duration of the turn",
    "time_to_first_token_s": "LiteRT-LM: prefill duration + mean decode time per token (synthetic)",
}


def sniff(text: str) -> bool:
    """Whether text is LiteRT-LM benchmark output."""
    return any(mark in text for mark in _MARKS)


def read(text: str) -> list[MeasuredRun]:
    """Return the last benchmark block of the log as one run."""
    seen = {name: _last(text, patterns) for name, patterns in _PATTERNS.items()}
    metrics = {name: positive(seen[name], name) for name in _RATES if seen[name] is not None}
    if not metrics:
        raise SimError("a LiteRT-LM log must record a turn. Got no prefill and no decode turn.")
    first_token_s = number(seen["time_to_first_token_s"] or 0, "time to first token")
    if first_token_s > 0.0:
        metrics["time_to_first_token_s"] = first_token_s
    missing = [name for name in _DEFINITIONS if name not in metrics]
    backend = _BACKEND.search(text)
    counts = {name: count(seen[name], name) for name in _COUNTS if seen[name] is not None}
    return [
        build_run(
            id="run1",
            backend=backend[1] if backend else "",
            stack=_STACKS.get(backend[1].lower(), "") if backend else "",
            peak_dram_bytes=_peak_bytes(seen["peak_mib"]),
            source_format="litert-lm",
            definitions={name: _DEFINITIONS[name] for name in metrics},
            warnings=(
                "the model is not in the log.",
                *(f"{name} is missing: absent or 0.0, no such turn recorded." for name in missing),
            ),
            **counts,
            **metrics,
        )
    ]


def _peak_bytes(text: str | None) -> float | None:
    """Return the peak of memory in bytes; none where the tool did not watch it."""
    if text is None or text.startswith("-"):
        return None
    return number(text, "peak memory") * _MIB or None


def _last(text: str, patterns: tuple[str, ...]) -> str | None:
    """Return the value that stands last in the text under any of its spellings."""
    found = [match for pattern in patterns for match in re.finditer(pattern, text)]
    return max(found, key=lambda match: match.start())[1] if found else None


LITERT_LM: Final = Importer(
    "litert-lm", "LiteRT-LM benchmark: BenchmarkInfo block, log lines, or text proto", sniff, read
)
