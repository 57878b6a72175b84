"""Calibration finds what made the data, and says what the data cannot tell."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from hw_models.provenance import Parameter
from hw_models.soc import SocSpec, load_soc
from sim.calibration.fit import deviation
from sim.calibration.rows import Observation, observe
from sim.calibration.stacks import Contradiction, candidates, fit_rows
from sim.evidence.measured import MeasuredRun

STACK = "genie"
BANDWIDTH = f"stacks.{STACK}.bandwidth_fraction"
OVERHEAD = f"stacks.{STACK}.step_overhead_s"
PREFILL = f"stacks.{STACK}.efficiency.prefill"


@pytest.fixture(scope="module")
def prior() -> SocSpec:
    return load_soc("_snapdragon_8_elite")


@dataclass(frozen=True)
class Line:
    """A row whose time is bytes / (fraction x peak) + overhead, exactly."""

    bytes_moved: float
    measured: float

    def simulated(self, soc: SocSpec) -> float:
        stack = soc.stack(STACK)
        rate = stack.bandwidth_fraction.value * soc.dram.peak_bytes_per_s
        return self.bytes_moved / rate + stack.step_overhead_s.value


def lines(soc: SocSpec, sizes: list[float], noise: float = 0.0, seed: int = 0) -> list[Line]:
    random = np.random.default_rng(seed)
    return [
        Line(size, Line(size, 0.0).simulated(soc) * math.exp(noise * random.standard_normal()))
        for size in sizes
    ]


def test_exact_rows_give_back_the_values_that_made_them(prior: SocSpec) -> None:
    truth = {BANDWIDTH: 0.5, OVERHEAD: 3e-3}
    rows = lines(prior.with_values(truth), [2e7, 1e8, 1e9, 4e9] * 3)
    found = fit_rows(prior, rows, [BANDWIDTH, OVERHEAD], noise=0.01)
    assert found.kept == ()
    for path, value in truth.items():
        assert found.values[path] == pytest.approx(value, rel=0.01)


def test_the_80_percent_interval_holds_80_percent(prior: SocSpec) -> None:
    truth = prior.with_values({BANDWIDTH: 0.55})
    inside = 0
    for seed in range(100):
        found = fit_rows(prior, lines(truth, [1e9, 4e9], 0.1, seed), [BANDWIDTH])
        low, high = found.interval_80(BANDWIDTH)
        inside += low <= 0.55 <= high
    assert 70 <= inside <= 92


def test_one_size_cannot_tell_bandwidth_from_overhead(prior: SocSpec) -> None:
    found = fit_rows(
        prior, lines(prior.with_values({BANDWIDTH: 0.5}), [4e9] * 4), [BANDWIDTH, OVERHEAD]
    )
    assert found.kept == (OVERHEAD,)
    assert OVERHEAD not in found.values


def test_a_parameter_that_no_row_feels_keeps_its_prior(prior: SocSpec) -> None:
    found = fit_rows(prior, lines(prior, [4e9]), [BANDWIDTH, PREFILL])
    assert PREFILL in found.kept


def test_rows_beyond_the_priors_are_refused(prior: SocSpec) -> None:
    with pytest.raises(Contradiction, match="priors"):
        fit_rows(prior, [Line(4e9, 40.0)], [BANDWIDTH])


def test_more_rows_narrow_the_interval(prior: SocSpec) -> None:
    few, many = (
        fit_rows(prior, lines(prior, [4e9] * count), [BANDWIDTH]).interval_80(BANDWIDTH)
        for count in (1, 16)
    )
    assert few[0] < many[0] < many[1] < few[1]


def test_values_stay_within_the_prior_range(prior: SocSpec) -> None:
    rows = lines(prior.with_values({BANDWIDTH: 0.99}), [4e9] * 9)
    assert (
        fit_rows(prior, rows, [BANDWIDTH]).values[BANDWIDTH] <= prior.parameters()[BANDWIDTH].high
    )


def test_a_prior_range_is_four_deviations_and_a_fitted_one_is_80_percent() -> None:
    prior, fitted = (Parameter(1.0, "s", kind, "a", 0.5, 2.0) for kind in ("assumed", "fitted"))
    assert deviation(prior) == pytest.approx(math.log(4.0) / 4.0)
    assert deviation(fitted) == pytest.approx(math.log(4.0) / (2 * 1.2816))


def made_up(model: str, soc: SocSpec) -> list[Observation]:
    """Rows that the simulator itself has produced."""
    rows = []
    for metric in ("tokens_per_s", "time_to_first_token_s"):
        run = MeasuredRun(
            id=f"{model}-{metric}",
            model=model,
            stack=STACK,
            weights="w4",
            context_tokens=512,
            prompt_tokens=128,
            **{metric: 1.0},
        )
        blank = observe(run, metric, soc)
        exact = run.model_copy(update={metric: blank.simulated(soc)})
        rows.append(observe(exact, metric, soc))
    return rows


def test_the_simulator_recovers_its_own_parameters(prior: SocSpec) -> None:
    truth = {BANDWIDTH: 0.5, PREFILL: 0.7}
    there = prior.with_values(truth)
    rows = [*made_up("llama-3.2-1b", there), *made_up("llama-3.1-8b", there)]
    found = fit_rows(prior, rows, [BANDWIDTH, PREFILL], noise=0.01)
    for path, value in truth.items():
        assert found.values[path] == pytest.approx(value, rel=0.02)
    assert found.spread < 0.01


def test_every_candidate_is_a_parameter_of_its_stack(prior: SocSpec) -> None:
    for stack in prior.stacks:
        assert set(candidates(prior, stack)) <= set(prior.parameters())
