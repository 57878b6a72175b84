"""The host side of a step: work per layer, copies of the cache, the cache's own read rate.

On the ideal machine a step is bytes over bandwidth plus FLOPs that hide behind them. Each law then
adds its closed form and nothing else, in both engines.
"""

from __future__ import annotations

import pytest

from hw_models.provenance import Parameter
from hw_models.schema import Stack
from hw_models.soc import SocSpec, load_soc
from sim import Result, Scenario, simulate
from sim.breakdown import phase_terms

IDEAL = load_soc("ideal_85gbps_50tflops")
LAYERS = 30  # of smollm2-135m
ENGINES = ("event", "maxplus")


def scenario(**deployment: object) -> Scenario:
    return Scenario.from_mapping(
        {
            "device": IDEAL.id,
            "model": "smollm2-135m",
            "deployment": deployment,
            "session": {"turns": [{"prompt_tokens": 300, "output_tokens": 5}]},
        }
    )


def with_stack(**entries: object) -> SocSpec:
    changed: Stack = IDEAL.stack().model_copy(update=entries)
    return IDEAL.model_copy(update={"stacks": {IDEAL.default_stack: changed}})


def number(value: float, unit: str) -> Parameter:
    return Parameter(value, unit, "assumed", "test", value, value)


def seconds(result: Result) -> tuple[float, float]:
    return result["prefill_s"], result["decode_s"]


def layer_bytes(result: Result, phase: str) -> float:
    """Cache bytes that the decoder's layers read in a phase [B]."""
    groups = [group for group in result.program.groups if group.phase == phase]
    return float(sum(group.total("kv_read_bytes") for group in groups))


@pytest.mark.parametrize("engine", ENGINES)
def test_work_per_layer_adds_layers_times_its_seconds_to_every_step(engine):
    plain = simulate(scenario(), soc=IDEAL, engine=engine)
    slowed = simulate(scenario(), soc=with_stack(layer_s=number(1e-3, "s")), engine=engine)
    for before, after, phase in zip(
        seconds(plain), seconds(slowed), ("prefill", "decode"), strict=True
    ):
        steps = sum(group.steps for group in plain.program.groups if group.phase == phase)
        assert after - before == pytest.approx(steps * LAYERS * 1e-3, rel=0.01)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_copied_cache_adds_its_bytes_over_the_copying_rate(engine):
    plain = simulate(scenario(), soc=IDEAL, engine=engine)
    copied = simulate(scenario(), soc=with_stack(kv_copy=number(1e9, "B/s")), engine=engine)
    for before, after, phase in zip(
        seconds(plain), seconds(copied), ("prefill", "decode"), strict=True
    ):
        expected = layer_bytes(plain, phase) / 1e9
        assert after - before == pytest.approx(expected, rel=0.01)


def test_a_cache_read_at_half_the_rate_takes_its_bytes_twice():
    plain = simulate(scenario(), soc=IDEAL)
    half = simulate(scenario(), soc=with_stack(kv_read_share=number(0.5, "fraction")))
    expected = layer_bytes(plain, "decode") / IDEAL.dram.peak_bytes_per_s
    assert half["decode_s"] - plain["decode_s"] == pytest.approx(expected, rel=0.05)


def test_seconds_of_a_slowly_read_cache_are_the_caches_and_not_the_weights():
    def dram_s(share):
        found = simulate(scenario(), soc=with_stack(kv_read_share=number(share, "fraction")))
        terms = phase_terms(found, "decode")
        return {t.name: t.seconds for t in terms if t.name.startswith("DRAM")}

    full, half = dram_s(1.0), dram_s(0.5)
    assert half["DRAM: weights"] == pytest.approx(full["DRAM: weights"], rel=0.02)
    assert half["DRAM: KV cache"] == pytest.approx(2.0 * full["DRAM: KV cache"], rel=0.05)


def test_a_stack_that_reads_the_allocated_cache_does_not_notice_how_full_it_is():
    soc = with_stack(reads_allocated_cache=True)
    small, large = (
        simulate(scenario(kv_cache={"capacity_tokens": tokens}), soc=soc) for tokens in (1024, 4096)
    )
    assert layer_bytes(large, "decode") == pytest.approx(4 * layer_bytes(small, "decode"))
    live = simulate(scenario(kv_cache={"capacity_tokens": 4096}), soc=IDEAL)
    assert layer_bytes(live, "decode") < layer_bytes(small, "decode")


def test_whole_windows_are_held_and_read_like_any_layer():
    """Gemma 3: 15 of its 18 layers have a window, of one key and value head each."""
    tokens, layers = 4096, 18
    asked = Scenario.from_mapping(
        {
            "device": IDEAL.id,
            "model": "gemma3-270m",
            "deployment": {"kv_cache": {"capacity_tokens": tokens}},
            "session": {"turns": [{"prompt_tokens": 300, "output_tokens": 5}]},
        }
    )
    part, whole = (
        simulate(asked, soc=with_stack(reads_allocated_cache=True, whole_windows=is_whole))
        for is_whole in (False, True)
    )
    each = whole.program.kv_bytes_per_token / layers
    steps = sum(group.steps for group in whole.program.groups if group.phase == "decode")
    assert layer_bytes(whole, "decode") == pytest.approx(steps * layers * tokens * each)
    assert whole.ledger.peak.by_class["kv_cache"] == pytest.approx(layers * tokens * each)
    windows = 15 * (tokens - 512) * each
    assert layer_bytes(part, "decode") == pytest.approx(
        layer_bytes(whole, "decode") - steps * windows
    )
    assert part.ledger.peak.by_class["kv_cache"] < whole.ledger.peak.by_class["kv_cache"]


def test_the_engines_agree_with_every_law_on():
    soc = with_stack(
        layer_s=number(1e-4, "s"),
        kv_copy=number(2e9, "B/s"),
        kv_read_share=number(0.3, "fraction"),
        reads_allocated_cache=True,
    )
    asked = scenario(kv_cache={"capacity_tokens": 1024})
    one, other = (seconds(simulate(asked, soc=soc, engine=engine)) for engine in ENGINES)
    assert one == pytest.approx(other, rel=1e-9)


def test_what_bounds_decode_names_the_layers_and_the_copies():
    soc = with_stack(layer_s=number(1e-3, "s"), kv_copy=number(1e9, "B/s"))
    terms = {
        term.name: term.seconds for term in phase_terms(simulate(scenario(), soc=soc), "decode")
    }
    assert terms["work per layer"] == pytest.approx(4 * LAYERS * 1e-3, rel=1e-6)
    assert terms["cache copies"] > 0.0
