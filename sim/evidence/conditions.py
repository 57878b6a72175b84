"""What a run was started with, applied to the device it is simulated on."""

from __future__ import annotations

from hw_models.soc import SocSpec
from hw_models.threads import with_threads
from sim.evidence.measured import MeasuredRun


def as_run(run: MeasuredRun, soc: SocSpec, stack: str) -> SocSpec:
    """Return the device as a run used it: with its threads, where its stack is of the CPU.

    Tools that change graphs between a prompt and its reply print both without the change.
    """
    found = soc if run.threads is None else with_threads(soc, stack, run.threads)
    if found.stack(stack).prompt_graph is None:
        return found
    alone = found.stack(stack).model_copy(update={"prompt_graph": None})
    return found.model_copy(update={"stacks": {**found.stacks, stack: alone}})


def without_host(soc: SocSpec, stack: str) -> SocSpec:
    """Return a device whose steps hold no work of the host: what the profile of a graph times."""
    return soc.with_values({f"stacks.{stack}.step_overhead_s": 0.0})
