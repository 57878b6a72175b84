"""Products of few rows on vector lanes: sooner there until the matrix tile has rows enough.

On the ideal machine, its arithmetic slowed until it alone bounds, each case is its closed form.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from hw_models.compute import sooner_on_lanes_rows
from hw_models.soc import SocSpec, load_soc
from sim import Result, Scenario, simulate
from sim.breakdown import LANES, phase_terms
from sim.engine.unit_time import UnitTimes
from sim.lane_rows import lane_rows_sentence, sooner_rows
from sim.law_costs import LAWS, law_costs
from sim.showing import text_of
from workloads.tasks import Task

IDEAL = load_soc("ideal_85gbps_50tflops")
ENGINES = ("event", "maxplus")
PATH = f"stacks.{IDEAL.default_stack}.vector_products"
TILE_ROWS, TILE_RATE, LANE_RATE = 32, 320e6, 40e6  # FLOP/s: a row takes 10 M of the tile's
SLOW = {path: "320 MFLOP/s" for path in IDEAL.parameters() if ".matrix.rates." in path} | {
    "units.npu.vector.rate": "10 MFLOP/s",
    "units.npu.matrix.tile_m": TILE_ROWS,
    **{f"stacks.{IDEAL.default_stack}.efficiency.{p}": 1.0 for p in ("decode", "prefill")},
}


def device(lanes: float | None = 4.0, **entries: object) -> SocSpec:
    """The ideal machine with lanes of 40 MFLOP/s beside a tile of 32 rows and 320 MFLOP/s."""
    return IDEAL.with_overrides({**SLOW, PATH: lanes, **entries})


def scenario(prompt: int = 100, **deployment: object) -> Scenario:
    return Scenario.from_mapping(
        {
            "device": IDEAL.id,
            "model": "smollm2-135m",
            "deployment": deployment,
            "session": {"turns": [{"prompt_tokens": prompt, "output_tokens": 3}]},
        }
    )


def product(rows: float, soc: SocSpec) -> float:
    """Return the seconds of a product of some rows by 64 x 64 weights."""
    task = Task.of(
        "q_proj", "linear", "npu", steps=1, batch=1.0, m=rows, n=64.0, k=64.0, flops=rows * 2 * 4096
    )
    units = UnitTimes(soc, soc.stack())
    return float(units.busy_s(task, "decode")[0])


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 8, 32, 33, 64])
def test_a_product_takes_the_sooner_of_lanes_and_tile(rows):
    flops = 2 * 4096
    on_lanes = rows * flops / LANE_RATE
    on_tile = -(-rows // TILE_ROWS) * TILE_ROWS * flops / TILE_RATE
    assert product(rows, device()) == pytest.approx(min(on_lanes, on_tile), rel=1e-12)
    assert product(rows, device(None)) == pytest.approx(on_tile, rel=1e-12)


def test_rows_at_which_the_tile_is_sooner_are_where_both_take_as_long():
    rows = float(sooner_on_lanes_rows(TILE_ROWS, LANE_RATE, TILE_RATE))
    assert rows == pytest.approx(4.0)
    soc, plain = device(), device(None)
    assert product(rows, soc) == pytest.approx(product(rows, plain))
    assert product(rows - 1, soc) < product(rows - 1, plain)
    assert product(rows + 1, soc) == pytest.approx(product(rows + 1, plain), rel=1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_decode_takes_its_flops_over_the_rate_of_the_lanes(engine):
    run = simulate(scenario(), soc=device(), engine=engine)
    decode = [group for group in run.program.groups if group.phase == "decode"]
    flops = sum(group.total("flops") for group in decode)
    vector = sum(group.total("vector_ops") for group in decode)
    assert run["decode_s"] == pytest.approx(flops / LANE_RATE + vector / 10e6, rel=1e-4)
    plain = simulate(scenario(), soc=device(None), engine=engine)
    assert plain["decode_s"] == pytest.approx(TILE_ROWS * flops / TILE_RATE, rel=0.01)
    head = 2 * 49152 * 576  # of one row: all that a prompt has on lanes
    saved_s = head * (TILE_ROWS / TILE_RATE - 1 / LANE_RATE)
    assert plain["prefill_s"] - run["prefill_s"] == pytest.approx(saved_s, rel=1e-3)


def test_what_runs_on_lanes_is_a_term_and_a_law_and_is_told():
    run, plain = (simulate(scenario(), soc=device(lanes)) for lanes in (4.0, None))
    terms = {term.name: term.share for term in phase_terms(run, "decode")}
    assert terms[LANES] > 0.9
    assert LAWS[LANES] in {cost.law for cost in law_costs(run)}
    assert LANES not in {term.name for term in phase_terms(plain, "decode")}
    assert lane_rows_sentence(plain) is None
    told = "Products of up to 4 rows are sooner on vector lanes, of more on the matrix tile."
    assert lane_rows_sentence(run) == told
    assert told in text_of(run)


@pytest.mark.parametrize(("lanes", "words"), [(0.5, "No product"), (1000.0, "at any rows")])
def test_what_is_never_or_always_sooner_is_said(lanes, words):
    said = lane_rows_sentence(simulate(scenario(), soc=device(lanes)))
    assert said is not None
    assert words in said


def test_products_on_lanes_take_the_energy_of_their_operations():
    run, plain = (simulate(scenario(), soc=device(lanes)) for lanes in (4.0, None))
    per_flop = IDEAL.power.energy_per_flop
    flops = run.facts.decode.flops[0]
    moved = run.facts.decode.compute_j[0] - plain.facts.decode.compute_j[0]
    key = "fp16" if "bf16" not in per_flop else "bf16"
    expected = flops / 4 * per_flop["vector"].value - flops * per_flop[key].value
    assert moved == pytest.approx(expected, rel=1e-9, abs=1e-15)
    assert run.facts.decode.peak_matrix_s[0] == pytest.approx(plain.facts.decode.peak_matrix_s[0])


def test_more_of_it_is_never_slower_and_verified_drafts_change_to_the_tile():
    phone = load_soc("dimensity_9500")
    path = f"stacks.{phone.default_stack}.vector_products"

    def decode_s(lanes: float | None, width: int) -> float:
        chain = {"method": "ngram", "depth": width - 1, "acceptance": {"alpha": 0.6}}
        asked = scenario(speculation=chain) if width > 1 else scenario()
        asked = asked.model_copy(update={"device": phone.id})
        found: Result = simulate(asked, soc=phone.with_overrides({path: lanes}))
        return float(found["decode_s"])

    for width in (1, 4, 8):
        found = [decode_s(lanes, width) for lanes in (None, 0.5, 1.0, 4.0, 16.0)]
        assert all(later <= earlier * (1 + 1e-9) for earlier, later in pairwise(found))


def test_engines_agree_and_a_draw_is_the_run_on_the_drawn_device():
    one, other = (simulate(scenario(), soc=device(), engine=engine) for engine in ENGINES)
    for metric in ("prefill_s", "decode_s", "energy_j"):
        assert one[metric] == pytest.approx(other[metric], rel=1e-9)
    known = {"value": 4.0, "kind": "assumed", "source": "override", "low": 0.5, "high": 8.0}
    run = simulate(scenario(), soc=device().with_parameters({PATH: known}, {}))  # type: ignore[dict-item]
    draws = run.draws(6, seed=3)
    assert len(set(draws["decode_s"])) > 3
    for index in range(6):
        alone = simulate(run.scenario, device=draws.devices[index])
        for metric in ("prefill_s", "decode_s", "energy_j"):
            assert alone[metric] == pytest.approx(draws[metric][index], rel=1e-9)


def test_rows_of_the_largest_product_are_those_of_its_precision():
    assert sooner_rows(simulate(scenario(), soc=device())) == pytest.approx(4.0)
