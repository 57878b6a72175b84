"""Extents: what is printed is read back, and evaluation is exact."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.errors import WorkloadError
from workloads.extent import Extent

FRACTIONS = st.fractions(-1000, 1000, max_denominator=12)
EXTENTS = st.builds(
    lambda constant, terms: Extent.of(constant, **terms),
    FRACTIONS,
    st.dictionaries(st.sampled_from(["N", "S", "T"]), FRACTIONS, max_size=3),
)


@given(EXTENTS)
def test_text_round_trip(extent):
    assert Extent.parse(str(extent)) == extent


@given(EXTENTS, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_value_is_the_affine_form_or_refused(extent, n, s, t):
    sizes = {"N": n, "S": s, "T": t}
    exact = extent.constant + sum(c * sizes[name] for name, c in extent.terms)
    if exact.denominator == 1:
        assert extent.at(sizes) == exact
    else:
        with pytest.raises(WorkloadError, match="whole number"):
            extent.at(sizes)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    try:
        extent = Extent.parse(text)
    except WorkloadError:
        return
    assert Extent.parse(str(extent)) == extent


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("2560", "2560"),
        ("T+S", "S+T"),
        (" 2*T + 1 ", "2*T+1"),
        ("N/4", "N/4"),
        ("3*N/4-S", "3*N/4-S"),
        ("-T+1", "-T+1"),
        ("T-T", "0"),
    ],
)
def test_canonical_text(text, canonical):
    assert str(Extent.parse(text)) == canonical


@pytest.mark.parametrize("text", ["", "T*2", "T S", "2**T", "T/0", "1e9", "T+", "--T", "9" * 5000])
def test_other_grammars_are_refused(text):
    with pytest.raises(WorkloadError, match="extent"):
        Extent.parse(text)


def test_arrays_are_evaluated_at_once():
    steps = np.arange(100, 104)
    np.testing.assert_array_equal(Extent.parse("2*T+S").at({"T": 3, "S": steps}), steps + 6)


def test_a_missing_size_is_named():
    with pytest.raises(WorkloadError, match="'S' must be given"):
        Extent.parse("S").at({"T": 1})


def test_integers_stay_integers():
    value = Extent.parse("N/4").at({"N": 2880})
    assert value == Fraction(2880, 4)
    assert isinstance(value, int)
