"""A fit whose runs go over from arithmetic to memory on the way still comes to its solution."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from sim.calibration.asked import Asked, asked
from sim.calibration.asking import Trial, side_by_side
from sim.calibration.pooled import Problem
from sim.calibration.shipping import fitted, prior_of
from sim.evidence.corpus_runs import language_runs

DEVICE, STACK = "snapdragon_8_elite", "geniex_llamacpp_cpu"
TRUTH = {"bandwidth_fraction": 0.6, "efficiency.decode": 0.2}
"""With the priors arithmetic bounds these runs, with the truth memory."""


@pytest.fixture(scope="module")
def solved() -> Problem:
    """Six questions whose measured values are simulated ones."""
    runs = [
        run for run in language_runs("calibration") if (run.device, run.stack) == (DEVICE, STACK)
    ]
    found = asked([run for run in runs if run.tokens_per_s][:6], prior_of)[0]
    values = {f"stacks.{STACK}.{name}": value for name, value in TRUTH.items()}
    true = prior_of(DEVICE).with_values(values)
    rows = [Asked(replace(item.row, measured=item.row.simulated(true)), item.ids) for item in found]
    problem = fitted(rows)
    problem.solved()
    return problem


def test_what_was_simulated_is_found_again(solved: Problem) -> None:
    before = np.abs(solved.at_priors - solved.measured)
    after = np.abs(solved.simulated - solved.measured)
    assert before.mean() > 0.15
    assert after.mean() < 0.05


def test_no_share_of_another_step_comes_nearer_by_much(solved: Problem) -> None:
    step = solved.whole - solved.pull
    moved = solved._logs(solved.pull + step) - solved.logs
    assert np.abs(moved).max() < 0.1 or solved._best_share(step) <= 0.25


def test_without_no_row_the_posterior_is_the_solution(solved: Problem) -> None:
    nothing = np.zeros(len(solved.rows), dtype=bool)
    assert solved.without(nothing).logs == pytest.approx(solved.logs, rel=1e-9)
    assert solved.without(~nothing).logs != pytest.approx(solved.logs, rel=1e-3)


def test_rows_asked_in_two_processes_say_the_same(solved: Problem) -> None:
    trials = [
        Trial(i, tuple(slot.path for slot in solved.by_cell[item.cell]), solved.logs[None])
        for i, item in enumerate(solved.rows)
    ]
    with side_by_side(solved.rows, solved.devices, 2) as ask:
        for here, there in zip(solved.ask(trials), ask(trials), strict=True):
            np.testing.assert_allclose(there, here, rtol=1e-12)


def test_a_solved_problem_goes_from_one_process_to_another(solved: Problem) -> None:
    sent = pickle.loads(pickle.dumps(solved))
    np.testing.assert_allclose(sent.logs, solved.logs, rtol=1e-12)
