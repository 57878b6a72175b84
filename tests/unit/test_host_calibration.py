"""Calibration of a host: known machines are found again, unknown numbers keep their prior."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from hw_models.kernels import edge_utilisation, interpolated_utilisation
from hw_models.soc import load_soc
from sim.calibrated_range import outside, range_warnings
from sim.calibration.host import PER_OPERATOR, calibrate_host, fit_host, report, write_device
from sim.calibration.operators import Samples, case_scenario, samples_of
from sim.calibration.prior import STACK, nodes_of, prior_device, template
from sim.cli.measuring import calibrate_host_to, validate_host_files
from sim.engine.maxplus import step_seconds
from sim.engine.pricing import Pricing
from sim.errors import SimError
from sim.evidence.exhibits import load_host_exhibit
from sim.evidence.measured_metrics import ROOT
from sim.evidence.measuring.cases import Case
from sim.evidence.measuring.document import (
    MeasuredFile,
    is_measurement,
    measured_file,
    write_measurement,
)
from sim.planning import plan
from sim.simulation import simulate
from sim.validation.judging import validate_host
from sim.validation.this_machine import operator_errors

SMOLLM = "smollm2-135m"


@pytest.fixture(scope="module")
def exhibit():
    return load_host_exhibit(ROOT / "host_epyc_zen4")


@pytest.fixture(scope="module")
def smollm(exhibit):
    return next(run for run in exhibit.calibration if run.measurement.model == SMOLLM)


@pytest.fixture(scope="module")
def small(smollm):
    """Two cases: enough to fit, quick to fit."""
    chosen = [t for t in smollm.measurement.cases if t.case.id in ("prefill_64", "decode_256")]
    return smollm.measurement.model_copy(update={"cases": tuple(chosen)})


def as_measured_on(samples: Samples, soc) -> Samples:
    """Samples whose times are exactly what a device gives."""
    (operators,), (steps,) = samples.seconds([soc])
    by_group = np.split(operators, samples.ends[:-1])
    return Samples(
        tuple(
            replace(group, measured_s=seconds)
            for group, seconds in zip(samples.operators, by_group, strict=True)
        ),
        tuple(
            replace(step, measured_s=float(seconds))
            for step, seconds in zip(samples.steps, steps, strict=True)
        ),
    )


def test_utilisation_is_the_table_at_its_nodes_and_held_beyond():
    sizes, shares = [2.0, 8.0, 32.0], [0.1, 0.4, 0.2]
    found = interpolated_utilisation(np.array([1.0, 2.0, 4.0, 8.0, 32.0, 500.0]), sizes, shares)
    assert found.tolist() == pytest.approx([0.1, 0.1, 0.2, 0.4, 0.2, 0.2])


def test_a_table_may_begin_at_one_and_nothing_is_smaller():
    found = interpolated_utilisation(np.array([0.0, 0.5, 1.0, 2.0]), [1.0, 4.0], [0.1, 0.4])
    assert found.tolist() == pytest.approx([0.1, 0.1, 0.1, 0.2])


def test_edges_cost_what_bringing_operands_costs():
    n, k, half_n, half_k = 300.0, 700.0, 20.0, 50.0
    slowdown = 1.0 / edge_utilisation(n, k, half_n, half_k)
    assert slowdown == pytest.approx((1 + half_n / n) * (1 + half_k / k))


def test_nodes_are_sizes_that_occur_with_both_ends():
    assert nodes_of([5.0], 2.0) == [5]
    assert nodes_of([1.0, 100.0, 3.0, 4.0, 50.0], 2.0) == [1, 3, 50, 100]


def test_both_engines_run_a_host_step_as_the_sum_of_its_operators(exhibit, small):
    """With one operand buffer nothing overlaps: calibration sees exactly what the engines do."""
    _, (steps,) = samples_of([MeasuredFile(small)], exhibit.soc).seconds([exhibit.soc])
    for times, seconds in zip(small.cases, steps, strict=True):
        scenario = case_scenario(SMOLLM, times.case)
        program = plan(scenario, exhibit.soc).program
        timed = Pricing(exhibit.soc, exhibit.soc.stack()).program(program)
        group = next(g for g in timed.groups if g.phase == times.case.phase)
        assert step_seconds(group)[-1] == pytest.approx(seconds, rel=1e-12)
        event = simulate(scenario, engine="event", soc=exhibit.soc).summary()
        found = event.prefill_s if times.case.phase == "prefill" else event.decode_s
        assert found == pytest.approx(seconds, rel=1e-9)


def test_a_known_machine_is_found_again(exhibit, small):
    """Times made by the fitted device itself leave no error that a clock could see."""
    samples = as_measured_on(samples_of([MeasuredFile(small)], template()), exhibit.soc)
    prior = prior_device(samples, "bf16", exhibit.soc.dram.peak_bytes_per_s, "made")
    host = fit_host(samples, prior)
    operators, steps = samples.log_errors([host.soc])
    assert np.abs(steps).max() < 0.01
    assert np.median(np.abs(operators)) < 0.05
    fitted, found = host.soc.parameters(), host.found
    for path in found.paths:
        assert fitted[path].kind == "fitted"
        assert fitted[path].low <= fitted[path].value <= fitted[path].high
    assert found.kept, "two cases cannot identify everything"
    assert all(fitted[path].note.startswith("kept its prior") for path in found.kept)
    assert not set(found.kept) & set(found.paths)


def test_devices_side_by_side_are_priced_as_each_alone(exhibit, small):
    """What a kernel and a memory share is priced once; the columns are those of lone devices."""
    samples = samples_of([MeasuredFile(small)], exhibit.soc)
    paths = ("dram.rate", f"stacks.{STACK}.step_overhead_s", f"stacks.{STACK}.kernels.silu.sizes.0")
    socs = [exhibit.soc]
    for path in paths:
        value = exhibit.soc.parameters()[path].value
        socs.append(exhibit.soc.with_values({path: 2.0 * value}))
    together = samples.seconds(socs)
    for index, soc in enumerate(socs):
        alone = samples.seconds([soc])
        for columns, column in zip(together, alone, strict=True):
            assert columns[index] == pytest.approx(column[0], rel=1e-15)


def test_runs_that_identify_nothing_are_refused(small, monkeypatch):
    method = replace(PER_OPERATOR, identified=0.0)
    monkeypatch.setattr("sim.calibration.host.PER_OPERATOR", method)
    with pytest.raises(SimError, match="must identify a parameter"):
        calibrate_host([MeasuredFile(small)])


def test_a_measurement_with_other_operators_than_its_trace_is_refused(small):
    first, *rest = small.cases
    cut = first.segments[0].model_copy(update={"operators": first.segments[0].operators[:-1]})
    broken = first.model_copy(update={"segments": (cut, *first.segments[1:])})
    run = small.model_copy(update={"cases": (broken, *rest)})
    with pytest.raises(SimError, match="must have the operators of its trace"):
        samples_of([MeasuredFile(run)], template())


def test_an_operator_that_took_no_time_is_refused_by_name(small):
    first, *rest = small.cases
    segment = first.segments[0]
    idle = segment.operators[0].model_copy(update={"seconds": (0.0,)})
    cut = segment.model_copy(update={"operators": (idle, *segment.operators[1:])})
    frozen = first.model_copy(update={"segments": (cut, *first.segments[1:])})
    run = small.model_copy(update={"cases": (frozen, *rest)})
    with pytest.raises(SimError, match=rf"{idle.name} must take longer than 0 s"):
        calibrate_host([MeasuredFile(run)])


def test_rates_that_no_machine_has_are_refused(small):
    huge = small.cases[0].model_copy(update={"case": Case(phase="prefill", tokens=1_000_000)})
    run = small.model_copy(update={"cases": (huge,)})
    with pytest.raises(SimError, match="must be possible for a machine"):
        calibrate_host([MeasuredFile(run)])


def test_operators_of_one_kernel_err_together_and_kernels_apart(small, exhibit):
    samples = samples_of([MeasuredFile(small)], exhibit.soc)
    same = np.full(len(samples.shares), 0.1)
    kernels = [group.kernel for group in samples.operators for _ in group.step]
    step = np.concatenate([group.step for group in samples.operators])
    for index, found in enumerate(samples.deviations_by_kernel(same)):
        shares = {
            name: sum(
                share
                for share, kernel, at in zip(samples.shares, kernels, step, strict=True)
                if (kernel, at) == (name, index)
            )
            for name in set(kernels)
        }
        assert sum(shares.values()) == pytest.approx(1.0)
        assert found == pytest.approx(0.1 * np.sqrt(sum(share**2 for share in shares.values())))
    assert samples.deviations_by_kernel(-same) == pytest.approx(samples.deviations_by_kernel(same))


def test_runs_that_do_not_belong_together_are_refused(smollm):
    with pytest.raises(SimError, match="Got none"):
        calibrate_host([])
    changed = smollm.measurement.model_copy(update={"device": "cuda"})
    with pytest.raises(SimError, match="device must be the same"):
        calibrate_host([smollm, MeasuredFile(changed)])
    wide = smollm.measurement.model_copy(update={"dtype": "fp32"})
    with pytest.raises(SimError, match="dtype must be bf16"):
        calibrate_host([MeasuredFile(wide)])
    machine = smollm.measurement.machine.model_copy(update={"cpu": "other"})
    moved = smollm.measurement.model_copy(update={"machine": machine})
    with pytest.raises(SimError, match="processor must be the same"):
        calibrate_host([smollm, MeasuredFile(moved)])


def test_a_fitted_device_is_written_read_and_told(small, tmp_path):
    fitted = calibrate_host([MeasuredFile(small)])
    write_device(fitted, tmp_path / "device.yaml")
    assert load_soc(tmp_path / "device.yaml") == fitted.soc
    assert SMOLLM in fitted.soc.sources["runs"].title
    assert fitted.found.spread >= small.noise_floor
    assert f"kept: {fitted.found.kept[0]}" in report(fitted)


def test_a_run_inside_the_calibrated_sizes_is_silent_and_one_outside_is_told(exhibit):
    def warnings(tokens: int) -> tuple[str, ...]:
        scenario = case_scenario(SMOLLM, Case(phase="prefill", tokens=tokens))
        return simulate(scenario, soc=exhibit.soc).warnings

    assert warnings(512) == ()
    assert any(text.startswith("prefill linear of size 6000") for text in warnings(6000))


def test_an_operator_without_a_kernel_is_told_and_a_device_without_kernels_never(exhibit):
    scenario = case_scenario(SMOLLM, Case(phase="prefill", tokens=64))
    program = plan(scenario, exhibit.soc).program
    stack = exhibit.soc.stack(STACK)
    fewer = {name: kernel for name, kernel in stack.kernels.items() if name != "silu"}
    found = outside(program, stack.model_copy(update={"kernels": fewer}))
    assert [item.operator for item in found] == ["silu"]
    assert math.isinf(found[0].log_distance)
    assert outside(program, template().stack()) == []
    fewer.pop("add")
    (said,) = range_warnings(program, stack.model_copy(update={"kernels": fewer}))
    assert re.fullmatch(r"No kernel was calibrated for .*add.*, .*silu.*: they run at .*\.", said)


def test_a_law_of_shape_without_a_table_has_no_range():
    soc = load_soc("snapdragon_8_elite")
    program = plan(case_scenario(SMOLLM, Case(phase="prefill", tokens=64)), soc).program
    assert soc.stack("genie").kernels
    assert range_warnings(program, soc.stack("genie")) == []


def test_the_interval_widens_outside_the_calibrated_sizes(exhibit, smollm):
    def width(tokens: int) -> float:
        times = smollm.measurement.cases[0].model_copy(
            update={"case": Case(phase="prefill", tokens=tokens)}
        )
        run = smollm.measurement.model_copy(update={"cases": (times,)})
        low, high = validate_host([MeasuredFile(run)], exhibit.soc).rows[0].interval
        return high / low

    assert width(512) < width(6000)


def test_operator_errors_vanish_on_a_machine_that_is_the_device(exhibit, small):
    samples = as_measured_on(samples_of([MeasuredFile(small)], exhibit.soc), exhibit.soc)
    assert operator_errors(samples, exhibit.soc)["all"] == pytest.approx(0.0, abs=1e-12)


def test_a_device_is_fitted_and_judged_from_files(exhibit, small, tmp_path):
    run, device = tmp_path / "run.json", tmp_path / "device.yaml"
    write_measurement(small, run)
    assert is_measurement(run)
    assert not is_measurement(exhibit.folder / "device.yaml")
    assert str(device) in calibrate_host_to([run], device)
    found, told = validate_host_files([run], device)
    named = [f"{SMOLLM} {times.case.id}" for times in small.cases]
    assert [row.run.id for row in found.rows] == named
    assert list(found.by_metric()) == ["prefill_s", "time_per_output_token_s"]
    assert all(abs(row.error) < 0.1 for row in found.rows)
    assert all(name in told for name in named)


def test_a_model_of_ones_own_is_looked_for_beside_its_measurement(exhibit):
    found = measured_file(exhibit.folder / "wide.measurement.json")
    assert found.trace == str(exhibit.folder / "wide.trace.json")
