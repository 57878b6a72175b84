"""Cores of a processor as a device file names them: kinds, and clusters of one kind."""

from hw_models.part import Part
from hw_models.quantities import BytesPerSecond, Count, Hertz, PerCycle


class Core(Part):
    """What kernels can issue on one core in a cycle, 1 MAC = 2 FLOP."""

    int8_per_cycle: PerCycle
    """Operations of int8 products."""
    fp16_per_cycle: PerCycle
    """Operations of 16-bit floating-point products."""
    weights_per_cycle: PerCycle
    """Compressed weights that it reads, expands and multiplies with one row of activations."""
    has_dot_products: bool = True
    """Whether it has SDOT, without which no runtime repacks weights (`hw_models.products`)."""


class Cluster(Part):
    """Equal cores at one clock."""

    core: str
    """Name of their kind, among the unit's cores."""
    cores: Count
    clock: Hertz
    bandwidth: BytesPerSecond | None = None
    """What its cores draw from the DRAM together; None: not known."""
    core_bandwidth: BytesPerSecond | None = None
    """What one of them draws alone; None: not known."""
