"""The shipped scenarios as they stand: any change of a number shows here, meant or not.

After a meant change, write the answers anew and read the difference before committing it::

    python tests/golden/test_shipped_scenarios.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sim import load_scenario, simulate
from sim.documents import summary_document
from workloads.scenario import scenario_ids

ANSWERS = Path(__file__).with_name("shipped_scenarios.json")
JUDGED = ("engine", "metrics", "session", "dram_bytes")
RELATIVE = 1e-9


def answer(scenario_id: str) -> dict[str, Any]:
    document = summary_document(simulate(load_scenario(scenario_id)))
    return {name: document[name] for name in JUDGED if name in document}


@pytest.mark.parametrize("scenario_id", scenario_ids())
def test_a_shipped_scenario_answers_as_before(scenario_id, flat, machine):
    expected = flat(json.loads(ANSWERS.read_text(encoding="utf-8"))[scenario_id])
    found = flat(answer(scenario_id))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        close = pytest.approx(value, rel=RELATIVE) if isinstance(value, float) else value
        assert found[name] == close, name


if __name__ == "__main__":
    answers = {scenario_id: answer(scenario_id) for scenario_id in scenario_ids()}
    ANSWERS.write_text(json.dumps(answers, indent=1) + "\n", encoding="utf-8")
