"""The Perfetto export: valid Chrome trace JSON whose slices and counters add up to the run."""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import pairwise

import pytest

from sim import Scenario, load_scenario, simulate
from sim.perfetto import trace_events

ASKED = Scenario.from_mapping(
    {
        "device": "dimensity_9500",
        "model": "andesvl-0.6b",
        "session": {
            "turns": [
                {"images_px": [[320, 240]], "prompt_tokens": 20, "output_tokens": 4},
                {"prompt_tokens": 8, "output_tokens": 2, "at_s": 30.0},
            ]
        },
    }
)
OVERLAPPING = Scenario.from_mapping(
    {
        "device": "dimensity_9500",
        "model": "andesvl-0.6b",
        "deployment": {
            "placement": {"vision": "gpu"},
            "vision_overlap": True,
            "prefill_chunk_tokens": 64,
        },
        "session": {"turns": [{"images_px": [[448, 448]] * 3, "output_tokens": 4}]},
    }
)
NANOSECOND_US = 1e-3


@pytest.fixture(scope="module", params=["maxplus", "event"])
def run(request):
    return simulate(ASKED, engine=request.param)


@pytest.fixture(scope="module")
def events(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("perfetto") / "trace.json"
    run.to_perfetto(path)
    document = json.loads(path.read_text())
    assert set(document) == {"displayTimeUnit", "traceEvents"}
    return document["traceEvents"]


def slices(events, track):
    """The complete slices of a track by its name, in file order."""
    (number,) = (
        event["tid"]
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == track
    )
    return [event for event in events if event["ph"] == "X" and event["tid"] == number]


def counters(events, name):
    return [event for event in events if event["ph"] == "C" and event["name"] == name]


def test_every_event_has_the_keys_its_phase_needs(events):
    needed = {
        "M": {"pid", "name", "args"},
        "X": {"pid", "tid", "name", "ts", "dur"},
        "C": {"pid", "name", "ts", "args"},
    }
    for event in events:
        assert needed[event["ph"]] <= set(event)
        assert event.get("ts", 0.0) >= 0.0
        assert event.get("dur", 0.0) >= 0.0


def test_slices_of_one_track_never_overlap(events):
    tracks = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            tracks[event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    assert len(tracks) == 4
    for spans in tracks.values():
        for (_, end_us), (start_us, _) in pairwise(spans):
            assert start_us >= end_us - NANOSECOND_US


def test_every_slice_is_on_a_named_track_of_a_named_process(events):
    named = {event["tid"] for event in events if event["name"] == "thread_name"}
    assert {event["tid"] for event in events if event["ph"] == "X"} <= named
    (process,) = (event for event in events if event["name"] == "process_name")
    assert "andesvl-0.6b" in process["args"]["name"]


def test_steps_are_in_microseconds_and_match_the_summary(run, events):
    spans = {"vision": 0.0, "prefill": 0.0, "decode": 0.0}
    for event in slices(events, "steps"):
        spans[event["name"].split()[0]] += event["dur"] * 1e-6
    summary = run.summary()
    assert spans["decode"] == pytest.approx(summary.decode_s)
    assert spans["prefill"] == pytest.approx(2 * summary.prefill_s)
    assert spans["vision"] == pytest.approx(2 * summary.vision_encode_s)


def test_each_record_is_one_slice_and_bytes_match(run, events):
    work = slices(events, "npu") + slices(events, "host")
    assert len(work) == len(run.records)
    summary = run.summary()
    moved = sum(event["args"]["bytes"] for event in slices(events, "dma"))
    assert moved == pytest.approx(summary.dram_read_bytes + summary.dram_write_bytes)


def test_the_bandwidth_counter_integrates_to_the_bytes_and_stays_below_the_peak(run, events):
    series = counters(events, "DRAM bandwidth")
    integral = sum(
        here["args"]["gb_per_s"] * 1e9 * (after["ts"] - here["ts"]) * 1e-6
        for here, after in pairwise(series)
    )
    summary = run.summary()
    assert integral == pytest.approx(summary.dram_read_bytes + summary.dram_write_bytes, rel=1e-6)
    assert max(item["args"]["gb_per_s"] for item in series) * 1e9 <= run.soc.dram.peak_bytes_per_s
    assert series[-1]["args"]["gb_per_s"] == 0.0


def test_the_resident_counter_peaks_at_the_summary(run, events):
    totals = [sum(item["args"].values()) for item in counters(events, "resident bytes")]
    assert max(totals) == run.summary().peak_dram_bytes


@pytest.mark.parametrize("name", ["DRAM bandwidth", "resident bytes", "power"])
def test_counters_are_in_order_of_time_and_never_negative(events, name):
    series = counters(events, name)
    assert len(series) > 2
    assert all(after["ts"] >= here["ts"] - NANOSECOND_US for here, after in pairwise(series))
    assert min(value for item in series for value in item["args"].values()) >= 0.0


def power_j(events):
    series = counters(events, "power")
    return sum(
        here["args"]["w"] * (after["ts"] - here["ts"]) * 1e-6 for here, after in pairwise(series)
    )


def test_power_integrates_to_the_energy_idle_time_between_turns_included(run, events):
    assert power_j(events) == pytest.approx(run.summary().energy_j)


def test_power_of_two_steps_at_once_adds_up():
    run = simulate(OVERLAPPING)
    assert run.busy_s < sum(times.ends_s[-1] - times.starts_s[0] for times in run.groups)
    assert power_j(list(trace_events(run))) == pytest.approx(run.summary().energy_j)


def test_sampling_on_a_unit_is_shown_there_and_not_as_host_work(tmp_path):
    small = ["model=smollm2-135m", "session={turns: [{prompt_tokens: 8, output_tokens: 2}]}"]
    run = simulate(load_scenario(None, [*small, "deployment.placement.sampling=npu"]))
    run.to_perfetto(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert "sampling" in {event["name"] for event in slices(events, "npu")}
    assert "sampling" not in {event["name"] for event in slices(events, "host")}
