"""Calibrating every stack that runs were measured on, and writing what was found.

A calibrated device file holds only what changed: it extends the device whose priors were used, and
replaces parameters by fitted ones whose source names the rows. Reading it gives the whole device.

Not modelled: parameters that two stacks share, since each stack is fitted alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from hw_models.provenance import Parameter
from hw_models.soc import SocSpec
from sim.calibration.fit import Contradiction, Fit, bounds, fit
from sim.calibration.observations import Observation
from sim.errors import SimError

FITTED: Final = (
    "bandwidth_fraction",
    "step_overhead_s",
    "efficiency.decode",
    "efficiency.prefill",
    "efficiency.vision",
)
"""What is fitted of every stack. ``graph_call_s`` costs time in the same steps as
``step_overhead_s``, so end-to-end rows cannot tell them apart and it keeps its prior."""
KERNEL_SHAPES: Final = ("half_n", "half_k")
"""What is fitted of every kernel."""
DIGITS: Final = 4
"""Significant digits of a written number."""


@dataclass(frozen=True)
class StackFit:
    """The fit of one stack of one device, or why there is none.

    Attributes
    ----------
    rows
        The observations it rests on.
    found
        The fit; ``None`` where the rows contradict the priors or identify nothing.
    reason
        Why there is no fit.
    """

    device: str
    stack: str
    rows: tuple[Observation, ...]
    found: Fit | None
    reason: str = ""


def candidates(soc: SocSpec, stack: str) -> list[str]:
    """Return the dotted paths of the parameters of a stack that a fit may move."""
    prefix = f"stacks.{stack}."
    kernels = soc.stack(stack).kernels
    shapes = [f"kernels.{name}.{size}" for name in kernels for size in KERNEL_SHAPES]
    return [prefix + name for name in (*FITTED, *shapes)]


def fit_stack(soc: SocSpec, rows: Sequence[Observation]) -> StackFit:
    """Fit the stack that ``rows``, at least one, share on a device."""
    stack = rows[0].stack
    try:
        found = fit(soc, rows, candidates(soc, stack))
    except Contradiction as error:
        return StackFit(soc.id, stack, tuple(rows), None, str(error))
    if not found.paths:
        reason = "the rows identify no parameter: all keep their priors."
        return StackFit(soc.id, stack, tuple(rows), None, reason)
    return StackFit(soc.id, stack, tuple(rows), found)


def calibrated(soc: SocSpec, fits: Iterable[StackFit]) -> SocSpec:
    """Return the device with the fitted values; kinds and ranges stay as they were."""
    values: dict[str, float] = {}
    for item in fits:
        values |= item.found.values if item.found else {}
    return soc.with_values(values)


def overlay(base: str, soc: SocSpec, fits: Sequence[StackFit], comment: str) -> str:
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
        tree["sources"] = {f"fit_{item.stack}": _source(item) for item in fits}
        tree["stacks"] = {item.stack: _stack(soc, item) for item in fits}
    text = yaml.safe_dump(tree, sort_keys=False, width=98, allow_unicode=True)
    return f"# {comment}\n{text}"


def _source(item: StackFit) -> dict[str, str]:
    runs = {row.run.id: row.run for row in item.rows}
    links = sorted({run.source_url for run in runs.values() if run.source_url})
    source = {"title": f"Fit of {item.stack} to the measured rows {', '.join(sorted(runs))}"}
    if links:
        source["url"] = links[0]
    if len(links) > 1:
        source["note"] = "Also " + ", ".join(links[1:])
    return source


def _stack(soc: SocSpec, item: StackFit) -> dict[str, Any]:
    """Return the fitted entries of a stack as nested mappings."""
    found = item.found
    assert found is not None  # `overlay` keeps only stacks with a fit
    prefix = f"stacks.{item.stack}."
    tree: dict[str, Any] = {}
    for path in found.paths:
        prior = soc.parameters()[path]
        entry = _fitted(prior, found, path, f"fit_{item.stack}").to_plain()
        _put(tree, path.removeprefix(prefix), entry)
    names = [path.removeprefix(prefix) for path in found.paths]
    pairs = {
        f"{one} ~ {other}": round(found.correlation(prefix + one, prefix + other), 2)
        for index, one in enumerate(names)
        for other in names[index + 1 :]
    }
    tree["fit"] = {"spread": round(found.spread, 3)} | ({"correlation": pairs} if pairs else {})
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


def report(fits: Iterable[StackFit]) -> str:
    """Return a line per parameter: what was fitted, and what kept its prior."""
    lines: list[str] = []
    for item in fits:
        lines.append(f"{item.device} / {item.stack}: {len(item.rows)} observations")
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


def checked_rows(rows: Sequence[Observation]) -> None:
    """Raise `SimError` where there is nothing to calibrate on, or a row has another role."""
    if not rows:
        raise SimError("calibration must have at least one row that can be simulated. Got none.")
    wrong = sorted({row.run.id for row in rows if row.run.role not in ("", "calibration")})
    if wrong:
        raise SimError(
            f"calibration must use rows in role calibration or without a role. "
            f"Got {', '.join(wrong)}."
        )
