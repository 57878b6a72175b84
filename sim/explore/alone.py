"""Variants of a device that run by themselves: several clients, other apps, little memory.

What they run is planned once for all that share a shape, since what only prices steps does not
change it. Each then meets arrivals, other apps and its own heat on its own clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hw_models.soc import SocSpec
from sim.assumed import device_of
from sim.facts import Facts
from sim.graph_swaps import holds_both
from sim.planning import Plan, fits_whole, plan, running
from sim.results import Result
from sim.simulation import follow
from workloads.program import OnProgress


def each_alone(
    result: Result,
    devices: Iterator[tuple[int, SocSpec]],
    plans: Mapping[int, Plan],
    of: int,
    on_progress: OnProgress,
    done: int = 0,
) -> Iterator[tuple[Sequence[int], Facts]]:
    """Yield variants that are simulated by themselves, and the facts of each.

    Parameters
    ----------
    devices
        The number and the device of each.
    plans
        What some of them run, by number; the others are planned by themselves.
    of, done
        How many variants there are in all, and how many have been simulated before these.
    """
    for before, (index, soc) in enumerate(devices, done):
        on_progress(before, of, "draws")
        yield [index], alone(result, soc, plans.get(index)).own_facts


def alone(result: Result, soc: SocSpec, planned: Plan | None = None) -> Result:
    """Return the same run on another device."""
    scenario, seed = result.scenario, result.seed
    device = running(scenario, device_of(scenario, soc))
    if planned is None:
        planned = plan(scenario, device, seed, to_run=True)
    return follow(scenario, device, planned, seed=seed)


def plans_of_rows(planned: Plan, soc: SocSpec, members: Sequence[int]) -> dict[int, Plan]:
    """Return what variants of one shape run, by number, of all for which that is the same.

    Memory that does not suffice ends runs early, maps weights or closes graphs: such variants are
    left out.

    Parameters
    ----------
    planned, soc
        Of all of them: a device whose numbers are columns of shape (variants, 1).
    """
    both = holds_both(planned.program, soc.stack(planned.stack), planned.budget_bytes)
    is_same = np.ravel(fits_whole(planned)) & np.ravel(both == both.all())
    is_same = np.broadcast_to(is_same, (len(members),))
    return {index: _row(planned, row) for row, index in enumerate(members) if is_same[row]}


def _row(planned: Plan, row: int) -> Plan:
    """Return the plan of one of the variants that a plan of columns stands for."""
    program = planned.program
    return replace(
        planned,
        budget_bytes=_entry(planned.budget_bytes, row),
        program=replace(
            program,
            resident_bytes={
                name: _entry(held, row) for name, held in program.resident_bytes.items()
            },
            initial_bytes={name: _entry(held, row) for name, held in program.initial_bytes.items()},
            file_bytes=_entry(program.file_bytes, row),
            later_bytes=_entry(program.later_bytes, row),
        ),
    )


def _entry(number: Any, row: int) -> float:
    flat = np.ravel(number)
    return float(flat[row if len(flat) > 1 else 0])
