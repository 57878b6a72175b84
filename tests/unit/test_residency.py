"""The DRAM ledger: residency over time, the peak and the verdict."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sim.engine.memory import spilled
from sim.engine.residency import Allocation, Residency, ledger, thinned

classes = st.sampled_from(["weights", "kv_cache", "activations"])


def test_peak_is_the_first_highest_instant():
    held = ledger(
        [
            Allocation(0.0, "weights", 5.0),
            Allocation(1.0, "activations", 2.0),
            Allocation(2.0, "activations", -2.0),
            Allocation(3.0, "activations", 2.0),
        ],
        budget_bytes=10.0,
    )
    assert held.peak.at_s == 1.0
    assert dict(held.peak.by_class) == {"weights": 5.0, "activations": 2.0}
    assert held.overflow is None


def test_changes_of_one_instant_apply_together():
    held = ledger(
        [
            Allocation(0.0, "activations", 3.0),
            Allocation(1.0, "activations", -3.0),
            Allocation(1.0, "activations", 2.0),
        ],
        budget_bytes=3.0,
    )
    assert [item.total_bytes for item in held.timeline] == [3.0, 2.0]
    assert held.overflow is None


def test_overflow_names_the_instant_and_the_breakdown():
    held = ledger([Allocation(0.0, "weights", 5.0), Allocation(0.5, "kv_cache", 2.0)], 6.0)
    assert held.overflow is not None
    assert held.overflow.at_s == 0.5
    assert held.overflow.by_class["kv_cache"] == 2.0


@given(st.lists(st.tuples(st.floats(0, 10), classes, st.floats(0, 1e9)), min_size=1, max_size=12))
def test_what_is_allocated_and_freed_leaves_nothing(changes):
    allocations = [Allocation(at_s, name, held) for at_s, name, held in changes]
    frees = [Allocation(11.0, name, -held) for _, name, held in changes]
    held = ledger([*allocations, *frees], budget_bytes=1e12)
    assert abs(held.timeline[-1].total_bytes) <= 1e-6 * (1 + held.peak.total_bytes)
    assert held.peak.total_bytes <= sum(item[2] for item in changes) * (1 + 1e-9)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=40))
def test_thinning_halves_a_timeline_and_keeps_ends_and_peak(totals):
    steps = [Residency(float(i), {"weights": float(total)}) for i, total in enumerate(totals)]
    kept = thinned(steps)
    assert len(kept) == 2 + (len(steps) - 1) // 2
    assert (kept[0], kept[-1]) == (steps[0], steps[-1])
    assert max(item.total_bytes for item in kept) == max(totals)
    instants = [item.at_s for item in kept]
    assert instants == sorted(set(instants))


def test_the_largest_class_is_the_one_that_holds_most():
    assert Residency(0.0, {"weights": 2.0, "kv_cache": 5.0, "draft": 1.0}).largest == "kv_cache"


def test_mapped_weights_get_what_is_left_and_never_less_than_nothing():
    held = {"weights": 8.0, "kv_cache": 3.0}
    assert spilled(held, held, 1.0, 6.0)["weights"] == 2.0
    assert spilled(held, held, 1.0, 3.0)["weights"] == 0.0
