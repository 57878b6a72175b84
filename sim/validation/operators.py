"""Operators of a profile beside those of the simulation: by kind and, where it is known, by shape.

A profile tells the time of each operator, a simulation that of each task; both are added up by kind
(linear, attention, norm, embedding, elementwise) and by the sizes m x n x k of a matrix product. A
task's time is that of its slower stage, transfer or arithmetic, and its launch, so a phase of many
small tasks comes out longer than in a run, where stages overlap.

A profile of a session is compared phase by phase with what it was asked; a profile of one graph
with one prefill call of the row's prompt, or one decode step where that prompt is one token. A
profile that leaves this open is compared with nothing, and its own times are shown.

Not modelled: operators that a compiler joined under the name of one; a vector operator that is
joined to a matrix product here counts with it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from hw_models.errors import HardwareError
from hw_models.soc import SocSpec
from sim.engine.pricing import Pricing
from sim.engine.timed import TimedTask
from sim.errors import SimError
from sim.evidence.conditions import as_run
from sim.evidence.measured import MeasuredRun, OperatorTime
from sim.evidence.questions import (
    DECODE,
    CannotSimulate,
    device_of_run,
    scenario_of_run,
)
from sim.planning import plan
from sim.validation.tables import number, table
from workloads.errors import WorkloadError
from workloads.program import StepGroup

KINDS: Final = {
    "attention": r"scaled_dot_product|flash_att|sdpa|attention|softmax|\bbmm\b",
    "linear": r"linear|addmm|\bmm\b|matmul|fully_?connected|gemm|conv\d?d|\bconv\b|einsum",
    "norm": r"norm",
    "embedding": r"embedding|gather|index_select",
}
"""Kinds by the words that profilers use; what has none of them is elementwise."""
LONGEST: Final = 12
"""Lines of a table of operators."""
OTHER: Final = "elementwise"
OURS: Final = {
    "linear": "linear",
    "attention": "attention",
    "norm": "norm",
    "embedding": "embedding",
}


class OperatorRow(NamedTuple):
    """Seconds of one kind and shape, measured and simulated; 0 where one side has none [s]."""

    kind: str
    shape: str
    measured_s: float
    simulated_s: float

    @property
    def difference_s(self) -> float:
        """Simulated less measured [s]."""
        return self.simulated_s - self.measured_s


def compared(run: MeasuredRun, soc: SocSpec | None = None) -> list[OperatorRow]:
    """Return the operators of a run beside the simulation's, the largest difference first.

    Raises `CannotSimulate` where the run names no operators, or not what was run.
    """
    if not run.operators:
        raise CannotSimulate("the row holds no operators.")
    device = device_of_run(run, soc)
    measured = _totals((kind_of(op.name), product_of(op), op.duration_s) for op in run.operators)
    simulated = _totals(_simulated(run, device))
    known = {shape for _, shape in measured if shape}
    merged: dict[tuple[str, str], list[float]] = {}
    for side, found in enumerate((measured, simulated)):
        for (kind, shape), seconds in found.items():
            key = kind, shape if shape in known else ""
            merged.setdefault(key, [0.0, 0.0])[side] += seconds
    rows = [OperatorRow(*key, *pair) for key, pair in merged.items()]
    return sorted(rows, key=lambda row: -abs(row.difference_s))


def measured_only(run: MeasuredRun) -> list[OperatorRow]:
    """Return the operators of a run by kind, the slowest first, with nothing beside them."""
    found = _totals((kind_of(op.name), "", op.duration_s) for op in run.operators)
    rows = [OperatorRow(kind, shape, seconds, 0.0) for (kind, shape), seconds in found.items()]
    return sorted(rows, key=lambda row: -row.measured_s)


def operator_table(rows: Sequence[OperatorRow], longest: int = LONGEST) -> str:
    """Return the operators that differ most as a Markdown table, in milliseconds."""
    measured = sum(row.measured_s for row in rows) or 1.0
    simulated = sum(row.simulated_s for row in rows)
    cells = [
        [
            *(row.kind, row.shape or "-", number(row.measured_s * 1e3)),
            f"{row.measured_s / measured:.0%}",
            number(row.simulated_s * 1e3) if simulated else "-",
            f"{row.simulated_s / simulated:.0%}" if simulated else "-",
        ]
        for row in rows[:longest]
    ]
    header = ["kind", "m x n x k", "measured [ms]", "share", "simulated [ms]", "share"]
    return table(header, cells)


def kind_of(name: str) -> str:
    """Return the kind of an operator that a profiler names.

    >>> kind_of("aten::addmm"), kind_of("FullyConnected"), kind_of("aten::silu")
    ('linear', 'linear', 'elementwise')
    """
    lowered = name.lower().replace("::", " ").replace("_call_", " ")
    return next((kind for kind, words in KINDS.items() if re.search(words, lowered)), OTHER)


def product_of(operator: OperatorTime) -> str:
    """Return the sizes m x n x k of a matrix product, from those of its inputs.

    >>> product_of(OperatorTime("aten::linear", 1, 0.1, "", "1x16x64, 128x64"))
    '16x128x64'
    """
    sizes = [[int(n) for n in part.split("x")] for part in operator.shape.split(", ") if part]
    name = operator.name.rpartition("::")[2]
    matrices = [size for size in sizes if len(size) > 1]
    if len(matrices) < 2 or name not in ("linear", "addmm", "mm", "matmul"):
        return ""
    one, other = matrices[:2]
    columns = other[0] if name == "linear" else other[-1]
    return f"{math.prod(one[:-1])}x{columns}x{one[-1]}"


def _simulated(run: MeasuredRun, soc: SocSpec) -> Iterator[tuple[str, str, float]]:
    """Yield kind, shape and seconds of every task of what a run was asked."""
    groups = _asked(run, soc)
    device = as_run(run, soc, run.stack)
    pricing = Pricing(device, device.stack(run.stack))
    for group in groups:
        try:
            segments = pricing.group(group).segments
        except (WorkloadError, HardwareError, SimError) as error:
            raise CannotSimulate(" ".join(str(error).split())) from None
        for segment in segments:
            for task in segment.tasks:
                if task.demand is not None:
                    yield from _task(task, segment.repeat)


def _asked(run: MeasuredRun, soc: SocSpec) -> list[StepGroup]:
    one_graph = run.inference_s is not None
    if one_graph and run.prompt_tokens is None:
        raise CannotSimulate("the profile does not say which phase its graph is: no prompt_tokens.")
    asked = run
    if one_graph:
        asked = run.model_copy(update={"output_tokens": 2 if run.prompt_tokens == 1 else 1})
    try:
        program = plan(scenario_of_run(asked, DECODE, soc), soc).program
    except (WorkloadError, HardwareError, SimError) as error:
        raise CannotSimulate(" ".join(str(error).split())) from None
    phases = _phases(run, one_graph)
    last = max(group.turn for group in program.groups)
    return [group for group in program.groups if group.turn == last and group.phase in phases]


def _phases(run: MeasuredRun, one_graph: bool) -> Sequence[str]:
    """Return the phases that a profile holds."""
    if one_graph:
        return ("decode",) if run.prompt_tokens == 1 else ("prefill",)
    metrics = run.metrics
    found = {"decode": "tokens_per_s" in metrics, "vision": "vision_encode_s" in metrics}
    found["prefill"] = "time_to_first_token_s" in metrics or "prefill_tokens_per_s" in metrics
    return [phase for phase, held in found.items() if held]


def _task(task: TimedTask, repeat: int) -> Iterator[tuple[str, str, float]]:
    demand = task.demand
    assert demand is not None  # barriers are left out before
    busy_s = np.maximum(task.compute_s, task.fetch_s) + task.launch_s
    seconds = np.broadcast_to(
        task.tiles * busy_s, np.broadcast_shapes(demand.m.shape, busy_s.shape)
    )
    sizes = np.broadcast_arrays(seconds, demand.m, demand.n, demand.k)
    kind = OURS.get(task.kind, OTHER)
    if kind != "linear":
        yield kind, "", float(seconds.sum()) * repeat
        return
    for second, m, n, k in zip(*sizes, strict=True):
        yield kind, f"{int(m)}x{int(n)}x{int(k)}", float(second) * repeat


def _totals(found: Iterable[tuple[str, str, float]]) -> Mapping[tuple[str, str], float]:
    totals: dict[tuple[str, str], float] = {}
    for kind, shape, seconds in found:
        totals[kind, shape] = totals.get((kind, shape), 0.0) + seconds
    return totals
