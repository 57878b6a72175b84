"""Networks calibrated: what a call, an operator and a product of a graph cost on each stack.

    corpus("network", role="calibration") --pooled fit--> stacks.NAME.network in hw_models/devices

The fit is that of `sim.calibration.pooled`, over the parameters below ``network`` alone, so answers
of language models do not move. It starts from the priors of ``_<id>.yaml`` and from what language
rows have said of the rest of the stack.

    python -m sim.calibration.networks     judges left-out networks, then writes the device files

Not modelled: releases of one runtime apart, whose values are joined by their median.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from hw_models.soc import SocSpec, list_socs, load_soc
from sim.calibration.asked import Asked, asked
from sim.calibration.asking import Ask, side_by_side
from sim.calibration.fit import Fit, Vector
from sim.calibration.folds import Residual
from sim.calibration.pooled import Posterior, Problem, slots_of
from sim.calibration.shipping import COMMENT, DEVICES, WORKERS, prior_of, write_residuals
from sim.calibration.stacks import (
    Calibration,
    fitted_entries,
    network_candidates,
    source_of,
    written,
)
from sim.evidence.corpus_networks import network_rows
from sim.evidence.measured_metrics import ROOT
from sim.output import write_text

RESIDUALS: Final = ROOT / "residuals_networks.csv"
MARK: Final = "fit_network_"
"""How the sources of these fits are called in a device file."""


@cache
def starting(device: str) -> SocSpec:
    """Return a device as shipped, its networks' costs put back to their priors."""
    file = DEVICES / f"{device}.yaml"  # read anew, other fits may just have written it
    soc, prior = load_soc(file if file.is_file() else device), prior_of(device)
    stacks = {
        name: stack.model_copy(update={"network": prior.stacks[name].network})
        for name, stack in soc.stacks.items()
    }
    return soc.model_copy(update={"stacks": stacks})


def questions() -> list[Asked]:
    """Return the corpus' questions about networks on stacks that say what networks cost."""
    stacks = {
        device: frozenset(name for name, stack in load_soc(device).stacks.items() if stack.network)
        for device in list_socs()
    }
    runs = [row.run for row in network_rows(stacks, role="calibration") if row.is_own]
    return asked(runs, starting)[0]


def devices_of(rows: Sequence[Asked]) -> dict[str, SocSpec]:
    """Return the devices that the fit of some rows starts from, by id."""
    return {name: starting(name) for name in sorted({item.row.device for item in rows})}


def problem_of(rows: Sequence[Asked], ask: Ask | None = None) -> Problem:
    """Return the pooled problem of networks, not yet solved.

    Parameters
    ----------
    ask
        What asks the rows; one after another in this process if none.
    """
    return Problem(rows, devices_of(rows), network_candidates, ask)


def left_out(problem: Problem) -> Vector:
    """Return log(simulated / measured) of every question, its network left out of a solved fit.

    The change of the simulated value is that of the linear model.
    """
    names = np.array([item.network for item in problem.rows])
    errors = np.empty(len(names))
    for name in sorted(set(names.tolist())):
        held = names == name
        moved = problem.without(held).logs - problem.logs
        simulated = problem.simulated + problem.jacobian @ moved
        errors[held] = (simulated - problem.measured)[held]
    return errors


def calibrations(problem: Problem, posterior: Posterior, errors: Vector) -> list[Calibration]:
    """Return the fits of every such stack, on every device with priors of its own.

    Parameters
    ----------
    errors
        What `left_out` returns; a stack's spread is theirs.
    """
    measured: dict[str, list[str]] = {}
    for device, stack in problem.by_cell:
        measured.setdefault(stack, []).append(device)
    found = []
    for device in sorted(name for name in list_socs() if (DEVICES / f"_{name}.yaml").is_file()):
        soc = starting(device)
        for stack in sorted(set(soc.stacks) & set(measured)):
            own = tuple(item.row for item in problem.rows if item.cell == (device, stack))
            on_stack = np.array([item.row.stack == stack for item in problem.rows])
            spread = float(np.sqrt(np.mean(errors[on_stack] ** 2)))
            slots = slots_of(soc, stack, network_candidates)
            logs, covariance = posterior.of(slots)
            paths = tuple(f"stacks.{stack}.{slot.path}" for slot in slots)
            values = dict(zip(paths, np.exp(logs).tolist(), strict=True))
            fit = Fit(paths, values, covariance, (), spread, 1.0)
            siblings = () if own else tuple(sorted(measured[stack]))
            found.append(Calibration(device, stack, own, fit, siblings=siblings))
    return found


def write_networks(fits: Sequence[Calibration], folder: Path = DEVICES) -> list[Path]:
    """Write what networks cost into the device files, beside what other fits have written there."""
    paths = []
    for device in sorted({item.device for item in fits}):
        own = [item for item in fits if item.device == device]
        paths.append(folder / f"{device}.yaml")
        tree = _without(yaml.safe_load(paths[-1].read_text(encoding="utf-8")))
        for item in own:
            _add(tree, starting(device), item)
        write_text(paths[-1], written(tree, COMMENT.format(f"_{device}.yaml")))
    return paths


def _without(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a device file's entries without those of an earlier fit of networks."""
    sources = {
        key: value for key, value in tree.get("sources", {}).items() if not key.startswith(MARK)
    }
    stacks = {}
    for name, entries in tree.get("stacks", {}).items():
        kept = {key: value for key, value in entries.items() if key != "network"}
        if set(kept) - {"fit"}:
            stacks[name] = kept
    return tree | {"sources": sources, "stacks": stacks}


def _add(tree: dict[str, Any], soc: SocSpec, item: Calibration) -> None:
    """Add a fit; where language rows have fitted the stack too, their spread stays."""
    key = f"{MARK}{item.stack}"
    entries = fitted_entries(soc, item, key)
    tree["sources"][key] = source_of(item)
    known = tree["stacks"].setdefault(item.stack, {"fit": {"spread": entries["fit"]["spread"]}})
    known["network"] = entries["network"]


def residuals(problem: Problem, errors: Vector) -> list[Residual]:
    """Return the errors of left-out networks as rows of a file; of no parameter's uncertainty."""
    found = []
    for item, error in zip(problem.rows, errors.tolist(), strict=True):
        row = item.row
        about = row.device, row.stack, row.unit, row.metric, row.run.model
        found.append(Residual("network", item.ids[0], *about, error, 0.0))
    return found


def ship(rows: Sequence[Asked]) -> str:
    """Fit, write device files and residuals, and return the errors per stack in words."""
    with side_by_side(rows, devices_of(rows), WORKERS) as ask:
        problem = problem_of(rows, ask)
        posterior = problem.solved()
    after, before = left_out(problem), problem.at_priors - problem.measured
    write_residuals(residuals(problem, after), RESIDUALS)
    write_networks(calibrations(problem, posterior, after))
    stacks = np.array([item.row.stack for item in problem.rows])
    lines = []
    for stack in sorted(set(stacks.tolist())):
        own = stacks == stack
        lines.append(f"{stack}: priors {_words(before[own])}; left out {_words(after[own])}")
    return "\n".join(lines)


def _words(errors: Vector) -> str:
    sizes = np.abs(np.expm1(errors))
    return f"MAPE {np.mean(sizes):.0%} median {np.median(sizes):.0%} of {len(sizes)}"


if __name__ == "__main__":
    print(ship(questions()))
