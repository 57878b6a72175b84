"""Rows of the corpus as measured runs, each metric as the question that was asked.

A row becomes a `MeasuredRun` with what the source states. Some readings are not literal; each was
decided on calibration rows or by its publisher's scripts, and stands in `docs/looks.md`:

- a network that the catalogue does not hold is simulated as one of equal shapes that it does hold;
- one whose publisher names another network than its own title does, is that other (`MISNAMED`);
- GenieX's llama.cpp runs fill the named context with a prompt and generate `GENERATED` tokens
  behind it; what was published as their first token in June 2026 is its time by 128 / context;
- what those releases call the GPU ran on the processor: left out;
- first tokens of GenieX on QAIRT in those releases are the time of one chunk by 128 / tokens of a
  short prompt that is not published: left out;
- Genie's and QAIRT's runs are of that short prompt; Qwen3 networks have graphs for several
  contexts, the first of which holds it, the others one graph of the published context;
- a rate and a time of one row are two questions.

Not modelled: memory, which no fit here uses.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import pandas as pd

from sim.evidence.corpus_tables import corpus
from sim.evidence.measured import MeasuredRun
from sim.evidence.questions import DECODE
from workloads.shipped_ids import model_ids

FIRST_TOKEN: Final = "time_to_first_token_s"
TIMED: Final = (DECODE, "prefill_tokens_per_s", FIRST_TOKEN)
"""Metrics of a language row that are questions of their own."""
SCALED: Final = ("main@2026-06", "main@2026-07-02")
"""First release of GenieX's benchmark, and the first whose first tokens are published as measured,
not by 128 / tokens of the prompt."""
GPU_SINCE: Final = "main@2026-08"
"""First release since `SCALED` whose figures of a GPU differ from those of the processor beside."""
CHUNK: Final = 128
"""Tokens to which `SCALED` releases scale the first token."""
GENERATED: Final = 128
"""Tokens that GenieX's benchmark generates."""
FIRST_GRAPH: Final = 512
"""Context of the first graph of a network that is exported for several contexts."""
SEVERAL_GRAPHS: Final = "qwen3-"
"""How networks begin that AI Hub exports for contexts of 512 to 4096; the others have one graph."""
MISNAMED: Final = {"granite_4_0_micro": "granite-4.0-h-micro"}
"""Networks by a title that is another's. This one's page (`info.yaml` beside its figures) gives
granite-4.0-h-micro as its source and Mamba-2 as its layers, and 1.86 GB of Q4_0 are its weights
(1.85 by its shapes; 1.98 by those of granite-4.0-micro)."""

_TEXTS: Final = (
    *("id", "role", "device", "stack", "weights", "activations", "kv_dtype", "release"),
    "source_url",
)
_COUNTS: Final = ("threads", "output_tokens", "depth_tokens")


def language_runs(role: str) -> list[MeasuredRun]:
    """Return the rows of the language table in a role, a run for each metric.

    Rows that break a bound of physics are left out. Ids are those of the table.
    """
    rows = corpus("language", role=role).to_dict(orient="records")
    return [run_of(row, metric) for row in rows for metric in TIMED if is_question(row, metric)]


def run_of(row: Mapping[Any, Any], metric: str) -> MeasuredRun:
    """Return one metric of a row of any table of language models as a measured run."""
    fields: dict[str, Any] = {name: row.get(name) or "" for name in _TEXTS}
    fields |= {name: _count(row, name) for name in _COUNTS}
    fields["kv_dtype"] = {"f16": "fp16"}.get(fields["kv_dtype"], fields["kv_dtype"])
    fields |= {"model": simulated_as(row), "prompt_tokens": prompt_tokens(row, metric)}
    fields |= {"context_tokens": context_tokens(row, metric)}
    return MeasuredRun(**fields | {metric: measured(row, metric)})


def is_question(row: Mapping[Any, Any], metric: str) -> bool:
    """Return whether a row of the language table answers a metric that is fitted and judged."""
    is_chunk = metric == FIRST_TOKEN and row["stack"].startswith("geniex_qairt")
    is_early = SCALED[0] <= row["release"] < (SCALED[1] if is_chunk else GPU_SINCE)
    is_left_out = is_chunk or row["stack"] == "geniex_llamacpp_gpu"
    return not pd.isna(row[metric]) and not (is_left_out and is_early)


def measured(row: Mapping[Any, Any], metric: str) -> float:
    """Return what was measured where a release publishes it scaled to `CHUNK` tokens."""
    value, context = float(row[metric]), _count(row, "context_tokens")
    is_scaled = SCALED[0] <= row["release"] < SCALED[1]
    if metric == FIRST_TOKEN and _is_filled(row) and is_scaled and context is not None:
        return value * context / CHUNK
    return value


def prompt_tokens(row: Mapping[Any, Any], metric: str) -> int | None:
    """Return how many tokens the prompt had whose time the metric is; none where that is open."""
    context = _count(row, "context_tokens")
    if metric == FIRST_TOKEN and _is_filled(row) and context is not None:
        return context
    return _count(row, "prompt_tokens")


def context_tokens(row: Mapping[Any, Any], metric: str) -> int | None:
    """Return the context that a row was measured at; none where that is open."""
    context = _count(row, "context_tokens")
    if context is None:
        return None
    if metric == DECODE and _is_filled(row):
        return context + GENERATED
    is_short = row["stack"].startswith("genie") and not _is_filled(row)
    if is_short and (row["counts_as"] or row["model"]).startswith(SEVERAL_GRAPHS):
        return min(context, FIRST_GRAPH)
    return context


def _is_filled(row: Mapping[Any, Any]) -> bool:
    """Return whether a row's prompt fills its context: GenieX's benchmark of llama.cpp."""
    return bool(row["stack"].startswith("geniex_llamacpp") and row["release"] >= SCALED[0])


def _count(row: Mapping[Any, Any], name: str) -> int | None:
    value = row.get(name)
    return None if value is None or pd.isna(value) else int(value)


def simulated_as(row: Mapping[Any, Any]) -> str:
    """Return the catalogue id that stands for a row's network; its own name where none does."""
    if named := MISNAMED.get(row.get("model_label") or ""):
        return named
    for name in (row["model"], row["counts_as"]):
        if name in _catalogue():
            return str(name)
    return _of_equal_shapes().get(row["counts_as"], row["model"])


@cache
def _catalogue() -> frozenset[str]:
    return frozenset(model_ids())


@cache
def _of_equal_shapes() -> Mapping[str, str]:
    """Return the first catalogue id among the names that count as one network, by that name."""
    table = corpus("language")
    held: dict[str, list[str]] = defaultdict(list)
    for model, counts_as in zip(table["model"], table["counts_as"], strict=True):
        if model in _catalogue():
            held[counts_as].append(model)
    return {name: min(models) for name, models in held.items()}
