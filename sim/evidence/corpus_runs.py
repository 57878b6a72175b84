"""Rows of the corpus as measured runs, each metric as the question that was asked.

A row becomes a `MeasuredRun` with what the source states. Four readings are not literal; each was
decided on calibration rows and stands in `docs/looks.md`:

- a network that the catalogue does not hold is simulated as one of equal shapes that it does hold;
- GenieX's llama.cpp figures of releases from August 2026 on time a prompt as long as the context:
  against earlier releases their first token grows by context / 128, to within a tenth;
- first tokens of GenieX on QAIRT before July 2026 are of other graphs: later releases take 0.43 of
  their time on every network and device, so they are left out;
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
from workloads.shipped_ids import model_ids

TIMED: Final = ("tokens_per_s", "prefill_tokens_per_s", "time_to_first_token_s")
"""Metrics of a language row that are questions of their own."""
WHOLE_CONTEXT_SINCE: Final = "main@2026-08"
"""First release of GenieX whose llama.cpp first tokens are of a prompt as long as the context."""
NEW_GRAPHS_SINCE: Final = "main@2026-07-02"
"""First release of GenieX with the graphs whose first tokens are fitted and judged."""

_TEXTS: Final = (
    *("id", "role", "device", "stack", "weights", "activations", "kv_dtype", "release"),
    "source_url",
)
_COUNTS: Final = ("threads", "output_tokens", "context_tokens", "depth_tokens")


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
    return MeasuredRun(**fields | {metric: float(row[metric])})


def is_question(row: Mapping[Any, Any], metric: str) -> bool:
    """Return whether a row of the language table answers a metric that is fitted and judged."""
    return not pd.isna(row[metric]) and not _is_of_other_graphs(row, metric)


def prompt_tokens(row: Mapping[Any, Any], metric: str) -> int | None:
    """Return how many tokens the prompt had whose time the metric is; none where that is open."""
    is_llamacpp = row["stack"].startswith("geniex_llamacpp")
    is_whole = is_llamacpp and row["release"] >= WHOLE_CONTEXT_SINCE
    context = _count(row, "context_tokens")
    if metric == "time_to_first_token_s" and is_whole and context is not None:
        return context
    return _count(row, "prompt_tokens")


def _count(row: Mapping[Any, Any], name: str) -> int | None:
    value = row.get(name)
    return None if value is None or pd.isna(value) else int(value)


def _is_of_other_graphs(row: Mapping[Any, Any], metric: str) -> bool:
    is_qairt = row["stack"].startswith("geniex_qairt")
    return metric == "time_to_first_token_s" and is_qairt and row["release"] < NEW_GRAPHS_SINCE


def simulated_as(row: Mapping[Any, Any]) -> str:
    """Return the catalogue id that stands for a row's network; its own name where none does."""
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
