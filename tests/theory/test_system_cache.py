"""The system cache: reads whose reuse distance fits come at its rate and energy, others do not."""

from __future__ import annotations

import pytest

from hw_models.provenance import Parameter
from hw_models.soc import SocSpec, load_soc
from hw_models.system_cache import hit
from sim import Result, simulate
from sim.breakdown import CACHED, phase_terms
from sim.explore.designs import SweepSpec
from sim.explore.sweep_rows import evaluate

IDEAL = load_soc("ideal_85gbps_50tflops")
ENGINES = ("event", "maxplus")
PATH = "dram.system_cache"
PJ = 1e-12


def cache(capacity: str = "1 GB", **entries: object) -> dict[str, object]:
    plain = {"capacity": capacity, "others": 0.2, "rate": "170.6 GB/s", "energy": "1 pJ/bit"}
    return {**plain, "streamed": 1.0, **entries}


def with_cache(capacity: str = "1 GB", soc: SocSpec = IDEAL, **entries: object) -> SocSpec:
    return soc.with_overrides({PATH: cache(capacity, **entries)})


def ran(soc: SocSpec, prompt: int = 300, **options: object) -> Result:
    deployment = options.pop("deployment", {})
    turn = {"prompt_tokens": prompt, "output_tokens": 5}
    asked = {"device": soc.id, "model": "smollm2-135m", "deployment": deployment}
    return simulate({**asked, "session": {"turns": [turn]}}, device=soc, **options)


def decode_bytes(result: Result, column: str = "weight_bytes") -> float:
    groups = [group for group in result.program.groups if group.phase == "decode"]
    return float(sum(group.total(column) for group in groups))


def test_what_is_read_in_a_circle_is_hit_whole_or_not_at_all():
    """A cache of least recently used lines, line by line, against the law."""
    for lines in (3, 4, 5, 9):
        held: list[int] = []
        hits = 0
        for line in [*range(lines)] * 6:
            if line in held:
                hits += 1
                held.remove(line)
            held = [*held, line][-4:]
        assert hits == 5 * lines * float(hit(lines, 4))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_network_that_fits_is_read_at_the_rate_of_the_cache(engine):
    plain, law = (ran(soc, engine=engine) for soc in (IDEAL, with_cache()))
    reads = decode_bytes(plain) + decode_bytes(plain, "kv_read_bytes")
    saved = reads * (1 / IDEAL.dram.peak_bytes_per_s - 1 / 170.6e9)
    assert plain["decode_s"] - law["decode_s"] == pytest.approx(saved, rel=0.02)


def test_what_the_cache_serves_costs_its_energy_and_not_that_of_the_dram():
    plain, law = ran(IDEAL), ran(with_cache())
    served = plain["dram_read_bytes"] - law["dram_read_bytes"]
    assert served > 0.99 * decode_bytes(plain)
    assert law.energy.cache_j == pytest.approx(served * 8 * PJ, rel=1e-9)
    lost = plain.energy.dram_j - law.energy.dram_j
    assert lost == pytest.approx(served * 8 * IDEAL.dram.energy.value, rel=1e-9)
    assert law["energy_j"] == pytest.approx(law.energy.total_j, rel=1e-9)


def test_records_read_from_the_dram_what_the_facts_say():
    law = ran(with_cache())
    assert law.records["dram_read_bytes"].sum() == pytest.approx(law["dram_read_bytes"], rel=1e-9)


def test_weights_that_are_streamed_drive_out_what_would_fit():
    """The cache of a short conversation fits in 50 MB, beside 135 M weights it does not."""
    plain = ran(IDEAL)
    driven_out, alone = (ran(with_cache("50 MB", streamed=way)) for way in (1.0, 0.0))
    assert driven_out["decode_s"] == pytest.approx(plain["decode_s"], rel=1e-12)
    assert driven_out.energy.cache_j == 0.0
    held = alone.program.total("kv_read_bytes")
    assert alone.energy.cache_j == pytest.approx(held * 8 * PJ, rel=1e-9)
    assert alone["decode_s"] < plain["decode_s"]


def test_a_draft_that_fits_is_hit_in_its_later_passes():
    """Of d passes the first follows the whole target, the others follow each other."""
    speculation = {
        "method": "eagle",
        "depth": 4,
        "acceptance": {"alpha": 0.5},
        "draft_vocabulary": 2000,
    }
    plain = ran(IDEAL, deployment={"speculation": speculation})
    law = ran(with_cache("20 MB"), deployment={"speculation": speculation})
    group = next(group for group in plain.program.groups if group.phase == "decode")
    draft = next(segment for segment in group.segments if segment.graph_call)
    reads = sum((task.weight_bytes + task.kv_read_bytes)[0] for task in draft.tasks)
    assert reads < 16e6
    steps = sum(group.steps for group in plain.program.groups if group.phase == "decode")
    served = plain["dram_read_bytes"] - law["dram_read_bytes"]
    assert served == pytest.approx(steps * (draft.repeat - 1) * reads, rel=0.01)


def test_the_engines_agree():
    one, other = (ran(with_cache("50 MB", streamed=0.0), engine=name) for name in ENGINES)
    for metric in ("prefill_s", "decode_s", "energy_j"):
        assert one[metric] == pytest.approx(other[metric], rel=1e-9)


def test_a_larger_cache_is_never_slower_and_one_that_holds_nothing_changes_nothing():
    capacities = ("0 B", "1 MB", "50 MB", "300 MB", "2 GB")
    for way in (1.0, 0.5, 0.0):
        runs = [ran(with_cache(capacity, streamed=way)) for capacity in capacities]
        plain = ran(IDEAL)
        assert runs[0].makespan_s == pytest.approx(plain.makespan_s, rel=1e-12)
        for metric in ("decode_s", "prefill_s", "energy_j", "dram_read_bytes"):
            found = [run[metric] for run in runs]
            assert found == sorted(found, reverse=True)


def test_more_that_others_hold_is_never_faster():
    seconds = [ran(with_cache("300 MB", others=share))["decode_s"] for share in (0.0, 0.5, 0.9)]
    assert seconds == sorted(seconds)
    assert seconds[0] < seconds[-1]


def test_what_bounds_decode_tells_the_cache_from_the_dram():
    law = ran(with_cache("50 MB", streamed=0.0))
    terms = {term.name: term for term in phase_terms(law, "decode")}
    served = law.energy.cache_j / 8 / PJ
    assert terms[CACHED].moved_bytes <= served * (1 + 1e-9)
    assert terms[CACHED].seconds == pytest.approx(terms[CACHED].moved_bytes / 170.6e9, rel=0.05)
    assert CACHED not in {term.name for term in phase_terms(ran(IDEAL), "decode")}


def ranged(soc: SocSpec) -> SocSpec:
    """The device with a capacity that is drawn between what fits nothing and what fits all."""
    path = f"{PATH}.capacity"
    known = soc.parameters()[path]
    drawn = Parameter(known.value, "B", "assumed", "override", 20e6, 2e9)
    return soc.with_parameters({path: drawn}, {})


def test_draws_and_sweeps_are_the_single_runs():
    soc = ranged(with_cache("300 MB"))
    run = ran(soc)
    draws = run.draws(8, seed=1)
    assert len(set(draws["decode_s"])) > 1
    for index in (0, 5):
        alone = simulate(run.scenario, device=draws.devices[index])
        for metric in ("decode_s", "energy_j", "dram_read_bytes"):
            assert alone[metric] == pytest.approx(draws[metric][index], rel=1e-9)


def test_a_sweep_over_lengths_meets_the_jump(tmp_path):
    """A cache of 151 MB is full after some tokens: the sweep must not draw a line across."""
    file = tmp_path / "device.yaml"
    room = decode_bytes(ran(IDEAL, 100)) / 4 * 1.05 / 0.8
    file.write_text(with_cache(f"{room:.0f} B").to_yaml(), encoding="utf-8")
    base = {
        "device": str(file),
        "model": "smollm2-135m",
        "session": {"turns": [{"prompt_tokens": 64, "output_tokens": 600}]},
    }
    path = "session.turns.0.output_tokens"
    spec = SweepSpec(base=base, axes={path: (2, 150, 300, 600)})
    rows = evaluate(spec, 0, 4)
    alone = [simulate(base, set={path: tokens}) for tokens in (2, 150, 300, 600)]
    rates = [row["decode_s"] for row in rows]
    assert rates == pytest.approx([one["decode_s"] for one in alone], rel=1e-9)
    served = [float(one.facts.cache_j[0]) / one["decode_steps"] for one in alone]
    assert served[0] > 2.0 * served[-1] > 0.0
