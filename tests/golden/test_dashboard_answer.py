"""The draws that ship with the dashboard are those of the default question, on any machine.

After a meant change: python -m dashboard.precomputed
"""

from __future__ import annotations

import pytest

from dashboard import precomputed
from dashboard.choices import Choices
from sim import Scenario, simulate
from sim.explore.uncertainty import sampled_metrics
from sim.verdicts import DRAWS


def asked(**changed):
    return simulate(Scenario.from_mapping(Choices(**changed).mapping()))


def test_what_ships_is_used_only_for_the_run_it_was_drawn_for(machine):
    result = asked()
    found, anew = precomputed.shipped(result), sampled_metrics(result, DRAWS)
    assert found, "the default's numbers changed: python -m dashboard.precomputed"
    for metric, column in found.items():
        assert column == pytest.approx(anew[metric], rel=1e-9)
    assert precomputed.shipped(asked(model="andesvl-2b")) is None
