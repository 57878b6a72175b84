"""What our traces derive for rows of the corpus, and the bound that an impossible row breaks.

``python -m sim.evidence.corpus_derived`` writes ``derived_<kind>.parquet`` beside each table. A row
is compiled as the run that is fitted and judged (`corpus_runs.run_of`), with its own network or one
of its shapes, for its own device and stack where a file describes them, else for the ideal device
(live lengths, no padding). Nothing is priced or fitted: counts of bytes and FLOPs only. Of a
network that also sees an image only decode is counted: how many positions its images fill is not
known of every row. Of a row with two figures of its prompt, the counts are those of its rate.

A row is *impossible* if the bytes it must move would need more than the peak bandwidth of its
device, at the upper end of the file's range, or as ``peaks.csv`` quotes it for a chip without a
file. Where no file describes the stack, the bytes are those of the row's own prompt and reply: a
cache that was allocated need not have been full. Products beyond the assumed rate of a unit make
no row impossible, since nobody publishes that rate; ``beyond_assumed_rate`` says so, for the
authors of device files. A series is held by its fastest instant and the bytes of the ideal device,
since it does not say what its cache held. Not modelled: what a system-level cache spares a small
network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import pandas as pd

from hw_models.soc import load_soc
from sim.calibration.rows import Observation, observe
from sim.evidence.corpus_calls import IDEAL, derive_encoders, derive_networks
from sim.evidence.corpus_peaks import peak
from sim.evidence.corpus_runs import TIMED, run_of
from sim.evidence.corpus_tables import FOLDER, IMPOSSIBLE, KINDS
from sim.evidence.measured import MeasuredRun
from sim.evidence.questions import DECODE, CannotSimulate
from sim.validation.roofline import matrix_floor_seconds, measured_seconds

COUNTS: Final = ("prompt_tokens", "output_tokens", "context_tokens", "depth_tokens")
"""Sizes that decide what is counted."""


class Counts(NamedTuple):
    """What one metric of a row needs: per step for decode, in all for the rest.

    ``least`` is the program whose bytes the row cannot have done without.
    """

    where: str
    dram_bytes: float
    flops: float
    least: Observation


def derive(kind: str, folder: Path = FOLDER) -> pd.DataFrame:
    """Return the derived columns of one table, a row an id."""
    table = pd.read_parquet(folder / f"{kind}.parquet")
    if kind == "time_series":
        table = _fastest_instants(table)
    derived = derive_networks(table) if kind == "network" else _language(kind, table)
    return derived.assign(peak_bytes_per_s=table["device"].map(peak).to_numpy())


def _language(kind: str, table: pd.DataFrame) -> pd.DataFrame:
    metrics = TIMED if kind != "vision_language" else (DECODE,)
    count = Counter(bare=kind == "time_series")
    records = table.to_dict(orient="records")
    rows = [_language_row({str(k): v for k, v in row.items()}, metrics, count) for row in records]
    derived = pd.DataFrame(rows)
    if kind == "vision_language":
        encoders = derive_encoders(table).reset_index(drop=True)
        derived[IMPOSSIBLE] = (derived[IMPOSSIBLE] + " " + encoders.pop(IMPOSSIBLE)).str.strip()
        derived = pd.concat([derived, encoders], axis=1)
    return derived


def _fastest_instants(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row a series: the instant at which it was fastest."""
    order = table["tokens_per_s"].fillna(0.0).sort_values(ascending=False, kind="stable").index
    return table.loc[order].drop_duplicates("id").sort_index()


def _language_row(
    row: Mapping[str, Any], metrics: tuple[str, ...], count: Counter
) -> dict[str, Any]:
    found: dict[str, Any] = dict.fromkeys(("derived_for", "derived_network", "not_derived"), "")
    bounds: dict[str, list[str]] = {IMPOSSIBLE: [], "beyond_assumed_rate": []}
    for metric in metrics:
        value = row.get(metric)
        if value is None or pd.isna(value):
            continue
        run = run_of(row, metric)
        counts = count(run, metric)
        if isinstance(counts, str):
            found["not_derived"] = counts
            continue
        found |= {"derived_for": counts.where, "derived_network": run.model}
        phase = "decode" if metric == DECODE else "prefill"
        per = "_per_step" if phase == "decode" else ""
        found.setdefault(f"{phase}_bytes{per}", counts.dram_bytes)
        found.setdefault(f"{phase}_flops{per}", counts.flops)
        _check(run.device, replace(counts.least, measured=float(value)), bounds)
    return {"id": row["id"]} | found | {name: " ".join(said) for name, said in bounds.items()}


_FACTS: Final = ("device", "stack", "model", "weights", "activations", "kv_dtype", *COUNTS)


class Counter:
    """Counts of a run's metric, made once for runs that ask the same; ``bare``: see `_least`."""

    def __init__(self, *, bare: bool) -> None:
        self.bare = bare
        self._known: dict[tuple[str, ...], Counts | str] = {}

    def __call__(self, run: MeasuredRun, metric: str) -> Counts | str:
        """Return the counts, or why there are none."""
        key = (metric, *(str(getattr(run, name)) for name in _FACTS))
        if key not in self._known:
            self._known[key] = self._counted(run, metric)
        return self._known[key]

    def _counted(self, run: MeasuredRun, metric: str) -> Counts | str:
        try:
            row = observe(run, metric)
            least = _least(run, metric) if self.bare else row
            return _totals(row, f"{run.device} / {run.stack}", least)
        except CannotSimulate:
            pass
        try:
            return _totals(observe(_on_ideal(run), metric), "ideal", _least(run, metric))
        except CannotSimulate as error:
            return str(error)


def _on_ideal(run: MeasuredRun) -> MeasuredRun:
    device, stack = IDEAL
    return run.model_copy(update={"device": device, "stack": stack})


def _least(run: MeasuredRun, metric: str) -> Observation:
    """Return the run on the ideal device with no more cache than its own prompt and reply."""
    return observe(_on_ideal(run).model_copy(update={"context_tokens": None}), metric)


def _totals(row: Observation, where: str, least: Observation) -> Counts:
    steps = sum(group.steps for group in row.groups) if row.metric == DECODE else 1
    computed = sum(group.total("flops") for group in row.groups)
    return Counts(where, _moved(row) / steps, computed / steps, least)


def _moved(row: Observation) -> float:
    return float(sum(group.total("dram_bytes") for group in row.groups))


def _check(device: str, row: Observation, bounds: dict[str, list[str]]) -> None:
    """Add the bounds that a row on ``device`` breaks; ``row`` may be of the ideal device."""
    seconds, memory_s = measured_seconds(row), _moved(row) / peak(device)
    if seconds < memory_s:
        bounds[IMPOSSIBLE].append(
            f"{row.metric} of {row.measured:g} means {seconds:.3g} s; its bytes need "
            f"{memory_s:.3g} s at the peak bandwidth of {device}."
        )
    if row.device != device:
        return
    matrix_s = matrix_floor_seconds(row, load_soc(device))
    if seconds < matrix_s:
        bounds["beyond_assumed_rate"].append(
            f"{row.metric} of {row.measured:g} means {seconds:.3g} s; its products need "
            f"{matrix_s:.3g} s at the highest rate that {device} assumes."
        )


def main(folder: Path = FOLDER) -> None:
    """Write the derived columns of every table."""
    for kind in KINDS:
        derived = derive(kind, folder)
        derived.to_parquet(folder / f"derived_{kind}.parquet", index=False, compression="zstd")
        print(kind, len(derived), "impossible:", (derived[IMPOSSIBLE] != "").sum())


if __name__ == "__main__":
    main()
