"""Put LoRA adapters into a trace, as capturing the model with adapters would.

So a deployment with adapters needs no PyTorch. Each adapted linear layer is followed by A, by B and
by the addition of their result: ``y = W x + B (A x)``.

Not modelled: merged adapters (they cost nothing) and adapters on the vision encoder.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import replace

from workloads.errors import WorkloadError, did_you_mean
from workloads.extent import Extent
from workloads.trace import Operator, Phase, Segment, TensorRef, Trace

MODULES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def with_adapters(trace: Trace, rank: int, modules: Collection[str] = MODULES) -> Trace:
    """Return ``trace`` with an adapter on every decoder linear layer named in ``modules``.

    Arguments:
        trace: a trace without adapters.
        rank: of the adapter, padded to what the graph is compiled for.
        modules: last parts of module paths.
    """
    if rank < 1 or trace.adapter_rank:
        raise WorkloadError(
            f"rank must be at least 1 on a trace without adapters. Got rank {rank} on a trace "
            f"with rank {trace.adapter_rank}."
        )
    text = [trace.phases[name] for name in ("prefill", "decode") if name in trace.phases]
    _check_modules(text, modules)
    adapted = {phase.name: _adapt_phase(phase, rank, modules) for phase in text}
    return replace(
        trace,
        phases={**trace.phases, **adapted},
        parameters={
            **trace.parameters,
            "adapter": _adapter_parameters(next(iter(adapted.values()))),
        },
        adapter_rank=rank,
    )


def _check_modules(phases: list[Phase], modules: Collection[str]) -> None:
    known = {
        _last(operator)
        for phase in phases
        for _, operator in phase.operators()
        if _linear(operator)
    }
    for module in modules:
        if module not in known:
            hint = did_you_mean(module, known)
            raise WorkloadError(f"an adapter must sit on a linear layer. Got {module!r}. {hint}")


def _adapt_phase(phase: Phase, rank: int, modules: Collection[str]) -> Phase:
    segments = []
    for segment in phase.segments:
        operators: list[Operator] = []
        for operator in segment.operators:
            operators.append(operator)
            if _linear(operator) and _last(operator) in modules:
                operators += _adapter(operator, rank)
        segments.append(Segment(segment.name, segment.repeat, tuple(operators)))
    return replace(phase, segments=tuple(segments))


def _adapter(base: Operator, rank: int) -> tuple[Operator, Operator, Operator]:
    """A, B and the addition."""
    x, weight = base.inputs[:2]
    (y,) = base.outputs
    rows, cols = weight.shape
    low = replace(y, shape=(*y.shape[:-1], Extent.of(rank)))
    down = _linear_operator(f"{base.module}.lora_A", x, (Extent.of(rank), cols), low)
    up = _linear_operator(f"{base.module}.lora_B", low, (rows, Extent.of(rank)), y)
    return down, up, Operator("aten.add", base.module, "elementwise", (y, y), (y,))


def _linear_operator(
    module: str, x: TensorRef, shape: tuple[Extent, Extent], y: TensorRef
) -> Operator:
    weight = TensorRef(shape, x.dtype, "weight", f"{module}.weight", "adapter")
    return Operator("aten.linear", module, "linear", (x, weight), (y,))


def _adapter_parameters(phase: Phase) -> int:
    """Every weight of class adapter, once per layer."""
    return sum(
        repeat * math.prod(int(extent.constant) for extent in tensor.shape)
        for repeat, operator in phase.operators()
        for tensor in operator.inputs
        if tensor.tensor_class == "adapter"
    )


def _linear(operator: Operator) -> bool:
    return operator.kind == "linear" and operator.module.startswith("model.layers.")


def _last(operator: Operator) -> str:
    return operator.module.rpartition(".")[2]
