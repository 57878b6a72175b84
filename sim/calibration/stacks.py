"""Calibrating every stack that end-to-end rows were measured on, and writing what was found.

A calibrated device file holds only what changed: it extends the device whose priors were used, and
replaces parameters by fitted ones whose source names the rows. Reading it gives the whole device.

Not modelled: parameters that two stacks share, since each stack is fitted alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import yaml

from hw_models.provenance import Parameter
from hw_models.soc import SocSpec
from sim.calibration.fit import Fit, Method, Vector, bounds, fit
from sim.calibration.rows import Observation, Predictor
from sim.errors import SimError
from sim.evidence.measured import MeasuredRun
from sim.evidence.questions import INFERENCE

FITTED: Final = (
    "bandwidth_fraction",
    "step_overhead_s",
    "layer_s",
    "kv_copy",
    "kv_read_share",
    "attention_share",
    "efficiency.decode",
    "efficiency.prefill",
    "efficiency.vision",
)
"""What is fitted of every stack. ``graph_call_s`` costs time in the same steps as
``step_overhead_s``, so end-to-end rows cannot tell them apart and it keeps its prior."""
OPTIONAL: Final = ("layer_s", "kv_copy", "kv_read_share", "attention_share")
"""What a stack may lack: it then costs nothing, and is not fitted."""
KERNEL_SHAPES: Final = ("half_n", "half_k")
"""What is fitted of every kernel."""
DIGITS: Final = 4
"""Significant digits of a written number."""
MOST_LINKS: Final = 4
"""Addresses that a source names; the rows hold the rest."""
NOISE: Final = 0.1
"""Assumed deviation of the log of a published rate: two releases of one AI Hub entry, twelve days
apart, differ by -20 to +20 % on phones."""
LARGEST_MISFIT: Final = math.log(2.0)
"""Rows that a fit within the priors misses by more than a factor of two contradict the priors."""
END_TO_END: Final = Method(
    loss="linear",
    step=0.01,  # wide enough to see past whole tiles
    is_central=True,
    identified=0.7,  # assumed
    is_together=False,
    tolerance=(1e-4, 1e-3),
)
"""How a few rows of whole runs are fitted."""


class Contradiction(SimError):
    """No values within the priors come near the rows."""


@dataclass(frozen=True)
class Calibration:
    """The fit of one stack of one device, or why there is none.

    Attributes
    ----------
    rows
        The observations it rests on.
    found
        The fit; ``None`` where the rows contradict the priors or identify nothing.
    reason
        Why there is no fit.
    siblings
        Devices whose rows it stands on, where the device has none of its own.
    profiles, operators
        Ids of the profiles it rests on, too, and how many kinds of operators they hold.
    """

    device: str
    stack: str
    rows: tuple[Observation, ...]
    found: Fit | None
    reason: str = ""
    siblings: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    operators: int = 0

    @property
    def ids(self) -> list[str]:
        """Ids of the rows it rests on."""
        return sorted({row.run.id for row in self.rows} | set(self.profiles))


def candidates(soc: SocSpec, stack: str) -> list[str]:
    """Return the dotted paths of the parameters of a stack that a fit may move."""
    prefix = f"stacks.{stack}."
    kernels = soc.stack(stack).kernels
    shapes = [f"kernels.{name}.{size}" for name in kernels for size in KERNEL_SHAPES]
    absent = [name for name in OPTIONAL if getattr(soc.stack(stack), name) is None]
    return [prefix + name for name in (*FITTED, *shapes) if name not in absent]


def network_candidates(soc: SocSpec, stack: str) -> list[str]:
    """Return the dotted paths of what only networks cost on a stack; none where it has no such."""
    prefix = f"stacks.{stack}.network."
    return [path for path in soc.parameters() if path.startswith(prefix)]


def fit_rows(
    soc: SocSpec, rows: Sequence[Predictor], paths: Sequence[str], noise: float = NOISE
) -> Fit:
    """Fit the parameters at ``paths`` of a device to rows, at least one.

    Parameters
    ----------
    noise
        Deviation of log(measured), all rows alike.

    Raises `Contradiction` where the rows lie outside what the priors can reach.
    """
    measured = np.log([row.measured for row in rows])

    def residuals(socs: Sequence[SocSpec]) -> Vector:
        simulated = np.log([[row.simulated(one) for row in rows] for one in socs])
        return np.asarray((simulated - measured) / noise)

    found = fit(soc, residuals, paths, END_TO_END)
    found = replace(found, spread=noise * found.spread)
    if found.spread > LARGEST_MISFIT:
        raise Contradiction(
            f"no values within the priors come near the rows: they miss them by a factor of "
            f"{math.exp(found.spread):.1f}. Something that is not a parameter of the stack differs."
        )
    return found


def fit_stack(soc: SocSpec, rows: Sequence[Observation]) -> Calibration:
    """Fit the stack that ``rows``, at least one, share on a device."""
    stack = rows[0].stack
    try:
        paths = [*candidates(soc, stack), *_of_networks(soc, stack, rows)]
        found = fit_rows(soc, rows, paths)
    except Contradiction as error:
        return Calibration(soc.id, stack, tuple(rows), None, str(error))
    if not found.paths:
        reason = "the rows identify no parameter: all keep their priors."
        return Calibration(soc.id, stack, tuple(rows), None, reason)
    return Calibration(soc.id, stack, tuple(rows), found)


def _of_networks(soc: SocSpec, stack: str, rows: Sequence[Observation]) -> list[str]:
    """Return what only networks cost, where a row is a network's call."""
    is_one = any(row.metric == INFERENCE for row in rows)
    return network_candidates(soc, stack) if is_one else []


def overlay(base: str, soc: SocSpec, fits: Sequence[Calibration], comment: str) -> str:
    """Return the YAML of a device file that extends ``base`` with fitted stacks.

    Parameters
    ----------
    base
        Id or path of the device with the priors.
    soc
        That device.
    comment
        First line of the file, without the number sign.
    """
    fits = [item for item in fits if item.found]
    tree: dict[str, Any] = {"extends": base}
    if fits:
        tree["sources"] = {f"fit_{item.stack}": source_of(item) for item in fits}
        tree["stacks"] = {item.stack: fitted_entries(soc, item) for item in fits}
    return written(tree, comment)


def written(tree: Mapping[str, Any], comment: str) -> str:
    """Return a device file's text."""
    text = yaml.safe_dump(dict(tree), sort_keys=False, width=98, allow_unicode=True)
    return f"# {comment}\n{text}"


def source_of(item: Calibration) -> dict[str, str]:
    """Return the source that a device file gives for a fit."""
    if item.siblings:
        known = ", ".join(item.siblings)
        return {"title": f"Pooled fit: no row of {item.stack} on this device; its rows on {known}"}
    links = sorted({row.run.source_url for row in item.rows if row.run.source_url})
    source = {"title": f"Fit of {item.stack} to the measured rows {', '.join(item.ids)}"}
    if links:
        source["url"] = links[0]
    if len(links) > 1:
        source["note"] = "Also " + ", ".join(links[1:MOST_LINKS])
    return source


def fitted_entries(soc: SocSpec, item: Calibration, source: str = "") -> dict[str, Any]:
    """Return the fitted entries of a stack as nested mappings."""
    found = item.found
    assert found is not None  # `overlay` keeps only stacks with a fit
    prefix = f"stacks.{item.stack}."
    tree: dict[str, Any] = {}
    for path in found.paths:
        prior = soc.parameters()[path]
        entry = _fitted(prior, found, path, source or f"fit_{item.stack}").to_plain()
        _put(tree, path.removeprefix(prefix), entry)
    names = [path.removeprefix(prefix) for path in found.paths]
    pairs = {
        f"{one} ~ {other}": round(found.correlation(prefix + one, prefix + other), 2)
        for index, one in enumerate(names)
        for other in names[index + 1 :]
    }
    tree["fit"] = {"spread": round(found.spread, 3)}
    if found.spreads:
        tree["fit"]["spreads"] = {name: round(size, 3) for name, size in found.spreads.items()}
    if pairs:
        tree["fit"]["correlation"] = pairs
    return tree


def _fitted(prior: Parameter, found: Fit, path: str, source: str) -> Parameter:
    """Return the fitted parameter; its range is the 80 % interval inside the prior's range."""
    low, high = found.interval_80(path)
    least, most = bounds(prior)
    numbers = found.values[path], max(low, least), min(high, most)
    value, low, high = (float(f"{number:.{DIGITS}g}") for number in numbers)
    note = f"prior {prior.value:.3g} ({prior.low:.3g} to {prior.high:.3g})"
    return Parameter(value, prior.unit, "fitted", source, low, high, note)


def _put(tree: dict[str, Any], path: str, entry: Mapping[str, Any]) -> None:
    *parents, name = path.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
    tree[name] = dict(entry)


def report(fits: Iterable[Calibration]) -> str:
    """Return a line per parameter: what was fitted, and what kept its prior."""
    lines: list[str] = []
    for item in fits:
        on = f"rows on {', '.join(item.siblings)}" if item.siblings else "own rows"
        kinds = f", {item.operators} kinds of operators" if item.operators else ""
        lines.append(f"{item.device} / {item.stack}: {len(item.rows)} observations{kinds}, {on}")
        if item.found is None:
            lines.append(f"  not fitted: {item.reason}")
            continue
        for path in item.found.paths:
            low, high = item.found.interval_80(path)
            value, name = item.found.values[path], path.split(".", 2)[2]
            lines.append(f"  {name} = {value:.4g} (80 %: {low:.4g} to {high:.4g})")
        kept = ", ".join(path.split(".", 2)[2] for path in item.found.kept)
        lines.append(f"  kept its prior, not identified by the rows: {kept or 'none'}")
        lines.append(f"  rows are expected to scatter by {item.found.spread:.1%}")
    return "\n".join(lines)


def checked_rows(rows: Sequence[Observation], profiled: Sequence[MeasuredRun] = ()) -> None:
    """Raise `SimError` where there is nothing to calibrate on, or a row has another role.

    Parameters
    ----------
    profiled
        Runs whose operators are fitted, too.
    """
    if not rows and not profiled:
        raise SimError("calibration must have at least one row that can be simulated. Got none.")
    runs = [*(row.run for row in rows), *profiled]
    wrong = sorted({run.id for run in runs if run.role not in ("", "calibration")})
    if wrong:
        raise SimError(
            f"calibration must use rows in role calibration or without a role. "
            f"Got {', '.join(wrong)}."
        )
