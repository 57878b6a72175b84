"""Two runs in one report: what differs, and operator by operator why."""

import json

import pytest

from sim.asking import asked
from sim.explore.operator_pairs import operator_pairs
from sim.simulation import simulate

SMALL = {"device": "snapdragon_8_elite", "model": "smollm2-135m"}
TURN = {"prompt_tokens": 40, "output_tokens": 6}


def scenario(**deployment):
    return asked({**SMALL, "session": {"turns": [TURN]}, "deployment": deployment})


def test_operators_add_up_to_the_phases_of_both_runs():
    runs = [simulate(scenario()), simulate(scenario(weights={"body": "w8"}))]
    for phase, each in (("decode", 5.0), ("prefill", 1.0)):
        pairs = operator_pairs(*runs, phase)
        sizes = [abs(pair.difference_s) for pair in pairs]
        assert sizes == sorted(sizes, reverse=True)
        for run, side in zip(runs, ("before_s", "after_s"), strict=True):
            found = sum(getattr(pair, side) for pair in pairs)
            assert found * each == pytest.approx(run[f"{phase}_s"])


def test_a_report_says_what_differs_and_where(andesim, tmp_path):
    paths = [tmp_path / name for name in ("a.yaml", "b.yaml")]
    for path, body in zip(paths, ("w4", "w8"), strict=True):
        path.write_text(json.dumps({**SMALL, "deployment": {"weights": {"body": body}},
                                    "session": {"turns": [TURN]}}))  # fmt: skip
    options = ("--baseline", str(paths[0]), "--uncertainty", "0")
    said = andesim("report", str(paths[1]), *options).out
    assert "## Against the baseline" in said
    assert "| deployment.weights.body | w4 | w8 |" in said
    assert "Decode per output token, operator by operator" in said
    found = json.loads(andesim("report", str(paths[1]), *options, "--json").out)
    assert found["baseline"]["operators"]["decode"]
    assert f"--baseline {paths[0]}" in found["reproduce"]["command"]


def test_a_matrix_has_no_baseline(andesim, tmp_path):
    matrix = tmp_path / "m.yaml"
    matrix.write_text("devices: [snapdragon_8_elite]\nmodels: [smollm2-135m]\n")
    failed = andesim("report", str(matrix), "--baseline", str(matrix))
    assert failed.code == 2
    assert "--baseline must go with a scenario" in failed.err
