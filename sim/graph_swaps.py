"""Graphs of prompts and of tokens that hold weights of their own: both open, or one at a time.

Where one is open, every turn begins and goes on with a change of graphs: prompts' graph is open
when a cold start ends and, but for the first turn, comes back before the prompt.

What a change reads from flash is counted where a stack says how much of it the page cache does not
hold (`PromptGraph.from_flash`).

Turns of several clients change graphs as they run (`sim.engine.open_graph`).

Not modelled: traffic of the DRAM for the change itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hw_models.laws import Numbers
from hw_models.schema import Stack
from sim.held import activations_held
from workloads.program import Program, StepGroup

PROMPT_GRAPH = "prompt_graph"
"""The ledger's class of its weights, where both graphs are open."""


def with_prompt_graph(program: Program, stack: Stack, budget_bytes: Numbers) -> Program:
    """Return a program whose graphs change where the stack holds one of two in its memory [B].

    Both are in the file; a cold start reads the one it opens. One answer serves all devices that a
    stack of columns stands for: both stay open only if they fit on each (`holds_both`).
    """
    part = stack.prompt_graph
    if part is None:
        return program
    own_bytes = part.own_weights.value * program.resident_bytes["weights"]
    file_bytes = program.file_bytes + own_bytes
    if holds_both(program, stack, budget_bytes).all():
        held = {PROMPT_GRAPH: own_bytes}
        return replace(
            program,
            file_bytes=file_bytes,
            resident_bytes={**program.resident_bytes, **held},
            initial_bytes={**program.initial_bytes, **held},
        )
    groups = tuple(_changing(program.groups, program.resident_bytes["weights"]))
    return replace(program, file_bytes=file_bytes, later_bytes=own_bytes, groups=groups)


def swapped_flash_bytes(groups: Iterable[StepGroup], stack: Stack) -> Numbers:
    """Return what changes of graphs have read from flash, on each device a stack stands for [B]."""
    part = stack.prompt_graph
    if part is None:
        return 0.0
    return part.flash_bytes(sum(group.setup.swapped_bytes for group in groups))


def holds_both(program: Program, stack: Stack, budget_bytes: Numbers) -> NDArray[np.bool_]:
    """Return whether a stack keeps both graphs open, on each device it stands for."""
    part = stack.prompt_graph
    if part is None or part.holds == "one":
        return np.array(part is None)
    held = {name: size for name, size in program.resident_bytes.items() if name != PROMPT_GRAPH}
    need = sum(held.values()) + max(activations_held(program.groups))
    return np.asarray(need + part.own_weights.value * held["weights"] <= budget_bytes)


def _changing(groups: Iterable[StepGroup], weight_bytes: float) -> Iterator[StepGroup]:
    """Yield groups, the first after each change of graphs with the weights it waits for [B]."""
    is_open = "prefill"
    for group in groups:
        if group.phase in ("prefill", "decode") and group.phase != is_open:
            is_open = group.phase
            yield replace(group, setup=replace(group.setup, swapped_bytes=weight_bytes))
        else:
            yield group
