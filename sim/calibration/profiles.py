"""Operators of measured profiles, as values that a fit sees beside those of whole runs.

    profile of a stack (QNN, AI Hub, ExecuTorch, Kineto, LiteRT) --fit--> the stack's parameters

A profile tells the time of each operator, a simulation that of each task; both are added up by kind
(linear, attention, norm, embedding, elementwise) and by the sizes m x n x k of a matrix product. A
task's time is that of its slower stage, transfer or arithmetic, and its launch, so a phase of many
small tasks comes out longer than in a run, where stages overlap.

A profile of a session stands for the phases it holds; a profile of one graph for one prefill call
of the row's prompt, one decode step where that prompt is one token, or one call of a network. What
both sides hold is fitted; each kind and shape weighs by the root of its share of the measured time
(`LEAST_WEIGHT` at least), and single values may be garbage. Rows of whole runs of the same stack
are fitted together with it, by the one fit of `sim.calibration.fit`.

Not modelled: operators that a compiler joined under the name of one; a vector operator that is
joined to a matrix product here counts with it. So elementwise work is compared, but not fitted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from hw_models.errors import HardwareError
from hw_models.soc import SocSpec
from sim.calibration.fit import Fit, Method, Vector, fit
from sim.calibration.rows import Observation, Skipped
from sim.calibration.stacks import (
    END_TO_END,
    LARGEST_MISFIT,
    NOISE,
    Calibration,
    Contradiction,
    candidates,
    network_candidates,
)
from sim.engine.pricing import Pricing
from sim.engine.timed import TimedTask
from sim.errors import SimError
from sim.evidence.conditions import as_run
from sim.evidence.measured import MeasuredRun, OperatorTime
from sim.evidence.questions import (
    DECODE,
    INFERENCE,
    CannotSimulate,
    device_of_run,
    graph_phase,
    scenario_of_run,
)
from sim.planning import plan
from workloads.errors import WorkloadError
from workloads.program import StepGroup
from workloads.trace import NETWORK

KINDS: Final = {
    "attention": r"scaled_dot_product|flash_att|sdpa|attention|softmax|\bbmm\b",
    "linear": r"linear|addmm|\bmm\b|matmul|fully_?connected|gemm|conv\d?d|\bconv\b|einsum",
    "norm": r"norm",
    "embedding": r"embedding|gather|index_select",
}
"""Kinds by the words that profilers use; what has none of them is elementwise."""
OTHER: Final = "elementwise"
OURS: Final = {
    "linear": "linear",
    "attention": "attention",
    "norm": "norm",
    "embedding": "embedding",
}


FITTED_KINDS: Final = ("linear", "attention")
"""Kinds that compilers keep under their own name."""
LEAST_WEIGHT: Final = 0.15
OPERATOR_NOISE: Final = 0.2
"""Assumed deviation of the log of an operator's time in a profile: cycles of nodes that overlap are
shared out, and a profiler slows small operators most."""
PER_KIND: Final = Method(
    loss="soft_l1",
    step=END_TO_END.step,
    is_central=False,  # every operator of every device is priced for a derivative
    identified=END_TO_END.identified,
    is_together=False,
    tolerance=END_TO_END.tolerance,
)
"""How kinds of operators, and whole runs with them, are fitted."""

Key = tuple[str, str]
"""Kind, and sizes of a product or ""."""


@dataclass(frozen=True)
class Profile:
    """The operators of one run, and the steps that simulate them.

    Attributes
    ----------
    measured_s
        By kind and shape, in the order they were found [s].
    """

    run: MeasuredRun
    device: str
    groups: tuple[StepGroup, ...]
    measured_s: Mapping[Key, float]

    @property
    def stack(self) -> str:
        """The stack that ran."""
        return self.run.stack

    def simulated_s(self, soc: SocSpec) -> dict[Key, float]:
        """Return the seconds of the tasks by kind, and by shape where the profile has it [s]."""
        found = totals(_simulated(self.run, self.groups, soc))
        shapes = {shape for _, shape in self.measured_s if shape}
        return totals(
            (kind, shape if shape in shapes else "", seconds)
            for (kind, shape), seconds in found.items()
        )

    def compared(self, soc: SocSpec) -> list[Key]:
        """Return what both sides hold and can be fitted."""
        found = self.simulated_s(soc)
        return [
            key
            for key, seconds in self.measured_s.items()
            if key[0] in FITTED_KINDS and seconds > 0.0 and found.get(key, 0.0) > 0.0
        ]


def profile_of(run: MeasuredRun, soc: SocSpec | None = None) -> Profile:
    """Return the operators of a run; `CannotSimulate` where it names none, or not what was run."""
    if run.refusal:
        raise CannotSimulate(run.refusal)
    if not run.operators:
        raise CannotSimulate("the row holds no operators.")
    device = device_of_run(run, soc)
    groups = tuple(_asked(run, device))
    measured = totals((kind_of(op.name), product_of(op), op.duration_s) for op in run.operators)
    found = Profile(run, device.id, groups, measured)
    found.simulated_s(device)  # a unit that cannot hold the row's formats says so only here
    return found


def profiles(
    runs: Iterable[MeasuredRun], soc: SocSpec | None = None
) -> tuple[list[Profile], list[Skipped]]:
    """Return the profiles among runs that can be fitted, and the others with the reason."""
    found: list[Profile] = []
    skipped: list[Skipped] = []
    for run in runs:
        if not run.operators:
            continue
        try:
            item = profile_of(run, soc)
        except CannotSimulate as error:
            skipped.append(Skipped(run.id, str(error)))
            continue
        if item.compared(device_of_run(run, soc)):
            found.append(item)
        else:
            said = f"no operator of the profile is {' or '.join(FITTED_KINDS)} as simulated."
            skipped.append(Skipped(run.id, said))
    return found, skipped


def fit_profiles(
    soc: SocSpec, rows: Sequence[Observation], found: Sequence[Profile]
) -> Calibration:
    """Fit the stack that profiles, at least one, and rows of whole runs share on a device."""
    stack = found[0].stack
    paths = [*candidates(soc, stack), *network_candidates(soc, stack)]
    names = tuple(item.run.id for item in found)
    share = [(item, item.compared(soc)) for item in found]
    count = sum(len(keys) for _, keys in share)
    blank = Calibration(soc.id, stack, tuple(rows), None, profiles=names, operators=count)

    def residuals(socs: Sequence[SocSpec]) -> Vector:
        return np.array([_residuals(one, rows, share) for one in socs])

    try:
        fitted = _near(fit(soc, residuals, paths, PER_KIND))
    except Contradiction as error:
        return replace(blank, reason=str(error))
    if not fitted.paths:
        return replace(blank, reason="the operators identify no parameter: all keep their priors.")
    return replace(blank, found=fitted)


def _residuals(
    soc: SocSpec, rows: Sequence[Observation], share: Sequence[tuple[Profile, list[Key]]]
) -> list[float]:
    """Return the residuals of whole runs, then of kinds of operators, in deviations."""
    residuals = [math.log(row.simulated(soc) / row.measured) / NOISE for row in rows]
    for item, keys in share:
        simulated = item.simulated_s(soc)
        total = sum(item.measured_s[key] for key in keys)
        for key in keys:
            weight = LEAST_WEIGHT + math.sqrt(item.measured_s[key] / total)
            error = math.log(simulated[key] / item.measured_s[key])
            residuals.append(weight * error / OPERATOR_NOISE)
    return residuals


def _near(found: Fit) -> Fit:
    """Return a fit with the spread of its operators; `Contradiction` where it misses them."""
    spread = OPERATOR_NOISE * found.spread
    if spread > LARGEST_MISFIT:
        raise Contradiction(
            f"no values within the priors come near the operators: they miss them by a factor of "
            f"{math.exp(spread):.1f}. Something that is not a parameter of the stack differs."
        )
    return replace(found, spread=spread)


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


def _simulated(
    run: MeasuredRun, groups: Sequence[StepGroup], soc: SocSpec
) -> Iterator[tuple[str, str, float]]:
    """Yield kind, shape and seconds of every task of what a run was asked."""
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
    try:
        program = plan(scenario_of_run(run, INFERENCE if one_graph else DECODE, soc), soc).program
    except (WorkloadError, HardwareError, SimError) as error:
        raise CannotSimulate(" ".join(str(error).split())) from None
    phases = (NETWORK, graph_phase(run)) if one_graph else _phases(run)
    last = max(group.turn for group in program.groups)
    return [group for group in program.groups if group.turn == last and group.phase in phases]


def _phases(run: MeasuredRun) -> Sequence[str]:
    """Return the phases that a profile of a session holds."""
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


def totals(found: Iterable[tuple[str, str, float]]) -> dict[tuple[str, str], float]:
    """Add up seconds by kind and shape [s]."""
    sums: dict[tuple[str, str], float] = {}
    for kind, shape, seconds in found:
        sums[kind, shape] = sums.get((kind, shape), 0.0) + seconds
    return sums
