"""Numbers that follow another of their part: moved, overridden, drawn and written as one."""

import numpy as np
import pytest

from hw_models.errors import HardwareError
from hw_models.following import with_followers
from hw_models.soc import list_socs, load_soc
from sim.explore.draws import draw, uncertain

RATES = "units.npu.matrix.rates"
STEPS = "thermal.die_governor.clock_fraction"


@pytest.fixture(scope="module")
def phone():
    return load_soc("dimensity_9500")


def test_a_follower_has_the_range_of_what_it_follows_in_proportion(phone):
    known = phone.parameters()
    lead, follower = known[f"{RATES}.fp16"], known[f"{RATES}.a8w8"]
    assert (follower.low, follower.value, follower.high) == pytest.approx(
        (4 * lead.low, 4 * lead.value, 4 * lead.high), rel=1e-12
    )
    assert follower.kind == "derived"


def test_equal_steps_lead_from_full_clock_to_the_lowest_one(phone):
    steps = [phone.parameters()[f"{STEPS}.{i}"].value for i in range(7)]
    assert np.diff([1.0, *steps]) == pytest.approx(-0.1)
    lower = phone.with_values({f"{STEPS}.6": 0.44})
    moved = [lower.parameters()[f"{STEPS}.{i}"].value for i in range(7)]
    assert np.diff([1.0, *moved]) == pytest.approx(-0.08)


def test_followers_move_with_a_value_with_a_column_and_with_an_override(phone):
    column = np.array([[5e12], [2e13]])
    moved = phone.with_values({f"{RATES}.fp16": column}).units["npu"].matrix.rates
    assert moved["a16w4"].value == pytest.approx(2 * column)
    overridden = phone.with_overrides({f"{RATES}.fp16": "30 TFLOP/s"}).units["npu"].matrix.rates
    assert overridden["a8w4"].value == pytest.approx(1.2e14)
    alone = phone.with_overrides({f"{RATES}.a8w4": 7e13}).units["npu"].matrix.rates
    assert (alone["a8w4"].value, alone["fp16"].value) == (7e13, 1e13)


def test_no_draw_has_a_follower_and_none_makes_fewer_bits_slower(phone):
    items = uncertain(phone, "neuropilot")
    assert f"{RATES}.fp16" not in items or f"{RATES}.a8w8" not in items
    draws = draw(phone, "neuropilot", 50, seed=0)
    assert not [path for path in draws if phone.parameters()[path].follows]
    many = phone.with_values({path: values[:, None] for path, values in draws.items()})
    rates = {name: item.value for name, item in many.units["npu"].matrix.rates.items()}
    for narrow, wide in (("a8w8", "a16w8"), ("a16w8", "a16w16"), ("a8w4", "a16w4")):
        assert np.all(np.asarray(rates[narrow]) >= np.asarray(rates[wide]))


def test_a_device_with_followers_is_written_and_read_back_equal(phone, tmp_path):
    path = tmp_path / "again.yaml"
    path.write_text(phone.to_yaml(), encoding="utf-8")
    assert load_soc(path) == phone


def test_what_another_file_says_of_a_follower_replaces_it_whole(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: dimensity_9500\nid: mine\nunits: {npu: {matrix: {rates: {a16w8: {of: fp16, "
        "times: 3, source: assumption}, a16w16: {value: 9 TFLOP/s, kind: assumed, "
        "source: assumption, low: 8 TFLOP/s, high: 10 TFLOP/s}}}}}\n"
    )
    rates = load_soc(path).units["npu"].matrix.rates
    assert rates["a16w8"].value == pytest.approx(3 * rates["fp16"].value)
    assert (rates["a16w16"].value, rates["a16w16"].low) == (9e12, 8e12)


@pytest.mark.parametrize("of", ["fp17", "a", "b"])
def test_what_follows_nothing_beside_it_or_another_follower_is_refused(of):
    lead = {"value": "1 B", "kind": "assumed", "source": "s", "low": "1 B", "high": "1 B"}
    tree = {"fp16": lead, "a": {"of": of, "times": 2}, "b": {"of": "a", "times": 2}}
    with pytest.raises(HardwareError, match="must follow a number beside it"):
        with_followers(tree)


@pytest.mark.parametrize(("key", "given"), [("times", "two"), ("from", [1])])
def test_a_proportion_must_be_a_number(key, given):
    lead = {"value": "1 B", "kind": "standard", "source": "s"}
    with pytest.raises(HardwareError, match=f"{key} must be a plain number"):
        with_followers({"lead": lead, "a": {"of": "lead", "times": 2, key: given}})


@pytest.mark.parametrize("name", list_socs())
def test_a_follower_of_every_device_stands_in_its_proportion(name):
    known = load_soc(name).parameters()
    for path, item in known.items():
        if item.follows is not None:
            lead = known[f"{path.rpartition('.')[0]}.{item.follows.of}"]
            assert item.value == pytest.approx(item.follows.value(lead.value), rel=1e-9)
