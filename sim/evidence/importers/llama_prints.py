"""What llama.cpp and its relatives print besides llama-bench: timings, server JSON, sweeps.

``prompt eval time`` is prefill and ``eval time`` decode (common/common.cpp, src/llama-context.cpp);
llama-server's ``timings`` (tools/server), ik_llama.cpp's sweep-bench, llama.cpp's batched-bench and
Ollama's ``--verbose`` and API (docs/api.md, nanoseconds) say the same in other words. Not read:
speculative statistics.
"""

from __future__ import annotations

from typing import Final

from sim.evidence.importers.engine import Format, N, Record
from sim.evidence.importers.llama_stacks import placed

_LOADED: Final = (
    r"general\.name[ \w]*= +(?P<model_name>\S.*?)\s*$",
    r"file type\s+= (?P<weights_name>\S.*?)\s*$",
    rf"model params\s+= (?P<parameters_b>{N}) B",
    rf"file size\s+= (?P<model_bytes__gib>{N}) GiB",
    r"n_layer\s+= (?P<layers>\d+)",
    r"offloaded (?P<offloaded>\d+)/(?P<everything>\d+) layers to GPU",
    r"using device (?P<backend>\w+) \((?P<processor>.+?)\)(?: \(|\s*-)",
    r"n_threads = (?P<threads>\d+)",
    r"n_ubatch\s+= (?P<ubatch_tokens>\d+)",
)
"""What a log of loading says of model and device, in builds of 2024 to 2026."""
_DEFINITIONS: Final = {
    "prefill_tokens_per_s": "llama.cpp prompt eval time",
    "tokens_per_s": "llama.cpp eval time: decode runs, without sampling",
}


def _loaded(record: Record) -> Record:
    """Return a record with its stack, where the log of loading settles it."""
    if "parameters_b" in record:
        record["model_parameters"] = float(record["parameters_b"]) * 1e9
    if "offloaded" in record or "backend" in record:
        on_gpu, everything = record.get("offloaded", ""), int(record.get("everything", 1))
        names = str(record.get("backend", "")) if on_gpu != "0" else "CPU"
        found = placed(names, "", on_gpu, everything - 1, decodes=True)
        record |= {"stack": found.stack, "stack_doubt": found.doubt, "refusal": found.refusal}
    return record


def _swept(record: Record) -> Record:
    """Return a row of a sweep: batched-bench counts the cache behind the run, not before it."""
    if "batch" in record:
        record.pop("depth_tokens", None)
        if record["batch"] != "1":
            record["refusal"] = f"{record['batch']} sequences ran at once, which no phone is asked."
    return record


LLAMA_PERF: Final = Format(
    "llama-perf",
    "llama.cpp timing lines: llama_perf, common_perf, llama_print_timings, llama-server log",
    marks=(r"(?:prompt )?eval time\s*=\s*\S+ ms\s*/",),
    lines=(
        rf"prompt eval time\s*=\s*(?P<prefill_s__ms>{N}) ms\s*/"
        r"\s*(?P<prompt_tokens>\d+) (?:tokens|runs)"
        rf"(?:[^\n]*?,\s*(?P<prefill_tokens_per_s>{N}) tokens per second)?",
        rf"(?<!prompt )\beval time\s*=\s*(?P<decode_s__ms>{N}) ms\s*/"
        r"\s*(?P<output_tokens>\d+) (?:tokens|runs)"
        rf"(?:[^\n]*?,\s*(?P<tokens_per_s>{N}) tokens per second)?",
        *_LOADED,
    ),
    derive=_loaded,
    definitions=_DEFINITIONS,
)
LLAMA_BRACKET: Final = Format(
    "llama-cli",
    "llama.cpp llama-cli, [ Prompt: ... t/s | Generation: ... t/s ]",
    marks=(r"\[ Prompt:\s*\S+ t/s \| Generation:",),
    lines=(
        rf"\[ Prompt:\s*(?P<prefill_tokens_per_s>{N}) t/s \|"
        rf" Generation:\s*(?P<tokens_per_s>{N}) t/s",
        *_LOADED,
    ),
    derive=_loaded,
    definitions=_DEFINITIONS,
)
LLAMA_SERVER: Final = Format(
    "llama-server",
    "llama.cpp llama-server response JSON with timings",
    marks=(r'"prompt_per_second"|"predicted_per_second"', r'"predicted_ms"|"prompt_ms"'),
    keys={
        "model": "model_name",
        "timings.cache_n": "depth_tokens",
        "timings.prompt_n": "prompt_tokens",
        "timings.prompt_ms": "prefill_s__ms",
        "timings.prompt_per_second": "prefill_tokens_per_s",
        "timings.predicted_n": "output_tokens",
        "timings.predicted_ms": "decode_s__ms",
        "timings.predicted_per_second": "tokens_per_s",
    },
    definitions=_DEFINITIONS,
)
SWEEP_BENCH: Final = Format(
    "sweep-bench",
    "ik_llama.cpp llama-sweep-bench and llama.cpp llama-batched-bench tables",
    header=frozenset({"PP", "TG", "S_PP t/s", "S_TG t/s"}),
    columns={
        "PP": "prompt_tokens",
        "TG": "output_tokens",
        "B": "batch",
        "N_KV": "depth_tokens",
        "S_PP t/s": "prefill_tokens_per_s",
        "S_TG t/s": "tokens_per_s",
    },
    derive=_swept,
    definitions=_DEFINITIONS,
)
OLLAMA: Final = Format(
    "ollama",
    "Ollama run --verbose",
    marks=(r"^eval (?:rate|duration):", r"^(?:prompt )?eval (?:count|rate):"),
    lines=(
        r"^prompt eval count:\s+(?P<prompt_tokens>\d+)",
        r"^prompt eval duration:\s+(?P<prefill_s__duration>\S+)",
        rf"^prompt eval rate:\s+(?P<prefill_tokens_per_s>{N})",
        r"^eval count:\s+(?P<output_tokens>\d+)",
        r"^eval duration:\s+(?P<decode_s__duration>\S+)",
        rf"^eval rate:\s+(?P<tokens_per_s>{N})",
        r"ollama run (?P<model_name>\S+)",
    ),
    begins=r"^total duration:",
    definitions=_DEFINITIONS,
)
OLLAMA_API: Final = Format(
    "ollama-api",
    "Ollama API response JSON, durations in nanoseconds",
    marks=(r'"eval_duration"', r'"eval_count"'),
    keys={
        "model": "model_name",
        "prompt_eval_count": "prompt_tokens",
        "prompt_eval_duration": "prefill_s__ns",
        "eval_count": "output_tokens",
        "eval_duration": "decode_s__ns",
    },
    definitions=_DEFINITIONS,
)
FORMATS: Final = (LLAMA_PERF, LLAMA_BRACKET, LLAMA_SERVER, SWEEP_BENCH, OLLAMA, OLLAMA_API)
