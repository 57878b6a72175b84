"""Prefill beside the encoding of later images: two machines in a row, and one memory.

Closed form: S. M. Johnson, "Optimal two- and three-stage production schedules with setup times
included", Naval Research Logistics Quarterly 1 (1954) 61: with operations ``a`` on the first and
``b`` on the second machine in a given order, ``makespan = max over k of a[0..k] + b[k..n]``.
"""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.soc import load_soc
from sim import load_scenario, simulate
from sim.engine.conditions import NOMINAL
from sim.engine.fast import MaxPlusEngine, may_collide
from sim.engine.maxplus import step_ends_beside
from sim.engine.progress import Progress, StepTimes
from sim.engine.replay import EventEngine
from sim.engine.timed import TimedGroup, TimedSegment, TimedTask
from sim.engine.times import hidden_s
from sim.explore.variants import reply_seconds
from sim.heat.phone import Load, Phone
from workloads.background import get_background
from workloads.image_rules import EncodedImage
from workloads.turns import TurnPlan

SOC = load_soc("dimensity_9500")
SMALL = (
    "model=andesvl-0.6b",
    "session={turns: [{images_px: [[320, 320], [480, 320], [320, 480]], prompt_tokens: 40, "
    "output_tokens: 3}]}",
    "deployment.prefill_chunk_tokens=32",
)
GPU_SEES = "deployment.placement.vision=gpu"
OVERLAP = "deployment.vision_overlap=true"
seconds = st.floats(1e-3, 1.0)


def run(*overrides: str, engine="auto", soc=None):
    return simulate(load_scenario(None, (*SMALL, *overrides)), engine=engine, soc=soc)


def narrow_memory(fraction: float):
    """The phone with both units' stacks held to a share of the DRAM peak."""
    paths = ("stacks.neuropilot.bandwidth_fraction", "units.gpu.dram_fraction")
    return SOC.with_values(dict.fromkeys(paths, fraction))


# The recurrence


@given(st.lists(st.tuples(seconds, seconds), min_size=1, max_size=8))
def test_one_step_per_image_is_johnsons_two_machine_flow_shop(jobs):
    encode, fill = (np.array(column) for column in zip(*jobs, strict=True))
    needed = np.arange(1, len(jobs) + 1)
    expected = max(encode[: k + 1].sum() + fill[k:].sum() for k in range(len(jobs)))
    assert step_ends_beside(encode, fill, needed)[-1] == pytest.approx(expected, rel=1e-12)


@given(st.data())
def test_the_makespan_is_the_longest_path_whatever_waits_for_what(data):
    encode = np.array(data.draw(st.lists(seconds, min_size=1, max_size=6)))
    fill = np.array(data.draw(st.lists(seconds, min_size=1, max_size=8)))
    count = st.integers(0, len(encode))
    needed = np.sort(data.draw(st.lists(count, min_size=len(fill), max_size=len(fill))))
    paths = [encode[: needed[k]].sum() + fill[k:].sum() for k in range(len(fill))]
    ends_s = step_ends_beside(encode, fill, needed)
    assert ends_s[-1] == pytest.approx(max(paths), rel=1e-12)
    assert max(encode[: needed[-1]].sum(), fill.sum()) <= ends_s[-1] * (1 + 1e-12)
    assert ends_s[-1] <= (encode.sum() + fill.sum()) * (1 + 1e-12)


# Which step waits for which image


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 70), min_size=1, max_size=5),
    st.integers(0, 60),
    st.integers(0, 90),
    st.integers(1, 64),
)
def test_a_step_waits_for_the_images_it_or_an_earlier_one_holds(images, again, text, chunk):
    known = {item.name: None for item in dataclasses.fields(TurnPlan)}
    seen = tuple(EncodedImage(tokens, {"N": 4 * tokens}) for tokens in images)
    tokens = again + sum(image.tokens + image.tag_tokens for image in seen) + text
    turn = load_scenario(None, (f"session.turns.0.prompt_tokens={text}",)).session.turns[0]
    plan = TurnPlan(**{**known, "turn": turn, "images": seen, "prefill_tokens": tokens})
    owner = [0] * again  # which image a token shows, 0 for text and tags
    for image, size in enumerate(images, start=1):
        owner += [0, *[image] * size, 0]
    owner += [0] * text
    expected = [max(owner[: (step + 1) * chunk], default=0) for step in range(-(-tokens // chunk))]
    assert plan.images_needed(chunk).tolist() == expected


# Both engines


def timed_task(draw, unit, steps, share) -> TimedTask:
    def column(strategy):
        return np.array(draw(st.lists(strategy, min_size=steps, max_size=steps)), dtype=float)

    barrier = draw(st.integers(0, 4)) == 0
    rate = column(st.floats(1e8, 1e10))
    return TimedTask(
        name="task",
        kind="host" if barrier else "linear",
        unit="cpu" if barrier else unit,
        tiles=column(st.integers(0, 1 if barrier else 5)).astype(np.int64),
        tile_bytes=np.zeros(steps) if barrier else column(st.floats(0.0, 1e7)),
        rate_bytes_per_s=rate,
        bus_bytes_per_s=rate / share,
        compute_s=np.zeros(steps) if barrier else column(st.floats(0.0, 1e-2)),
        launch_s=column(st.floats(0.0, 1e-3)),
        demand=None if barrier else object(),  # type: ignore[arg-type]
    )


@st.composite
def pairs(draw, share) -> tuple[TimedGroup, TimedGroup]:
    def group(phase, unit, steps):
        segments = tuple(
            TimedSegment(f"s{i}", draw(st.integers(1, 3)), tasks)
            for i, tasks in enumerate(
                tuple(timed_task(draw, unit, steps, share) for _ in range(draw(st.integers(1, 3))))
                for _ in range(draw(st.integers(1, 2)))
            )
        )
        return TimedGroup(phase, 0, steps, draw(st.integers(1, 3)), segments)

    images, steps = draw(st.integers(1, 4)), draw(st.integers(1, 5))
    needed = draw(st.lists(st.integers(0, images), min_size=steps, max_size=steps))
    needed[-1] = images
    unit, other = draw(st.permutations(["gpu", "npu"]))
    filling = replace(group("prefill", unit, steps), images_needed=np.sort(needed).astype(float))
    return group("vision", other, images), filling


def priced(group):
    return group, lambda _: 3.0


def times_of(machine_of, pair, horizons, loads):
    """Run a pair as the scheduler does, stopping for a moment at each horizon."""
    loads = [Load(0.0, None), *(Load(at_s, get_background(name)) for at_s, name in loads)]
    machine = machine_of(Phone(SOC, 25.0, iter(loads)))
    ahead, beside = (Progress(group, partial(priced, group)) for group in pair)
    beside.law_beside = lambda _: 5.0
    for until_s in (*horizons, np.inf):
        if not ahead.is_done:
            machine.run(ahead, until_s, beside)
        elif not beside.is_done:
            machine.run(beside, until_s)
    if not beside.is_done:
        machine.run(beside, np.inf)
    return np.concatenate([ahead.starts_s, ahead.ends_s, beside.starts_s, beside.ends_s])


def fast(replays):
    return lambda phone: MaxPlusEngine(phone, StepTimes(), replays)


horizons = st.lists(st.floats(0.0, 0.5), max_size=2).map(sorted)
loads = st.lists(
    st.tuples(
        st.floats(1e-3, 0.5).map(lambda at_s: at_s / 3), st.sampled_from(["idle", "video_call"])
    ),
    max_size=3,
    unique_by=lambda load: load[0],
).map(sorted)


@settings(max_examples=80, deadline=None)
@given(pairs(share=0.3), horizons, loads)
def test_engines_agree_where_the_units_cannot_collide(pair, horizons, loads):
    assert not may_collide(*pair)
    expected = times_of(EventEngine, pair, horizons, loads)
    np.testing.assert_allclose(
        times_of(fast(True), pair, horizons, loads), expected, rtol=1e-9, atol=1e-12
    )
    if not loads:
        fast_s = times_of(fast(False), pair, horizons, loads)
        np.testing.assert_allclose(fast_s, expected, rtol=1e-9, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(pairs(share=0.8))
def test_where_they_collide_auto_replays_and_the_truth_lies_between_the_bounds(pair):
    event, auto, bound = (
        times_of(machine, pair, [], []) for machine in (EventEngine, fast(True), fast(False))
    )
    np.testing.assert_allclose(auto, event, rtol=1e-9, atol=1e-12)
    steps = StepTimes()
    undisturbed_s = steps.beside_s(*pair, NOMINAL)
    apart_s = sum(float(steps.seconds(group, NOMINAL).sum()) for group in pair)
    assert undisturbed_s <= event[-1] * (1 + 1e-9) + 1e-12
    assert event[-1] <= apart_s * (1 + 1e-9) + 1e-12
    if may_collide(*pair):
        assert bound[-1] == pytest.approx(apart_s, rel=1e-9)


# Whole runs


@pytest.mark.parametrize("fraction", [0.3, 0.8])
def test_a_run_ends_when_the_flow_shop_says(fraction):
    soc = narrow_memory(fraction)
    apart, beside = run(GPU_SEES, soc=soc), run(GPU_SEES, OVERLAP, soc=soc)
    event = run(GPU_SEES, OVERLAP, engine="event", soc=soc)
    encode_s, fill_s = (apart.groups[i].ends_s - apart.groups[i].starts_s for i in (0, 1))
    needed = beside.program.groups[1].images_needed
    expected_s = step_ends_beside(encode_s, fill_s, needed)[-1]
    found_s = beside.summary().time_to_first_token_s
    assert found_s < apart.summary().time_to_first_token_s
    assert found_s == pytest.approx(event.summary().time_to_first_token_s, rel=1e-9)
    assert beside.engine == ("maxplus" if fraction == 0.3 else "maxplus+event")
    if fraction == 0.3:
        assert found_s == pytest.approx(expected_s, rel=1e-9)
    assert found_s == pytest.approx(expected_s, rel=0.02)  # encoders are bound by arithmetic


def test_overlap_conserves_bytes_operations_and_joules():
    apart, beside = run(GPU_SEES), run(GPU_SEES, OVERLAP)
    for quantity in ("flops", "read_bytes", "write_bytes"):
        assert beside.program.total(quantity) == apart.program.total(quantity)
    assert beside.energy.dram_j == pytest.approx(apart.energy.dram_j, rel=1e-12)
    assert beside.energy.compute_j == pytest.approx(apart.energy.compute_j, rel=1e-12)
    assert beside.energy.display_j < apart.energy.display_j
    spans_s = sum(float((t.ends_s - t.starts_s).sum()) for t in beside.groups)
    assert beside.busy_s == pytest.approx(spans_s - hidden_s(beside.groups))
    assert beside.busy_s == pytest.approx(beside.makespan_s)


def test_the_parts_add_up_to_the_first_token():
    summary = run(GPU_SEES, OVERLAP).summary()
    parts_s = summary.vision_encode_s + summary.prefill_s
    assert parts_s == pytest.approx(summary.time_to_first_token_s, rel=1e-9)


def test_causal_order_holds_and_the_lm_head_waits_for_every_image():
    result = run(GPU_SEES, OVERLAP)
    vision, prefill = result.groups[:2]
    needed = prefill.group.images_needed
    for start_s, images in zip(prefill.starts_s, needed, strict=True):
        assert images == 0 or start_s >= vision.ends_s[int(images) - 1] * (1 - 1e-12)
    assert needed[-1] == vision.group.steps
    assert np.all(prefill.starts_s[1:] >= prefill.ends_s[:-1] * (1 - 1e-12))


def test_one_unit_gains_nothing_and_one_image_has_nothing_to_hide_behind():
    same_unit = run(OVERLAP)
    assert same_unit.program.groups[1].images_needed is None
    assert same_unit.summary() == run().summary()
    single = "session.turns.0.images_px=[[320, 320]]"
    assert run(GPU_SEES, OVERLAP, single).program.groups[1].images_needed is None


def test_recomputed_history_is_prefilled_while_the_first_image_encodes():
    turns = (
        "session={turns: [{prompt_tokens: 200, output_tokens: 2, adapter: a}, "
        "{images_px: [[320, 320]], prompt_tokens: 20, output_tokens: 2, adapter: b}]}"
    )
    result = run(GPU_SEES, OVERLAP, turns, "deployment.lora={rank: 8, adapters: [a, b]}")
    needed = result.program.groups[3].images_needed
    assert needed[0] == 0
    assert needed[-1] == 1
    assert hidden_s(result.groups) > 0.0


def test_both_activations_are_resident_at_once_until_the_encoder_is_freed():
    apart, beside = run(GPU_SEES), run(GPU_SEES, OVERLAP)
    held = [group.activation_bytes for group in beside.program.groups[:2]]
    most = max(item.by_class.get("activations", 0.0) for item in beside.ledger.timeline)
    assert most == sum(held)
    assert beside.ledger.timeline[-1].by_class["vision"] == 0.0
    freed = [item.at_s for item in beside.ledger.timeline if item.by_class["vision"] == 0.0]
    assert freed[0] == pytest.approx(float(beside.groups[0].ends_s[-1]))
    assert apart.ledger.timeline[-1].total_bytes == beside.ledger.timeline[-1].total_bytes


def test_engines_agree_in_a_session_that_interrupts_encoding_and_prefill():
    """A keyboard turn comes in the middle of both; they stop after their steps and go on later."""
    session = (
        "session={until_s: 3, queue: {preemption: step}, clients: {"
        "agent: {turns: [{images_px: [[480, 480], [480, 480]], prompt_tokens: 40, "
        "output_tokens: 3, fresh: true}], "
        "arrivals: {process: closed, think_s: 0.1, count: 2}}, "
        "keyboard: {priority: 0, turns: [{prompt_tokens: 8, output_tokens: 2, fresh: true}], "
        "arrivals: {process: bursts, per_s: 3, size: 3, spacing_s: 0.05}}}}"
    )
    both = [run(GPU_SEES, OVERLAP, session, engine=engine) for engine in ("auto", "event")]
    for mine, theirs in zip(*(result.groups for result in both), strict=True):
        np.testing.assert_allclose(mine.ends_s, theirs.ends_s, rtol=1e-9)
    outside = [t for t in both[0].groups if t.group.phase != "decode" and t.group.steps > 1]
    assert any(np.any(t.starts_s[1:] > t.ends_s[:-1] + 1e-6) for t in outside)
    assert both[0].busy_s <= both[0].makespan_s * (1 + 1e-12)
    assert both[0].heat.leakage_j == pytest.approx(both[1].heat.leakage_j, rel=1e-6)


def test_other_devices_are_priced_beside_too():
    result = run(GPU_SEES, OVERLAP)
    rates = {"units.gpu.matrix.rates.fp16": np.array([2e12, 1.5e13])}
    socs = [SOC.with_values({path: rate}) for path, rates_ in rates.items() for rate in rates_]
    exact = [run(GPU_SEES, OVERLAP, soc=soc).makespan_s for soc in socs]
    assert reply_seconds(result, rates) == pytest.approx(exact, rel=0.01)


def test_tracks_of_the_trace_do_not_overlap():
    from sim.perfetto import trace_events

    tracks: dict[int, list[tuple[float, float]]] = {}
    for event in trace_events(run(GPU_SEES, OVERLAP)):
        if event["ph"] == "X":
            tracks.setdefault(event["tid"], []).append((event["ts"], event["ts"] + event["dur"]))
    assert len(tracks) > 5
    for spans in tracks.values():
        for (_, end_us), (start_us, _) in itertools.pairwise(sorted(spans)):
            assert start_us >= end_us - 1e-3
