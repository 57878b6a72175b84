import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.evidence.checks import FASTEST_TOKENS_PER_S, checks
from sim.evidence.measured import MeasuredRun


def found(ceiling=None, **fields):
    return checks(MeasuredRun(id="a", **fields), ceiling)


def only(severity, findings):
    assert len(findings) == 1
    assert findings[0].severity == severity
    return findings[0].message


def test_a_clean_run_passes():
    assert (
        found(
            100.0,
            tokens_per_s=20.0,
            output_tokens=128,
            time_to_first_token_s=0.5,
            samples={"tokens_per_s": (20.1, 19.9, 20.0)},
        )
        == []
    )


@pytest.mark.parametrize("metric", ["prefill_tokens_per_s", "tokens_per_s", "vision_encode_s"])
def test_zero_means_nothing_was_timed(metric):
    assert metric in only("error", found(**{metric: 0.0, "power_w": 3.0}))


def test_a_first_token_time_of_zero_is_missing_and_no_error():
    message = only("warning", found(time_to_first_token_s=0.0, tokens_per_s=5.0))
    assert "no turn" in message


def test_a_run_without_any_metric_is_an_error():
    assert "no turn" in only("error", found())


def test_output_tokens_without_a_decode_rate_are_a_warning():
    only("warning", found(output_tokens=128, prefill_tokens_per_s=100.0))


@pytest.mark.parametrize(("tokens", "doubts"), [(15, 1), (16, 0), (0, 0)])
def test_fewer_than_sixteen_tokens_are_a_warning(tokens, doubts):
    assert len(found(tokens_per_s=20.0, output_tokens=tokens)) == doubts


@given(
    st.floats(min_value=1e-3, max_value=FASTEST_TOKENS_PER_S),
    st.floats(min_value=1e-3, max_value=FASTEST_TOKENS_PER_S),
)
def test_a_rate_above_the_ceiling_is_an_error_and_one_below_is_none(rate, ceiling):
    assert bool(found(ceiling, tokens_per_s=rate)) == (rate > ceiling)


def test_an_absurd_rate_is_an_error_without_a_ceiling():
    only("error", found(tokens_per_s=1e9))


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0, 1e-310, 1e300])
def test_garbage_in_the_samples_is_an_error(bad):
    only("error", found(tokens_per_s=5.0, samples={"tokens_per_s": (5.0, bad)}))


def test_a_cold_first_sample_is_set_apart_before_the_spread_is_judged():
    times = only("warning", found(samples={"time_to_first_token_s": (2.0, 1.0, 1.0, 1.01)}))
    rates = only("warning", found(samples={"tokens_per_s": (5.0, 10.0, 10.0, 9.9)}))
    assert "cold" in times
    assert "cold" in rates


def test_a_wide_spread_is_a_warning():
    samples = {"tokens_per_s": (12.0, 15.0, 10.0, 14.0)}
    assert "spread" in only("warning", found(samples=samples))


def test_steady_slowing_is_throttling():
    samples = {"tokens_per_s": (20.0, 19.0, 18.5, 17.5)}
    assert "throttles" in only("warning", found(samples=samples))
    assert found(samples={"tokens_per_s": tuple(reversed(samples["tokens_per_s"]))}) == []


@given(st.floats(min_value=1e-6, max_value=1e6), st.integers(min_value=1, max_value=9))
def test_equal_samples_are_never_doubted(value, repeats):
    assert found(samples={"inference_s": (value,) * repeats}) == []
