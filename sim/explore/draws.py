"""Draws of the uncertain numbers of a device: what may be true, many times over.

- An *assumed* number is drawn log-uniformly between `low` and `high`: nothing but its range is
  claimed. A *fitted* one is log-normal about its value, a half on each side, its range the central
  80 %. Any other kind is drawn from the triangle over the logarithm that peaks at its value.
  Where `low` is zero the logarithm is left out.
- Every parameter has a random stream of its own, found by seed and dotted path. The same seed thus
  gives two deployments, or two devices with the same parameter, the same draws (common random
  numbers), and their difference is not blurred by luck.
- Numbers of one software stack rise and fall together with its quality: their normal scores share
  a common factor of variance `STACK_QUALITY_SHARE` (assumed), fractions upwards, overheads and
  the sizes at which half is lost downwards. Numbers fitted together are correlated as their fit
  found instead, and move together once more by the spread of networks the fit has not seen.
- What a fit has absorbed is not drawn again: the fit assumed nominal silicon, and other silicon
  would have given another fit (`is_absorbed`).
- Numbers that shape the schedule (prefill chunk, on-chip activation memory, operand buffers, graphs
  per step) take `SCHEDULES` equally probable values, each combined with one of the others as in a
  Latin hypercube, and the samples use these schedules in turn.

Not modelled: correlation between parameters of silicon; what a fit at one precision leaves open of
another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from hw_models.provenance import Parameter
from hw_models.soc import SocSpec
from sim.streams import random_stream

Draws = Mapping[str, NDArray[np.float64]]

NORMAL = NormalDist()
"""Quicker to load than those of scipy, and as exact."""

STACK_QUALITY_SHARE = 0.5
"""Share of the variance of a stack's numbers that its quality explains (assumed)."""

SCHEDULES = 16
"""Distinct combinations of the parameters that shape the schedule."""

BUS = ("dram.channels", "dram.width_bits", "dram.rate", "dram.efficiency.", "dram.row_bytes")
"""What the time of a transfer follows from, beside the stack."""

CENTRAL_80 = 1.2816
"""Deviations of a normal distribution on each side of its centre that hold 80 % of it."""

RANGE_DEVIATIONS = 4.0
"""A prior's low to high is taken as this many deviations: about 95 % of it lies between them."""

OF_PROMPTS = ("prefill_tokens_per_s", "time_to_first_token_s")
"""Metrics of a prompt; the wider of their spreads is drawn."""

WHOLE = 1.0
"""Share of its bus that a unit attains at most."""

OUTERMOST = (0.001, 0.999)
"""Shares beyond which a fitted number is not drawn."""

SLOWING = ("s", "elements")
"""Units of a stack's numbers that are smaller the better the stack is."""

SHAPING = (
    *("prefill_chunk_tokens", "ubatch_tokens"),
    *("activation_bytes", "operand_count", "graphs_per_step"),
)


def uncertain(soc: SocSpec, stack: str) -> dict[str, Parameter]:
    """Return the parameters of a device with a range that a run on a stack has to expect.

    Other stacks are left out, what a fit of this one has absorbed, and what follows another number.
    """
    others = tuple(f"stacks.{name}." for name in soc.stacks if name != stack)
    return {
        path: item
        for path, item in soc.parameters().items()
        if item.high > item.low and item.follows is None and not path.startswith(others)
        if not is_absorbed(soc, stack, path, item)
    }


def is_absorbed(soc: SocSpec, stack: str, path: str, item: Parameter) -> bool:
    """Return whether the fit of a stack already holds the uncertainty of a parameter.

    Bus and unit parameters were held fixed during the fit. Had they been different, the fitted ones
    would have compensated, so drawing them again would count the same uncertainty twice. The same
    goes for overheads of the stack whose range starts at zero.
    """
    if soc.stack(stack).fit is None or item.kind == "fitted":
        return False
    in_stack = path.startswith(f"stacks.{stack}.") and item.unit == "s"
    silicon = (*BUS, f"units.{soc.stack(stack).unit}.")
    return path.startswith(silicon) or (in_stack and item.low == 0.0)


def draw(soc: SocSpec, stack: str, samples: int, seed: int) -> Draws:
    """Return the draws of each uncertain parameter by dotted path, SI, shape (samples,)."""
    found = {}
    items = uncertain(soc, stack)
    scores = _stack_scores(soc, stack, items, samples, seed)
    is_fitted = soc.stack(stack).fit is not None
    for path, item in items.items():
        if path.endswith(SHAPING):
            shares = _levels(random_stream(seed, path), samples)
        elif path in scores:
            shares = np.array([NORMAL.cdf(score) for score in scores[path].tolist()])
        else:
            shares = random_stream(seed, path).random(samples)
        is_prior = is_fitted and path in scores and item.kind == "assumed" and item.low > 0.0
        found[path] = quantile(item, shares, is_prior=is_prior)
    return _within_bus(soc, stack, _scattered(soc, stack, found, samples, seed))


def _scattered(soc: SocSpec, stack: str, draws: Draws, samples: int, seed: int) -> Draws:
    """Return the draws with all times of a fitted stack scaled by random factors per draw.

    Factors are log-normal with what the fit's rows scatter by: prompts' on the rates of the unit,
    whose arithmetic bounds them, decode's on the bus, copies of the cache and every overhead, both
    from one deviate. Where decode's slows, it divides the rate of the bus; where it quickens, it
    raises the shares of the bus that unit and stack attain.
    """
    fit = soc.stack(stack).fit
    if fit is None:
        return draws
    deviate = random_stream(seed, f"rows of {stack}").standard_normal(samples)
    slower = np.exp(fit.spread_of("tokens_per_s") * deviate)
    prompts = np.exp(max(map(fit.spread_of, OF_PROMPTS)) * deviate)
    unit, own = f"units.{soc.stack(stack).unit}.", f"stacks.{stack}."
    found = dict(draws)
    for path, item in soc.parameters().items():
        if item.follows is not None:  # moves with what it follows
            continue
        values = found.get(path, np.full(samples, item.value))
        if path == "dram.rate":
            found[path] = values / np.maximum(slower, 1.0)
        elif path in _bus_shares(soc, stack):
            found[path] = values / np.minimum(slower, 1.0)
        elif path.startswith(unit) and item.unit.endswith("/s"):
            found[path] = values / prompts
        elif path.startswith(f"{own}kv_copy"):
            found[path] = values / slower
        elif path.startswith((own, unit)) and item.unit == "s":
            found[path] = values * slower
    return found


def _within_bus(soc: SocSpec, stack: str, draws: Draws) -> Draws:
    """Return the draws with no memory read or copied faster than the bus of its draw carries."""
    drawn = soc.with_values({path: draws[path] for path in BUS[:3] if path in draws})
    most = dict.fromkeys(_bus_shares(soc, stack), WHOLE)
    most[f"stacks.{stack}.kv_copy"] = drawn.dram.peak_bytes_per_s
    capped = {path: np.minimum(draws[path], most[path]) for path in most if path in draws}
    return {**draws, **capped}


def _bus_shares(soc: SocSpec, stack: str) -> tuple[str, str]:
    """Return the paths of the shares of the bus that a stack and its unit attain."""
    return f"units.{soc.stack(stack).unit}.dram_fraction", f"stacks.{stack}.bandwidth_fraction"


def values_at(items: Mapping[str, Parameter], shares: NDArray[np.float64]) -> Draws:
    """Return parameters at shares of their distributions, a column of `shares` for each.

    Those that shape the schedule take the nearest of `SCHEDULES` levels.
    """
    found = {}
    for (path, item), column in zip(items.items(), shares.T, strict=True):
        level = (np.floor(np.minimum(column, 0.999) * SCHEDULES) + 0.5) / SCHEDULES
        found[path] = quantile(item, level if path.endswith(SHAPING) else column)
    return found


def quantile(
    item: Parameter, shares: NDArray[np.float64], *, is_prior: bool = False
) -> NDArray[np.float64]:
    """Return the values below which the given shares of a parameter's distribution lie.

    A prior is taken as the fit of its stack took it: log-normal about its value.

    >>> known = Parameter(2.0, "B/s", "measured", "x", 1.0, 4.0)
    >>> quantile(known, np.array([0.0, 0.5, 1.0])).round(6).tolist()
    [1.0, 2.0, 4.0]
    """
    logarithmic = item.low > 0.0
    low, mode, high = (np.log(x) if logarithmic else x for x in (item.low, item.value, item.high))
    place: NDArray[np.float64]
    values: NDArray[np.float64]
    if item.kind == "fitted":
        place = _two_halves(shares, low, mode, high)
        values = np.maximum(np.exp(place) if logarithmic else place, 0.0)
        return np.minimum(values, 1.0) if item.unit == "fraction" else values
    if is_prior:
        half = (high - low) / RANGE_DEVIATIONS * CENTRAL_80
        place = _two_halves(shares, mode - half, mode, mode + half)
    elif item.kind == "assumed":
        place = low + shares * (high - low)
    else:
        place = _triangle(shares, low, mode, high)
    values = np.clip(np.exp(place) if logarithmic else place, item.low, item.high)
    return np.round(values) if item.unit == "count" else values


def _two_halves(
    shares: NDArray[np.float64], low: float, mode: float, high: float
) -> NDArray[np.float64]:
    """Return the quantiles of two normal halves about a mode, 80 % of them from low to high."""
    inside = np.clip(shares, *OUTERMOST)
    scores = np.array([NORMAL.inv_cdf(share) for share in inside.ravel().tolist()])
    scores = scores.reshape(inside.shape)
    width = np.where(scores < 0.0, mode - low, high - mode)
    return np.asarray(mode + scores / CENTRAL_80 * width)


def _triangle(
    shares: NDArray[np.float64], low: float, mode: float, high: float
) -> NDArray[np.float64]:
    """Return the quantiles of the triangular distribution."""
    rising = low + np.sqrt(shares * (high - low) * (mode - low))
    falling = high - np.sqrt((1.0 - shares) * (high - low) * (high - mode))
    return np.where(shares * (high - low) < mode - low, rising, falling)


def _stack_scores(
    soc: SocSpec, stack: str, items: Mapping[str, Parameter], samples: int, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Return correlated standard normal scores of a stack's parameters."""
    prefix = f"stacks.{stack}."
    paths = [path for path in items if path.startswith(prefix)]
    scores = {path: random_stream(seed, path).standard_normal(samples) for path in paths}
    quality = random_stream(seed, f"quality of {stack}").standard_normal(samples)
    fitted = [path for path in paths if items[path].kind == "fitted"]
    for path in set(paths) - set(fitted):
        shared = -quality if items[path].unit in SLOWING else quality
        own_share = 1.0 - STACK_QUALITY_SHARE
        scores[path] = np.sqrt(STACK_QUALITY_SHARE) * shared + np.sqrt(own_share) * scores[path]
    fit = soc.stack(stack).fit
    if fit is not None and fitted:
        root = _root([path.removeprefix(prefix) for path in fitted], fit.correlation)
        joint = root @ np.stack([scores[path] for path in fitted])
        scores |= dict(zip(fitted, joint, strict=True))
    return scores


def correlation_matrix(
    names: Sequence[str], correlation: Mapping[str, float]
) -> NDArray[np.float64]:
    """Return what a fit's pairs ``"one ~ other"`` say of some of its parameters, in their order.

    >>> correlation_matrix(["a", "b"], {"a ~ b": -0.5, "a ~ c": 0.1}).tolist()
    [[1.0, -0.5], [-0.5, 1.0]]
    """
    matrix = np.eye(len(names))
    for pair, value in correlation.items():
        one, _, other = pair.partition(" ~ ")
        if one in names and other in names:
            i, j = names.index(one), names.index(other)
            matrix[i, j] = matrix[j, i] = value
    return matrix


def _root(names: Sequence[str], correlation: Mapping[str, float]) -> NDArray[np.float64]:
    """Return the symmetric root of the correlation matrix of parameters.

    Rounded pairs may not quite fit together; what is negative in the matrix is left out, and rows
    are scaled back to variance one.
    """
    powers, modes = np.linalg.eigh(correlation_matrix(names, correlation))
    root = (modes * np.sqrt(np.maximum(powers, 0.0))) @ modes.T
    return np.asarray(root / np.linalg.norm(root, axis=1, keepdims=True))


def _levels(stream: np.random.Generator, samples: int) -> NDArray[np.float64]:
    order = stream.permutation(SCHEDULES)
    return np.resize((order + 0.5) / SCHEDULES, samples)
