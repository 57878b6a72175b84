"""The answers as they stand: any change of a number shows here, meant or not.

After a meant change, write the answers anew and read the difference before committing it::

    python tests/golden/test_default_scenario.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sim import load_scenario, simulate
from sim.documents import summary_document

ANSWERS = Path(__file__).with_name("default_scenario.json")
STANDARD_QUESTION = [
    "device=ideal_85gbps_50tflops",
    "model=qwen3-4b",
    "deployment.weights={body: w4, lm_head: w4, embedding: w4}",
    "deployment.kv_cache.dtype=int16",
    "session={turns: [{prompt_tokens: 2048, output_tokens: 257}]}",
]
SCENARIOS = {
    "default": [],
    "default on snapdragon_8_elite": ["device=snapdragon_8_elite"],
    "standard question on the ideal device": STANDARD_QUESTION,
}
NOT_JUDGED = ("versions", "fingerprint", "evidence")
"""Evidence is of the rows that ship, not of the run; tests/unit/test_nearest_evidence.py has it."""
RELATIVE = 1e-9


def answer(overrides: list[str]) -> dict[str, Any]:
    document = summary_document(simulate(load_scenario(None, overrides)))
    return {name: value for name, value in document.items() if name not in NOT_JUDGED}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_answer_has_not_changed(name, flat, machine):
    expected = flat(json.loads(ANSWERS.read_text(encoding="utf-8"))[name])
    found = flat(answer(SCENARIOS[name]))
    new = [key for key in found if key not in expected]
    others = [key for key in new if not key.startswith(".metrics.")]
    assert others == [], "only a metric may be new"
    for key, value in expected.items():
        close = pytest.approx(value, rel=RELATIVE) if isinstance(value, float) else value
        assert found[key] == close, key


def test_every_answer_belongs_to_a_scenario():
    assert set(json.loads(ANSWERS.read_text(encoding="utf-8"))) == set(SCENARIOS)


if __name__ == "__main__":
    answers = {name: answer(overrides) for name, overrides in SCENARIOS.items()}
    ANSWERS.write_text(json.dumps(answers, indent=2) + "\n", encoding="utf-8")
