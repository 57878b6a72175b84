"""The search for a limit: right on rules whose answer is known, honest where they do not hold."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import SimError
from sim.explore import limits
from sim.explore.scales import Scale, scale_of
from sim.explore.solve import Look, same_from, solve
from workloads.scenario import Scenario, load_scenario


def scale(start=8.0, *, step=1.0):
    return Scale("x", lambda mapping, value: mapping, start, step)


def up_to(limit):
    return lambda value: Look(value, "" if value <= limit else "memory", {"seen": value})


def down_to(limit):
    return lambda value: Look(value, "" if value >= limit else "tokens_per_s>9", {"seen": value})


@given(limit=st.integers(-500, 5000), start=st.integers(-500, 5000))
def test_the_largest_whole_number_is_found_from_anywhere(limit, start):
    found = solve(scale(float(start)), "largest", up_to(limit))
    assert found.best.value == limit
    assert found.beyond.value == limit + 1
    assert found.binding == "memory"
    assert found.exceptions == ()


@given(limit=st.floats(0.01, 100.0), start=st.floats(0.01, 100.0))
def test_the_smallest_number_is_found_to_the_resolution(limit, start):
    found = solve(scale(start, step=0.0), "smallest", down_to(limit))
    assert limit <= found.best.value <= limit + 0.002 * max(100.0, start, limit)
    assert found.binding == "tokens_per_s>9"


def test_ends_are_never_left():
    seen = []

    def look(value):
        seen.append(value)
        return Look(value, "", {"seen": value})

    found = solve(scale(), "largest", look, ends=(2.0, 100.0))
    assert found.best.value == 100.0
    assert found.beyond is None
    assert found.binding == ""
    assert min(seen) >= 2.0
    assert max(seen) <= 100.0


def test_the_start_may_lie_short_of_what_is_needed():
    def look(value):
        return Look(value, "", {"a": 1}) if 700 <= value <= 9000 else Look(value, "rule")

    assert solve(scale(1.0), "largest", look).best.value == 9000
    assert solve(scale(1.0), "smallest", look).best.value == 700


def test_steps_are_kept():
    found = solve(scale(8.0, step=0.1), "smallest", down_to(2.345))
    assert (found.best.value, found.beyond.value) == (2.4, 2.3)


def test_nothing_meets():
    found = solve(scale(), "largest", lambda value: Look(value, "fits", {"a": 1}), ends=(1, 64))
    assert found.best is None
    assert found.binding == "fits"


def test_where_nothing_meets_the_nearest_allowed_value_says_why():
    def look(value):
        return Look(
            value, "tokens_per_s>9" if value >= 0 else "rule", {"a": 1} if value >= 0 else {}
        )

    found = solve(scale(64.0), "largest", look, ends=(-100, 512))
    assert found.best is None
    assert (found.beyond.value, found.binding) == (0, "tokens_per_s>9")


def test_a_rule_of_the_scenario_is_a_limit():
    def look(value):
        return Look(
            value,
            "" if 3 <= value <= 40 else "must be 3 to 40",
            {"a": 1} if 3 <= value <= 40 else {},
        )

    assert solve(scale(), "largest", look).best.value == 40
    assert solve(scale(), "smallest", look).best.value == 3
    assert solve(scale(), "largest", look).binding == "must be 3 to 40"


def test_the_end_of_what_can_be_said_is_no_limit_and_the_plateau_before_it_is_found():
    def look(value):
        if value > 100_000:
            return Look(value, "must be at most 100000", is_outside=True)
        return Look(value, "" if value >= 20 else "memory", {"a": min(value, 700.0)})

    found = solve(scale(4.0), "largest", look)
    assert (found.best.value, found.binds, found.exceptions) == (100_000, False, ())
    assert same_from(scale(4.0), look, found.best) == pytest.approx(700, rel=0.01)
    assert same_from(scale(800.0), look, found.best) == 800


def test_doublings_that_change_nothing_end_the_search():
    tried = []

    def look(value):
        tried.append(value)
        return Look(value, "", {"a": 1.0})

    assert not solve(scale(1.0), "largest", look).binds
    assert max(tried) < 10_000


def test_what_does_not_hold_is_said():
    def look(value):
        return Look(value, "" if value <= 10 or value >= 1000 else "heat", {"a": 1})

    found = solve(scale(), "largest", look, ends=(1, 2000))
    assert found.exceptions


def test_ends_out_of_order_are_refused():
    with pytest.raises(SimError, match=r"ends in order\. Got \[5, 2\]"):
        solve(scale(), "largest", up_to(3), ends=(5.0, 2.0))


@pytest.mark.parametrize(
    ("name", "start", "step"),
    [
        ("prompt", 64, 1.0),
        ("session.turns.0.output_tokens", 128, 1.0),
        ("ambient", 25, 0.0),
        ("deployment.kv_cache.capacity_tokens", 1, 1.0),
        ("image_side", 2400, 1.0),
        ("images", 1, 1.0),
        ("bits", 8, 0.1),
    ],
)
def test_words_and_paths_name_settings(name, start, step):
    found = scale_of(name, load_scenario())
    assert (found.start, found.step) == (start, step)


def test_words_for_several_paths_change_them_all():
    base = load_scenario()
    mapping = base.model_dump(mode="json", exclude_defaults=True)
    sized = scale_of("image_side", base).scenario(mapping, 1200.0)
    assert sized.session.turns[0].images_px == ((540, 1200),)
    more = scale_of("images", base).scenario(mapping, 3.0)
    assert more.session.turns[0].images_px == ((1080, 2400),) * 3
    fewer = scale_of("bits", base).scenario(mapping, 2.7)
    assert isinstance(fewer, Scenario)
    assert fewer.deployment.weights.body == "bpw2.7"


@pytest.mark.parametrize("name", ["deployment.weights.body", "environment.start", "sesion.x"])
def test_what_is_no_number_is_refused(name):
    with pytest.raises(SimError, match=r"must be a (number|setting)"):
        scale_of(name, load_scenario())


@pytest.mark.parametrize(("name", "what"), [("keep", "a policy"), ("depth", "a draft method")])
def test_what_a_word_needs_is_said_with_its_remedy(name, what):
    with pytest.raises(SimError, match=f"{name} must have {what}.*Remedy: --set"):
        scale_of(name, load_scenario(None))


def test_adapters_are_asked_for_by_a_turn_each():
    found = scale_of("adapters", load_scenario(None)).scenario(
        load_scenario(None).model_dump(mode="json", exclude_defaults=True), 3.0
    )
    assert len(found.deployment.lora.adapters) == 3
    assert [turn.adapter for turn in found.session.turns] == list(found.deployment.lora.adapters)


def test_units_and_ends_are_said(andesim):
    said = andesim("solve", "--largest", "image_side").out
    assert "image_side: no limit binds up to 100000 px" in said
    assert "larger images are scaled down" in said
    said = json.loads(andesim("solve", "--smallest", "budget", "--json").out)
    assert (said["unit"], said["binds"], said["binding"]) == ("B", True, "memory")


def test_words_of_the_turn_need_turns(andesim):
    failed = andesim("solve", "five_adapters", "--largest", "adapters")
    assert failed.code == 2
    assert "adapters must be asked of a session of turns" in failed.err


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("environment.background", {"idle", "scrolling", "video_call", "game"}),
        ("deployment.vision_overlap", {"true", "false"}),
    ],
)
def test_every_setting_that_takes_words_is_listed_best_first(andesim, path, names):
    listed = json.loads(andesim("solve", "--largest", path, "--json").out)["listed"]
    rates = [row["metrics"]["tokens_per_s"] for row in listed]
    assert {row["value"] for row in listed} == names
    assert rates == sorted(rates, reverse=True)


def test_formats_that_a_stack_runs_come_before_those_it_is_not_known_to_run(andesim):
    small = ("--set", "model=andesvl-0.6b", "--set", "session.turns.0.images_px=[]")
    asked = ("solve", "--largest", "deployment.weights.body", *small)
    listed = json.loads(andesim(*asked, "--json").out)["listed"]
    ran = [row for row in listed if row["metrics"]]
    sure = [row["value"] for row in ran if not row["warnings"]]
    assert {"w4", "w8"} <= {*sure}
    assert sure == [row["value"] for row in ran[: len(sure)]]
    doubtful = ran[len(sure) :]
    assert all(f"run weights in {row['value']}" in row["warnings"][0] for row in doubtful)
    told = andesim(*asked).out
    assert f"{len(doubtful)} are warned of" in told
    assert f"{len(ran) - 15} more behind them" in told


def test_three_settings_make_a_table_of_the_last_over_the_others(andesim, monkeypatch):
    monkeypatch.setattr(limits, "FRONTIER_POINTS", 2)
    small = ("--set", "model=smollm2-135m", "--set", "session.turns.0.images_px=[]")
    asked = ("--largest", "prompt", "--largest", "output", "--smallest", "budget")
    target = ("--target", "energy_j<20", "--set", "session.turns.0.prompt_tokens=128")
    found = json.loads(andesim("solve", *asked, *small, *target, "--json").out)
    assert found["path"] == ["prompt", "output", "budget"]
    short, long_reply, long_prompt = found["frontier"]
    assert short["output"] < long_reply["output"]
    assert long_prompt["output"] == short["output"]  # the longest prompt leaves no energy for more
    assert short["value"] < long_reply["value"] < long_prompt["value"]
    monkeypatch.setenv("COLUMNS", "200")
    wide = andesim("solve", *asked, *small, *target).out
    assert all(word in wide.splitlines()[0] for word in ("prompt", "output", "budget"))
    monkeypatch.setenv("COLUMNS", "80")
    narrow = andesim("solve", *asked, *small, *target).out
    assert narrow.startswith("prompt 128 tokens - memory\n  output: 128 tokens\n")
    too_many = andesim("solve", *asked, "--largest", "context")
    assert "one to 3 settings. Got 4." in too_many.err
