import csv
import hashlib
import re
import shutil
from itertools import pairwise

import pytest
import yaml

from hw_models.errors import HardwareError
from hw_models.soc import load_soc
from sim.calibration.shipping import DEVICES
from sim.errors import SimError
from sim.evidence.exhibits import load_exhibits, runs_in_role
from sim.evidence.measured_metrics import ROOT
from workloads.compression import WeightMap

GAPS = {148, 149, 152, 155, 156, 317, 318, 349, 350, 353, 356, 358, 360, 371, 372}
NOT_MEASURED = re.compile(r"kind: (ci_threshold|vendor_claim|derived)")


@pytest.fixture(scope="module")
def exhibits():
    return load_exhibits()


@pytest.fixture
def copy(tmp_path):
    for part in ("ai_hub/calibration", "ai_hub/validation"):
        shutil.copytree(ROOT / part, tmp_path / part)
    return tmp_path


def rewrite(folder, text):
    """Replace samples.csv and bring the manifest's checksum along."""
    (folder / "samples.csv").write_text(text)
    manifest = yaml.safe_load((folder / "run.yaml").read_text())
    manifest["samples"]["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    manifest["samples"]["rows"] = text.count("\n") - 1
    (folder / "run.yaml").write_text(yaml.safe_dump(manifest))


def excluded():
    with (ROOT / "excluded.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_all_368_published_rows_are_accounted_for_once(exhibits):
    shown = {run.id.removesuffix("-decode") for exhibit in exhibits for run in exhibit.runs}
    left_out = {row["id"] for row in excluded()}
    assert shown | left_out == {f"R{n:03d}" for n in range(1, 384) if n not in GAPS}
    assert not shown & left_out
    assert all(row["reason"] for row in excluded())


def test_what_is_not_a_measurement_judges_nothing(exhibits):
    for exhibit in exhibits:
        if exhibit.manifest.role != "context":
            assert not [run.id for run in exhibit.runs if NOT_MEASURED.search(run.notes)]


def test_every_context_row_says_why(exhibits):
    assert all("context because:" in run.notes for run in runs_in_role(exhibits, "context"))


def test_rows_that_fit_or_judge_say_what_ran(exhibits):
    for role in ("calibration", "validation"):
        for run in runs_in_role(exhibits, role):
            assert all((run.device, run.stack, run.model, run.weights, run.source_url)), run.id
            assert run.metrics, run.id
            WeightMap.model_validate(run.weights)


def test_each_stack_that_is_judged_is_fitted_somewhere(exhibits):
    fitted = {run.stack for run in runs_in_role(exhibits, "calibration")}
    assert {run.stack for run in runs_in_role(exhibits, "validation")} <= fitted


def test_a_network_is_on_one_side_of_a_stack_on_every_device(exhibits):
    fitted = {(run.stack, run.model) for run in runs_in_role(exhibits, "calibration")}
    assert not fitted & {(run.stack, run.model) for run in runs_in_role(exhibits, "validation")}


def test_manifests_cover_their_rows(exhibits):
    for exhibit in exhibits:
        manifest = exhibit.manifest
        metrics = {metric for run in exhibit.runs for metric in run.metrics}
        assert metrics == set(manifest.definitions), exhibit.name
        assert metrics == set(manifest.tolerances) or manifest.role == "context", exhibit.name
        assert {run.source_url for run in exhibit.runs} == set(manifest.sources)
        assert {run.device for run in exhibit.runs} - {""} == set(manifest.devices)
        assert {run.stack for run in exhibit.runs} - {""} == set(manifest.stacks)
        assert exhibit.name.endswith(manifest.role)


def test_full_context_first_token_times_are_left_out(exhibits):
    runs = [run for e in exhibits if e.name.startswith("ai_hub") for run in e.runs]
    timed = [run for run in runs if run.time_to_first_token_s]
    assert timed
    assert {run.prompt_tokens for run in timed} == {128}


def test_a_changed_file_is_refused(copy):
    path = copy / "ai_hub" / "validation" / "samples.csv"
    path.write_text(path.read_text().replace("28.03", "82.03"))
    with pytest.raises(SimError, match="SHA-256"):
        load_exhibits(copy)


def test_a_row_of_another_role_is_refused(copy):
    folder = copy / "ai_hub" / "validation"
    text = (folder / "samples.csv").read_text()
    rewrite(folder, text.replace(",validation,", ",calibration,", 1))
    with pytest.raises(SimError, match="role validation"):
        load_exhibits(copy)


def test_a_row_in_two_exhibits_and_a_network_on_both_sides_are_told_together(copy):
    text = (copy / "ai_hub" / "calibration" / "samples.csv").read_text()
    rewrite(copy / "ai_hub" / "validation", text.replace(",calibration,", ",validation,"))
    with pytest.raises(SimError) as caught:
        load_exhibits(copy)
    assert "must be in one exhibit" in str(caught.value)
    assert "must not validate" in str(caught.value)


def test_an_unknown_key_in_a_manifest_is_refused(copy):
    path = copy / "ai_hub" / "validation" / "run.yaml"
    path.write_text(path.read_text() + "surprise: 1\n")
    with pytest.raises(SimError, match="surprise"):
        load_exhibits(copy)


def test_a_network_of_equal_shapes_is_the_same_network_on_both_sides(copy):
    header, *rows = (copy / "ai_hub" / "calibration" / "samples.csv").read_text().splitlines()
    row = next(row for row in rows if "llama-3.1-8b" in row)
    other = row.replace("R", "Q", 1).replace("llama-3.1-8b", "llama-3-8b")
    rewrite(copy / "ai_hub" / "validation", f"{header}\n{other}\n".replace("calibr", "valid"))
    with pytest.raises(SimError, match=r"must not validate .* llama-3\.1-8b"):
        load_exhibits(copy)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.rpartition("\n")[0].rpartition("\n")[0] + "\n", "must hold 18 rows"),
        (lambda text: text.replace(",0,", ",soon,", 1), r"series\.csv, row 1: time_s"),
    ],
)
def test_a_series_with_a_fault_is_refused_by_its_own_name(tmp_path, change, said):
    folder = tmp_path / "thermal" / "context"
    shutil.copytree(ROOT / "thermal" / "context", folder)
    text = change((folder / "series.csv").read_text())
    (folder / "series.csv").write_text(text)
    manifest = yaml.safe_load((folder / "run.yaml").read_text())
    manifest["series"]["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "run.yaml").write_text(yaml.safe_dump(manifest))
    with pytest.raises(SimError, match=said):
        load_exhibits(tmp_path)


def test_every_fault_of_a_manifest_is_told(copy):
    path = copy / "ai_hub" / "validation" / "run.yaml"
    path.write_text(path.read_text().replace("role: validation", "role: judge") + "surprise: 1\n")
    with pytest.raises(SimError) as caught:
        load_exhibits(copy)
    assert "role" in str(caught.value)
    assert "surprise" in str(caught.value)


def test_thermal_series_names_rows_that_exist_and_runs_forward(exhibits):
    known = {run.id for e in exhibits for run in e.runs} | {row["id"] for row in excluded()}
    points = [point for exhibit in exhibits for point in exhibit.series]
    assert {row for point in points for row in point.rows.split()} <= known
    for run in {point.run for point in points}:
        instants = [point for point in points if point.run == run]
        assert instants[0].time_s == 0.0
        for before, after in pairwise(instants):
            assert before.time_s < after.time_s
            assert (before.tokens_per_s or 0.0) >= (after.tokens_per_s or 0.0)


def test_the_table_of_the_readme_counts_the_rows(exhibits):
    cells = re.findall(r"^\| `(\w+)` \|.*\| (\d*) \| (\d*) \| (\d*) \|$", readme(), re.MULTILINE)
    told = {
        f"{source}/{role}": int(count)
        for source, *counts in cells
        for role, count in zip(("calibration", "validation", "context"), counts, strict=True)
        if count
    }
    assert told == {e.name: len({r.id.split("-")[0] for r in e.runs}) for e in exhibits}


def test_the_readme_states_the_calibration_networks(exhibits):
    rows = re.findall(r"^ +\| ([\w, ]+) \| (.*) \|$", readme(), re.MULTILINE)
    told = {stack: text for stacks, text in rows for stack in stacks.split(", ")}
    for run in runs_in_role(exhibits, "calibration"):
        assert run.model in told[run.stack]


def readme():
    return (ROOT / "README.md").read_text()


def test_no_prior_of_a_stack_comes_from_a_row_that_judges_it(exhibits):
    judging = {(run.stack, run.source_url) for run in runs_in_role(exhibits, "validation")}
    for device in (path.stem for path in DEVICES.glob("*.yaml")):
        for stack, source in cited_by_stacks(device):
            assert (stack, source) not in judging, (device, stack, source)


def cited_by_stacks(device):
    """Yield the stack and the source's address of each of its numbers that no fit has made."""
    try:
        soc = load_soc(device)
    except HardwareError:
        return  # a part that other files extend
    for path, parameter in soc.parameters().items():
        if path.startswith("stacks.") and parameter.kind != "fitted":
            yield path.split(".")[1], soc.sources[parameter.source].url
