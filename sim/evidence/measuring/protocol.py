"""The protocol of a measurement.

One thread. Every case is called once to warm up, then in rounds: each round runs all cases once
plainly and once with the operators timed in situ (short calls several times), so that drift shows
up as noise between rounds. Process CPU time is taken beside wall time. A run whose rounds disagree
too much is refused. Two-thread wall time is never a judge: on a busy machine it is off by 20 times.

PyTorch is imported when a measurement starts. Not measured: several threads, chunked prefill.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from sim.errors import SimError
from sim.evidence.measuring.cases import Case
from sim.evidence.measuring.document import (
    CaseTimes,
    Measurement,
    OperatorTimes,
    SegmentTimes,
)
from sim.evidence.measuring.machine import load_average, machine, peak_resident_bytes
from workloads.catalogue import trace_for
from workloads.trace import Phase, Trace

if TYPE_CHECKING:
    from workloads.measuring.phases import PhaseCall

ROUNDS: Final = 4
LEAST_ROUNDS: Final = 3
ROUND_S: Final = 0.5
"""A call shorter than this is repeated within a round [s]."""
MOST_CALLS: Final = 8
"""Most calls of a case in a round."""
NOISE_LIMIT: Final = 0.2
"""Assumed: rounds that disagree more say nothing about the machine."""

Device = Literal["cpu", "cuda"]
Dtype = Literal["bf16", "fp32"]


@dataclass
class _Log:
    """What the rounds of one case leave behind, in seconds."""

    wall_s: list[tuple[float, ...]] = field(default_factory=list)
    cpu_s: list[tuple[float, ...]] = field(default_factory=list)
    operators_s: list[list[list[float]]] = field(default_factory=list)


def _check(model: str, cases: Sequence[Case], rounds: int) -> None:
    if rounds < LEAST_ROUNDS:
        raise SimError(f"rounds must be at least {LEAST_ROUNDS} to tell noise. Got {rounds}.")
    if not cases:
        raise SimError(f"a measurement of {model} must have a case. Got none.")


def measure(
    model: str,
    cases: Sequence[Case],
    *,
    device: Device = "cpu",
    dtype: Dtype = "bf16",
    rounds: int = ROUNDS,
    noise_limit: float = NOISE_LIMIT,
    budget_s: float | None = None,
) -> Measurement:
    """Run the real module and return what was measured.

    Parameters
    ----------
    model
        Catalogue id, or path of a configuration file.
    rounds
        At least 3.
    noise_limit
        Mean disagreement of the rounds above which the run is refused.
    budget_s
        Cases that do not fit into this time after loading, the longest first, are left out and
        named in the result [s].

    Raises `SimError` without PyTorch or a case, and where the rounds disagree too much.
    """
    _check(model, cases, rounds)
    found = _measured(model, cases, device, dtype, rounds, budget_s)
    check_noise(found, noise_limit)
    return found


def _measured(
    model: str,
    cases: Sequence[Case],
    device: Device,
    dtype: Dtype,
    rounds: int,
    budget_s: float | None,
) -> Measurement:
    torch_version, accelerator = _prepare(device)
    from workloads.measuring.loading import load
    from workloads.measuring.memory import weight_bytes
    from workloads.measuring.phases import read_bytes_per_s

    load_before = load_average()
    trace, loaded = trace_for(model), load(model, device, dtype)
    module = loaded.module
    able = [case for case in cases if case.phase in loaded.phases]
    if not able:
        raise SimError(
            f"a case of {model} must be of {' or '.join(sorted(loaded.phases))}: its other phases "
            "run in AndesVL's own modules alone."
        )
    calls = {case: loaded.call(case.phase, case.sizes(trace)) for case in able}
    repeats = _warmed_up(calls, rounds, budget_s)
    logs = _run_rounds(trace, calls, repeats, rounds)
    found = tuple(_case_times(trace, case, calls[case], log) for case, log in logs.items())
    return Measurement(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        model=model,
        config_digest=trace.config_digest,
        device=device,
        dtype=dtype,
        machine=machine(torch_version, 1, load_before, accelerator),
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        weight_bytes=weight_bytes(module),
        peak_resident_bytes=peak_resident_bytes(),
        read_bytes_per_s=read_bytes_per_s(device),
        noise_floor=statistics.fmean(times.noise(device) for times in found),
        cases=found,
        skipped=tuple(case.id for case in cases if case not in repeats),
    )


def check_noise(measurement: Measurement, limit: float = NOISE_LIMIT) -> None:
    """Refuse a measurement whose rounds disagree more than ``limit``, with the reason."""
    if measurement.noise_floor <= limit:
        return
    worst = max(measurement.cases, key=lambda times: times.noise(measurement.device))
    before, after = measurement.machine.load_average
    raise SimError(
        f"the rounds of a measurement must agree within {limit:.0%}. "
        f"Got {measurement.noise_floor:.0%} for {measurement.model}, "
        f"{worst.noise(measurement.device):.0%} for {worst.case.id}, at a load of {before:g} to "
        f"{after:g} on {measurement.machine.logical_cores} cores. "
        "Remedy: measure again while the machine is quieter."
    )


def _prepare(device: Device) -> tuple[str, str]:
    """Set one thread and return PyTorch's version and the accelerator's name."""
    try:
        from workloads.measuring.phases import one_thread
    except ModuleNotFoundError as error:
        raise SimError(
            f"measuring needs PyTorch, which is not installed ({error.name}). "
            "Remedy: pip install '.[trace]' in andesim's folder."
        ) from None
    return one_thread(device)


def _warmed_up(
    calls: Mapping[Case, PhaseCall], rounds: int, budget_s: float | None
) -> dict[Case, int]:
    """Call the cases once, the smallest first.

    Returns the calls per round of each case whose rounds fit the budget.
    """
    limit_s = math.inf if budget_s is None else budget_s
    kept: dict[Case, int] = {}
    spent_s = 0.0
    for case, call in sorted(calls.items(), key=lambda item: item[0].tokens or 0):
        if kept and spent_s >= limit_s:
            break
        once_s, _ = call.seconds()
        repeats = calls_per_round(once_s)
        needed_s = once_s * (1 + 2 * rounds * repeats)
        spent_s += once_s
        if not kept or spent_s + needed_s <= limit_s:
            kept[case] = repeats
            spent_s += needed_s
    return {case: kept[case] for case in calls if case in kept}


def calls_per_round(once_s: float) -> int:
    """Return how often a call of ``once_s`` seconds is made in each round.

    >>> calls_per_round(0.1), calls_per_round(0.01), calls_per_round(3.0)
    (5, 8, 1)
    """
    return max(1, min(MOST_CALLS, round(ROUND_S / once_s)))


def _run_rounds(
    trace: Trace, calls: Mapping[Case, PhaseCall], repeats: Mapping[Case, int], rounds: int
) -> dict[Case, _Log]:
    from workloads.measuring.timer import by_segment

    logs = {case: _Log() for case in repeats}
    for _ in range(rounds):
        for case, log in logs.items():
            call, phase = calls[case], trace.phases[case.phase]
            pairs = [call.seconds() for _ in range(repeats[case])]
            log.wall_s.append(tuple(wall_s for wall_s, _ in pairs))
            log.cpu_s.append(tuple(cpu_s for _, cpu_s in pairs))
            timed = [by_segment(call.operators(), phase) for _ in pairs]
            log.operators_s.append(_medians(timed))
    return logs


def _medians(timed: Sequence[list[list[float]]]) -> list[list[float]]:
    """Return the median over calls of each operator's seconds, per segment [s]."""
    return [
        [statistics.median(seconds) for seconds in zip(*segments, strict=True)]
        for segments in zip(*timed, strict=True)
    ]


def _case_times(trace: Trace, case: Case, call: PhaseCall, log: _Log) -> CaseTimes:
    return CaseTimes(
        case=case,
        sizes=case.sizes(trace),
        wall_s=tuple(log.wall_s),
        cpu_s=tuple(log.cpu_s),
        peak_activation_bytes=call.peak_activation_bytes(),
        kv_bytes=call.kv_bytes,
        segments=_segments(trace.phases[case.phase], log),
    )


def _segments(phase: Phase, log: _Log) -> tuple[SegmentTimes, ...]:
    found = []
    for index, segment in enumerate(phase.segments):
        operators = tuple(
            OperatorTimes(
                module=operator.module,
                name=operator.name,
                seconds=tuple(seconds[index][position] for seconds in log.operators_s),
            )
            for position, operator in enumerate(segment.operators)
        )
        found.append(SegmentTimes(name=segment.name, repeat=segment.repeat, operators=operators))
    return tuple(found)
