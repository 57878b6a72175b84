"""Sizing: the settings that meet the targets, the front, what is given up, what blocks."""

import json

import pytest
from typer.testing import CliRunner

from sim import Scenario, load_scenario, simulate
from sim.errors import SimError
from sim.explore.knobs import default_knobs
from sim.explore.sizing import size
from sim.explore.targets import Target, parse_targets
from sim.verdicts import verdict

BASE = {
    "device": "ideal_85gbps_50tflops",
    "model": "qwen3-0.6b",
    "session": {"turns": [{"prompt_tokens": 500, "output_tokens": 16}]},
}
BODY, KV = "deployment.weights.body", "deployment.kv_cache.dtype"
KNOBS = {BODY: ["w16", "w8", "w4", "w2"], KV: ["int16", "int8"]}


def metrics_of(settings):
    deployment = {"weights": {"body": settings[BODY]}, "kv_cache": {"dtype": settings[KV]}}
    return simulate(Scenario.from_mapping(BASE | {"deployment": deployment})).summary().as_dict()


def test_meeting_settings_are_exactly_those_that_meet_by_hand():
    rate = metrics_of({BODY: "w4", KV: "int16"})["tokens_per_s"]
    answer = size(BASE, KNOBS, parse_targets([f"tokens_per_s>={rate}"]))
    assert answer.exact
    assert len(answer.candidates) == 8
    expected = [
        {BODY: body, KV: kv}
        for body in KNOBS[BODY]
        for kv in KNOBS[KV]
        if metrics_of({BODY: body, KV: kv})["tokens_per_s"] >= rate
    ]
    assert sorted(map(str, (dict(found.settings) for found in answer.meeting))) == sorted(
        map(str, expected)
    )
    assert answer.meeting[0].settings == {BODY: "w4", KV: "int16"}
    assert answer.blocking == []


def test_no_point_of_the_front_is_beaten():
    answer = size(BASE, KNOBS, parse_targets(["tokens_per_s>1", "peak_dram_bytes<1 GB"]))
    for one in answer.front:
        for other in answer.candidates:
            gains = [b - a for a, b in zip(one.slacks, other.slacks, strict=True)]
            gains.append(one.concessions - other.concessions)
            assert not (min(gains) >= 0 and max(gains) > 0)
    assert any(found.settings == {BODY: "w16", KV: "int16"} for found in answer.front)


def test_when_nothing_fits_the_blocking_target_and_the_nearest_miss_are_told():
    answer = size(BASE, KNOBS, parse_targets(["tokens_per_s>1e6", "peak_dram_bytes<100 GB"]))
    assert answer.meeting == []
    assert [str(target) for target in answer.blocking] == ["tokens_per_s>1e+06"]
    assert answer.closest[0].settings[BODY] == "w2"
    assert answer.closest[0].miss < answer.closest[-1].miss


def test_targets_that_exclude_each_other_block_together():
    heavy = metrics_of({BODY: "w16", KV: "int16"})["peak_dram_bytes"]
    light_rate = metrics_of({BODY: "w2", KV: "int8"})["tokens_per_s"]
    answer = size(
        BASE, KNOBS, parse_targets([f"peak_dram_bytes>={heavy}", f"tokens_per_s>={light_rate}"])
    )
    assert answer.meeting == []
    assert len(answer.blocking) == 1


def test_a_setting_that_is_no_scenario_is_counted_not_fatal():
    answer = size(BASE, {BODY: ["w4", "nonsense"]}, parse_targets(["tokens_per_s>1"]))
    assert (answer.failed, len(answer.candidates)) == (1, 1)


def test_where_no_setting_is_a_scenario_nothing_is_on_the_front():
    answer = size(BASE, {BODY: ["nonsense"]}, parse_targets(["tokens_per_s>1"]))
    assert (answer.meeting, answer.front, answer.closest, answer.blocking) == ([], [], [], [])


def test_a_large_space_is_searched_and_still_finds_the_one_that_meets(monkeypatch):
    monkeypatch.setattr("sim.explore.sizing.MAX_ENUMERATED", 4)
    best = metrics_of({BODY: "w2", KV: "int8"})["tokens_per_s"]
    answer = size(BASE, KNOBS, parse_targets([f"tokens_per_s>={best * (1 - 1e-9)}"]))
    assert not answer.exact
    assert [dict(found.settings) for found in answer.meeting] == [{BODY: "w2", KV: "int8"}]


def test_a_space_beyond_what_a_sweep_may_hold_is_searched(monkeypatch):
    monkeypatch.setattr("sim.explore.searching.SEARCH_GENERATIONS", 1)
    monkeypatch.setattr("sim.explore.searching.SEARCH_POPULATION", 1)
    starts = {f"session.turns.0.{name}": range(1, 9_999) for name in ("prompt_tokens", "at_s")}
    answer = size(BASE, starts, parse_targets(["tokens_per_s>1"]))
    assert not answer.exact
    assert answer.meeting


def test_a_setting_is_judged_once_the_phone_is_warm_too():
    hot = {"device": "dimensity_9500", "model": "andesvl-4b", "environment": {"ambient_c": 40}}
    hot["session"] = BASE["session"]
    summary = simulate(Scenario.from_mapping(hot)).summary()
    assert summary.sustained_tokens_per_s < 0.9 * summary.tokens_per_s
    between = (summary.sustained_tokens_per_s + summary.tokens_per_s) / 2
    answer = size(hot, {KV: ["int8"]}, parse_targets([f"tokens_per_s>{between}"]))
    assert not answer.meeting
    assert [target.metric for target in answer.blocking] == ["tokens_per_s"]


def test_among_settings_that_give_up_equally_many_steps_no_long_step_comes_first():
    targets = parse_targets(["tokens_per_s>1"])
    meeting = size(BASE, {BODY: ["w8", "w4", "w2"], KV: ["int16", "int8", "int4"]}, targets).meeting
    assert meeting[0].given_up == {}
    second = [found.settings for found in meeting if found.concessions == 2]
    assert second[0] == {BODY: "w4", KV: "int8"}
    once = [found for found in meeting if found.concessions == 1]
    assert min(once[0].slacks) <= min(once[1].slacks)


def test_probabilities_are_shares_and_all_is_the_least():
    scenario = load_scenario(None, ["model=andesvl-0.6b", "session.turns.0.output_tokens=8"])
    nominal = simulate(scenario).summary()
    targets = parse_targets([f"tokens_per_s>{nominal.tokens_per_s}", "energy_j<1e9"])
    shares = verdict(simulate(scenario), targets, 24).shares()
    assert 0.0 < shares[str(targets[0])] < 1.0
    assert shares[str(targets[1])] == 1.0
    assert shares["all"] == shares[str(targets[0])]


def test_an_exact_device_meets_for_sure_or_not_at_all():
    exact = simulate(Scenario.from_mapping(BASE))
    shares = verdict(exact, parse_targets(["tokens_per_s>1"]), 5).shares()
    assert shares == {"tokens_per_s>1": 1.0, "all": 1.0}


@pytest.mark.parametrize(
    ("text", "metric", "limit"),
    [
        ("time_to_first_token_s<1500 ms", "time_to_first_token_s", 1.5),
        ("peak_dram_bytes <= 3 GB", "peak_dram_bytes", 3e9),
        ("max_skin_c<43", "max_skin_c", 43.0),
        ("tokens_per_s>4e1", "tokens_per_s", 40.0),
        ("energy_j<40 J", "energy_j", 40.0),
        ("energy_per_token_j<300 mJ", "energy_per_token_j", 0.3),
        ("mean_power_w<4500 mW", "mean_power_w", 4.5),
    ],
)
def test_targets_read_units(text, metric, limit):
    target = Target.parse(text)
    assert (target.metric, target.limit) == (metric, limit)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("token_per_s>40", "Did you mean 'tokens_per_s'"),
        ("tokens_per_s=40", "must be METRIC<LIMIT"),
        ("peak_dram_bytes<3 parsec", "must be a quantity in B"),
        ("tokens_per_s>20 ms", "tokens_per_s must be a number, such as 20. Got '20 ms'"),
        ("ttft<2", "Did you mean 'time_to_first_token_s'"),
        ("tokens_per_s>nan", "must have a finite limit"),
        ("tokens_per_s<inf", "must have a finite limit"),
    ],
)
def test_wrong_targets_are_refused(text, said):
    with pytest.raises(SimError, match=said):
        Target.parse(text)


def test_a_strict_bound_excludes_its_limit():
    assert not Target.parse("decode_s<2").is_met(2.0)
    assert Target.parse("decode_s<=2").is_met(2.0)
    assert not Target.parse("decode_s<2").is_met(None)


def test_what_may_change_unasked_starts_from_the_scenario_and_leaves_what_the_model_sees():
    for base in (load_scenario(), Scenario.from_mapping(BASE)):
        knobs = default_knobs(base)
        assert list(knobs) == [BODY, KV, "deployment.kv_cache.eviction"]
    own = {"weights": {"body": "w3"}, "kv_cache": {"dtype": "int8"}}
    own["kv_cache"]["eviction"] = {"policy": "snapkv", "keep": 0.3}
    knobs = default_knobs(Scenario.from_mapping(BASE | {"deployment": own}))
    assert knobs[BODY] == ("w3", "w2")
    assert knobs[KV] == ("int8", "int4")
    policies = knobs["deployment.kv_cache.eviction"]
    assert [(one["policy"], one["keep"]) for one in policies] == [("snapkv", 0.3), ("snapkv", 0.25)]


def run_size(*arguments, options=("--json",)):
    import typer

    from sim.cli.sizing import size as command

    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, [*arguments, *options])


def test_where_memory_alone_is_in_the_way_it_is_said(tmp_path):
    file = tmp_path / "scenario.yaml"
    file.write_text(json.dumps(BASE | {"environment": {"app_budget_bytes": 1e6}}))
    asked = ("--target", "peak_dram_bytes<1e12", "--free", f"{BODY}=[w4, w2]")
    told = run_size(str(file), *asked, options=())
    assert told.exit_code == 1
    assert "In the way: the app budget." in told.stdout


def test_the_command_answers_in_one_json_document(tmp_path):
    file = tmp_path / "scenario.yaml"
    file.write_text(json.dumps(BASE))
    told = run_size(str(file), "--target", "tokens_per_s>1", "--free", f"{BODY}=[w4, w2]")
    assert told.exit_code == 0
    document = json.loads(told.stdout)
    assert document["meeting"][0]["settings"] == {BODY: "w4"}
    assert document["meeting"][0]["given_up"] == {}
    assert document["least_certain"] is None  # the device of the question is exact
    told = run_size(str(file), "--target", "tokens_per_s>1e9", "--free", f"{BODY}=[w4, w2]")
    assert told.exit_code == 1
    assert json.loads(told.stdout)["blocking"] == ["tokens_per_s>1e+09"]
