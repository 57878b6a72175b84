"""Program: what must be computed, per step, in order, in operations and bytes. No seconds.

A `Program` is a list of step groups; a group is consecutive steps of one phase that share a list of
tasks (`workloads.tasks`).

Turns of equal work share their tasks and segments, so these are compared by identity: what follows
from them (seconds, matrices, energy) is found once, and kept under the shared object as its key.

Not modelled: operators of one step that run on two units at once. Steps of two groups do, where
images encode on one unit while another prefills (`StepGroup.images_needed`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from workloads.tasks import Column, Task

OnProgress = Callable[[int, int, str], None]
"""Told how many of how many things are done, and what they are."""


def untold(done: int, of: int, things: str) -> None:
    """Tell nobody how far something has come."""


@dataclass(frozen=True, slots=True, eq=False)
class ProgramSegment:
    """Tasks that run ``repeat`` times in a row: identical layers, or draft passes.

    Attributes
    ----------
    graph_call
        Each run is a graph call of its own.
    """

    name: str
    repeat: int
    tasks: tuple[Task, ...]
    is_layer: bool = False
    graph_call: bool = False


@dataclass(frozen=True, slots=True)
class Setup:
    """What must happen before a group's first step: loads from flash, an adapter's rebind [B].

    Attributes
    ----------
    adapter_bytes
        How much more of the DRAM adapters hold from then on.
    swapped_bytes
        Weights of the graph that takes the place of the one before.
    """

    flash_bytes: float = 0.0
    copied_bytes: float = 0.0
    adapter_bytes: float = 0.0
    swapped_bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class StepGroup:
    """Consecutive steps of one phase.

    Attributes
    ----------
    turn
        Index of the session's turn, from 0.
    new_tokens, visible_tokens
        Tokens computed, and tokens of context the graph attends to, per step (patches in vision).
    live_tokens
        Tokens in the KV cache after the step.
    committed_tokens
        Output tokens the step yields.
    activation_bytes
        What the graph allocates for activations while the group runs [B].
    at_s
        Arrival of the turn [s].
    switches
        1 in steps that run another graph than the step before; ``None``: none does.
    setup
        What must happen before the first step.
    images_needed
        Prefill beside the encoding of later images: steps of the vision group before this one that
        must be done before each step; ``None``: the whole group.
    cache_bytes
        What the conversation holds of classes that grow with it while the group runs; empty where
        the cache is allocated whole from the start [B].
    needed_flops
        What the tokens of each step need of its matrix work, those of a prefill in its last step;
        ``None``: all that is executed [FLOP].
    first
        Index of its first step among those of its phase and turn: a long reply is several groups.
    """

    phase: str
    turn: int
    new_tokens: Column
    visible_tokens: Column
    live_tokens: Column
    committed_tokens: Column
    segments: tuple[ProgramSegment, ...]
    activation_bytes: float
    at_s: float = 0.0
    switches: Column | None = None
    setup: Setup = Setup()
    images_needed: Column | None = None
    cache_bytes: Mapping[str, float] = field(default_factory=dict)
    needed_flops: Column | None = None
    first: int = 0

    @property
    def steps(self) -> int:
        """Number of steps."""
        return int(self.new_tokens.shape[0])

    def tasks(self) -> Iterator[tuple[Task, int]]:
        """Yield each distinct task with how often it runs per step."""
        for segment in self.segments:
            for task in segment.tasks:
                yield task, segment.repeat

    def total(self, quantity: str) -> float:
        """Return the sum of a task column over steps and layers, e.g. ``total("flops")``."""
        return float(
            sum(
                repeat * (getattr(task, quantity) * task.runs).sum()
                for task, repeat in self.tasks()
            )
        )


def total(groups: Iterable[StepGroup], quantity: str) -> float:
    """Return the sum of a task column over all steps of groups; equal turns are summed once."""
    found: dict[tuple[ProgramSegment, ...], float] = {}
    summed = 0.0
    for group in groups:
        if group.segments not in found:
            found[group.segments] = group.total(quantity)
        summed += found[group.segments]
    return summed


@dataclass(frozen=True, slots=True)
class Program:
    """All steps of a session, in order, with what must be resident.

    Attributes
    ----------
    resident_bytes
        The most that each class occupies in DRAM [B].
    initial_bytes
        What each class occupies before the first turn [B].
    file_bytes, later_bytes
        Bytes of the deployed model in flash, and what of them a cold start leaves for later [B].
    kv_bytes_per_token
        KV-cache bytes of one token [B].
    visual_tokens, kv_tokens_final, weight_bytes_per_step
        Facts of the program the summary reports.
    positions
        Positions of the longest conversation, cached tokens that were evicted included.
    image_states
        Most states of images that a conversation keeps for cross attention.
    """

    model: str
    groups: tuple[StepGroup, ...]
    resident_bytes: Mapping[str, float]
    initial_bytes: Mapping[str, float]
    file_bytes: float
    kv_bytes_per_token: float
    kv_capacity_tokens: int
    visual_tokens: int
    kv_tokens_final: int
    weight_bytes_per_step: float
    positions: int = 0
    image_states: int = 0
    later_bytes: float = 0.0

    @property
    def opened_bytes(self) -> float:
        """What a cold start reads of the deployed model [B]."""
        return self.file_bytes - self.later_bytes

    def total(self, quantity: str, phase: str | None = None) -> float:
        """Return the sum of a task column over a phase, or over everything."""
        chosen = (group for group in self.groups if phase in (None, group.phase))
        return sum(group.total(quantity) for group in chosen)
