"""Structure of a model, simulated against the real module: parameters, bytes and FLOP.

Parameters, weight bytes, KV bytes and matrix FLOP must be equal, with one exception: the position
table of a vision encoder is a constant of the graph to the simulator, and a weight to PyTorch.
Activations are compared but need not be equal: the simulator holds the inputs and outputs of the
largest operator, an eager framework also what later operators still need.

Not compared: what the framework itself occupies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hw_models.soc import SocSpec
from sim.calibration.operators import case_scenario, group_of
from sim.evidence.measuring.cases import cases_for
from sim.evidence.measuring.document import CaseTimes, Measurement
from sim.planning import plan
from workloads.catalogue import trace_for
from workloads.program import Program

RESIDENT_WEIGHTS: Final = ("weights", "embedding", "vision")
FLOP_CASES: Final[Mapping[str, Any]] = {
    "prompt_tokens": (48,),
    "context_tokens": (100,),
    "images_px": ((224, 224),),
}


@dataclass(frozen=True, slots=True)
class StructureRow:
    """One quantity, counted on the real module and derived by the simulator [B, FLOP or count].

    Attributes
    ----------
    exact
        The two must be equal.
    """

    id: str
    quantity: str
    measured: float
    simulated: float
    exact: bool

    @property
    def agrees(self) -> bool:
        """Whether the two are equal, or need not be."""
        return not self.exact or self.measured == self.simulated


def structure(
    measurement: Measurement, soc: SocSpec, trace: str | None = None
) -> list[StructureRow]:
    """Return the structural rows of a measurement in 16-bit weights.

    Parameters
    ----------
    soc
        Any host device: how long things take does not matter here.
    trace
        Path of the model's trace, for a model that is not in the catalogue.
    """
    model = trace or measurement.model
    shape = trace_for(model)
    name, rows = measurement.model, []
    rows.append(
        StructureRow(name, "parameters", measurement.parameters, shape.total_parameters, True)
    )
    for times in measurement.cases:
        program = plan(case_scenario(model, times.case, measurement.dtype), soc).program
        if len(rows) == 1:
            held = sum(program.resident_bytes.get(part, 0.0) for part in RESIDENT_WEIGHTS)
            text_only = shape.vision is None
            measured = measurement.weight_bytes
            rows.append(StructureRow(name, "weight_bytes", measured, held, text_only))
        rows += _case_rows(f"{name} {times.case.id}", times, program)
    return rows


def _case_rows(name: str, times: CaseTimes, program: Program) -> Iterator[StructureRow]:
    group = group_of(program, times.case.phase)
    if times.kv_bytes:
        cached = group.live_tokens[-1] * program.kv_bytes_per_token
        yield StructureRow(name, "kv_bytes", times.kv_bytes, float(cached), True)
    held = group.activation_bytes
    yield StructureRow(name, "activation_bytes", times.peak_activation_bytes, held, False)


def flop_rows(model: str, soc: SocSpec) -> list[StructureRow]:
    """Return matrix FLOP per phase: PyTorch's own counter against the simulated program.

    Needs PyTorch and fvcore; the model runs on shapes alone.
    """
    from workloads.flop_check import check

    rows = []
    for case in cases_for(trace_for(model), **FLOP_CASES):
        sizes = case.sizes(trace_for(model))
        group = group_of(plan(case_scenario(model, case), soc).program, case.phase)
        counted = check(model, case.phase, sizes).torch
        simulated = group.total("flops")
        rows.append(StructureRow(f"{model} {case.id}", "flops", counted, simulated, True))
    return rows
