"""Acceptance of drafted tokens: laws, curves, recordings, and tokens committed per step.

A decode step verifies drafted tokens with one target pass. It commits those accepted and one token
of the target's own. The survival s_k is the (unconditional) probability that at least k drafted
tokens are accepted; block efficiency tau = 1 + sum of s_k is the mean number committed.

Not modelled: dependence between steps (a recording has it, a curve has not), and the effect of
prompt, temperature or quantisation: give each case its own curve.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from workloads.recordings import read_recording
from workloads.session import Strict

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Column = NDArray[np.float64]


def expected_tokens(alpha: float, depth: int) -> float:
    """Return the tokens committed per step if each draft is accepted with probability alpha.

    E = (1 - alpha^(depth + 1)) / (1 - alpha), the sum of alpha^k for k = 0..depth; Leviathan et
    al., arXiv 2211.17192, equation 1. Valid for independent acceptances; it overstates deep drafts.

    >>> round(expected_tokens(0.75, 7), 3)
    3.6
    """
    return float(np.sum(alpha ** np.arange(depth + 1.0)))


def round_speedup(tau: float, draft_ratio: float, verify_ratio: float = 1.0) -> float:
    """Return the speed-up over plain decoding, tau / (draft + verify).

    ``draft_ratio`` and ``verify_ratio`` are the times of all drafting and of the verification over
    the time of a plain step. Where arithmetic is the limit, verifying m tokens takes as long as m
    plain steps, and nothing is gained.
    """
    return tau / (draft_ratio + verify_ratio)


def wall_time_factor(alpha: float, depth: int, cost_ratio: float) -> float:
    """Return the speed-up over plain decoding, E / (depth * c + 1).

    ``cost_ratio`` c is the time of a draft step over that of a target step; verifying costs one
    target step whatever its width. Leviathan et al., arXiv 2211.17192, theorem 3.8.

    >>> round(wall_time_factor(0.75, 7, 0.02), 3)
    3.157
    """
    return round_speedup(expected_tokens(alpha, depth), depth * cost_ratio)


def operations_factor(alpha: float, depth: int, operations_ratio: float) -> float:
    """Return the growth of arithmetic, (depth * c + depth + 1) / E.

    ``operations_ratio`` c is the FLOPs of a draft step over those of a target step per token.
    Leviathan et al., arXiv 2211.17192, theorem 3.11.
    """
    return (depth * operations_ratio + depth + 1) / expected_tokens(alpha, depth)


def block_efficiency(survival: ArrayLike) -> float:
    """Return the mean tokens committed per step, tau = 1 + sum of s_k.

    >>> block_efficiency([0.5, 0.25])
    1.75
    """
    return 1.0 + float(np.sum(survival))


def accepted_distribution(survival: ArrayLike) -> Column:
    """Return the probability of accepting exactly 0, 1, ... drafts, s_k - s_(k+1) with s_0 = 1.

    >>> accepted_distribution([0.5, 0.25]).tolist()
    [0.5, 0.25, 0.25]
    """
    return -np.diff(np.concatenate([[1.0], np.asarray(survival, dtype=np.float64), [0.0]]))


def free_verify_width(
    weight_bytes: float, parameters: float, balance_flops_per_byte: float
) -> float:
    """Return the verify width up to which a pass takes no longer than for one token [tokens].

    m = weight bytes * balance / (2 * parameters): there the FLOPs of m tokens take as long as
    streaming the weights. ``balance_flops_per_byte`` is sustained FLOP/s over sustained B/s. It
    shrinks with the bits per weight: compression narrows the free window.

    >>> round(free_verify_width(0.905e9, 4.022e9, 6e12 / 60e9))  # Qwen3-4B at 1.8 bits
    11
    """
    return weight_bytes * balance_flops_per_byte / (2 * parameters)


def _raised(survival: Column, factor: float) -> Column:
    """Return the curve with each conditional acceptance multiplied, at most to 1."""
    before = np.concatenate([[1.0], survival[:-1]])
    conditional = np.divide(survival, before, out=np.zeros_like(survival), where=before > 0.0)
    return np.asarray(np.cumprod(np.minimum(1.0, factor * conditional)))


class Acceptance(Strict):
    """How many drafted tokens the target accepts; exactly one of the three is given.

    Attributes
    ----------
    alpha
        Probability that a draft is accepted if all before it were, the same at each place.
    survival
        s_1, s_2, ...; places beyond the list are never accepted.
    trace
        File with recorded ``accepted_tokens`` per step.
    """

    alpha: Probability | None = None
    survival: Annotated[tuple[Probability, ...], Field(min_length=1)] | None = None
    trace: str | None = None

    @model_validator(mode="after")
    def _one_is_given(self) -> Acceptance:
        given = [name for name in ("alpha", "survival", "trace") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("one of alpha, survival or trace")
        if self.survival and any(np.diff(self.survival) > 0):
            raise ValueError("a survival that never rises: the chance that at least k are accepted")
        return self

    def curve(self, depth: int, factor: float = 1.0) -> Column:
        """Return s_1 .. s_depth.

        ``factor`` multiplies each conditional acceptance s_k / s_(k-1), up to 1. Below that limit
        the result is s_k * factor^k.
        """
        places = np.arange(1, depth + 1)
        if self.alpha is not None:
            known = self.alpha**places
        elif self.survival is not None:
            known = np.asarray(self.survival)
        else:
            known = (self._recorded()[:, None] >= places).mean(axis=0)
        curve = np.zeros(depth)
        curve[: known.size] = known[:depth]
        return curve * factor**places if factor <= 1.0 else _raised(curve, factor)

    def committed_tokens(
        self, depth: int, tokens: int, random: np.random.Generator, factor: float = 1.0
    ) -> NDArray[np.int64]:
        """Return the tokens committed in each step until ``tokens`` are out; the last step is cut.

        A recording is replayed in order and starts again at its end; drafts beyond ``depth`` are
        not accepted. Without a recording, or with a ``factor`` other than 1, steps are drawn from
        the curve.
        """
        if self.trace is not None and factor == 1.0:
            accepted = np.resize(np.minimum(self._recorded(), depth), tokens)
        else:
            drawn = random.random(tokens)[:, None]
            accepted = (drawn < self.curve(depth, factor)).sum(axis=1)
        ends = np.minimum(np.cumsum(accepted + 1), tokens)
        used = ends[: np.searchsorted(ends, tokens) + 1]
        return np.asarray(np.diff(used, prepend=0))

    def _recorded(self) -> NDArray[np.int64]:
        return np.asarray(read_recording(str(self.trace), "accepted_tokens").counts)
