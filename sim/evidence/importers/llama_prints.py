"""What llama.cpp and its relatives print besides llama-bench: timings, server JSON, Ollama.

``prompt eval time`` is prefill and ``eval time`` decode: ggml-org/llama.cpp, src/llama-context.cpp
(``llama_perf_context_print``) and common/sampling.cpp (``common_perf_print``), before
2024 ``llama_print_timings`` of llama.cpp. llama-server's ``timings`` (tools/server) and Ollama's
``--verbose`` and API (ollama/ollama, api/types.go, ``Metrics``; nanoseconds) say the same in other
words. ``offloaded 25/25 layers to GPU`` is printed by builds without a GPU, too: the buffers that
hold the weights say where they lie. Not read: speculative statistics.
"""

from __future__ import annotations

from typing import Final

from sim.evidence.importers.base import number
from sim.evidence.importers.engine import Format, N, Record
from sim.evidence.importers.llama_stacks import cache_types, flash_attention, generation, placed
from sim.evidence.importers.llama_sweeps import SWEEPS
from sim.evidence.importers.names import weights_id
from sim.evidence.importers.records import without_drafts

_LOADED: Final = (
    r"general\.name[ \w]*= +(?P<model_name>\S.*?)\s*$",
    r"file type\s+= (?P<weights_name>\S.*?)\s*$",
    rf"model params\s+= (?P<parameters_b>{N}) B",
    rf"file size\s+= (?P<model_bytes__gib>{N}) GiB",
    r"n_layer\s+= (?P<layers>\d+)",
    r"offloaded (?P<offloaded>\d+)/(?P<everything>[0-9]{1,6}) layers to GPU",
    r"using device (?P<backend>\w+) \((?P<processor>.+?)\)(?: \(|\s*-)",
    r"n_threads = (?P<threads>\d+)",
    r"n_ubatch\s+= (?P<ubatch_tokens>\d+)",
    r"flash_attn\s+= (?P<flash>\w+)",
    r"load_tensors:\s+(?P<repacked>CPU_(?:REPACK|AARCH64)) model buffer size",
    r"load_tensors:\s+(?P<cpu_buffer>CPU\S*) (?:model )?buffer size",
    r"load_tensors:\s+(?P<gpu_buffer>\S+) (?:model )?buffer size",
    r"\bK \((?P<k_type>\w+)\):[^\n]*V \((?P<v_type>\w+)\)",
    r"\bbuild(?:_info)?: b?(?P<build>[0-9]{1,7})[ -]\(?\w+",
)
"""What a log of loading says of model and device, in builds of 2024 to 2026."""
_DEFINITIONS: Final = {
    "prefill_tokens_per_s": "llama.cpp prompt eval time",
    "tokens_per_s": "llama.cpp eval time: decode runs, without sampling",
}


def _loaded(record: Record) -> Record:
    """Return a record with its stack, where the log of loading settles it."""
    if "parameters_b" in record:
        record["model_parameters"] = number(record["parameters_b"], "model params") * 1e9
    record["flash_attention"] = flash_attention(record.get("flash"))
    record |= cache_types(str(record.get("k_type", "")), str(record.get("v_type", "")))
    if {"offloaded", "backend", "cpu_buffer"} & set(record):
        record |= _placed(record)
    return record


def _placed(record: Record) -> Record:
    on_gpu, everything = record.get("offloaded", ""), int(record.get("everything", 1))
    names = str(record.get("backend") or record.get("gpu_buffer") or "")
    if on_gpu == "0" or ("cpu_buffer" in record and "gpu_buffer" not in record):
        names, on_gpu = "CPU", ""
    found = placed(names, "", on_gpu, everything - 1, decodes=True)
    weights = weights_id(str(record.get("weights_name", "")))
    build = int(record["build"]) if "build" in record else None
    stack, said = generation(found.stack, str(record.get("repacked", "")), build, weights)
    return {
        "stack": stack,
        "stack_doubt": found.doubt,
        "refusal": found.refusal,
        "warnings": (said,) if said else (),
        "release": f"b{build}" if build else "",
    }


def _of_response(record: Record) -> Record:
    """Return a response of the server, without the decode rate where a draft ran ahead."""
    if record.get("drafted"):
        without_drafts(record, "speculative decoding was on")
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
        "timings.draft_n": "drafted",
        "timings.prompt_n": "prompt_tokens",
        "timings.prompt_ms": "prefill_s__ms",
        "timings.prompt_per_second": "prefill_tokens_per_s",
        "timings.predicted_n": "output_tokens",
        "timings.predicted_ms": "decode_s__ms",
        "timings.predicted_per_second": "tokens_per_s",
    },
    derive=_of_response,
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
FORMATS: Final = (LLAMA_PERF, LLAMA_BRACKET, LLAMA_SERVER, *SWEEPS, OLLAMA, OLLAMA_API)
