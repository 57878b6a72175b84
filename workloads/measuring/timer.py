"""Time operators in situ: inside a real call of a phase, with its caches warm and cold as they are.

A `Recorder` that keeps the seconds of each call instead of its sizes. Kernels are timed, views with
the operator after them; the Python between two operators is not, so the times of a call add up to
less than the call takes.

Not seen: what an operator leaves running on an accelerator unless the clock waits for it.
"""

# mypy: disable-error-code="misc, no-untyped-call"
# (PyTorch's dispatch mode is not typed)

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from workloads.errors import WorkloadError
from workloads.models.recorder import Recorder
from workloads.trace import Phase

Clock = Callable[[], float]


@dataclass(frozen=True)
class OperatorCall:
    """One call of one operator.

    Arguments:
        module: path of the module that called it, with its layer number.
        name: PyTorch's name, as in a trace.
        seconds: what its kernels took [s].
    """

    module: str
    name: str
    seconds: float


class OperatorTimer(Recorder):
    """Collects the operators of a call with their seconds.

    Arguments:
        model, cache, constants: as for `Recorder`.
        clock: returns seconds; read right before and right after each kernel.
    """

    def __init__(
        self,
        model: nn.Module,
        cache: Iterable[Tensor],
        constants: Iterable[Tensor],
        clock: Clock,
    ) -> None:
        super().__init__(model, cache, constants)
        self.calls: list[OperatorCall] = []
        self._clock = clock
        self._since_last_s = 0.0

    def call(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Run one operator and add its seconds to the operator that is being recorded."""
        started_s = self._clock()
        out = func(*args, **kwargs)
        self._since_last_s += self._clock() - started_s
        return out

    def _record(self, name: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        module = self._calls[-1][0] if self._calls else "model"
        self.calls.append(OperatorCall(module, name, self._since_last_s))
        self._since_last_s = 0.0


def by_segment(calls: Sequence[OperatorCall], phase: Phase) -> list[list[float]]:
    """Return seconds per segment and operator of a trace's phase, the mean over equal layers [s].

    Arguments:
        calls: of one call of the phase, in order.
        phase: the same model's, from its trace.

    Raises `WorkloadError` where the calls are not those of the phase.
    """
    expected = sum(segment.repeat * len(segment.operators) for segment in phase.segments)
    if len(calls) != expected:
        raise WorkloadError(
            f"{phase.name} must call the {expected} operators of its trace. Got {len(calls)}."
        )
    found, position = [], 0
    for segment in phase.segments:
        count = len(segment.operators)
        run = calls[position : position + segment.repeat * count]
        position += len(run)
        for call, operator in zip(run, segment.operators * segment.repeat, strict=True):
            if call.name != operator.name:
                raise WorkloadError(
                    f"{call.module} must call {operator.name} as in its trace. Got {call.name}."
                )
        means = [sum(call.seconds for call in run[i::count]) / segment.repeat for i in range(count)]
        found.append(means)
    return found
