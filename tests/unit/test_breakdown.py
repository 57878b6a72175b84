"""Where the time of a phase goes: every second in one term, host work told from operators."""

from __future__ import annotations

import pytest

from sim import load_scenario, simulate
from sim.breakdown import OWN_TERMS, phase_terms
from sim.engine.timed import BARRIERS
from sim.engine.times import span_s

LORA = "deployment.lora={rank: 16, adapters: [ui], resident: 1}"
ASKED = "session={turns: [{prompt_tokens: 8, output_tokens: 4, adapter: ui}]}"
SMALL = ("model=smollm2-135m", ASKED, LORA)


@pytest.fixture(scope="module")
def result():
    return simulate(load_scenario(None, SMALL))


@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_terms_add_up_to_the_phase(result, phase):
    groups = [times for times in result.groups if times.group.phase == phase]
    terms = phase_terms(result, phase)
    assert sum(term.seconds for term in terms) == pytest.approx(span_s(groups))
    assert sum(term.share for term in terms) == pytest.approx(1.0)


def test_loading_an_adapter_is_host_work_and_no_launch_of_an_operator(result):
    barriers_s = sum(
        record.end_s - record.ready_s
        for record in result.records
        if record.phase == "prefill" and record.kind in BARRIERS
    )
    terms = {term.name: term.seconds for term in phase_terms(result, "prefill")}
    own = sum(terms.get(name, 0.0) for name in OWN_TERMS.values())
    assert terms["host and graph calls"] + own == pytest.approx(barriers_s)


def test_a_phase_that_never_ran_has_no_terms(result):
    assert phase_terms(result, "vision") == []
