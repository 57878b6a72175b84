"""LoRA adapters on one frozen base (1+N): their weights, their traffic, and what a switch costs.

Adapters are not merged: their matrices A (rank x d_in) and B (d_out x rank) are inputs of the graph
and are streamed in every pass. The graph is compiled for one rank and one set of modules; smaller
ranks are padded with zeros and cost the same.

Not modelled: accuracy, and merged adapters, which cost nothing. After a switch the KV cache is
computed again only if the adapters change K or V themselves. Other adapted modules also change K
and V of later layers a little; that is ignored.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from workloads.errors import WorkloadError, did_you_mean
from workloads.session import Strict

Module = Literal["q", "k", "v", "o", "gate", "up", "down"]
MODULES: tuple[Module, ...] = ("q", "k", "v", "o", "gate", "up", "down")

Rank = Annotated[int, Field(ge=1, le=4096)]


@dataclass(frozen=True, slots=True)
class LinearSizes:
    """The sizes of a decoder's linear modules.

    Attributes
    ----------
    vision_per_rank
        Sum of d_in + d_out over the linear layers of the vision encoder.
    """

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vision_per_rank: int = 0

    def shapes(self) -> Mapping[Module, tuple[int, int]]:
        """Return input and output features of each module."""
        query, key = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "q": (self.hidden, query),
            "k": (self.hidden, key),
            "v": (self.hidden, key),
            "o": (query, self.hidden),
            "gate": (self.hidden, self.intermediate),
            "up": (self.hidden, self.intermediate),
            "down": (self.intermediate, self.hidden),
        }


def parameters_per_rank(sizes: LinearSizes, modules: Iterable[Module] = MODULES) -> int:
    """Return the weights of an adapter per unit of rank, layers * sum of (d_in + d_out).

    >>> parameters_per_rank(LinearSizes(36, 2560, 32, 8, 128, 9728))  # Qwen3-4B
    2064384
    """
    shapes = sizes.shapes()
    return sizes.layers * sum(sum(shapes[module]) for module in modules)


class Lora(Strict):
    """The adapters of a deployment.

    Attributes
    ----------
    rank
        Largest rank among the adapters.
    compiled_rank
        Rank the graph is compiled for; none given: ``rank``.
    adapters
        Names, as turns give them.
    modules
        Modules adapted in every layer.
    vision
        Whether each adapter has a part on every linear layer of the vision encoder as well.
    bits
        Bits per adapter weight.
    resident
        Adapters kept in DRAM; none given: all.
    acceptance_factor
        Multiplies the acceptance of drafts while an adapter is active. 1, no effect, is assumed.
    """

    rank: Rank = 16
    compiled_rank: Rank | None = None
    adapters: Annotated[tuple[str, ...], Field(min_length=1)]
    modules: Annotated[tuple[Module, ...], Field(min_length=1)] = MODULES
    vision: bool = False
    bits: Literal[4, 8, 16, 32] = 16
    resident: Annotated[int, Field(ge=1)] | None = None
    acceptance_factor: Annotated[float, Field(gt=0.0, le=1.5)] = 1.0

    @model_validator(mode="after")
    def _consistent(self) -> Lora:
        if len(set(self.adapters)) < len(self.adapters) or len(set(self.modules)) < len(
            self.modules
        ):
            raise ValueError("adapters and modules that are each named once")
        if self.compiled_rank is not None and self.compiled_rank < self.rank:
            raise ValueError(f"a compiled_rank of at least the rank {self.rank}")
        return self

    @property
    def padded_rank(self) -> int:
        """Rank every adapter is padded to."""
        return self.compiled_rank or self.rank

    @property
    def invalidates_kv(self) -> bool:
        """Whether a cache computed under another adapter must be computed again."""
        return not {"k", "v"}.isdisjoint(self.modules)

    def parameters(self, sizes: LinearSizes) -> int:
        """Return the weights of one padded adapter."""
        decoder = parameters_per_rank(sizes, self.modules)
        return self.padded_rank * (decoder + self.vision * sizes.vision_per_rank)

    def adapter_bytes(self, sizes: LinearSizes) -> float:
        """Return the bytes of one padded adapter: kept, loaded, and bound on a switch [B]."""
        return self.parameters(sizes) * self.bits / 8

    def resident_bytes(self, sizes: LinearSizes) -> float:
        """Return the bytes of all adapters kept in DRAM [B]."""
        kept = min(len(self.adapters), self.resident or len(self.adapters))
        return kept * self.adapter_bytes(sizes)


@dataclass(frozen=True, slots=True)
class AdapterSwitch:
    """What happens when a turn runs on another adapter than the one before.

    Attributes
    ----------
    adapter
        The adapter that becomes active, or none: the bare base.
    flash_bytes
        Bytes loaded because the adapter was not resident [B].
    bound_bytes
        Bytes written into the inputs of the graph [B].
    evicted
        Adapter dropped from DRAM for it.
    held_bytes
        How much more of the DRAM adapters hold afterwards [B].
    invalidates_kv
        Whether the KV cache must be computed again.
    """

    adapter: str | None
    flash_bytes: float
    bound_bytes: float
    evicted: str | None
    held_bytes: float
    invalidates_kv: bool


class AdapterCache:
    """The adapters in DRAM, the least recently used one leaving first.

    Nothing is resident at the start; the first use loads.

    >>> lora = Lora(adapters=("ui", "ocr"), resident=1)
    >>> cache = AdapterCache(lora, adapter_bytes=66e6)
    >>> [cache.use(name).evicted for name in ("ui", "ocr")]
    [None, 'ui']
    """

    def __init__(self, lora: Lora, adapter_bytes: float) -> None:
        self._lora = lora
        self._adapter_bytes = adapter_bytes
        self._slots = lora.resident or len(lora.adapters)
        self._used: OrderedDict[str, None] = OrderedDict()
        self._active: str | None = None

    @property
    def resident(self) -> tuple[str, ...]:
        """Adapters in DRAM, least recently used first."""
        return tuple(self._used)

    def use(self, adapter: str | None, place: str = "An adapter") -> AdapterSwitch | None:
        """Activate an adapter, or the bare base, and return the switch; none if it was active.

        ``place`` names the adapter in the error that an unknown one raises.
        """
        if adapter == self._active:
            return None
        loads, evicted = False, None
        if adapter is not None:
            loads = adapter not in self._used
            evicted = self._touch(adapter, place)
        self._active = adapter
        return AdapterSwitch(
            adapter=adapter,
            flash_bytes=self._adapter_bytes if loads else 0.0,
            bound_bytes=self._adapter_bytes,
            evicted=evicted,
            held_bytes=self._adapter_bytes * (loads - (evicted is not None)),
            invalidates_kv=self._lora.invalidates_kv,
        )

    def _touch(self, adapter: str, place: str) -> str | None:
        """Mark an adapter as used last and return the one that had to leave."""
        if adapter not in self._lora.adapters:
            hint = did_you_mean(adapter, self._lora.adapters)
            raise WorkloadError(f"{place} must be one of the deployment's. Got {adapter!r}. {hint}")
        self._used[adapter] = None
        self._used.move_to_end(adapter)
        if len(self._used) <= self._slots:
            return None
        return self._used.popitem(last=False)[0]
