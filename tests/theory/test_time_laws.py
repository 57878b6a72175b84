"""Laws of transfers and of element-wise work that files may state: exponentials, short transfers.

On the ideal machine each adds its closed form and nothing else, in both engines.
"""

from __future__ import annotations

import pytest

from hw_models.soc import SocSpec, load_soc
from sim import Result, Scenario, simulate
from sim.breakdown import BURSTS, EXPONENTIALS, phase_terms
from workloads.operator_rules import SOFTMAX_OPERATIONS

IDEAL = load_soc("ideal_85gbps_50tflops")
ENGINES = ("event", "maxplus")
EXPONENTIAL, RAMP = "units.npu.vector.exponential", "units.npu.ramp_bytes"
ON = {EXPONENTIAL: 20, RAMP: "64 KiB"}


def scenario(prompt: int = 300, **more: object) -> Scenario:
    return Scenario.from_mapping(
        {
            "device": IDEAL.id,
            "model": "smollm2-135m",
            "session": {"turns": [{"prompt_tokens": prompt, "output_tokens": 5}]},
            **more,
        }
    )


def slow_vector(**entries: object) -> SocSpec:
    """The ideal machine with a vector unit so slow that it alone bounds all operators."""
    return IDEAL.with_overrides({"units.npu.vector.rate": "1 MFLOP/s", **entries})


def terms(result: Result, phase: str) -> dict[str, float]:
    return {term.name: term.seconds for term in phase_terms(result, phase)}


def vector_work(result: Result, phase: str) -> tuple[float, float]:
    groups = [group for group in result.program.groups if group.phase == phase]
    found = (sum(group.total(name) for group in groups) for name in ("vector_ops", "exponentials"))
    return tuple(found)  # type: ignore[return-value]


def test_exponentials_of_a_decoder_are_those_of_softmax_and_silu():
    result = simulate(scenario(prompt=1), device=IDEAL)
    group = next(group for group in result.program.groups if group.phase == "prefill")
    layer = next(segment for segment in group.segments if segment.is_layer)
    found = {task.kind: task.exponentials.sum() for task in layer.tasks if task.exponentials.any()}
    heads, intermediate, keys = 9, 1536, group.visible_tokens[0]
    assert found.pop("attention") == heads * keys
    assert sum(found.values()) == intermediate * group.new_tokens[0]
    assert SOFTMAX_OPERATIONS == 5


@pytest.mark.parametrize("engine", ENGINES)
def test_an_exponential_takes_as_many_operations_as_the_file_says(engine):
    one, twenty = (
        simulate(scenario(), device=slow_vector(**entries), engine=engine)
        for entries in ({}, {EXPONENTIAL: 20})
    )
    for phase in ("prefill", "decode"):
        _, exponentials = vector_work(one, phase)
        added = twenty[f"{phase}_s"] - one[f"{phase}_s"]
        assert added == pytest.approx(19 * exponentials / 1e6, rel=1e-4)


def test_an_exponential_of_one_operation_changes_nothing():
    plain, same = (
        simulate(scenario(), device=slow_vector(**one)) for one in ({}, {EXPONENTIAL: 1})
    )
    assert same.makespan_s == pytest.approx(plain.makespan_s, rel=1e-12)
    assert same["energy_j"] == pytest.approx(plain["energy_j"], rel=1e-12)


def test_exponentials_take_the_energy_of_their_operations():
    plain, law = (simulate(scenario(), device=slow_vector(**o)) for o in ({}, {EXPONENTIAL: 20}))
    exponentials = sum(vector_work(plain, phase)[1] for phase in ("prefill", "decode"))
    each_j = IDEAL.power.energy_per_flop["vector"].value
    added_j = law.energy.compute_j - plain.energy.compute_j
    assert added_j == pytest.approx(19 * exponentials * each_j, rel=1e-9)


def test_what_bounds_a_phase_names_the_exponentials():
    law = simulate(scenario(), device=slow_vector(**{EXPONENTIAL: 20}))
    _, exponentials = vector_work(law, "prefill")
    assert terms(law, "prefill")[EXPONENTIALS] == pytest.approx(20 * exponentials / 1e6, rel=1e-4)
    assert EXPONENTIALS not in terms(simulate(scenario(), device=slow_vector()), "prefill")


@pytest.mark.parametrize("engine", ENGINES)
def test_short_transfers_take_the_time_of_so_many_bytes_more(engine):
    """t = (b + half) / r for each operator that moves anything."""
    plain, law = (
        simulate(scenario(), device=IDEAL.with_overrides(one), engine=engine)
        for one in ({}, {RAMP: "64 KiB"})
    )
    group = next(group for group in plain.program.groups if group.phase == "decode")
    moving = sum(repeat * (task.dram_bytes[0] > 0) for task, repeat in group.tasks())
    expected = group.steps * moving * 2**16 / IDEAL.dram.peak_bytes_per_s
    assert law["decode_s"] - plain["decode_s"] == pytest.approx(expected, rel=0.02)
    if engine == "maxplus":
        assert terms(law, "decode")[BURSTS] == pytest.approx(expected, rel=0.02)
        assert BURSTS not in terms(plain, "decode")


def test_the_engines_agree_with_the_laws_on():
    one, other = (
        simulate(scenario(), device=IDEAL.with_overrides(ON), engine=name) for name in ENGINES
    )
    for metric in ("prefill_s", "decode_s", "energy_j"):
        assert one[metric] == pytest.approx(other[metric], rel=1e-9)


def test_a_draw_of_the_laws_is_the_run_on_the_drawn_device():
    soc = IDEAL.with_overrides(ON)
    ranged = soc.parameters()
    given = {
        path: {"value": item.value, "kind": "assumed", "source": "override"}
        | {"low": item.value / 2, "high": item.value * 2}
        for path, item in ranged.items()
        if path in ON
    }
    given[RAMP] |= {name: f"{given[RAMP][name]:.0f} B" for name in ("value", "low", "high")}
    soc = soc.with_parameters(given, {})
    run = simulate(scenario(), device=soc)
    draws = run.draws(6, seed=3)
    assert len(set(draws["decode_s"])) == 6
    alone = simulate(run.scenario, device=draws.devices[4])
    for metric in ("prefill_s", "decode_s", "energy_j"):
        assert alone[metric] == pytest.approx(draws[metric][4], rel=1e-9)


@pytest.mark.parametrize(
    ("path", "values"),
    [(EXPONENTIAL, (1, 4, 15, 25)), (RAMP, ("0 B", "4 KiB", "1 MiB"))],
)
def test_more_of_a_law_is_never_faster(path, values):
    phone = load_soc("dimensity_9500")
    runs = [
        simulate(scenario(device=phone.id), device=phone.with_overrides({path: value}))
        for value in values
    ]
    plain = simulate(scenario(device=phone.id))
    assert runs[0].makespan_s == pytest.approx(plain.makespan_s, rel=1e-9)
    for metric in ("prefill_s", "decode_s", "energy_j"):
        found = [run[metric] for run in runs]
        assert found == sorted(found)
