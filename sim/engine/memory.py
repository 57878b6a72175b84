"""What is resident while a run goes on: admits step groups until the budget is exceeded.

Weights are resident from the start of a warm run; the activations of a phase live while it runs;
adapters come when a turn needs them and the least recently used leaves. The KV cache is allocated
whole where graphs are compiled for its size, and grows with each conversation elsewhere. The vision
encoder may be freed after the last image, or after each turn's and loaded again for the next.

A model over budget may be mapped from flash instead: then as much of its weights stays resident as
fits beside the rest at its largest.

Not modelled: a cache that grows within a phase; it grows when a phase begins, by what that needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from sim.engine.residency import Allocation, Ledger, ledger
from sim.engine.timed import FloatColumn
from workloads.deployment import FreeVision
from workloads.program import StepGroup

PHASES = {
    "vision": "vision encode",
    "prefill": "prefill",
    "decode": "decode",
    "network": "the network",
}


class Memory:
    """The DRAM of one run.

    Parameters
    ----------
    resident_bytes
        Bytes of each class from the start [B].
    budget_bytes
        What the app may occupy [B].
    encodings
        Groups that encode images; after the last one the encoder may be freed.
    frees
        When the vision encoder is freed.
    clients
        Whose each turn is; empty: all of them one conversation.
    """

    def __init__(
        self,
        resident_bytes: Mapping[str, float],
        budget_bytes: float,
        encodings: int = 0,
        frees: FreeVision = True,
        clients: Sequence[str] = (),
    ) -> None:
        self.budget_bytes = budget_bytes
        self._vision_bytes = resident_bytes.get("vision", 0.0)
        self._encodings, self._encoding, self._frees = encodings, 0, frees
        self._is_loaded = True
        self._clients = clients
        self._held_bytes = sum(resident_bytes.values())
        self._grown: dict[tuple[str, str], float] = {}
        self._changes = [Allocation(0.0, name, held) for name, held in resident_bytes.items()]

    def start(self, group: StepGroup, at_s: float) -> bool:
        """Allocate what a group needs at ``at_s`` [s]; ``False`` if that is over budget."""
        cause = self._cause(group)
        if group.phase == "vision":
            self._encoding += 1
            self._set_vision(True, at_s, cause)
        self._grow(group, at_s, cause)
        self._change("adapters", group.setup.adapter_bytes, at_s, cause)
        self._change("activations", group.activation_bytes, at_s, cause)
        return bool(np.all(self._held_bytes <= self.budget_bytes))

    def end(self, group: StepGroup, at_s: float) -> None:
        """Free a group's activations at ``at_s`` [s], and the encoder if no image needs it."""
        cause = f"end of {self._cause(group)}"
        self._change("activations", -group.activation_bytes, at_s, cause)
        if group.phase == "vision":
            self._encoding -= 1
            self._encodings -= 1
            needed = self._encoding if self._frees == "reload" else self._encodings
            if self._frees and not needed:
                self._set_vision(False, at_s, cause)

    def ledger(self) -> Ledger:
        """Return what was resident when."""
        held = [item for item in self._changes if np.any(item.delta_bytes) or not item.at_s]
        return ledger(held, self.budget_bytes)

    def _set_vision(self, is_loaded: bool, at_s: float, cause: str) -> None:
        if is_loaded != self._is_loaded:
            delta_bytes = self._vision_bytes if is_loaded else -self._vision_bytes
            self._change("vision", delta_bytes, at_s, cause)
            self._is_loaded = is_loaded

    def _grow(self, group: StepGroup, at_s: float, cause: str) -> None:
        """Give the conversation's cache the size the group needs; a fresh one is small again."""
        client = self._client(group)
        for name, held_bytes in group.cache_bytes.items():
            before_bytes = self._grown.get((client, name), 0.0)
            self._change(name, held_bytes - before_bytes, at_s, cause)
            self._grown[client, name] = held_bytes

    def _client(self, group: StepGroup) -> str:
        return self._clients[group.turn] if self._clients else ""

    def _cause(self, group: StepGroup) -> str:
        """Return in words what a group is: its phase, and of which turn where there are several."""
        if len(self._clients) <= 1:
            return PHASES[group.phase]
        return f"{PHASES[group.phase]} of turn {group.turn + 1} ({self._client(group)})"

    def _change(self, resident_class: str, delta_bytes: float, at_s: float, cause: str) -> None:
        self._held_bytes += delta_bytes
        self._changes.append(Allocation(at_s, resident_class, delta_bytes, cause))


def peak_bytes(memory: Memory, groups: Sequence[StepGroup]) -> FloatColumn:
    """Return the largest residency where groups follow each other, or run beside the one ahead [B].

    A column over runs where what they hold are columns.
    """
    running: list[StepGroup] = []
    for place, group in enumerate(groups):
        if group.images_needed is None:
            for ended in running:
                memory.end(ended, float(place))
            running = []
        memory.start(group, float(place) if not running else float(place - 1))
        running.append(group)
    return memory.ledger().peak_bytes


def spilled(
    initial_bytes: Mapping[str, float],
    largest_bytes: Mapping[str, float],
    activation_bytes: float,
    budget_bytes: float,
) -> dict[str, float]:
    """Return what is resident at first of a model whose weights are mapped.

    They get what the rest leaves of the budget when every other class is at its largest [B].

    >>> spilled({"weights": 8.0, "kv_cache": 0.0}, {"weights": 8.0, "kv_cache": 1.0}, 1.0, 5.0)
    {'weights': 3.0, 'kv_cache': 0.0}
    """
    rest = sum(largest_bytes.values()) - largest_bytes["weights"] + activation_bytes
    return {**initial_bytes, "weights": max(0.0, budget_bytes - rest)}
