"""The shared DRAM server against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.engine.bandwidth import DramServer, TrafficClass, fair_shares

PEAK = 80e9


def finish_times(arrivals):
    """Run transfers (at_s, bytes, rate, priority) and return when each ended."""
    env = simpy.Environment()
    server = DramServer(env)
    ends = [0.0] * len(arrivals)

    def client(index, at_s, nbytes, rate, priority):
        yield env.timeout(at_s)
        yield server.transfer(nbytes, rate, PEAK, priority)
        ends[index] = env.now

    for index, arrival in enumerate(arrivals):
        env.process(client(index, *arrival))
    env.run()
    return ends, server


def test_alone_a_transfer_runs_at_its_own_rate():
    ends, _ = finish_times([(0.0, 8e9, 40e9, TrafficClass.NPU)])
    assert ends[0] == pytest.approx(0.2, rel=1e-12)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_equal_transfers_share_equally(count):
    """Processor sharing: n equal transfers end together, n times later."""
    ends, _ = finish_times([(0.0, 8e9, PEAK, TrafficClass.CPU)] * count)
    assert ends == pytest.approx([0.1 * count] * count, rel=1e-9)


def test_two_staggered_transfers_follow_processor_sharing():
    """The first runs alone for 50 ms, then both at half speed, then the second alone."""
    ends, _ = finish_times(
        [(0.0, 8e9, PEAK, TrafficClass.CPU), (0.05, 8e9, PEAK, TrafficClass.CPU)]
    )
    assert ends == pytest.approx([0.15, 0.2], rel=1e-9)


@pytest.mark.parametrize("sizes", ["equal", "exponential"])
@pytest.mark.parametrize("load", [0.3, 0.6])
def test_the_mean_response_is_that_of_processor_sharing(load, sizes):
    """M/G/1-PS: E[T] = S / (1 - load), whatever the sizes (Kleinrock, Queueing Systems II)."""
    random, count, service_s = np.random.default_rng(11), 5_000, 0.01
    arrivals_s = np.cumsum(random.exponential(service_s / load, count))
    factors = random.exponential(1.0, count) if sizes == "exponential" else np.ones(count)
    asked = [
        (at_s, factor * service_s * PEAK, PEAK, TrafficClass.CPU)
        for at_s, factor in zip(arrivals_s, factors, strict=True)
    ]
    ends_s, _ = finish_times(asked)
    mean_s = np.mean(np.array(ends_s) - arrivals_s)
    assert mean_s == pytest.approx(service_s / (1 - load), rel=0.1)


def test_a_higher_class_is_untouched_by_a_lower_one():
    ends, _ = finish_times([(0.0, 8e9, PEAK, TrafficClass.NPU), (0.0, 8e9, PEAK, TrafficClass.CPU)])
    assert ends == pytest.approx([0.1, 0.2], rel=1e-9)


def test_a_lower_class_gets_what_a_limited_higher_one_leaves():
    """The NPU takes 60 of 80 GB/s, so 20 GB/s remain for the CPU until the NPU is done."""
    ends, _ = finish_times([(0.0, 6e9, 60e9, TrafficClass.NPU), (0.0, 6e9, PEAK, TrafficClass.CPU)])
    assert ends == pytest.approx([0.1, 0.1 + 4e9 / PEAK], rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 1.0),
            st.floats(1.0, 1e9),
            st.floats(1e6, PEAK),
            st.sampled_from(list(TrafficClass)),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_bytes_served_are_bytes_asked_and_nothing_beats_the_bus(arrivals):
    ends, server = finish_times(arrivals)
    assert server.bytes_served == pytest.approx(sum(a[1] for a in arrivals), rel=1e-6)
    first = min(a[0] for a in arrivals)
    clock_s = 1e-15  # resolution of a clock that reads about a second
    needed_s = sum(a[1] for a in arrivals) / PEAK
    assert max(ends) - first >= needed_s * (1 - 1e-9) - clock_s
    for end_s, (at_s, nbytes, rate, _) in zip(ends, arrivals, strict=True):
        assert end_s - at_s >= nbytes / rate * (1 - 1e-6) - 1e-9


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8), st.floats(0.0, 1.0))
def test_fair_shares_are_max_min_fair(limits, capacity):
    shares = fair_shares(limits, capacity)
    assert sum(shares) <= capacity + 1e-12
    assert sum(shares) == pytest.approx(min(capacity, sum(limits)), abs=1e-9)
    cut = [share for share, limit in zip(shares, limits, strict=True) if share < limit - 1e-12]
    for share in cut:
        assert share >= max(shares) - 1e-9
