"""Warn where a scenario asks for what model or stack cannot give; the numbers still hold.

Not judged: what a reply says, and how long it would be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from hw_models.clusters import cores
from hw_models.schema import Stack
from hw_models.soc import SocSpec
from sim.assumed import in_vain
from sim.known_formats import unknown_formats
from sim.no_effect import no_effect
from workloads.catalogue import position_limit
from workloads.eviction_policies import SlidingWindow
from workloads.graph import Formats
from workloads.program import Program
from workloads.scenario import Scenario
from workloads.trace import Trace

LARGE_IMAGE_PX = 100_000_000
"""Larger than what most phones photograph [px]."""


def cautions(
    scenario: Scenario, trace: Trace, program: Program, soc: SocSpec, stored: Formats
) -> list[str]:
    """Return a sentence with its remedy for each thing that is asked for in vain."""
    name = scenario.stack or soc.default_stack
    stack = soc.stack(name)
    said = [*unknown_formats(soc, name, stack, stored, trace)]
    said += [*_elsewhere(program, stack), *_beyond_allocation(program, soc, stack)]
    said += _idle_threads(scenario, soc, stack)
    if scenario.network is None:
        said += [*_beyond_positions(scenario, program), *_no_overlap(scenario, program)]
        said += _beyond_decoding(scenario)
    if scenario.assume:
        units = {task.unit for group in program.groups for task, _ in group.tasks()}
        said += in_vain(scenario, soc, units)
    return [*said, *no_effect(scenario, trace, soc, program.positions)]


def _idle_threads(scenario: Scenario, soc: SocSpec, stack: Stack) -> Iterator[str]:
    """Tell of threads that no core runs, or of a processor whose cores are not known."""
    wanted = scenario.deployment.threads
    if wanted is None or stack.unit != "cpu":
        return
    there = cores(soc.units["cpu"])
    if there and wanted > there:
        yield (
            f"deployment.threads has {wanted}, and the processor {there:g} cores: the others are "
            "taken to cost nothing, where real ones wait for each other. Remedy: as many as cores."
        )
    elif not there:
        yield "deployment.threads adds nothing beyond the device's own: its clusters are not known."


def _beyond_allocation(program: Program, soc: SocSpec, stack: Stack) -> Iterator[str]:
    """Tell of weights of one graph that its unit cannot be given at once."""
    limit = soc.units[stack.unit].allocation_bytes
    graphs = stack.graphs_per_step.value
    weights = np.max(program.resident_bytes.get("weights", 0.0) / graphs)
    if limit is None or weights <= np.max(limit.value):
        return
    needed = int(np.ceil(weights * np.max(graphs) / np.max(limit.value)))
    yield (
        f"the weights of one graph take {weights / 1e9:.1f} GB, and the {stack.unit} is given at "
        f"most {np.max(limit.value) / 1e9:.1f} GB at once: seconds and bytes hold, but the runtime "
        f"may refuse to load. Remedy: {needed} graphs (stacks.*.graphs_per_step), or fewer bits "
        "per weight."
    )


def _elsewhere(program: Program, stack: Stack) -> Iterator[str]:
    """Tell of operators that the stack's unit cannot run, and of what handing them over costs."""
    found: Counter[str] = Counter()
    for group in program.groups:
        for task, repeat in group.tasks():
            if task.unit == stack.fallback != stack.unit and task.operator in stack.unsupported:
                found[task.operator] += repeat
    if found:
        names = ", ".join(f"{name} ({count})" for name, count in sorted(found.items()))
        yield (
            f"the {stack.unit} does not run {names}: the {stack.fallback} does, with a graph call "
            "and a passage through DRAM on each side."
        )


def _beyond_positions(scenario: Scenario, program: Program) -> Iterator[str]:
    """Tell of positions beyond training's; a sliding window numbers anew (arXiv 2309.17453)."""
    limit = position_limit(scenario.model)
    renumbers = isinstance(scenario.deployment.kv_cache.eviction, SlidingWindow)
    if limit is not None and not renumbers:
        yield from beyond_positions(program.model, program.positions, limit)


def beyond_positions(model: str, positions: int, limit: int) -> Iterator[str]:
    """Tell of a conversation that takes more positions than its model was made for."""
    if positions <= limit:
        return
    yield (
        f"a conversation takes {positions} positions, and {model} was made for "
        f"{limit} (max_position_embeddings): seconds and bytes hold, but the text may be nonsense. "
        f"Remedy: fewer tokens, `fresh: true` on a later turn, or a configuration whose limit is "
        "extended (RoPE scaling)."
    )


def _beyond_decoding(scenario: Scenario) -> Iterator[str]:
    """Tell of an image so large that reading its file takes time that matters."""
    sides = [size for turn in scenario.session.turns for size in turn.images_px]
    width, height = max(sides, key=lambda size: size[0] * size[1], default=(0, 0))
    if width * height <= LARGE_IMAGE_PX:
        return
    yield (
        f"an image has {width * height / 1e6:.0f} megapixels ({width} x {height}): decoding its "
        "file and making it smaller are not modelled, so the first token comes later than told. "
        "Remedy: the size in which the app hands the image over."
    )


def _no_overlap(scenario: Scenario, program: Program) -> Iterator[str]:
    """Tell of overlap that was asked for and cannot happen."""
    wanted = scenario.deployment.vision_overlap
    vision = [group for group in program.groups if group.phase == "vision"]
    if not wanted or any(group.images_needed is not None for group in program.groups):
        return
    if not vision:
        reason, remedy = "no turn has an image", "add images to session.turns"
    elif {task.unit for task, _ in vision[0].tasks()} & _prefill_units(program):
        reason = "one unit both encodes and prefills"
        remedy = "set deployment.placement.vision to another unit"
    else:
        reason = "no prefill step can start before the last image is encoded"
        remedy = "give a turn several images, or smaller deployment.prefill_chunk_tokens"
    yield f"deployment.vision_overlap has no effect: {reason}. Remedy: {remedy}."


def _prefill_units(program: Program) -> set[str]:
    """Return the units of the operators that every prefill step runs."""
    groups = (group for group in program.groups if group.phase == "prefill")
    return {task.unit for group in groups for task, _ in group.tasks() if task.runs.all()}
