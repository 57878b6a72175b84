"""A sample of `tests.fuzz.kills`: two kills of a sweep at random instants."""

from random import Random

from tests.fuzz.kills import campaign


def test_a_sweep_killed_twice_ends_with_the_rows_of_an_undisturbed_one():
    assert "all whole, all resumed" in campaign("sweep", 1, Random(0))
