"""Two engines, one meaning: the event engine and the max-plus engine give the same times."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.engine.conditions import NOMINAL
from sim.engine.maxplus import identity, multiply, power, step_seconds
from sim.engine.replay import replay_step
from sim.engine.timed import TimedGroup, TimedSegment, TimedTask

RELATIVE = 1e-9


def recurrence(tiles: list[tuple[float, float]], buffers: int) -> float:
    """The two recurrences of the design, written down as they stand: (fetch_s, busy_s) per tile."""
    fetch_end: list[float] = []
    compute_end: list[float] = []
    for index, (fetch_s, busy_s) in enumerate(tiles):
        slot = compute_end[index - buffers] if index >= buffers else 0.0
        fetch_end.append(max(fetch_end[-1] if fetch_end else 0.0, slot) + fetch_s)
        compute_end.append(max(compute_end[-1] if compute_end else 0.0, fetch_end[-1]) + busy_s)
    return compute_end[-1]


def task(steps: int, tiles, tile_bytes, rate, compute_s, launch_s, barrier=False) -> TimedTask:
    def column(value):
        return np.broadcast_to(np.asarray(value, dtype=float), (steps,)).copy()

    return TimedTask(
        name="task",
        kind="host" if barrier else "linear",
        unit="npu",
        tiles=np.broadcast_to(np.asarray(tiles, dtype=np.int64), (steps,)).copy(),
        tile_bytes=column(tile_bytes),
        rate_bytes_per_s=column(rate),
        bus_bytes_per_s=column(rate) * 1.25,
        compute_s=column(compute_s),
        launch_s=column(launch_s),
        demand=None if barrier else object(),  # type: ignore[arg-type]
    )


seconds = st.floats(0.0, 1e-2, allow_nan=False)


@st.composite
def groups(draw) -> TimedGroup:
    steps = draw(st.integers(1, 4))

    def column(strategy):
        return draw(st.lists(strategy, min_size=steps, max_size=steps))

    def one_task() -> TimedTask:
        barrier = draw(st.booleans()) and draw(st.booleans())
        return task(
            steps,
            tiles=column(st.integers(0, 1 if barrier else 6)),
            tile_bytes=0.0 if barrier else column(st.floats(0.0, 1e7)),
            rate=column(st.floats(1e8, 1e11)),
            compute_s=column(seconds),
            launch_s=column(seconds),
            barrier=barrier,
        )

    segments = tuple(
        TimedSegment(f"s{i}", draw(st.integers(1, 5)), tuple(one_task() for _ in range(count)))
        for i, count in enumerate(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    )
    return TimedGroup("decode", 0, steps, draw(st.integers(1, 4)), segments)


@settings(max_examples=150, deadline=None)
@given(groups())
def test_engines_agree_on_any_program(group):
    durations = step_seconds(group)
    seen = [replay_step(group, step, NOMINAL, ())[0] for step in range(group.steps)]
    np.testing.assert_allclose(seen, durations, rtol=RELATIVE, atol=1e-15)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(seconds, seconds), min_size=1, max_size=12),
    st.integers(1, 4),
)
def test_both_engines_are_the_recurrence(tiles, buffers):
    tasks = tuple(task(1, 1, fetch_s * 1e9, 1e9, busy_s, 0.0) for fetch_s, busy_s in tiles)
    group = TimedGroup("decode", 0, 1, buffers, (TimedSegment("all", 1, tasks),))
    expected = recurrence([(fetch_s * 1e9 / 1e9, busy_s) for fetch_s, busy_s in tiles], buffers)
    assert step_seconds(group)[0] == pytest.approx(expected, rel=RELATIVE, abs=1e-15)
    seconds, _ = replay_step(group, 0, NOMINAL, ())
    assert seconds == pytest.approx(expected, rel=RELATIVE, abs=1e-15)


@settings(max_examples=60, deadline=None)
@given(groups())
def test_makespan_lies_between_its_bounds(group):
    durations = step_seconds(group)
    fetch_s = np.zeros(group.steps)
    busy_s = np.zeros(group.steps)
    for segment in group.segments:
        for item in segment.tasks:
            fetch_s += segment.repeat * item.tiles * (0.0 if item.is_barrier else item.fetch_s)
            busy_s += segment.repeat * item.tiles * item.busy_s
    slack = 1e-12
    assert np.all(durations >= np.maximum(fetch_s, busy_s) * (1 - RELATIVE) - slack)
    assert np.all(durations <= (fetch_s + busy_s) * (1 + RELATIVE) + slack)


def test_dd1_one_task_repeated_is_fill_plus_bottleneck():
    """D/D/1: n equal tiles take fetch + n * busy when compute bound, n * fetch + busy otherwise."""
    for fetch_s, busy_s in ((2e-3, 5e-3), (5e-3, 2e-3)):
        one = task(1, 1000, fetch_s * 1e9, 1e9, busy_s, 0.0)
        group = TimedGroup("decode", 0, 1, 2, (TimedSegment("all", 1, (one,)),))
        expected = 1000 * max(fetch_s, busy_s) + min(fetch_s, busy_s)
        assert step_seconds(group)[0] == pytest.approx(expected, rel=1e-12)


def test_one_buffer_means_no_overlap():
    one = task(1, 10, 3e6, 1e9, 2e-3, 0.0)
    group = TimedGroup("decode", 0, 1, 1, (TimedSegment("all", 1, (one,)),))
    assert step_seconds(group)[0] == pytest.approx(10 * (3e-3 + 2e-3), rel=1e-12)


def test_power_is_repeated_multiplication():
    rng = np.random.default_rng(7)
    matrix = rng.uniform(0, 1, (3, 3, 4))
    exponents = np.array([0, 1, 5, 12])
    result = power(matrix, exponents)
    for step, exponent in enumerate(exponents):
        expected = identity(3, 4)
        for _ in range(exponent):
            expected = multiply(matrix, expected)
        np.testing.assert_allclose(result[:, :, step], expected[:, :, step], rtol=1e-12)
