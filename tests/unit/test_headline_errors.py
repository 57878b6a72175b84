"""What left-out calibration rows showed must not get worse unseen: shipped residuals, no run."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.calibration.folds import Residual, held
from sim.calibration.networks import RESIDUALS
from sim.calibration.shipping import read_residuals

MOST = {"tokens_per_s": 0.24, "time_to_first_token_s": 0.26, "prefill_tokens_per_s": 0.26}
"""Largest median error of networks left out, by metric."""
MOST_OF_GRAPHS = {"qnn_dlc": 0.35, "tflite_npu": 0.35, "onnx_npu": 0.48}
"""The same of networks that are no language models, by stack."""


@pytest.fixture(scope="module")
def residuals() -> list[Residual]:
    return [item for item in read_residuals() if item.fold == "network"]


@pytest.mark.parametrize("metric", MOST)
def test_the_median_error_of_left_out_networks_stays(metric, residuals) -> None:
    errors = [abs(math.expm1(item.log_error)) for item in residuals if item.metric == metric]
    assert np.median(errors) <= MOST[metric]


def test_intervals_hold_about_80_percent_of_left_out_networks(residuals) -> None:
    for metric in MOST:
        inside = held(residuals, [item for item in residuals if item.metric == metric])
        assert 0.73 <= np.mean(inside) <= 0.87


def test_the_median_error_of_left_out_graphs_stays() -> None:
    """Networks that are no language models, on the stacks that say what those cost."""
    found = read_residuals(RESIDUALS)
    assert len(found) > 1000
    for stack, most in MOST_OF_GRAPHS.items():
        errors = [abs(math.expm1(item.log_error)) for item in found if item.stack == stack]
        assert np.median(errors) <= most, stack
