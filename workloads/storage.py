"""What a deployment keeps in DRAM and in flash, by class of bytes.

Not modelled: allocator rounding and headers of files.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Literal

from workloads.graph import VECTOR_BITS, Formats
from workloads.layout import WeightFormat
from workloads.trace import CROSS, NETWORK, Operator, Phase, Segment, TensorRef, Trace

Where = Literal["resident", "file", "traffic"]


def is_layer(segment: Segment) -> bool:
    """Return whether a segment is decoder or encoder layers rather than what surrounds them."""
    return segment.name.startswith("layers.")


def layers_end(phase: Phase) -> int:
    """Return the place of the first segment after a phase's layers: final norm, LM head."""
    return 1 + max((i for i, part in enumerate(phase.segments) if is_layer(part)), default=0)


def layer_runs(segment: Segment, layer: int, formats: Formats, phase: str) -> list[Segment]:
    """Split identical layers from ``layer`` on into runs that share their weight format."""
    if phase == "vision" or not is_layer(segment) or not formats.weights.layers:
        return [segment]
    ids = [formats.weights.format_for("body", layer + i).id for i in range(segment.repeat)]
    return [replace(segment, repeat=len(list(run))) for _, run in itertools.groupby(ids)]


def stored_bytes(trace: Trace, formats: Formats, where: Where) -> dict[str, float]:
    """Return the bytes of ``weights``, ``embedding`` and ``vision`` in one place [B].

    ``where`` says which bytes are meant: ``resident`` in DRAM, stored in the ``file``, or
    ``traffic``, what one pass over the weights reads.

    The LM head of a tied model is stored apart from the embedding table unless the stack shares
    them.
    """
    stored = {"weights": 0.0, "embedding": 0.0, "vision": 0.0}
    parts = (("vision", "vision"), ("decode", "weights"), (CROSS, "weights"), (NETWORK, "weights"))
    for phase, name in parts:
        layer, known = 0, set[str]()
        for part in trace.phases[phase].segments if phase in trace.phases else ():
            for run in layer_runs(part, layer, formats, phase):
                once = known if phase == NETWORK and where != "traffic" else None
                held = [
                    _operator_bytes(item, formats, where, layer, once) for item in run.operators
                ]
                stored[name] += run.repeat * sum(held)
                layer += run.repeat if is_layer(part) else 0
    for phase in ("decode", NETWORK):
        if phase in trace.phases:
            stored["embedding"] = _tables_bytes(trace.phases[phase], formats, where)
    return stored


def _tables_bytes(phase: Phase, formats: Formats, where: Where) -> float:
    """Return the bytes of the tables that tokens are looked up in [B].

    A table that is the LM head too is held there where the stack shares them.
    """
    tables: dict[str, tuple[int, int]] = {}
    heads = set()
    for _, operator in phase.operators():
        for tensor in operator.inputs:
            if tensor.role == "weight" and operator.kind == "embedding":
                rows, cols = (int(extent.at({})) for extent in tensor.shape)
                tables[tensor.parameter or ""] = rows, cols
            elif tensor.tensor_class == "lm_head":
                heads.add(tensor.parameter)
    held = formats.weights.format_for("embedding")
    kept = (size for name, size in tables.items() if not (formats.shared_table and name in heads))
    return float(sum(_size(held, where, *size) for size in kept))


def _operator_bytes(
    operator: Operator, formats: Formats, where: Where, layer: int, known: set[str] | None = None
) -> float:
    """Return the stored bytes of an operator's weights; the embedding table is counted apart.

    With ``known`` weights of a name in it are left out, and others join it; ``*`` stands for
    several.
    """
    if operator.kind == "embedding":
        return 0.0
    weights = [tensor for tensor in operator.inputs if tensor.role == "weight"]
    if known is not None:
        weights = [tensor for tensor in weights if tensor.parameter not in known]
        known |= {tensor.parameter or "*" for tensor in weights} - {"*"}
        known -= {name for name in known if "*" in name}
    return sum(
        _weight_bytes(tensor, formats, where, layer, operator.kind == "experts")
        for tensor in weights
    )


def _weight_bytes(
    tensor: TensorRef, formats: Formats, where: Where, layer: int, experts: bool
) -> float:
    """Return the bytes of a matrix in its format, or of a vector at 16 bit; of experts all."""
    copies, *shape = (
        (int(extent.at({})) for extent in tensor.shape)
        if experts
        else (1, *(int(extent.at({})) for extent in tensor.shape))
    )
    if len(shape) <= 1:
        return copies * math.prod(shape) * VECTOR_BITS / 8
    held = formats.weights.format_for(tensor.tensor_class or "body", layer)
    return float(copies * _size(held, where, shape[0], math.prod(shape[1:])))


def _size(held: WeightFormat, where: Where, rows: int, cols: int) -> int:
    if where == "traffic":
        return held.traffic_bytes(rows, cols)
    return held.file_bytes(rows, cols) if where == "file" else held.resident_bytes(rows, cols)
