"""MNN: the table and the JSON of llm_bench, the print of llm_demo.

Forms as printed by alibaba/MNN, transformers/llm/engine/tools/llm_bench.cpp (``markdownPrinter``,
``jsonAggregator``) and transformers/llm/engine/demo/llm_demo.cpp. With ``-kv
true`` a row holds the rates of prompt and reply, else one test, whose ``tg128`` follows a prompt of
one token; ``pp512+tg128`` is one mixed rate, which is not split. llm_demo adds up all prompts of
its file, so its counts are those of one prompt only where it had one. ``quantAttention`` keeps
keys, or keys and values, in 8 bits. ``threads`` of a GPU are flags of its tuning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sim.errors import SimError
from sim.evidence.importers.base import documents, number, with_point
from sim.evidence.importers.engine import Format, N, Record, flat
from sim.evidence.importers.records import stacks
from sim.evidence.importers.tables import table_rows

_RATE: Final = re.compile(rf"([\d.]*\d,[\d.,]*\d|{N})(?:\s*±\s*(?:{N}))?")
_TEST: Final = re.compile(
    r"(?:pp(\d+))?\+?(?:tg(\d+))?|prompt=(\d+)\s*(?:<br>|\s)\s*decode=(\d+)", re.IGNORECASE
)
_MIXED: Final = "Prompt and reply share one rate (-pg), which cannot be split."
_CACHES: Final = {
    "1": ("int8", "fp16"),
    "2": ("int8", "int8"),
    "int8 q,k": ("int8", "fp16"),
    "int8 q,k,v": ("int8", "int8"),
}
"""Formats of keys and values by ``quantAttention``."""
DEFINITIONS: Final = {
    "prefill_tokens_per_s": "MNN llm_bench: prompt tokens / prefill time",
    "tokens_per_s": "MNN llm_bench: decoded tokens / decode time",
}


def _rows(text: str) -> Iterator[Record]:
    for row in table_rows(text, BENCH.is_header):
        if row.fault:
            yield {"fault": f"line {row.line}: {row.fault}"}
            continue
        cells = {name.lower(): cell for name, cell in row.cells.items()}
        test = cells.get("test") or cells.get("llm_demo") or ""
        speed = cells.get("t/s") or cells.get("speed(tok/s)") or ""
        try:
            yield {"line": row.line} | _shared(cells) | _test(test, speed, row.line)
        except SimError as error:
            yield {"fault": f"line {row.line}: {error}"}


def _test(test: str, speed: str, line: int) -> Record:
    match, rates = (
        _TEST.fullmatch(test.strip()),
        [with_point(rate) for rate in _RATE.findall(speed)],
    )
    prompt, output, *demo = match.groups() if match else (None, None)
    sizes = demo if demo and demo[0] else [prompt, output]
    asked = [name for name, size in zip(_NAMES, sizes, strict=True) if size]
    if not asked or len(rates) not in (1, len(asked)):
        said = f"a test must read like 'pp512 | 300.0 ± 0.5'. Got {f'{test} | {speed}'!r:.80}."
        return {"fault": f"line {line}: {said}"}
    found: Record = {name: size for name, size in zip(_NAMES, sizes, strict=True) if size}
    if asked == ["output_tokens"]:
        found["prompt_tokens"] = 1
    found["name"] = re.sub(r"<br>|\s+", "+", test)
    if len(rates) < len(asked):
        return found | {
            "samples": {"mixed_tokens_per_s": (number(rates[0], "t/s"),)},
            "warnings": (_MIXED,),
        }
    return found | {_METRICS[name]: rate for name, rate in zip(asked, rates, strict=True)}


def _shared(found: Mapping[str, Any]) -> Record:
    """Return what a row or a document says of all of its tests."""
    backend = str(found.get("backend") or "")
    keys, values = _CACHES.get(str(found.get("quantattention") or "").lower(), ("", ""))
    return {
        "model_name": str(found.get("model") or ""),
        "backend": backend,
        "threads": (found.get("threads") or None) if backend.lower() == "cpu" else None,
        "kv_dtype": keys or None,
        "kv_value_dtype": values if values != keys else None,
    }


def _documents(text: str) -> Iterator[Record]:
    """Yield a record per result of the JSON that ``-j`` writes."""
    for document in flat(documents(text)):
        if not isinstance(document, dict) or not isinstance(document.get("results"), list):
            continue
        shared = _shared({str(key).lower(): value for key, value in document.items()})
        for result in document["results"]:
            if not isinstance(result, dict):
                yield {"fault": "a result of llm_bench must be a JSON object."}
                continue
            kind = "prefill" if result.get("type") == "prefill" else "decode"
            rates = {kind: result.get("tps")} if "tps" in result else {}
            rates |= {part: result.get(f"{part}_tps") for part in ("prefill", "decode")} | rates
            found = {
                "prompt_tokens": result.get("prompt_len") or 1,
                "output_tokens": result.get("generate_len"),
                "prefill_tokens_per_s": rates["prefill"],
                "tokens_per_s": rates["decode"],
            }
            yield shared | {name: value for name, value in found.items() if value is not None}


def _without_images(record: Record) -> Record:
    """Return a print without what a model of text did not do: 0.00 s of vision."""
    if not number(record.get("vision_encode_s") or 0.0, "vision time"):
        record.pop("vision_encode_s", None)
    return record


_NAMES: Final = ("prompt_tokens", "output_tokens")
_METRICS: Final = {"prompt_tokens": "prefill_tokens_per_s", "output_tokens": "tokens_per_s"}
BENCH: Final = Format(
    "mnn-bench",
    "MNN llm_bench table",
    header=frozenset({"model", "modelSize", "backend"}),
    reads=_rows,
    stacks=stacks("mnn"),
    definitions=DEFINITIONS,
)
BENCH_JSON: Final = Format(
    "mnn-bench-json",
    "MNN llm_bench JSON (-j FILE)",
    marks=(r'"modelSize"\s*:', r'"results"\s*:', r'"(?:prompt_len|generate_len)"\s*:'),
    reads=_documents,
    stacks=stacks("mnn"),
    definitions=DEFINITIONS,
)
DEMO: Final = Format(
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
        r"config path is \S*?(?P<model_name>[^/\s]+)/[^/\s]+\.json",
    ),
    begins=r"^\s*prompt tokens num\s*=",
    repeats=False,
    stacks=stacks("mnn"),
    derive=_without_images,
)
FORMATS: Final = (BENCH, BENCH_JSON, DEMO)
