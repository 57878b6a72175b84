"""Quantities: text at file borders, SI floats inside."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.errors import HardwareError
from hw_models.units import UNITS, format_quantity, parse

any_unit = st.sampled_from(sorted(UNITS))
any_number = st.floats(allow_nan=False, allow_infinity=False)


@given(any_number, any_unit)
def test_formatting_and_parsing_give_the_same_float_back(value, unit):
    assert parse(format_quantity(value, unit), unit) == value


@given(any_number, any_unit)
def test_a_bare_number_is_already_in_the_si_unit(value, unit):
    assert parse(value, unit) == value


@given(st.integers(1, 10**6), any_unit.filter(lambda unit: len(UNITS[unit]) > 1), st.data())
def test_every_spelling_scales_by_its_factor(number, unit, data):
    spelling = data.draw(st.sampled_from(sorted(UNITS[unit])))
    assert parse(f"{number} {spelling}", unit) == float(number * UNITS[unit][spelling])


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("85.3 GB/s", "B/s", 85.3e9),
        ("7168 KiB", "B", 7168 * 1024),
        ("1 GB", "B", 1e9),
        ("1 GiB", "B", 2**30),
        ("0.2 ms", "s", 2e-4),
        ("100 µs", "s", 1e-4),
        ("12 TFLOP/s", "FLOP/s", 12e12),
        ("6 pJ/bit", "J/bit", 6e-12),
        ("3.5 K/W", "K/W", 3.5),
        ("10.667 GT/s", "T/s", 10.667e9),
        ("70 %", "fraction", 0.7),
        ("1e12 weights/s", "weights/s", 1e12),
        ("  -10 C ", "C", -10.0),
        ("4", "count", 4.0),
    ],
)
def test_quantities_as_device_files_write_them(text, unit, value):
    assert parse(text, unit) == value


@pytest.mark.parametrize(
    "given_value",
    [
        10**400,
        -(10**4000),
        math.nan,
        math.inf,
        -math.inf,
        "nan GB/s",
        "1e400 GB/s",
        "GB/s",
        "",
        None,
        True,
        [1],
        "1 2 GB/s",
    ],
)
def test_what_is_no_quantity_is_refused_with_its_rule(given_value):
    with pytest.raises(HardwareError, match=r"must be a quantity in B/s\. Got "):
        parse(given_value, "B/s")


@pytest.mark.parametrize(
    ("text", "unit", "hint"),
    [
        ("76.8 GB", "B/s", "Did you mean 'GB/s'?"),
        ("76.8 GBps", "B/s", "Did you mean 'GB/s'?"),
        ("3 ghz", "T/s", "Known: GT/s, MT/s, PT/s, T/s, TT/s, kT/s."),
    ],
)
def test_a_wrong_unit_names_the_nearest(text, unit, hint):
    with pytest.raises(HardwareError) as error:
        parse(text, unit)
    assert str(error.value) == f"must be a quantity in {unit}. Got {text!r}. {hint}"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (8.53e10, "B/s", "85.3 GB/s"),
        (7 * 2**20, "B", "7 MiB"),
        (1e9, "B", "1 GB"),
        (2e-6, "s", "2 us"),
        (0.0, "s", "0 s"),
        (39.0, "C", "39 C"),
        (0.933, "fraction", "0.933"),
        (0.15, "W", "150 mW"),
        (4e8, "B", "400 MB"),
        (2.0**17, "B", "128 KiB"),
        (1e-12, "J/FLOP", "1 pJ/FLOP"),
        (6e-13, "J/FLOP", "0.6 pJ/FLOP"),
    ],
)
def test_quantities_are_written_in_the_handiest_unit(value, unit, text):
    assert format_quantity(value, unit) == text
