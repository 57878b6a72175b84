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
since it does not say what its cache held.

A row that cannot be counted is held by less where less is certain (`held_by`): weights whose format
is not stated by the fewest bits of any format, a prompt of unknown length by one token, a first
token with an image by the weights of the decoder. Of the rest, ``not_held`` says what is missing.
Not modelled: what a system-level cache spares a small network.
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
from sim.evidence.corpus_peaks import peak, without_peak
from sim.evidence.corpus_runs import TIMED, run_of
from sim.evidence.corpus_tables import (
    BYTES,
    FEWEST_ONCE,
    FOLDER,
    HELD_BY,
    IMPOSSIBLE,
    KINDS,
    NOT_HELD,
    NOT_TIMED,
    WEIGHTS_ONCE,
)
from sim.evidence.measured import MeasuredRun
from sim.evidence.questions import DECODE, CannotSimulate
from sim.validation.roofline import matrix_floor_seconds, measured_seconds
from workloads.shipped_ids import model_ids

FEWEST_BITS: Final = "iq1_s"
"""The format of fewest bits into which networks are put that were not trained for it."""

IMAGES_UNKNOWN: Final = "how many positions its images fill"

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


class Bound(NamedTuple):
    """What a row cannot have done without, and what of it is known."""

    held_by: str
    least: Observation


def derive(kind: str, folder: Path = FOLDER) -> pd.DataFrame:
    """Return the derived columns of one table, a row an id."""
    table = pd.read_parquet(folder / f"{kind}.parquet")
    if kind == "time_series":
        table = _fastest_instants(table)
    derived = derive_networks(table) if kind == "network" else _language(kind, table)
    derived = derived.assign(peak_bytes_per_s=table["device"].map(peak).to_numpy())
    return without_peak(derived, table["device"])


def _language(kind: str, table: pd.DataFrame) -> pd.DataFrame:
    sees = kind == "vision_language"
    count = Counter(bare=kind == "time_series", sees=sees)
    records = table.to_dict(orient="records")
    derived = pd.DataFrame([_row({str(k): v for k, v in row.items()}, count) for row in records])
    if not sees:
        return derived
    encoders = derive_encoders(table).reset_index(drop=True)
    derived[IMPOSSIBLE] = (derived[IMPOSSIBLE] + " " + encoders.pop(IMPOSSIBLE)).str.strip()
    by_encoder = (derived[HELD_BY] == "") & (encoders["encoder_bytes"].notna())
    derived[HELD_BY] = derived[HELD_BY].mask(by_encoder, "its encoder's weights, read once")
    derived[NOT_HELD] = derived[NOT_HELD].mask(by_encoder, "")
    return pd.concat([derived, encoders], axis=1)


def _fastest_instants(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row a series: the instant at which it was fastest."""
    order = table["tokens_per_s"].fillna(0.0).sort_values(ascending=False, kind="stable").index
    return table.loc[order].drop_duplicates("id").sort_index()


def _row(row: Mapping[str, Any], count: Counter) -> dict[str, Any]:
    found: dict[str, Any] = dict.fromkeys(("derived_for", "derived_network", "not_derived"), "")
    bounds: dict[str, list[str]] = {IMPOSSIBLE: [], "beyond_assumed_rate": []}
    held: list[str] = []
    missing = [NOT_TIMED]
    for metric in TIMED:
        value = row.get(metric)
        if value is None or pd.isna(value):
            continue
        run = run_of(row, metric)
        counts = count(run, metric)
        bound: Bound | str
        if isinstance(counts, str):
            found["not_derived"] = counts
            bound = count.least(run, metric)
        else:
            found |= {"derived_for": counts.where, "derived_network": run.model}
            phase, per = ("decode", "_per_step") if metric == DECODE else ("prefill", "")
            found.setdefault(f"{phase}_bytes{per}", counts.dram_bytes)
            found.setdefault(f"{phase}_flops{per}", counts.flops)
            bound = Bound(BYTES, counts.least)
        if isinstance(bound, str):
            missing.append(bound)
            continue
        held.append(bound.held_by)
        _check(run, replace(bound.least, measured=run.metrics[metric]), bounds)
    said = {HELD_BY: held[0] if held else "", NOT_HELD: "" if held else missing[-1]}
    return {"id": row["id"]} | found | said | {name: " ".join(x) for name, x in bounds.items()}


_FACTS: Final = ("device", "stack", "model", "weights", "activations", "kv_dtype", *COUNTS)


class Counter:
    """Counts of a run's metric, made once for runs that ask the same.

    Parameters
    ----------
    bare
        See `_least`.
    sees
        Whether the runs see images, whose positions few rows state.
    """

    def __init__(self, *, bare: bool, sees: bool) -> None:
        self.bare = bare
        self.sees = sees
        self._counts: dict[tuple[str, ...], Counts | str] = {}
        self._bounds: dict[tuple[str, ...], Bound | str] = {}

    def __call__(self, run: MeasuredRun, metric: str) -> Counts | str:
        """Return the counts, or why there are none."""
        key = _asked(run, metric)
        if key not in self._counts:
            self._counts[key] = self._counted(run, metric)
        return self._counts[key]

    def least(self, run: MeasuredRun, metric: str) -> Bound | str:
        """Return what bounds a run that cannot be counted, or what is missing of it."""
        key = _asked(run, metric)
        if key not in self._bounds:
            self._bounds[key] = self._bounded(run, metric)
        return self._bounds[key]

    def _counted(self, run: MeasuredRun, metric: str) -> Counts | str:
        if self.sees and metric != DECODE:
            return IMAGES_UNKNOWN
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

    def _bounded(self, run: MeasuredRun, metric: str) -> Bound | str:
        if run.model not in model_ids():
            return "a network of these shapes in the catalogue"
        if metric == "prefill_tokens_per_s" and (self.sees or run.prompt_tokens is None):
            return "the length of its prompt"
        assumed: dict[str, Any] = {} if run.weights else {"weights": FEWEST_BITS}
        if metric == "time_to_first_token_s" and (self.sees or run.prompt_tokens is None):
            assumed["prompt_tokens"] = 1
        try:
            least = _least(run.model_copy(update=assumed), metric)
        except CannotSimulate:
            return "a unit that computes with its format"
        return Bound(WEIGHTS_ONCE if run.weights else FEWEST_ONCE, least)


def _asked(run: MeasuredRun, metric: str) -> tuple[str, ...]:
    """Return what decides the counts of a run's metric."""
    return (metric, *(str(getattr(run, name)) for name in _FACTS))


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


def _check(run: MeasuredRun, row: Observation, bounds: dict[str, list[str]]) -> None:
    """Add the bounds that a run's row breaks; ``row`` may be of the ideal device."""
    seconds, memory_s = measured_seconds(row), _moved(row) / peak(run.device)
    if seconds < memory_s:
        bounds[IMPOSSIBLE].append(
            f"{row.metric} of {row.measured:g} means {seconds:.3g} s; its bytes need "
            f"{memory_s:.3g} s at the peak bandwidth of {run.device}."
        )
    if row.device != run.device:
        return
    matrix_s = matrix_floor_seconds(row, load_soc(run.device))
    if seconds < matrix_s:
        bounds["beyond_assumed_rate"].append(
            f"{row.metric} of {row.measured:g} means {seconds:.3g} s; its products need "
            f"{matrix_s:.3g} s at the highest rate that {run.device} assumes."
        )


def main(folder: Path = FOLDER) -> None:
    """Write the derived columns of every table."""
    for kind in KINDS:
        derived = derive(kind, folder)
        derived.to_parquet(folder / f"derived_{kind}.parquet", index=False, compression="zstd")
        print(kind, len(derived), "impossible:", (derived[IMPOSSIBLE] != "").sum())


if __name__ == "__main__":
    main()
