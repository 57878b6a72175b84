"""The shipped host exhibit: intact, split by model, within its tolerances on both engines."""

import shutil

import pytest
import yaml

from sim.calibration.operators import samples_of
from sim.errors import SimError
from sim.evidence.exhibits import HOST_MANIFEST, load_host_exhibit, load_host_exhibits
from sim.validation.judging import OF_A_CASE, validate_host
from sim.validation.structure import structure
from sim.validation.this_machine import exhibit_report, main, operator_errors

OPERATOR_TOLERANCE = 0.15


@pytest.fixture(scope="module", params=load_host_exhibits(), ids=lambda item: item.folder.name)
def exhibit(request):
    return request.param


@pytest.fixture
def copy(tmp_path):
    folder = tmp_path / "host_copy"
    shutil.copytree(load_host_exhibits()[0].folder, folder)
    return folder


def test_no_model_both_calibrates_and_validates(exhibit):
    fitted = {run.measurement.model for run in exhibit.calibration}
    judged = {run.measurement.model for run in exhibit.validation}
    assert fitted
    assert judged
    assert not fitted & judged


@pytest.mark.parametrize("engine", ["maxplus", "event"])
def test_every_phase_is_within_the_tolerance_of_the_manifest(exhibit, engine):
    found = validate_host(exhibit.validation, exhibit.soc, engine).by_metric()
    assert set(found) == {OF_A_CASE[phase] for phase in exhibit.manifest.tolerances}
    for phase, tolerance in exhibit.manifest.tolerances.items():
        assert found[OF_A_CASE[phase]].mape <= tolerance, phase


def test_operators_of_models_that_were_not_fitted_are_within_tolerance(exhibit):
    samples = samples_of(exhibit.validation, exhibit.soc)
    assert operator_errors(samples, exhibit.soc)["all"] <= OPERATOR_TOLERANCE


def test_the_structure_of_every_measured_model_is_exact(exhibit):
    for run in (*exhibit.calibration, *exhibit.validation):
        rows = structure(run.measurement, exhibit.soc, run.trace)
        assert all(row.agrees for row in rows), [row for row in rows if not row.agrees]


def test_every_fitted_number_names_the_runs(exhibit):
    fitted = [item for item in exhibit.soc.parameters().values() if item.kind == "fitted"]
    assert len(fitted) > 20
    for item in fitted:
        title = exhibit.soc.sources[item.source].title
        assert all(run.measurement.model in title for run in exhibit.calibration)


def test_the_report_has_a_line_per_case_and_per_metric_for_both_engines(exhibit, capsys):
    assert main(["--shipped"]) == 0
    told = exhibit_report(exhibit)
    assert told in capsys.readouterr().out
    for file in exhibit.validation:
        for times in file.measurement.cases:
            assert told.count(f"| {file.measurement.model} {times.case.id} |") == 1
    for phase in exhibit.manifest.tolerances:
        assert told.count(f"\n| {OF_A_CASE[phase]} |") == 2
    assert "Median error of an operator" in told


def test_a_changed_file_is_refused(copy):
    run = load_host_exhibit(copy).manifest.runs[0]
    (copy / run.file).write_text((copy / run.file).read_text() + " ", encoding="utf-8")
    with pytest.raises(SimError, match="SHA-256"):
        load_host_exhibit(copy)


def test_one_model_in_both_roles_is_refused(copy):
    manifest = yaml.safe_load((copy / HOST_MANIFEST).read_text())
    manifest["runs"].append({**manifest["runs"][1], "role": "validation"})
    (copy / HOST_MANIFEST).write_text(yaml.safe_dump(manifest), encoding="utf-8")
    with pytest.raises(SimError, match="must not validate"):
        load_host_exhibit(copy)


def test_a_broken_manifest_is_refused_with_the_place(copy):
    manifest = yaml.safe_load((copy / HOST_MANIFEST).read_text()) | {"tolerances": {"decode": 2}}
    (copy / HOST_MANIFEST).write_text(yaml.safe_dump(manifest), encoding="utf-8")
    with pytest.raises(SimError, match=r"tolerances\.decode"):
        load_host_exhibit(copy)
