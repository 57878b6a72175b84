"""Sweeps over depths and batches: ik_llama.cpp's sweep-bench and llama.cpp's batched-bench.

Tables and JSON lines as printed by ikawrakow/ik_llama.cpp, examples/sweep-bench/sweep-bench.cpp,
and ggml-org/llama.cpp, tools/batched-bench/batched-bench.cpp. The line of settings above a table
(``n_ubatch = 512, flash_attn = 1, n_gpu_layers = 0, n_threads = 6``) holds for its rows. N_KV is
the cache before the run in sweep-bench and behind it in batched-bench, which has a column B.

Which backend ran stands in neither; without layers on a GPU decode is the CPU's, but prefill need
not be, so the stack stays open.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from sim.evidence.importers.base import documents
from sim.evidence.importers.engine import Format, Record, flat
from sim.evidence.importers.llama_stacks import flash_attention
from sim.evidence.importers.tables import table_rows

_SETTINGS: Final = re.compile(r"^.*\bn_kv_max = \d+,.*$", re.MULTILINE)
_SETTING: Final = re.compile(r"(n_ubatch|n_batch|flash_attn|n_gpu_layers|n_threads) = (-?\d+)")
_COLUMNS: Final = {
    "PP": "pp",
    "TG": "tg",
    "B": "pl",
    "N_KV": "n_kv",
    "S_PP t/s": "speed_pp",
    "S_TG t/s": "speed_tg",
}
"""Columns of the table by the keys of the JSON lines."""
_FIELDS: Final = {
    "pp": "prompt_tokens",
    "tg": "output_tokens",
    "pl": "batch",
    "n_kv": "depth_tokens",
    "n_threads": "threads",
    "speed_pp": "prefill_tokens_per_s",
    "speed_tg": "tokens_per_s",
}
_DEFINITIONS: Final = {
    "prefill_tokens_per_s": "sweep: prompt tokens / time of the prompt at a depth",
    "tokens_per_s": "sweep: generated tokens / time of the generation at a depth",
}


def _of_tables(text: str) -> Iterator[Record]:
    heads = [
        (text.count("\n", 0, match.start()) + 1, dict(_SETTING.findall(match[0])))
        for match in _SETTINGS.finditer(text)
    ]
    for row in table_rows(text, TABLE.is_header):
        settings = next((found for line, found in reversed(heads) if line < row.line), {})
        cells = {_COLUMNS[name]: cell for name, cell in row.cells.items() if name in _COLUMNS}
        fault = {"fault": f"line {row.line}: {row.fault}"} if row.fault else {}
        yield {"line": row.line} | _in_our_words(settings | cells) | fault


def _of_lines(text: str) -> Iterator[Record]:
    for document in flat(documents(text)):
        if isinstance(document, dict) and "speed_tg" in document:
            yield _in_our_words(document)


def _in_our_words(found: dict[str, Any]) -> Record:
    record: Record = {ours: found[theirs] for theirs, ours in _FIELDS.items() if theirs in found}
    if "pl" in found:
        record.pop("depth_tokens", None)  # the cache behind the run
    sizes = [
        int(found[key])
        for key in ("n_ubatch", "n_batch")
        if re.fullmatch(r"[0-9]{1,9}", str(found.get(key, "")))
    ]
    smallest: int = min(sizes, default=0)
    if smallest:
        record["ubatch_tokens"] = smallest
    record["flash_attention"] = flash_attention(found.get("flash_attn"))
    if str(found.get("pl", "1")) != "1":
        record["refusal"] = f"{found['pl']} sequences ran at once, which no phone is asked."
    return record


TABLE: Final = Format(
    "sweep-bench",
    "ik_llama.cpp llama-sweep-bench and llama.cpp llama-batched-bench tables",
    header=frozenset({"PP", "TG", "S_PP t/s", "S_TG t/s"}),
    reads=_of_tables,
    definitions=_DEFINITIONS,
)
LINES: Final = Format(
    "sweep-bench-jsonl",
    "llama-sweep-bench and llama-batched-bench JSON lines (--output-format jsonl)",
    marks=(r'"speed_pp"\s*:', r'"speed_tg"\s*:', r'"n_kv"\s*:'),
    reads=_of_lines,
    definitions=_DEFINITIONS,
)
SWEEPS: Final = (TABLE, LINES)
