"""Which of two graphs is open where memory holds one, as turns take steps in between each other.

A plan lets turns follow each other in the order that they are listed (`sim.graph_swaps`). With
several clients others may come in between, so what is open when a group begins or goes on is known
as they run: a change that is not needed is left out, and one that is needed comes before the next
step, whose group is parted there.

Not modelled: a prompt that is filled in beside the encoding of its images, which keeps the changes
of its plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from sim.engine.progress import Progress, last_steps
from workloads.program import Setup, StepGroup

PHASES = ("prefill", "decode")
"""Those with a graph each."""


@dataclass(slots=True)
class OpenGraph:
    """The graph that is open.

    Attributes
    ----------
    weight_bytes
        Weights of the graph that a change waits for [B].
    begin
        Gives a group its seconds.
    phase
        Whose graph is open; that of prompts when a cold start ends.
    """

    weight_bytes: float
    begin: Callable[[StepGroup], Progress]
    phase: str = PHASES[0]

    @classmethod
    def of(
        cls, groups: Iterable[StepGroup], begin: Callable[[StepGroup], Progress]
    ) -> OpenGraph | None:
        """Return what is open before the first group; ``None`` where graphs never change."""
        weight_bytes = max((group.setup.swapped_bytes for group in groups), default=0.0)
        return cls(weight_bytes, begin) if weight_bytes else None

    def open(self, groups: list[Progress], progress: Progress) -> Progress:
        """Return what of a turn's groups runs next, with the change of graphs that it needs.

        It takes the place of ``progress`` among the groups, or follows what of it has run.
        """
        group = progress.group
        place = next(at for at, one in enumerate(groups) if one is progress)
        if group.phase not in PHASES:
            return progress
        wanted = self.weight_bytes if group.phase != self.phase else 0.0
        self.phase = group.phase
        if group.images_needed is not None:
            return progress
        if progress.done:
            if not wanted:
                return progress
            rest = replace(last_steps(group, progress.done), setup=Setup(swapped_bytes=wanted))
            progress.is_parted = True
            groups.insert(place + 1, self.begin(rest))
            groups[place + 1].is_held = progress.is_held
            return groups[place + 1]
        if group.setup.swapped_bytes != wanted:
            setup = replace(group.setup, swapped_bytes=wanted)
            groups[place] = self.begin(replace(group, setup=setup))
        return groups[place]
