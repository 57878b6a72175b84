"""What the runtimes of phones print: MNN, LiteRT-LM, Genie, MLX, MLC, mllm and others.

Fields as in the tools' sources: MNN transformers/llm/engine (llm_bench, llm_demo); LiteRT-LM
runtime/engine and its command line; the Genie profile that
Qualcomm's scripts read; mlx_lm; MLC's usage; onnxruntime-genai's benchmark; RKLLM's and MediaTek's
logs. LiteRT-LM's time to first token is prefill plus the mean time of a token, its "MB" are MiB.
MediaTek's prompt rate counts the padded chunk of 128 tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from sim.errors import SimError
from sim.evidence.importers.base import documents, number
from sim.evidence.importers.engine import Format, N, Record, at
from sim.evidence.importers.tables import table_rows

_UNITS: Final = {
    "cpu": "_cpu",
    **dict.fromkeys(("gpu", "opencl", "vulkan", "metal"), "_gpu"),
    **dict.fromkeys(("npu", "qnn", "htp"), "_npu"),
}
_PLUS: Final = rf"({N})(?:\s*±\s*(?:{N}))?"
CHUNK: Final = 128
"""Prompt tokens of a call of MediaTek's graph, which its rate counts whole."""


def stacks(runtime: str) -> dict[str, str]:
    """Return the stacks of a runtime by the names of its backends."""
    return {name: f"{runtime}{unit}" for name, unit in _UNITS.items()}


def _mnn_rows(text: str) -> Iterator[Record]:
    for row in table_rows(text, MNN_BENCH.is_header):
        if row.fault:
            yield {"fault": f"line {row.line}: {row.fault}"}
            continue
        cells = {name.lower(): cell for name, cell in row.cells.items()}
        test = cells.get("test") or cells.get("llm_demo") or ""
        rates = re.findall(_PLUS, cells.get("t/s") or cells.get("speed(tok/s)") or "")
        prompt, output = (
            re.search(p, test) for p in (r"(?:pp|prompt=)(\d+)", r"(?:tg|decode=)(\d+)")
        )
        record: Record = {"line": row.line, "model_name": cells.get("model", "")}
        record |= {"backend": cells.get("backend", ""), "threads": cells.get("threads") or None}
        asked = [(m, f) for m, f in ((prompt, "prompt_tokens"), (output, "output_tokens")) if m]
        if len(rates) != len(asked) or not asked:
            shown = f"{test} | {cells.get('t/s') or cells.get('speed(tok/s)')}"
            said = f"a test must read like 'pp512 | 300.0 ± 0.5'. Got {shown!r:.80}."
            yield {"fault": f"line {row.line}: {said}"}
            continue
        for (match, name), rate in zip(asked, rates, strict=True):
            metric = "prefill_tokens_per_s" if name == "prompt_tokens" else "tokens_per_s"
            record |= {name: match[1], metric: rate}
        yield record | {"name": re.sub(r"<br>|\s+", "+", test)}


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


def _batched(record: Record) -> Record:
    if record.get("batch") not in (None, "1", 1):
        record["refusal"] = f"{record['batch']} sequences ran at once, which no phone is asked."
    return record


def _of_turns(record: Record) -> Record:
    """Return a block of LiteRT-LM; of several turns each follows a cache that is not stated."""
    if str(record.get("turns", "1")) not in ("0", "1"):
        record["refusal"] = f"{record['turns']} turns share one cache, whose tokens are not stated."
    return record


def _padded(record: Record) -> Record:
    """Return a run of MediaTek's tool with the rate of the prompt's own tokens."""
    tokens, rate = record.get("prompt_tokens"), record.get("prefill_tokens_per_s")
    if tokens and rate:
        record["prefill_tokens_per_s"] = (
            number(rate, "rate") * tokens / (-(-tokens // CHUNK) * CHUNK)
        )
    elif rate:
        record["prompt_tokens"] = CHUNK
        record["warnings"] = (f"the prompt rate counts padded chunks: judged at {CHUNK} tokens.",)
    if record.get("swap_s"):
        record["notes"] = (
            f"going over to the token graph took {number(record['swap_s'], 'swap'):g} s."
        )
    return record


MNN_BENCH: Final = Format(
    "mnn-bench",
    "MNN llm_bench table",
    header=frozenset({"model", "modelSize", "backend"}),
    reads=_mnn_rows,
    stacks=stacks("mnn"),
    definitions={
        "prefill_tokens_per_s": "MNN llm_bench: prompt tokens / prefill time",
        "tokens_per_s": "MNN llm_bench: decoded tokens / decode time",
    },
)
MNN_DEMO: Final = Format(
    "mnn-demo",
    "MNN llm_demo print",
    marks=(r"^\s*(?:prompt|decode) tokens num\s*=|^\s*(?:prefill|decode) speed\s*=",),
    lines=(
        r"^\s*prompt tokens num\s*=\s*(?P<prompt_tokens>\d+)",
        r"^\s*decode tokens num\s*=\s*(?P<output_tokens>\d+)",
        rf"^\s*vision time\s*=\s*(?P<vision_encode_s>{N}) s",
        rf"^\s*prefill time\s*=\s*(?P<prefill_s>{N}) s",
        rf"^\s*decode time\s*=\s*(?P<decode_s>{N}) s",
        rf"^\s*prefill speed\s*=\s*(?P<prefill_tokens_per_s>{N}) tok/s",
        rf"^\s*decode speed\s*=\s*(?P<tokens_per_s>{N}) tok/s",
    ),
    begins=r"^\s*prompt tokens num\s*=",
    repeats=False,
    stacks=stacks("mnn"),
)
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
    "AI Edge Gallery benchmark export",
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
    "mllm print",
    marks=(r"^(?:Prefill|Decode) (?:Time taken|Tokens):",),
    lines=(
        r"^Prefill Tokens:\s*(?P<prompt_tokens>\d+)",
        rf"^Prefill Time taken:\s*(?P<prefill_s>{N}) seconds",
        rf"^Prefill Speed:\s*(?P<prefill_tokens_per_s>{N}) tokens/s",
        r"^Decode Tokens:\s*(?P<output_tokens>\d+)",
        rf"^Decode Time taken:\s*(?P<decode_s>{N}) seconds",
        rf"^Decode Speed:\s*(?P<tokens_per_s>{N}) tokens/s",
    ),
    begins=r"^Prefill Tokens:",
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
    begins=r"^Prompt: \d+ tokens|^Timing with",
    repeats=False,
    stacks={"": "mlx_gpu"},
    derive=_batched,
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
    lines=(rf"prefill: (?P<prefill_tokens_per_s>{N}) tok/s, decode: (?P<tokens_per_s>{N}) tok/s",),
    stacks={"": "mlc_gpu"},
)
_GENAI: Final = {
    "Batch Size": "batch",
    "Prompt Length": "prompt_tokens",
    "Tokens Generated": "output_tokens",
    "Prompt Processing Throughput (tps)": "prefill_tokens_per_s",
    "Token Generation Throughput (tps)": "tokens_per_s",
}
ONNX_GENAI: Final = Format(
    "onnxruntime-genai",
    "onnxruntime-genai benchmark CSV",
    header=frozenset({"Batch Size", "Prompt Length", "Tokens Generated"}),
    columns=_GENAI | {f"Average {name}": ours for name, ours in _GENAI.items() if "tps" in name},
    derive=_batched,
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
        r"rkllm-runtime version: (?P<release>[^,\s]+)",
        r"platform: (?P<processor>\w+)",
    ),
    begins=r"rkllm:\s+Prefill\s",
    stacks={"": "rkllm_npu"},
)
NEUROPILOT: Final = Format(
    "neuropilot",
    "MediaTek GAI llm_cmdline_tool log",
    marks=(r"(?:Generative|Prompt) [Mm]ode:\s*[\d.]+ ?tok/s",),
    lines=(
        rf"Prompt [Mm]ode:\s*(?P<prefill_tokens_per_s>{N}) ?tok/s",
        rf"Generative [Mm]ode:\s*(?P<tokens_per_s>{N}) ?tok/s",
        r"(?:[Pp]rompt|[Ii]nput) [Tt]okens?(?: [Ll]ength| count)?:?\s+(?P<prompt_tokens>\d+)",
        r"(?:[Gg]enerated|[Oo]utput) [Tt]okens?(?: [Ll]ength| count)?:?\s+(?P<output_tokens>\d+)",
        rf"[Ss]wap[^\n:]*:\s*(?P<swap_s>{N}) ?s",
        r"llm_cmdline_tool\s+\S*?(?P<model_name>(?:qwen|llama|gemma|phi)[\w.]+?)(?:_instruct)?\.yaml",
    ),
    begins=r"(?:[Pp]rompt|[Ii]nput) [Tt]okens?(?: [Ll]ength| count)?:?\s+\d+",
    stacks={"": "neuropilot"},
    derive=_padded,
)
FORMATS: Final = (
    *(MNN_BENCH, MNN_DEMO, MLLM, LITERT_LM),
    *(EDGE_GALLERY, GENIE, MLX, MLC_USAGE, MLC_PRINT, ONNX_GENAI, RKLLM, NEUROPILOT),
)
