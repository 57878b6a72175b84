"""The timeline's canvas, a reply at its pace, bytes, phones, limits and fans: their numbers."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from dashboard import flows, limits, pace, phones, timeline, tracks
from dashboard.choices import Choices
from dashboard.runs import run, targets
from sim.explore.uncertainty import sampled_metrics

SMALL = Choices(model="andesvl-0.6b", images=1, output_tokens=24)


@pytest.fixture(scope="module")
def result():
    return run(SMALL)


def column(text, kind):
    return np.frombuffer(base64.b64decode(text), dtype=kind)


def bases(found):
    return {lane["name"]: lane["levels"][-1] for lane in found["lanes"]}


def test_the_canvas_holds_every_operator_of_the_run_once(result):
    found = tracks.tracks(result, "A")
    host = result.records.is_barrier
    npu = (result.records["unit"] == "npu") & ~host
    assert len(column(bases(found)["NPU"]["start"], np.float64)) == npu.sum()
    moved = column(bases(found)["DMA"]["moved"], np.float32).sum()
    records = result.records["dram_read_bytes"] + result.records["dram_write_bytes"]
    assert moved == pytest.approx(records.sum(), rel=1e-4)


def test_slices_of_a_lane_are_in_order_and_do_not_overlap(result):
    for base in bases(tracks.tracks(result, "A")).values():
        start, seconds = column(base["start"], np.float64), column(base["seconds"], np.float32)
        assert (start[1:] >= start[:-1] + seconds[:-1] - 1e-6).all()


def test_a_lane_of_300000_slices_is_never_drawn_whole():
    count, rng = 300_000, np.random.default_rng(0)
    seconds = rng.uniform(1e-6, 4e-5, count)
    start = np.cumsum(seconds * 1.2)
    ones = np.ones(count)
    lane = tracks.Lane("NPU", start, seconds, ones.astype(int), ones.astype(int), ones)
    span_s = float(start[-1])
    found = list(tracks.levels(lane, span_s))
    assert len(found[-1][1]["start"]) == count
    for width_s, level in found:
        assert level["moved"].sum() == pytest.approx(count)
        pixels = span_s / max(width_s, 1e-12)
        assert len(level["start"]) <= min(count, 2.0 * pixels)
    assert len(found[0][1]["start"]) <= 2 * tracks.COARSEST


def test_counters_have_units_and_reach_their_most(result):
    found = {item["name"]: item for item in tracks.tracks(result, "A")["counters"]}
    assert {"GB/s", "DRAM", "power"} <= set(found)
    peak = result.ledger.peak.total_bytes / 2**30
    assert found["DRAM"]["most"] == pytest.approx(peak, rel=1e-6)


def test_a_reply_comes_when_the_run_says(result):
    played = pace.pace(result, "A")
    summary = result.summary()
    assert len(played["tokens"]) == summary.output_tokens
    assert played["tokens"][0] == pytest.approx(summary.time_to_first_token_s, rel=1e-4)
    last = summary.time_to_first_token_s + summary.decode_s
    assert played["tokens"][-1] == pytest.approx(last, rel=1e-3)
    assert played["ghost"] is None


def test_the_ghost_waits_longer_and_a_hot_phone_is_slower(result):
    drawn = sampled_metrics(result, 20)
    ghost = pace.pace(result, "A", drawn)["ghost"]
    assert ghost["first"] > 1.0
    assert ghost["rest"] > 1.0
    hot = run(SMALL.changed(ambient_c=42.0))
    assert pace.pace(hot, "A", None, 10)["clock"] < pace.pace(hot, "A")["clock"] == 1.0


def test_operators_of_a_and_b_add_up_to_decode_per_token(result):
    other = run(SMALL.changed(speculation="eagle", depth=3, acceptance=0.8))
    table = timeline.differences(result, other, "decode")
    for name, one in (("A [ms]", result), ("B [ms]", other)):
        each_ms = 1e3 * one.summary().decode_s / (one.summary().output_tokens - 1)
        assert table[name].sum() == pytest.approx(each_ms, rel=2e-2)
    change = table["B - A [ms]"].abs().to_numpy()
    assert (change[:-1] >= change[1:] - 1e-4).all()


def test_bytes_of_a_token_are_the_traffic_of_decode(result):
    moved = sum(flows.flows(result).values())
    decode = result.records["phase"] == "decode"
    records = result.records["dram_read_bytes"] + result.records["dram_write_bytes"]
    tokens = result.summary().output_tokens - 1
    assert moved * tokens == pytest.approx(records[decode].sum(), rel=1e-6)


def test_what_lies_in_memory_adds_up_to_the_peak(result):
    assert sum(flows.held(result).values()) == pytest.approx(result.ledger.peak.total_bytes)


def test_the_largest_prompt_is_the_last_that_memory_holds():
    choices = Choices(model="andesvl-0.6b", images=0, app_budget_gib=1.5, kv_dtype="int8")
    found = limits.found(choices, "prompt", by_memory=True)
    most = found.changes["prompt_tokens"]
    assert run(choices.changed(prompt_tokens=most)).fits
    assert not run(choices.changed(prompt_tokens=most + 64)).fits
    assert "memory does not suffice" in found.said


def test_a_setting_that_no_value_saves_says_what_is_in_the_way():
    found = limits.found(SMALL.changed(most_first_token_s=0.05), "output", by_memory=False)
    assert found.changes == {}
    assert "time to first token" in found.said


def test_a_fan_holds_the_verdict_of_each_value():
    points, count = limits.fan(SMALL.changed(output_tokens=8), "ambient")
    first = next(points)
    assert count == len(limits.SETTINGS["ambient"].reach)
    assert 0.0 <= first["all"] <= 1.0
    assert set(first["targets"]) == {item.metric for item in targets(SMALL)}


def test_a_wall_asks_each_phone_first_by_itself_and_then_over_draws():
    marks, count = phones.wall(SMALL.changed(output_tokens=8), ["dimensity_9400"])
    found = list(marks)
    assert len(found) == count
    latest = phones.latest(found)
    assert 2 * len(latest) == count
    assert all(mark.ranges for mark in latest if mark.values)
    svg = phones.picture(latest, "tokens_per_s", phones.most(latest, "tokens_per_s"), 15.0, "#000")
    assert svg.startswith("<svg")
    assert latest[0].status in svg


def test_a_track_of_temperatures_is_a_kelvin_high_and_says_the_highest_itself():
    at_s, values = np.array([0.0, 1.0]), np.array([25.0, 25.03])
    track = tracks._counter("body", "°C", at_s, values, "#000")
    assert (track["least"], track["most"]) == (25.0, 26.0)
    assert track["highest"] == pytest.approx(25.03)
