"""Measured beside simulated: what was read, a row per metric, doubts about the measurements.

Judging is `sim.validation.judging`'s. A row that names no device waits until the person says which
phone ran. Not repeated here: tolerances and reference intervals; `andesim validate` prints them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from dashboard.own import place, read_soc
from hw_models.soc import SocSpec, list_socs, load_soc
from sim.calibration.rows import by_stack, observations
from sim.calibration.stacks import checked_rows, fit_stack, overlay, report
from sim.charts.data import parity_chart
from sim.charts.plotly import named
from sim.charts.shapes import ScatterChart
from sim.errors import SimError
from sim.evidence.checks import checks
from sim.evidence.exhibits import Exhibit, load_exhibits
from sim.evidence.given import Given, settled
from sim.evidence.importers.processors import devices_of
from sim.evidence.measured import MeasuredRun
from sim.validation.judging import Judged, Scores, Validation, validate
from sim.validation.judging import scores as judged
from sim.validation.tables import document
from sim.validation.units import unit_in_doubt
from sim.wording import label

if TYPE_CHECKING:
    import pandas as pd

PHASES: Final = {
    "prefill_tokens_per_s": "prefill",
    "tokens_per_s": "decode",
    "time_to_first_token_s": "vision + prefill",
    "vision_encode_s": "vision encode",
}
"""The phase a metric is about; the others are about the whole run."""
KINDS: Final = {
    "phase": "phase",
    "weights": "weights regime",
    "context": "context regime",
    "unit": "unit",
    "stack": "stack",
    "device": "device",
}
"""What errors are grouped by, and what the page calls it."""
NEAR: Final = 0.25
"""A relative error that still counts as near."""
MOST_NAMED: Final = 3
"""Devices of an exhibit that its row in the list names."""
EVERY: Final = "every measurement that judges"
COMMENT: Final = "Fitted on the Validate page: the device it extends, with fitted stacks."
COLUMNS: Final = ("id", "device", "stack", "model", "metric", "measured", "simulated", "error")


class Fitted(NamedTuple):
    """A fit: the device file, the stack most rows fitted, what was fitted, the rows judged."""

    yaml: str
    stack: str
    said: str
    before: Validation
    after: Validation


def compare(runs: Sequence[MeasuredRun], soc: SocSpec | None = None) -> Validation:
    """Return each metric of the runs beside its simulation, and the runs left out.

    ``soc`` stands for the devices that the runs name, e.g. with a fitted stack.
    """
    return validate(runs, soc)


def open_runs(runs: Sequence[MeasuredRun], field: str) -> list[MeasuredRun]:
    """Return the runs that can be judged but leave a field open, such as ``device``."""
    return [run for run in runs if not run.refusal and not getattr(run, field)]


def candidates(runs: Sequence[MeasuredRun]) -> list[str]:
    """Return the devices that the chips named in the runs may be; all where none is named."""
    found = [devices_of(run.processor) for run in runs if run.processor]
    named_chips = [devices for devices in found if devices]
    return sorted(frozenset.intersection(*named_chips)) if named_chips else list_socs()


def processors(runs: Sequence[MeasuredRun]) -> str:
    """Return what the runs say of their chips."""
    return ", ".join(sorted({run.processor for run in runs if run.processor}))


def placed(runs: Sequence[MeasuredRun], given: Given) -> list[MeasuredRun]:
    """Return the runs with what the person said they ran on; a run keeps what it says itself."""
    found = settled(runs, given)
    return [
        run if run.device or run.refusal else run.model_copy(update={"device": given.device})
        for run in found
    ]


def fit(runs: Sequence[MeasuredRun]) -> Fitted:
    """Fit the stacks of the one device that the runs are of, and judge them before and after.

    Raises SimError where the runs are of several devices, or of none that can be fitted.
    """
    rows, _ = observations([run for run in runs if run.role != "context"])
    checked_rows(rows)
    devices = sorted({row.device for row in rows})
    if len(devices) > 1:
        raise SimError(f"Rows to fit must be of one device. Got {', '.join(devices)}.")
    soc = load_soc(place(devices[0]))
    fits = [fit_stack(soc, own) for own in by_stack(rows).values()]
    text = overlay(devices[0], soc, fits, COMMENT)
    fitted = read_soc(text)
    most = max(fits, key=lambda one: (one.found is not None, len(one.rows)))
    return Fitted(text, most.stack, report(fits), compare(runs), compare(runs, fitted))


def table(found: Validation) -> pd.DataFrame:
    """Return a row per metric of a run; ``low`` and ``high`` bound the simulated 80 % interval.

    A column per kind of `KINDS` says where the row belongs.
    """
    import pandas as pd

    rows = [_cells(row) for row in found.rows]
    extra = [kind for kind in KINDS if kind not in COLUMNS]
    return pd.DataFrame(rows, columns=[*COLUMNS, "low", "high", *extra])


def scores(found: Validation, kind: str) -> pd.DataFrame:
    """Return how well each metric of each group of a kind was simulated."""
    import pandas as pd

    grouped: dict[tuple[str, str], list[Judged]] = {}
    for row in found.rows:
        grouped.setdefault((_group(row, kind), row.metric), []).append(row)
    rows = [
        {KINDS[kind]: group, "metric": named(metric)} | judged(rows)._asdict()
        for (group, metric), rows in sorted(grouped.items())
    ]
    return pd.DataFrame(rows)


def sentence(found: Validation) -> str:
    """Return how far off it is, in one sentence."""
    worst, score = max(found.by_metric().items(), key=lambda item: item[1].mape)
    near = sum(abs(row.error) <= NEAR for row in found.rows)
    side = "high" if score.bias > 0.0 else "low"
    places = sorted({f"{load_soc(place(row.device)).name} under {row.stack}" for row in found.rows})
    where = places[0] if len(places) == 1 else f"{len(places)} pairs of device and stack"
    return (
        f"On {where}, {near} of {len(found.rows)} numbers are simulated within {NEAR:.0%}; "
        f"{label(worst)} is furthest off, {score.mape:.0%} on average, "
        f"mostly too {side}."
    )


def notes(score: Scores) -> list[str]:
    """Return what stands below the error of a metric: count, bias, coverage."""
    inside = score.inside_interval
    said = "no interval" if inside is None else f"{inside:.0%} inside the 80 % interval"
    return [f"n = {score.n}, bias {score.bias:+.1%}", said]


def readable(scored: pd.DataFrame) -> pd.DataFrame:
    """Return scores as percentages with whole words above them."""
    names = {
        "mape": "mean error [%]",
        "bias": "bias [%]",
        "p95_abs_error": "95 % of errors below [%]",
        "inside_interval": "inside 80 % interval [%]",
        "inside_reference": "inside reference interval [%]",
    }
    percent = {name: (100.0 * scored[name].astype(float)).round(1) for name in names}
    return scored.assign(**percent).rename(columns=names)


def parity(found: Validation, before: Validation | None = None) -> ScatterChart | None:
    """Return simulated over measured; rows judged before a fit stand beside."""
    theirs = document(before)["rows"] if before else ()
    return parity_chart(
        document(found)["rows"], alt=sentence(found) if found.rows else "", before=theirs
    )


def doubts(runs: Sequence[MeasuredRun], found: Validation) -> list[str]:
    """Say what is wrong with the measurements: garbage, noise, impossible rates, doubtful units."""
    said = [f"{run.id}: {finding.message}" for run in runs for finding in checks(run)]
    beaten = [f"{row.run.id}: {row.impossible}" for row in found.rows if row.impossible]
    units = [(row, unit_in_doubt(row.metric, row.measured, row.simulated)) for row in found.rows]
    return said + beaten + [f"{row.run.id}: {text}" for row, text in units if text]


def exhibit_names() -> list[str]:
    """Return the shipped measurements that judge; the others calibrated something."""
    names = [name for name, item in _exhibits().items() if item.manifest.role == "validation"]
    return [EVERY, *names]


def exhibit_runs(name: str) -> list[MeasuredRun]:
    """Return the runs of a shipped exhibit, or of all of them."""
    names = exhibit_names()[1:] if name == EVERY else [name]
    return [run for each in names for run in _exhibits()[each].runs]


def exhibit_list() -> pd.DataFrame:
    """Return what ships: a row per exhibit with its title, runs, metrics and devices."""
    import pandas as pd

    shown = [(name, _exhibits()[name]) for name in exhibit_names()[1:]]
    rows = [
        {
            "measurements": name,
            "what": item.manifest.title,
            "runs": len(item.runs),
            "devices": _some(item.manifest.devices),
        }
        for name, item in shown
    ]
    return pd.DataFrame(rows)


def _some(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are.

    >>> _some(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    if len(names) <= MOST_NAMED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"


def understood(runs: Sequence[MeasuredRun]) -> pd.DataFrame:
    """Return what was read: a row per run with its format, conditions and metrics."""
    import pandas as pd

    fields = ("id", "source_format", "device", "stack", "model", "weights")
    rows = [
        {name: getattr(run, name) for name in fields}
        | run.metrics
        | {"warnings": " ".join(run.warnings)}
        for run in runs
    ]
    return pd.DataFrame(rows)


@lru_cache(maxsize=1)
def _exhibits() -> dict[str, Exhibit]:
    return {exhibit.name: exhibit for exhibit in load_exhibits()}


def _cells(row: Judged) -> tuple[str | float | None, ...]:
    names = (row.run.id, row.device, row.stack, row.run.model, row.metric)
    groups = [_group(row, kind) for kind in KINDS if kind not in COLUMNS]
    ends = row.interval or (None, None)
    return (*names, row.measured, row.simulated, row.error, *ends, *groups)


def _group(row: Judged, kind: str) -> str:
    if kind == "phase":
        return PHASES.get(row.metric, "whole run")
    return row.groups[kind]
