"""The parts of a SoC as a device file names them; each number in them is a `Parameter`.

Peak rates count 1 MAC as 2 FLOP. Not modelled: clock and voltage tables in steps, separate energies
per operation and unit (one J/FLOP per precision serves them all; what a busy unit takes besides is
its own).
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hw_models.compute import vector_operations
from hw_models.cores import Cluster, Core
from hw_models.cost_laws import cost_law
from hw_models.errors import HardwareError, suggest
from hw_models.laws import Numbers
from hw_models.part import Part
from hw_models.products import Products
from hw_models.provenance import Parameter
from hw_models.quantities import (
    BufferBytes,
    Buffers,
    Bytes,
    BytesPerSecond,
    Count,
    Elements,
    Exponent,
    Factor,
    FlopPerSecond,
    Fraction,
    Fractions,
    JoulePerFlop,
    Kelvin,
    Plain,
    Ratio,
    Seconds,
    Sizes,
    Watts,
    WeightsPerSecond,
)
from hw_models.stack_formats import StackDefaults, StackRuns
from hw_models.stack_memory import PromptGraph, StackMemory

Precision = Annotated[str, StringConstraints(pattern=r"^(a\d+w\d+|fp16|bf16|fp32)$")]
"""A matrix precision: integer activations x weights ("a16w4") or a floating-point format."""


class MatrixEngine(Part):
    """Dense matrix multiplication: native tile and peak rate per precision."""

    tile_m: Count
    tile_n: Count
    tile_k: Count
    rates: dict[Precision, FlopPerSecond] = Field(min_length=1)


class VectorEngine(Part):
    """Element-wise work: normalisation, activation functions, softmax."""

    rate: FlopPerSecond
    exponential: Factor | None = None
    """Operations that one exponential takes the time and energy of; None: one, as any other."""

    def operations(self, counted: Numbers, exponentials: Numbers) -> Numbers:
        """Return the operations that work takes here (`compute.vector_operations`)."""
        return vector_operations(counted, exponentials, self.exponential_operations)

    @property
    def exponential_operations(self) -> float:
        """Operations of one exponential; 1 where not known."""
        return self.exponential.value if self.exponential else 1.0


class Dequantiser(Part):
    """Expansion of compressed weights into the multiplier's format."""

    rate: WeightsPerSecond


class OnChipBuffer(Part):
    """Operand buffers filled by DMA while others are consumed, and room for activations."""

    operand_bytes: BufferBytes
    """Size of one operand buffer, hence of the largest tile."""
    operand_count: Buffers
    activation_bytes: Bytes


class Launch(Part):
    """Fixed cost of starting one task on the unit."""

    operator_s: Seconds


class ComputeUnit(Part):
    """An NPU, GPU or CPU: all obey the same laws with different numbers."""

    matrix: MatrixEngine
    vector: VectorEngine
    dequantise: Dequantiser
    buffer: OnChipBuffer
    launch: Launch
    dram_fraction: Fraction
    """Fraction of the DRAM peak that this unit can draw alone."""
    ramp_bytes: Bytes | None = None
    """Bytes of an operator whose transfers reach half of the unit's rate; None: all reach it."""
    active_w: Watts | None = None
    """Power of the busy unit at full clock besides operations, traffic and the polling host: clock
    tree, control, caches, cores that wait for DRAM. None: not known, and not counted."""
    cores: dict[str, Core] = Field(default={})
    """Kinds of cores by name; those that no cluster has are left out."""
    clusters: dict[str, Cluster] = Field(default={})
    """Equal cores; the unit's rates then follow from them (`hw_models.clusters`)."""
    threads: Count | None = None
    """Threads of a run that names none."""
    allocation_bytes: Bytes | None = None
    """Largest piece of memory it can be given at once, or address in one graph; None: not known."""

    @property
    def has_dot_products(self) -> bool:
        """Whether every core that a cluster has does dot products of 8 bits."""
        return all(self.cores[item.core].has_dot_products for item in self.clusters.values())


class Host(Part):
    """The application processor as the runtime's host."""

    memcpy: BytesPerSecond


class Power(Part):
    """Powers outside the DRAM and flash, and energy per operation."""

    idle_w: Watts
    host_poll_w: Watts
    """Extra power while the host waits actively for another unit."""
    display_w: Watts
    leakage_w: Watts
    """Leakage of the die at 25 C."""
    leakage_doubling_k: Kelvin
    """Rise of the die temperature that doubles the leakage."""
    clock: Fraction | None = None
    """Fraction of the full clock that a power mode leaves (`hw_models.power_modes`); None: all."""
    voltage_exponent: Exponent | None = None
    """Power of the clock with which the energy of an operation grows (`power.clocked_w`); None: an
    operation costs the same at every clock."""
    energy_per_flop: dict[Precision | Literal["vector"], JoulePerFlop] = Field(min_length=1)

    @property
    def exponent(self) -> float:
        """Power of the clock with which the energy of an operation grows; 0 where not known."""
        return self.voltage_exponent.value if self.voltage_exponent else 0.0


class StackEfficiency(Part):
    """Fraction of the matrix peak attained per phase, beyond tile quantisation."""

    decode: Fraction
    prefill: Fraction
    vision: Fraction

    def of(self, phase: str) -> Parameter:
        """Return the efficiency in a phase; a network's is that of vision."""
        found: Parameter = getattr(self, phase, self.vision)
        return found


class StackNetwork(Part):
    """What a graph that is no part of a language model costs on a stack, where that is known."""

    call_s: Seconds
    """One call, in place of ``step_overhead_s`` and ``graph_call_s``."""
    operator_s: Seconds | None = None
    """Launch of one operator; None: as the unit."""
    vector: Fraction | None = None
    """Share of the unit's vector rate that is attained; None: all of it."""
    products: Fraction | None = None
    """Share of a convolution's efficiency that other products attain; None: all of it."""
    efficiency: dict[Precision, Fraction] = Field(default={})
    """By precision, in place of the stack's efficiency in vision."""


class Kernel(Part):
    """A stack's kernel for one operator: its overhead, and its utilisation over size."""

    overhead_s: Seconds
    """Fixed cost of one call; stands for the unit's launch cost."""
    sizes: Sizes
    """Keys of attention, rows of another matrix product, operations of vector work."""
    utilisation: Fractions
    """Roofline over measured time at each of the sizes."""
    half_n: Elements
    half_k: Elements
    """Columns and inner size of a product at which half of that is left."""

    @model_validator(mode="after")
    def _one_utilisation_per_size(self) -> "Kernel":
        if not self.sizes or len(self.sizes) != len(self.utilisation):
            got = f"{len(self.sizes)} and {len(self.utilisation)}"
            raise HardwareError(f"must have as many sizes as utilisation, at least one. Got {got}.")
        return self


class Law(Part):
    """A cost law of another package, and its constants on this stack (`hw_models.cost_laws`)."""

    law: str
    """Name of its entry point."""
    constants: dict[str, Parameter] = Field(default={}, validate_default=True)

    @field_validator("law")
    @classmethod
    def _known(cls, name: str) -> str:
        cost_law(name)
        return name

    @field_validator("constants", mode="plain")
    @classmethod
    def _read_constants(cls, given: Any, info: ValidationInfo) -> dict[str, Parameter]:
        """Read each constant in the unit and bounds the law states; all faults at once."""
        if "law" not in info.data:
            return {}
        if not isinstance(given, Mapping):
            raise HardwareError(f"must be a mapping of the law's constants. Got {given!r}.")
        wanted = cost_law(info.data["law"]).constants
        found, faults = (
            {},
            [
                f"must be constants of the law. Got {name!r}. {suggest(str(name), wanted)}"
                for name in given
                if name not in wanted
            ],
        )
        for name, quantity in wanted.items():
            try:
                found[name] = quantity.read(given.get(name), info.context or {})
            except HardwareError as error:
                faults += [f"{name} {fault}" for fault in error.faults]
        if faults:
            raise HardwareError(*faults)
        return found


SpreadMetric = Literal["tokens_per_s", "prefill_tokens_per_s", "time_to_first_token_s"]


class StackFit(Part):
    """What is known of a fit to measured runs besides the fitted values and their ranges."""

    spread: Annotated[Plain, Field(ge=0.0, le=10.0)]
    """Standard deviation of log(simulated / measured) of runs that the fit has not seen."""
    spreads: dict[SpreadMetric, Annotated[Plain, Field(ge=0.0, le=10.0)]] = Field(default={})
    """Of the metrics whose rows say it, by their names; the others have ``spread``."""
    correlation: dict[str, Annotated[Plain, Field(ge=-1.0, le=1.0)]] = Field(default={})
    """Of the logarithms of two fitted parameters, by their paths: "one ~ other"."""

    def spread_of(self, metric: str) -> float:
        """Return the deviation of log(simulated / measured) to expect of a metric."""
        return {str(name): value for name, value in self.spreads.items()}.get(metric, self.spread)


class Stack(Part):
    """A software stack on this SoC: what reaches the silicon, and what it costs to get there."""

    unit: Literal["npu", "gpu", "cpu"]
    note: str
    bandwidth_fraction: Fraction
    """Fraction of the DRAM peak attained while streaming weights."""
    efficiency: StackEfficiency
    step_overhead_s: Seconds
    """Host work per step: embedding look-up, sampling, image preparation."""
    graph_call_s: Seconds
    network: StackNetwork | None = None
    """What a network's calls cost; None: what a step of a language model does."""
    layer_s: Seconds | None = None
    """Work per decoder layer and step: threads that meet, a shard handed over; None: none."""
    kv_copy: BytesPerSecond | None = None
    """Rate at which each step and prefill chunk copies the visible cache; None: no copy."""
    kv_read_share: Fraction | None = None
    """Rate at which the cache is read, of the rate of weights; None: the same rate."""
    attention_share: Fraction | None = None
    """Of its efficiency in prefill, what attention's products attain; None: all of it."""
    vector_products: Ratio | None = None
    """FLOP of a product that the unit's vector lanes do per operation; a product runs there where
    that is sooner, as a few rows that leave most of a matrix tile idle. None: all on the tile."""
    reads_allocated_cache: bool = False
    """True where each step reads all of the allocated cache and not only what is filled."""
    whole_windows: bool = False
    """True where layers with a sliding window hold and read a cache as long as the others'."""
    whole_head: bool | None = None
    """True where graphs of prompts compute logits of all rows of every chunk; None: of one row."""
    graphs_per_step: Count
    """Graphs that the decoder's layers are compiled into."""
    graph_switch_s: Seconds
    """Going over to a graph of another cache size."""
    graph_init_s: Seconds | None = None
    """Opening one graph on a cold start; None: not known, and not counted."""
    runtime: Bytes | None = None
    """What the runtime and its compiled graphs keep resident besides tensors; None: not known."""
    memory: StackMemory = StackMemory.model_construct()
    prompt_graph: PromptGraph | None = None
    """None: prompts and tokens run on graphs that share their weights."""
    prefill_chunk_tokens: Count | None
    """Tokens per prefill call, of a fixed size; None: any number of tokens."""
    ubatch_tokens: Count | None = None
    """Where any number of tokens is taken, how many at once at most; None: the prompt at once."""
    cache_buckets_tokens: Sizes
    """Compiled KV-cache sizes; empty where the kernels follow the live length."""
    verify_buckets_tokens: Sizes
    causal_skip: bool
    """True where blocks of attention that the causal mask hides are not computed."""
    vision_overlap: bool
    """True where it prefills visual tokens while another unit encodes later images."""
    defaults: StackDefaults
    runs: StackRuns | None = None
    """Formats that its documents name; None: its defaults and those of measured rows are known."""
    fusion: Literal["none", "scores", "elementwise", "attention"] = "attention"
    """What its graph compiler fuses; "scores" is flash attention in an eager framework."""
    products: Products | None = None
    """How it multiplies compressed weights by many rows; None: each is expanded once a step."""
    kernels: dict[str, Kernel] = Field(default={})
    """By PyTorch operator ("linear"), or phase and operator; calibration fills them."""
    unsupported: tuple[str, ...] = ()
    """Operators that its graphs cannot hold, by PyTorch's name without ``aten.``."""
    fallback: Literal["npu", "gpu", "cpu"] = "cpu"
    """Which unit runs those."""
    laws: dict[str, Law] = Field(default={})
    """Cost laws of other packages, by operator as `kernels`; each stands for kernel and rates."""
    fit: StackFit | None = None
    """Present where the stack was calibrated."""

    def kernel(self, phase: str, operator: str) -> Kernel | None:
        """Return the kernel of an operator in a phase, one for this phase first, or None."""
        return self.kernels.get(f"{phase}_{operator}") or self.kernels.get(operator)

    def law(self, phase: str, operator: str) -> Law | None:
        """Return the law named for an operator in a phase, one for this phase first, or None."""
        return self.laws.get(f"{phase}_{operator}") or self.laws.get(operator)
