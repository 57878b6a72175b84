"""A number carries its kind, source and range, or it does not exist."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.errors import HardwareError
from hw_models.provenance import Parameter, Quantity, Source

BANDWIDTH = Quantity("B/s", 0, 1e15, above_minimum=True)
MEASURED = {"value": "60 GB/s", "kind": "measured", "source": "paper", "low": "59 GB/s"}
numbers = st.floats(-1e12, 1e12)


def faults(entry, quantity=BANDWIDTH, sources=("paper", "jedec")):
    with pytest.raises(HardwareError) as error:
        quantity.read(entry, sources)
    return error.value.faults


@given(st.lists(numbers, min_size=3, max_size=3).map(sorted))
def test_what_is_written_is_read_back_equal(values):
    low, value, high = values
    parameter = Parameter(value, "C", "measured", "paper", low, high, "a note")
    assert Quantity("C", -1e13, 1e13).read(parameter.to_plain(), ["paper"]) == parameter


@given(numbers, numbers, numbers)
def test_the_range_holds_the_value(low, value, high):
    if low <= value <= high:
        assert Parameter(value, "C", "assumed", "paper", low, high).value == value
    else:
        with pytest.raises(HardwareError, match="must have low <= value <= high"):
            Parameter(value, "C", "assumed", "paper", low, high)


@given(numbers, st.lists(numbers, min_size=3, max_size=3).map(sorted))
def test_moving_keeps_the_value_in_the_range(target, values):
    low, value, high = values
    moved = Parameter(value, "W", "assumed", "paper", low, high).moved_to(target)
    assert (moved.value, moved.low, moved.high) == (target, min(low, target), max(high, target))


def test_moving_a_count_rounds_it():
    assert Parameter(4, "count", "assumed", "paper", 1, 8).moved_to(5.4).value == 5


@pytest.mark.parametrize("kind", ["datasheet", "standard"])
def test_published_numbers_are_exact_unless_ranged(kind):
    entry = {"value": "76.8 GB/s", "kind": kind, "source": "jedec"}
    parameter = BANDWIDTH.read(entry, ["jedec"])
    assert parameter.low == parameter.value == parameter.high == 76.8e9


@pytest.mark.parametrize("kind", ["measured", "fitted", "derived", "assumed"])
def test_all_other_numbers_must_state_a_range(kind):
    entry = {"value": "76.8 GB/s", "kind": kind, "source": "jedec"}
    assert [fault.split(". Got")[0] for fault in faults(entry)] == [
        "must state its low",
        "must state its high",
    ]


def test_all_faults_of_an_entry_are_told_at_once():
    entry = MEASURED | {"value": "60 GB", "high": "-1 GB/s", "source": "papr", "hgh": 3}
    assert faults(entry) == (
        "must have no key but value, kind, source, low, high, note. Got 'hgh'. "
        "Did you mean 'high'?",
        "must cite a source listed under sources. Got 'papr'. Did you mean 'paper'?",
        "must be a quantity in B/s. Got '60 GB'. Did you mean 'GB/s'?",
        "high must be a number above 0 B/s and at most 1e+15 B/s. Got '-1 GB/s'.",
    )


def test_an_unknown_kind_lists_the_six():
    (fault,) = faults(MEASURED | {"high": "61 GB/s", "kind": "measurd"})
    assert fault.endswith("Got 'measurd'. Did you mean 'measured'?")
    assert "datasheet, standard, measured, fitted, derived, assumed" in fault


def test_numbers_in_files_need_their_unit():
    (fault,) = faults(MEASURED | {"value": 60e9, "high": "61 GB/s"})
    assert fault.startswith("must be text with a unit, a quantity in B/s.")


def test_a_bare_number_is_no_parameter():
    (fault,) = faults("60 GB/s")
    assert fault.startswith("must be a mapping with value, kind, source")


@pytest.mark.parametrize(
    ("quantity", "value", "rule"),
    [
        (Quantity("fraction", 0, 1, above_minimum=True), 1.2, "a number above 0 and at most 1"),
        (Quantity("fraction", 0, 1, above_minimum=True), 0, "a number above 0 and at most 1"),
        (Quantity("count", 1, 64, whole=True), 2.5, "a whole number of at least 1 and at most 64"),
        (Quantity("s", 0, 10), "-1 s", "a number of at least 0 s and at most 10 s"),
    ],
)
def test_physical_bounds_are_kept(quantity, value, rule):
    entry = {"value": value, "kind": "datasheet", "source": "paper"}
    assert faults(entry, quantity) == (f"must be {rule}. Got {value!r}.",)


def test_a_catalogue_record_spells_out_the_source():
    parameter = Parameter(0.5, "fraction", "assumed", "p", 0.1, 0.9)
    record = parameter.to_record({"p": Source("A paper", url="https://example.org")})
    assert record["source"] == "A paper (https://example.org)"
    assert parameter.to_record({"p": Source("B", doi="10.1/2")})["source"] == "B (doi:10.1/2)"
    assert parameter.to_record({"p": Source("Plain")})["source"] == "Plain"


def test_an_unknown_kind_is_the_fault_and_not_what_it_lacks():
    (fault,) = faults({"value": "60 GB/s", "kind": "guessed", "source": "paper"})
    assert fault.startswith("must have a kind among datasheet, standard, measured")
    assert "Got 'guessed'" in fault
