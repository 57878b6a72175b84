"""What the runtimes of phones print: LiteRT-LM, Genie, MLX, MLC, mllm and RKLLM.

Forms as printed by

- google-ai-edge/LiteRT-LM, runtime/engine/io_types.cc (``BenchmarkInfo``), its
  log sink, and python/litert_lm_cli/commands/benchmark.py; its time to first token is prefill plus
  the mean time of a token, its "MB" are MiB;
- google-ai-edge/gallery, Android/src/app/src/main/java/com/google/ai/edge/gallery/ui/benchmark/
  BenchmarkResultsViewer.kt (``getBenchmarkResultCsv``), whose values are the mean, median, least or
  largest of its runs, as the screen was set; and the lines that jegly/Box, built on it, shares;
- Genie's ``--profile`` JSON, from closed code, as qualcomm/ai-hub-models reads it;
- ml-explore/mlx-lm, mlx_lm/benchmark.py and mlx_lm/generate.py;
- mlc-ai/mlc-llm, python/mlc_llm/cli/chat.py (``/stats``) and the usage of its server;
- UbiquitousLearning/mllm, mllm/models/ARGeneration.cpp (``perfSummary``) and, before 2025,
  examples/demo_qwen_npu.cpp;
- airockchip/rknn-llm, a closed runtime, whose prints its users paste (``RKLLM_LOG_LEVEL=1``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sim.errors import SimError
from sim.evidence.importers.base import count, documents, number
from sim.evidence.importers.engine import Format, N, Record, at
from sim.evidence.importers.records import one_sequence, stacks, without_drafts


def _genie(text: str) -> Iterator[Record]:
    """Yield a record per query of a Genie profile: events that hold a rate."""
    for document in documents(text):
        for component in _array(document, "components"):
            for event in _array(component, "events"):
                if isinstance(event, dict) and any("-rate" in key for key in event):
                    yield {
                        name + _suffix(event, theirs): at(event, f"{theirs}.value")
                        for theirs, name in _GENIE.items()
                        if theirs in event
                    }
        return


_GENIE: Final = {
    "num-prompt-tokens": "prompt_tokens",
    "num-generated-tokens": "output_tokens",
    "prompt-processing-rate": "prefill_tokens_per_s",
    "token-generation-rate": "tokens_per_s",
    "time-to-first-token": "time_to_first_token_s",
}


def _suffix(event: Any, theirs: str) -> str:
    if theirs != "time-to-first-token":
        return ""
    unit = str(at(event, f"{theirs}.unit") or "us")
    if unit not in ("ns", "us", "ms", "s"):
        raise SimError(f"{theirs} must be in one of ns, us, ms, s. Got {unit!r:.20}.")
    return f"__{unit}"


def _array(parent: object, key: str) -> list[Any]:
    if not isinstance(parent, dict) or not isinstance(parent.get(key, []), list):
        raise SimError(f"{key} must be an array of a JSON object. Got {parent!r:.40}.")
    found: list[Any] = parent.get(key, [])
    return found


def _without_vision(record: Record) -> Record:
    """Return a run of mllm whose prefill is the language model's, and its images apart."""
    if record.get("llm_rate") is not None:
        record["prefill_tokens_per_s"] = record["llm_rate"]
        if record.get("prefill_s") is not None and record.get("vision_encode_s") is None:
            total, own = (number(record[key], key) for key in ("prefill_s", "llm_s"))
            record["vision_encode_s"] = max(0.0, total - own)
        record.pop("prefill_s", None)
    return record


def _of_turns(record: Record) -> Record:
    """Return a block of LiteRT-LM; of several turns each follows a cache that is not stated.

    On a processor every step reads the cache as it was allocated, on other units what is filled.
    """
    if str(record.get("turns", "1")) not in ("0", "1"):
        record["refusal"] = f"{record['turns']} turns share one cache, whose tokens are not stated."
    if "capacity" in record and str(record.get("backend", "")).lower() == "cpu":
        record["context_tokens"] = count(record["capacity"], "Max number of tokens")
    elif "capacity" in record:
        said = f"a cache of {record['capacity']} tokens: judged with what the run needs."
        record["warnings"] = (*record.get("warnings", ()), said)
    if str(record.get("drafts", "")).lower() == "true":
        without_drafts(record, "speculative decoding was on")
        record.pop("time_to_first_token_s", None)  # prefill and a mean token of the decode
    return record


LITERT_LM: Final = Format(
    "litert-lm",
    "LiteRT-LM benchmark: BenchmarkInfo block, log lines, command line, or text proto",
    marks=(
        r"BenchmarkInfo:|Prefill Turn|Prefill speed(?: turn \d+)?:\s*\S+ (?:tokens/s|tk/s)"
        r"|Benchmarking model:|prefill_turns|decode_turns",
    ),
    lines=(
        r"Benchmarking model: (?P<model_name>\S+)",
        r"(?:\bbackend=|^Backend\s*: )(?P<backend>\w+)",
        r"Prefill Turns \(Total (?P<turns>\d+) turns\)",
        r"^Speculative decoding\s*: (?P<drafts>\w+)",
        r"^Max number of tokens\s*: (?P<capacity>[0-9]{1,9})",
        rf"Prefill [Ss]peed(?: turn \d+)?:\s*(?P<prefill_tokens_per_s>{N})\s*(?:tokens/s|tk/s)",
        rf"prefill_turns\s*\{{[^}}]*?tokens_per_second:\s*(?P<prefill_tokens_per_s>{N})",
        rf"Decode [Ss]peed(?: turn \d+)?:\s*(?P<tokens_per_s>{N})\s*(?:tokens/s|tk/s)",
        rf"decode_turns\s*\{{[^}}]*?tokens_per_second:\s*(?P<tokens_per_s>{N})",
        rf"Time to first token:\s*(?P<time_to_first_token_s>{N})\s*s\b",
        rf"time_to_first_token_seconds:\s*(?P<time_to_first_token_s>{N})",
        r"(?:Prefill Turn \d+: Processed |benchmark_prefill_tokens=|num_prefill_tokens:\s*"
        r"|Number of tokens in prefill: )(?P<prompt_tokens>[-\w.]+)",
        r"(?:Decode Turn \d+: Processed |benchmark_decode_tokens=|num_decode_tokens:\s*"
        r"|Number of tokens in decode ?: )(?P<output_tokens>[-\w.]+)",
        r"(?:Peak system ram usage:|peak_mem_mb:)\s*(?P<peak_dram_bytes__mib>\d[\d.]*)",
    ),
    begins=r"BenchmarkInfo:|Benchmarking model:|--backend=|Benchmark flags:|metrics \{",
    repeats=False,
    stacks=stacks("litert"),
    derive=_of_turns,
    definitions={
        "prefill_tokens_per_s": "LiteRT-LM prefill turn; no initialisation, no tokenisation",
        "tokens_per_s": "LiteRT-LM decode turn: tokens / duration of the turn",
        "time_to_first_token_s": "LiteRT-LM: prefill + mean decode time per token (synthetic)",
    },
)
EDGE_GALLERY: Final = Format(
    "edge-gallery",
    "AI Edge Gallery result as lines, as apps built on it share them",
    marks=(r"^prefill_speed:\s", r"^decode_speed:\s"),
    lines=(
        r"^model(?:_name)?:\s*(?P<model_name>\S.*?)\s*$",
        r"^accelerator:\s*(?P<backend>\w+)",
        r"^prefill_tokens:\s*(?P<prompt_tokens>\d+)",
        r"^decode_tokens:\s*(?P<output_tokens>\d+)",
        rf"^prefill_speed:\s*(?P<prefill_tokens_per_s>{N})",
        rf"^decode_speed:\s*(?P<tokens_per_s>{N})",
        rf"^time_to_first_token:\s*(?P<time_to_first_token_s>{N})\s*s",
    ),
    begins=r"^model(?:_name)?:",
    stacks=stacks("litert"),
    definitions=LITERT_LM.definitions,
)
EDGE_GALLERY_CSV: Final = Format(
    "edge-gallery-csv",
    "AI Edge Gallery benchmark screen, Copy: CSV of one result",
    columns={
        "model name": "model_name",
        "accelerator": "backend",
        "prefill tokens count": "prompt_tokens",
        "decode tokens count": "output_tokens",
        "app version": "release",
        "prefill speed (tokens/sec)": "prefill_tokens_per_s",
        "decode speed (tokens/sec)": "tokens_per_s",
        "time to first token (sec)": "time_to_first_token_s",
    },
    header=frozenset({"prefill speed (tokens/sec)", "decode speed (tokens/sec)"}),
    stacks=stacks("litert") | {"tpu": "litert_npu"},
    definitions=LITERT_LM.definitions,
)
GENIE: Final = Format(
    "genie",
    "Genie profile JSON, genie-t2t-run --profile FILE",
    marks=(r'"components"', r"token-generation-rate|GenieDialog"),
    reads=_genie,
    stacks={"": "genie"},
    id="query",
    definitions={name: f"Genie {theirs}" for theirs, name in _GENIE.items()},
)
MLLM: Final = Format(
    "mllm",
    "mllm print: Performance Summary, or Prefill and Decode lines of its NPU demos",
    marks=(
        r"^(?:Prefill|Decode) (?:Time taken|Tokens):"
        r"|^Prefill (?:total )?time\s*:\s*\S+ (?:s|ms|μs|us)\b",
    ),
    lines=(
        # what a vision tower takes is part of the total, not of the language model's own time
        rf"^LLM prefill time\s*:\s*(?P<llm_s>{N}) s(?:\s*\(\s*(?P<llm_rate>{N}) tokens/s\))?",
        rf"^Prefill (?:total )?time\s*:\s*(?P<prefill_s>{N}) s"
        rf"(?:\s*\(\s*(?P<prefill_tokens_per_s>{N}) tokens/s\))?",
        rf"^Prefill (?:total )?time\s*:\s*(?P<prefill_s__us>{N}) (?:μs|us)"
        rf"(?:\s*\(\s*(?P<prefill_tokens_per_s>{N}) tokens/s\))?",
        rf"^Decode time\s*:\s*(?P<decode_s>{N}) s"
        rf"(?:\s*\(\s*(?P<tokens_per_s>{N}) tokens/s\))?",
        rf"^Decode time\s*:\s*(?P<decode_s__us>{N}) (?:μs|us)"
        rf"(?:\s*\(\s*(?P<tokens_per_s>{N}) tokens/s\))?",
        rf"^TTFT\s*:\s*(?P<time_to_first_token_s>{N}) s\b",
        rf"^TTFT\s*:\s*(?P<time_to_first_token_s__us>{N}) (?:μs|us)\b",
        r"^Prefill tokens\s*:\s*(?P<prompt_tokens>\d+)",
        r"^Decode steps\s*:\s*(?P<output_tokens>\d+)",
        rf"^ViT\s*:\s*(?P<vision_encode_s__us>{N}) (?:μs|us)",
        r"^(?:\[A\] )?Prefill Tokens:\s*(?P<prompt_tokens>\d+)",
        rf"^Prefill Time taken:\s*(?P<prefill_s>{N}) seconds",
        rf"^Prefill Speed:\s*(?P<prefill_tokens_per_s>{N}) tokens/s",
        r"^Decode Tokens:\s*(?P<output_tokens>\d+)",
        rf"^Decode Time taken:\s*(?P<decode_s>{N}) seconds",
        rf"^Decode Speed:\s*(?P<tokens_per_s>{N}) tokens/s",
    ),
    begins=r"^(?:\[A\] )?Prefill Tokens:|^=+ Performance Summary",
    repeats=False,
    derive=_without_vision,
)
MLX: Final = Format(
    "mlx-lm",
    "mlx_lm.generate and mlx_lm.benchmark prints",
    marks=(r"^Prompt: \d+ tokens, \S+ tokens-per-sec|\bprompt_tps=",),
    lines=(
        rf"^Prompt: (?P<prompt_tokens>\d+) tokens, (?P<prefill_tokens_per_s>{N}) tokens-per-sec",
        rf"^Generation: (?P<output_tokens>\d+) tokens, (?P<tokens_per_s>{N}) tokens-per-sec",
        rf"^Peak memory: (?P<peak_dram_bytes__gb>{N}) GB",
        r"prompt_tokens=(?P<prompt_tokens>\d+), generation_tokens=(?P<output_tokens>\d+)"
        r"(?:, batch_size=(?P<batch>\d+))?",
        rf"prompt_tps=(?P<prefill_tokens_per_s>{N}), generation_tps=(?P<tokens_per_s>{N})"
        rf"(?:, peak_memory=(?P<peak_dram_bytes__gb>{N}))?",
        r"--model (?P<model_name>\S+)",
    ),
    begins=r"^Prompt: \d+ tokens|^Timing with|--model \S",
    repeats=False,
    stacks={"": "mlx_gpu"},
    derive=one_sequence,
    definitions={
        "prefill_tokens_per_s": "mlx_lm prompt_tps",
        "tokens_per_s": "mlx_lm generation_tps; of a benchmark the mean of its trials",
    },
)
MLC_USAGE: Final = Format(
    "mlc",
    "MLC LLM usage JSON",
    marks=(r'"prefill_tokens_per_s"', r'"decode_tokens_per_s"|"ttft_s"'),
    keys={
        "model": "model_name",
        "usage.prompt_tokens": "prompt_tokens",
        "usage.completion_tokens": "output_tokens",
        "usage.extra.prefill_tokens_per_s": "prefill_tokens_per_s",
        "usage.extra.decode_tokens_per_s": "tokens_per_s",
        "usage.extra.ttft_s": "time_to_first_token_s",
    },
    stacks={"": "mlc_gpu"},
)
MLC_PRINT: Final = Format(
    "mlc-stats",
    "MLC LLM /stats print",
    marks=(r"prefill: \S+ tok/s, decode: \S+ tok/s",),
    lines=(
        rf"prefill: (?:N/A|(?P<prefill_tokens_per_s>{N})) tok/s,"
        rf" decode: (?:N/A|(?P<tokens_per_s>{N})) tok/s",
        r"prompt tokens: (?P<prompt_tokens>\d+), completion tokens: (?P<output_tokens>\d+)",
    ),
    begins=r"prefill: \S+ tok/s, decode:",
    stacks={"": "mlc_gpu"},
)
RKLLM: Final = Format(
    "rkllm",
    "RKLLM timing print",
    marks=(r"rkllm:\s+(?:Prefill|Generate)\s+[\d.]+",),
    lines=(
        rf"rkllm:\s+Prefill\s+(?P<prefill_s__ms>{N})\s+(?P<prompt_tokens>\d+)\s+{N}"
        rf"\s+(?P<prefill_tokens_per_s>{N})",
        rf"rkllm:\s+Generate\s+(?P<decode_s__ms>{N})\s+(?P<output_tokens>\d+)\s+{N}"
        rf"\s+(?P<tokens_per_s>{N})",
        rf"rkllm:\s+(?:Peak )?Memory Usage \(GB\)\s*\n.*?rkllm:\s+(?P<peak_dram_bytes__gib>{N})",
        rf"rkllm:\s+(?:Peak )?Memory Usage \(MB\)\s*\n.*?rkllm:\s+(?P<peak_dram_bytes__mib>{N})",
        r"rkllm-runtime version: (?P<release>[^,\s]+)",
        r"platform: (?P<processor>\w+)",
    ),
    begins=r"rkllm:\s+Prefill\s",
    stacks={"": "rkllm_npu"},
)
FORMATS: Final = (
    *(MLLM, LITERT_LM, EDGE_GALLERY, EDGE_GALLERY_CSV, GENIE),
    *(MLX, MLC_USAGE, MLC_PRINT, RKLLM),
)
