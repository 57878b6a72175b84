"""What no run may break, whatever the device, the model and the deployment.

Bytes moved are bytes asked; time is never below a lower bound; records partition the makespan;
energy parts are the total; both engines agree; more work is never faster.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from hw_models.soc import SocSpec, list_socs, load_soc
from sim import Result, Scenario, simulate
from sim.records import TaskRecord

DEVICES = list_socs()
TEXT_MODELS = ("smollm2-135m", "qwen3-0.6b", "gemma3-1b")
ROUNDING = 1e-9

PHOTO_AND_CHAT: dict[str, Any] = {
    "model": "andesvl-0.6b",
    "session": {
        "turns": [
            {"images_px": [[640, 480]], "prompt_tokens": 20, "output_tokens": 4},
            {"prompt_tokens": 300, "output_tokens": 3, "at_s": 40.0},
        ]
    },
}


def scenario(device: str, **parts: Any) -> Scenario:
    return Scenario.from_mapping({"device": device, **PHOTO_AND_CHAT, **parts})


def chat(prompt: int, output: int) -> dict[str, Any]:
    return {"turns": [{"prompt_tokens": prompt, "output_tokens": output}]}


formats = st.sampled_from(["w2", "w4", "w8", "w4_g128", "q4_0", "sparse75_int4_entropy", "bitnet"])
caches = st.fixed_dictionaries(
    {"dtype": st.sampled_from(["int16", "int8", "int4"])},
    optional={"eviction": st.just({"policy": "okv", "keep": 0.5})},
)
deployments = st.fixed_dictionaries(
    {
        "weights": st.fixed_dictionaries({"body": formats, "lm_head": formats}),
        "kv_cache": caches,
        "fusion": st.sampled_from(["none", "elementwise", "attention"]),
        "prefill_chunk_tokens": st.sampled_from([None, 32, 128]),
    },
    optional={
        "speculation": st.just({"method": "eagle", "depth": 3, "acceptance": {"alpha": 0.7}}),
        "lora": st.just({"rank": 16, "adapters": ["ui"], "resident": 1}),
    },
)


@st.composite
def scenarios(draw) -> Scenario:
    return scenario(
        draw(st.sampled_from(DEVICES)),
        model=draw(st.sampled_from(TEXT_MODELS)),
        deployment=draw(deployments),
        session=chat(draw(st.integers(1, 300)), draw(st.integers(1, 6))),
    )


def assert_bytes_moved_are_bytes_asked(result: Result) -> None:
    for column, asked in (
        ("dram_read_bytes", "read_bytes"),
        ("dram_write_bytes", "write_bytes"),
        ("flops", "flops"),
    ):
        assert result.records[column].sum() == pytest.approx(
            result.program.total(asked), rel=ROUNDING
        )


def assert_time_lies_between_its_bounds(result: Result) -> None:
    """Transfers, or arithmetic and launches, alone; and one after the other, never overlapping."""
    records = result.records
    spans_s = sum(float((times.ends_s - times.starts_s).sum()) for times in result.groups)
    transfers_s = float(records["dram_s"].sum())
    busy_s = float((records["compute_s"] + records["launch_s"]).sum())
    assert spans_s >= max(transfers_s, busy_s) * (1 - ROUNDING)
    assert spans_s <= (transfers_s + busy_s) * (1 + ROUNDING)


def assert_memory_is_not_outrun(result: Result) -> None:
    """No transfer, and so no phase, beats what the stack attains of the peak."""
    memory, stack = result.soc.dram, result.soc.stack(result.stack)
    efficiency = max(
        point.value
        for point in (
            memory.efficiency.read_only,
            memory.efficiency.read_80,
            memory.efficiency.read_50,
        )
    )
    share = min(efficiency, stack.bandwidth_fraction.value)
    records = result.records
    moved = records["dram_read_bytes"] + records["dram_write_bytes"]
    sustained = share * memory.peak_bytes_per_s
    assert (moved <= sustained * records["dram_s"] * (1 + ROUNDING)).all()
    summary = result.summary()
    assert summary.mbu is None or summary.mbu <= share * (1 + ROUNDING)
    assert summary.mfu is None or summary.mfu <= 1.0


def assert_records_partition_the_time(result: Result) -> None:
    records = result.records
    spans_s = sum(float((times.ends_s - times.starts_s).sum()) for times in result.groups)
    accounted_s = records["compute_s"] + records["launch_s"] + records["wait_s"]
    assert accounted_s.sum() == pytest.approx(spans_s, rel=ROUNDING)
    assert records["wait_s"].min() >= -ROUNDING
    same_step = (records["step"][1:] == records["step"][:-1]) & (
        records["phase"][1:] == records["phase"][:-1]
    )
    gaps_s = (records["ready_s"][1:] - records["end_s"][:-1])[same_step]
    assert np.abs(gaps_s).max() <= ROUNDING * max(1.0, result.makespan_s)


def assert_records_are_in_order(result: Result) -> None:
    columns, slack_s = result.records, ROUNDING * max(1.0, result.makespan_s)
    assert (columns["start_s"] >= columns["ready_s"] - slack_s).all()
    assert (columns["end_s"] >= columns["start_s"] - slack_s).all()
    assert (columns["fetch_end_s"] >= columns["fetch_start_s"] - slack_s).all()
    assert (columns["end_s"] >= columns["fetch_end_s"] - slack_s).all()


def assert_energy_parts_are_the_total(result: Result) -> None:
    parts = result.energy.parts()
    assert min(parts.values()) >= 0.0
    assert sum(parts.values()) == pytest.approx(result.summary().energy_j, rel=ROUNDING)
    pj_per_bit = result.soc.dram.energy
    moved = result.program.total("dram_bytes")
    assert parts["dram_j"] == pytest.approx(moved * 8 * pj_per_bit.value, rel=ROUNDING)


LAWS = (
    assert_bytes_moved_are_bytes_asked,
    assert_time_lies_between_its_bounds,
    assert_memory_is_not_outrun,
    assert_records_partition_the_time,
    assert_records_are_in_order,
    assert_energy_parts_are_the_total,
)


@pytest.mark.parametrize("device", DEVICES)
def test_laws_hold_on_every_device_with_an_image_two_turns_and_a_pause(device):
    result = simulate(scenario(device))
    assert result.fits
    for law in LAWS:
        law(result)


@settings(max_examples=20, deadline=None)
@given(scenarios())
def test_laws_hold_for_any_deployment(asked):
    result = simulate(asked)
    for law in LAWS:
        law(result)


def small(device: str, prompt: int = 40, output: int = 3, **parts: Any) -> Scenario:
    return scenario(device, model="smollm2-135m", session=chat(prompt, output), **parts)


@pytest.mark.parametrize("device", ["ideal_85gbps_50tflops", "dimensity_9500"])
def test_both_engines_tell_the_same_story(device):
    asked = small(device, deployment={"prefill_chunk_tokens": 32})
    fast, reference = (simulate(asked, engine=name) for name in ("maxplus", "event"))
    assert (fast.engine, reference.engine) == ("maxplus", "event")
    scale_s = fast.makespan_s
    for name in TaskRecord.__dataclass_fields__:
        mine, theirs = fast.records[name], reference.records[name]
        if mine.dtype.kind == "f":
            scale = scale_s if name.endswith("_s") else 1.0
            np.testing.assert_allclose(mine, theirs, rtol=ROUNDING, atol=ROUNDING * scale)
        elif name != "bound":  # a tie of two times may fall either way
            assert mine.tolist() == theirs.tolist(), name
    for name, value in fast.summary().as_dict().items():
        other = reference.summary().as_dict()[name]
        assert value is other or value == pytest.approx(other, rel=1e-8), name


@pytest.mark.parametrize("engine", ["maxplus", "event"])
def test_the_same_question_gives_the_same_bits(engine):
    first, second = (simulate(small("dimensity_9500"), engine=engine, seed=7) for _ in range(2))
    assert first.summary() == second.summary()
    assert first.fingerprint == second.fingerprint
    for name, column in first.records.columns.items():
        assert column.tobytes() == second.records[name].tobytes()


def seconds(asked: Scenario, soc: SocSpec | None = None) -> tuple[float, float]:
    summary = simulate(asked, soc=soc).summary()
    assert summary.prefill_s is not None
    assert summary.decode_s is not None
    return summary.prefill_s, summary.decode_s


@pytest.mark.parametrize("device", DEVICES)
def test_more_bits_are_never_faster_to_decode(device):
    decode_s = [
        seconds(small(device, deployment={"weights": {"body": name, "lm_head": name}}))[1]
        for name in ("w4", "w8")
    ]
    assert decode_s == sorted(decode_s)


SPLIT = ("step", "layer", "name"), ("tiles", "dram_s", "compute_s", "launch_s")


def seconds_a_finer_split_saves(short: Result, long: Result, phase: str) -> float:
    """Return the most that the tiles ``long`` has beyond those of ``short`` can save it [s].

    A path through an operator's n equal tiles waits at both ends for one of them: (f + c) / n of
    its fetch seconds f and busy seconds c. An operator that grows over an operand buffer has more,
    smaller tiles, so that less of it waits.
    """
    operators, later = (by_operator(run, phase) for run in (short, long))
    saved_s = 0.0
    for key, (tiles, *parts_s) in operators.items():
        more, *_ = later.get(key, (tiles,))  # the head runs in the last chunk only
        saved_s += max(0.0, 1 / tiles - 1 / more) * sum(parts_s)
    return saved_s


def by_operator(run: Result, phase: str) -> dict[tuple[Any, ...], tuple[float, ...]]:
    """Return tiles and their fetch, compute and launch seconds by step, layer and name."""
    rows = np.flatnonzero(run.records["phase"] == phase)
    keys, values = ([run.records[name][rows].tolist() for name in names] for names in SPLIT)
    return dict(zip(zip(*keys, strict=True), zip(*values, strict=True), strict=True))


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(DEVICES),
    st.integers(1, 900),
    st.integers(1, 400),
    st.sampled_from([None, 64]),
)
@example("apple_a13", 258, 83, None)  # its cache grows over one operand buffer
def test_a_longer_context_is_faster_by_no_more_than_its_finer_tiles_save(
    device, prompt, more, chunk
):
    deployment = {"prefill_chunk_tokens": chunk}
    short, long = (
        simulate(small(device, prompt=tokens, deployment=deployment))
        for tokens in (prompt, prompt + more)
    )
    for phase in ("prefill", "decode"):
        before_s, after_s = (getattr(run.summary(), f"{phase}_s") for run in (short, long))
        saved_s = seconds_a_finer_split_saves(short, long, phase)
        assert after_s >= (before_s - saved_s) * (1 - ROUNDING)


QUICKENING = ("dram.rate", "units.{unit}.vector.rate", "stacks.{stack}.efficiency.prefill")


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(DEVICES), st.sampled_from(QUICKENING), st.floats(1.0, 4.0))
def test_a_faster_part_never_slows_a_run(device, template, factor):
    soc = load_soc(device)
    stack = soc.default_stack
    path = template.format(unit=soc.stack(stack).unit, stack=stack)
    faster = soc.parameters()[path].value * factor
    assume(faster <= 1.0 or "efficiency" not in path)
    before, after = seconds(small(device)), seconds(small(device), soc.with_values({path: faster}))
    assert after[0] <= before[0] * (1 + ROUNDING)
    assert after[1] <= before[1] * (1 + ROUNDING)


def test_shards_cost_a_graph_call_each_and_the_encoder_is_one_graph():
    """One layer boundary per shard beyond the first; vision encode never notices."""
    soc = load_soc("dimensity_9500")
    asked = scenario("dimensity_9500")
    one, five = (
        simulate(asked, soc=soc.with_values({"stacks.neuropilot.graphs_per_step": float(shards)}))
        for shards in (1, 5)
    )
    call_s = soc.stack().graph_call_s.value
    for before, after in zip(one.groups, five.groups, strict=True):
        extra = 0 if before.group.phase == "vision" else 4
        added_s = (after.ends_s - after.starts_s) - (before.ends_s - before.starts_s)
        assert added_s == pytest.approx(extra * call_s, rel=0.05, abs=1e-9)
        assert (added_s >= extra * call_s - 1e-9).all()
