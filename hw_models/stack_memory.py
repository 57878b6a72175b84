"""What a device file says of how a stack keeps a model in memory.

Not modelled: which pages of the file the system's page cache happens to hold.
"""

from typing import Literal

from hw_models.laws import Numbers
from hw_models.part import Part
from hw_models.quantities import Bytes, BytesPerSecond, Share


class StackMemory(Part):
    """How a stack keeps what the model file holds; what is left open is as the file has it."""

    packed_share: Share | None = None
    """Share of the weights kept once more in the kernels' order, beside the mapped file."""
    embedding_share: Share | None = None
    """Share of the embedding table that becomes resident where rows are looked up in the file."""
    ties_table: bool | None = None
    """Whether one table serves as embedding and LM head where both have one format."""
    unpacks_to: Literal["fp16", "fp32"] | None = None
    """What narrower weights become when they are loaded, and are read as; None: as in the file."""
    graph_buffer: Bytes | None = None
    """Working memory that each compiled graph keeps while it is open."""
    prepare: BytesPerSecond | None = None
    """Weights made ready per second of a cold start: first touch, unpacking, upload."""


class PromptGraph(Part):
    """A second graph, for prompts, that holds weights of its own beside the one for tokens."""

    own_weights: Share
    """Share of the weights that it holds once more, in the file and while it is open."""
    swap: BytesPerSecond
    """Rate at which these are brought in when one graph takes the place of the other."""
    from_flash: Share | None = None
    """Share of them that comes from flash, the rest from the system's page cache; None: not known,
    and neither bytes nor energy of a change are counted."""
    holds: Literal["one", "fitting"] = "fitting"
    """Whether both are open where memory has room for both, or never more than one."""

    def swap_s(self, weight_bytes: float) -> Numbers:
        """Return the seconds of one change of graphs: share x weights / rate [s].

        Source: MediaTek's command line tool on a Genio 720, which prints how long it swaps between
        prompt and first token. Valid while all weights of a graph come in before its first step.
        """
        return self.own_weights.value * weight_bytes / self.swap.value

    def flash_bytes(self, weight_bytes: float) -> Numbers:
        """Return what one change of graphs reads from flash: from_flash x share x weights [B].

        Its energy is that of any byte of flash (`hw_models.power.flash_energy_j`). Valid while
        ``swap`` is no more than flash gives, over ``from_flash``; what the page cache holds is
        copied at no energy.
        """
        share = self.from_flash.value if self.from_flash else 0.0
        return share * self.own_weights.value * weight_bytes
