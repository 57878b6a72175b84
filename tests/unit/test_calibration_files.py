"""Calibrated device files: written from measured files, read back, and shipped."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from hw_models.soc import load_soc
from sim.calibration.fit import Fit
from sim.calibration.folds import Residual, leave_one_out, mean_values, with_network_spread
from sim.calibration.rows import Observation, observations
from sim.calibration.shipping import (
    DEVICES,
    KEPT_AT_PRIORS,
    exhibit_rows,
    fit_exhibits,
    prior_of,
    read_residuals,
    write_devices,
    write_residuals,
)
from sim.calibration.stacks import Calibration, checked_rows, overlay, report
from sim.cli.calibrating import calibrate_to
from sim.cli.validating import validate_files
from sim.errors import SimError
from sim.evidence.exhibits import load_exhibits, runs_in_role
from sim.evidence.measured import MeasuredRun

STACK = "powerserve_qnn"


@pytest.fixture(scope="module")
def rows() -> list[Observation]:
    """The calibration rows of one stack on two devices."""
    runs = runs_in_role(load_exhibits(), "calibration")
    return observations(run for run in runs if run.stack == STACK)[0]


@pytest.fixture(scope="module")
def fits(rows: list[Observation]) -> list[Calibration]:
    return fit_exhibits(rows)


def own_rows(device: str = "snapdragon_8_elite") -> list[MeasuredRun]:
    same = {"device": device, "stack": "genie", "weights": "w4"}
    return [
        MeasuredRun(id="a", model="llama-3.2-1b", tokens_per_s=50.0, **same),
        MeasuredRun(id="b", model="llama-3.1-8b", tokens_per_s=12.0, **same),
    ]


def write_rows(runs: list[MeasuredRun], path: Path) -> None:
    columns = ("id", "device", "stack", "model", "weights", "tokens_per_s")
    lines = [",".join(str(getattr(run, column)) for column in columns) for run in runs]
    path.write_text("\n".join([",".join(columns), *lines]) + "\n")


def test_the_shipped_files_are_what_the_fit_writes(rows: list[Observation], tmp_path: Path) -> None:
    """One stack stands for all: the same entries, byte for byte."""
    fits = with_network_spread(fit_exhibits(rows), read_residuals())
    for path in write_devices(fits, tmp_path):
        fresh, shipped = path.read_text(), (DEVICES / path.name).read_text()
        block = fresh[fresh.index(f"  {STACK}:") :].rstrip()
        assert block in shipped


def test_a_shipped_device_differs_from_its_priors_only_in_fitted_stacks() -> None:
    before = load_soc("_snapdragon_8_elite").parameters()
    after = load_soc("snapdragon_8_elite").parameters()
    changed = {path for path in after if after[path] != before[path]}
    assert changed
    assert all(path.startswith("stacks.") and after[path].kind == "fitted" for path in changed)
    assert all(before[path].low <= after[path].value <= before[path].high for path in changed)


def test_no_validation_row_is_in_a_fit() -> None:
    judged = {run.id for run in runs_in_role(load_exhibits(), "validation")}
    for file in DEVICES.glob("[!_]*.yaml"):
        sources = load_soc(file.stem).sources
        fits = [source.title for key, source in sources.items() if key.startswith("fit_")]
        cited = {word.strip(",") for title in fits for word in title.split()}
        assert not judged & cited


def test_a_stack_kept_at_its_priors_says_why() -> None:
    device, stack = next(iter(KEPT_AT_PRIORS))
    runs = runs_in_role(load_exhibits(), "calibration")
    own = observations(run for run in runs if (run.device, run.stack) == (device, stack))[0]
    (found,) = fit_exhibits(own)
    assert found.found is None
    assert "overheads" in report([found])
    assert load_soc(device).stack(stack).fit is None


def test_files_are_fitted_and_written_and_read_again(tmp_path: Path) -> None:
    write_rows(own_rows(), tmp_path / "mine.csv")
    prior = "_snapdragon_8_elite"
    text = calibrate_to([tmp_path / "mine.csv"], prior, tmp_path / "phone.yaml")
    assert "bandwidth_fraction = " in text
    assert "kept its prior" in text
    found = load_soc(tmp_path / "phone.yaml")
    assert found.stack("genie").fit is not None
    assert found.stack("genie").bandwidth_fraction.kind == "fitted"
    assert "a, b" in found.sources["fit_genie"].title


def test_a_device_file_can_be_calibrated_again(tmp_path: Path) -> None:
    write_rows(own_rows(), tmp_path / "mine.csv")
    first, second = tmp_path / "one.yaml", tmp_path / "two.yaml"
    calibrate_to([tmp_path / "mine.csv"], "snapdragon_8_elite", first)
    calibrate_to([tmp_path / "mine.csv"], str(first), second)
    assert f"extends: ./{first.name}" in second.read_text()
    assert load_soc(second).id == "snapdragon_8_elite"


def test_validation_rows_are_refused(rows: list[Observation]) -> None:
    run = rows[0].run.model_copy(update={"role": "validation"})
    with pytest.raises(SimError, match="role calibration"):
        checked_rows(observations([run])[0])
    with pytest.raises(SimError, match="at least one row"):
        checked_rows([])


def test_rows_of_two_devices_are_refused(tmp_path: Path) -> None:
    second = own_rows("snapdragon_8_gen_3")[0].model_copy(update={"id": "c"})
    write_rows([*own_rows(), second], tmp_path / "mine.csv")
    with pytest.raises(SimError, match="one device"):
        calibrate_to([tmp_path / "mine.csv"], None, tmp_path / "phone.yaml")


def test_an_overlay_without_a_fit_is_only_its_base() -> None:
    assert overlay("_x", load_soc("_snapdragon_8_elite"), [], "note") == "# note\nextends: _x\n"


def test_folds_leave_out_what_they_say(rows: list[Observation], fits: list[Calibration]) -> None:
    one_network = [row for row in rows if row.device == "snapdragon_8_elite"]
    found = leave_one_out(one_network, fits, prior_of)
    networks = [item for item in found if item.fold == "network"]
    assert sorted((item.id, item.metric) for item in networks) == sorted(
        (row.run.id, row.metric) for row in one_network
    )
    assert {item.device for item in found if item.fold == "device"} == {row.device for row in rows}
    assert {row.run.model for row in one_network} == {"llama-3.1-8b"}
    soc = prior_of("snapdragon_8_elite")
    at_prior = sorted(row.simulated(soc) / row.measured for row in one_network)
    errors = sorted(math.exp(item.log_error) for item in networks if item.device == soc.id)
    assert errors == pytest.approx(at_prior)


def test_residuals_are_read_back(tmp_path: Path) -> None:
    item = Residual("network", "R1", "d", "s", "npu", "tokens_per_s", "m", -0.125)
    write_residuals([item], tmp_path / "r.csv")
    assert read_residuals(tmp_path / "r.csv") == [item]
    assert read_residuals(tmp_path / "none.csv") == []


def test_shipped_residuals_are_of_calibration_rows() -> None:
    ids = {row.run.id for row in exhibit_rows()[0]}
    assert {item.id for item in read_residuals()} <= ids


def test_a_strangers_llama_bench_file_is_judged_in_one_command(tmp_path: Path) -> None:
    tests = [
        {"n_prompt": 512, "n_gen": 0, "avg_ts": 180.0},
        {"n_prompt": 0, "n_gen": 128, "avg_ts": 40.0},
    ]
    named = {"model_filename": "Llama-3.2-1B-Instruct-Q4_0.gguf", "backends": "CPU"}
    file = tmp_path / "bench.json"
    file.write_text(json.dumps([named | test for test in tests]))
    outcome = validate_files([file], "snapdragon_8_gen_2", tmp_path / "out")
    assert outcome.exit_code == 0
    assert [row.metric for row in outcome.found.rows] == ["prefill_tokens_per_s", "tokens_per_s"]
    document = json.loads((tmp_path / "out" / "validation.json").read_text())
    assert document["schema"] == "andesim.validation/1"
    assert (tmp_path / "out" / "parity.html").stat().st_size > 1000
    unnamed = validate_files([file])
    assert "--device" in unnamed.found.skipped[0].reason


def test_means_are_geometric_and_per_path() -> None:
    assert mean_values([{"a": 1.0}, {"a": 4.0}]) == {"a": pytest.approx(2.0)}


def test_a_fit_moves_its_own_stack_only(fits: list[Calibration]) -> None:
    paths = [path for item in fits if item.found for path in item.found.paths]
    assert paths
    assert all(path.startswith(f"stacks.{STACK}.") for path in paths)


def test_a_left_out_device_borrows_no_overhead_of_another_host(rows: list[Observation]) -> None:
    slow = {f"stacks.{STACK}.step_overhead_s": 1.0}
    found = Fit(tuple(slow), slow, np.eye(1), (), 0.1, 1.0)
    fits = [Calibration(device, STACK, tuple(rows[:1]), found) for device in ("one", "other")]
    soc = prior_of(rows[0].device)
    at_priors = math.log(rows[0].simulated(soc) / rows[0].measured)
    residuals = leave_one_out([], fits, lambda _: soc)
    assert [item.log_error for item in residuals] == pytest.approx([at_priors, at_priors])


def test_a_stack_of_one_network_expects_what_others_saw_of_a_second(
    fits: list[Calibration],
) -> None:
    def left_out(device: str, model: str, log_error: float) -> Residual:
        return Residual("network", "r", device, STACK, "npu", "tokens_per_s", model, log_error)

    one, two = (item.device for item in fits)
    seen = [left_out(one, "a", 0.9), left_out(two, "a", 0.6), left_out(two, "b", -0.8)]
    spreads = [item.found.spread for item in with_network_spread(fits, seen) if item.found]
    assert spreads == pytest.approx([math.sqrt(0.5), math.sqrt(0.5)])
    assert with_network_spread(fits, []) == fits
    alike = [left_out(two, "llama-3-8b", 0.6), left_out(two, "llama-3.1-8b", -0.8)]
    assert with_network_spread(fits, alike) == fits


def test_a_spread_never_falls_below_that_of_the_fit(fits: list[Calibration]) -> None:
    exact = [item._replace(log_error=0.0) for item in read_residuals()]
    assert with_network_spread(fits, exact) == fits
