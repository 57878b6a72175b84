"""Speculation as a scenario part: recordings replayed, faults refused."""

import json

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from workloads.acceptance import Acceptance
from workloads.errors import WorkloadError
from workloads.speculation import (
    DecoderSize,
    EagleDraft,
    ModelDraft,
    NoSpeculation,
    SelfDraft,
    SpeculationPart,
)

PART = TypeAdapter(SpeculationPart)
SMALL = DecoderSize(
    hidden=8, layers=2, layer_parameters=100, vocabulary=50, kv_elements_per_layer=4
)


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "accepted.json"
    path.write_text(
        json.dumps(
            {
                "schema": "andesim.behaviour/1",
                "kind": "accepted_tokens",
                "source": "a test",
                "counts": [3, 0, 5, 1],
            }
        )
    )
    return Acceptance(trace=str(path))


def test_a_recording_is_replayed_in_order_and_the_last_step_cut(recording):
    random = np.random.default_rng(0)
    assert recording.committed_tokens(5, 12, random).tolist() == [4, 1, 6, 1]
    assert recording.committed_tokens(2, 11, random).tolist() == [3, 1, 3, 2, 2]
    assert recording.committed_tokens(5, 0, random).size == 0


def test_a_recording_gives_its_own_curve(recording):
    assert recording.curve(5).tolist() == [0.75, 0.5, 0.5, 0.25, 0.25]
    assert recording.curve(2, factor=0.5).tolist() == [0.375, 0.125]


def test_curves_end_where_the_list_ends():
    assert Acceptance(survival=(0.5, 0.3)).curve(4).tolist() == [0.5, 0.3, 0, 0]
    assert Acceptance(survival=(0.5, 0.3)).curve(1).tolist() == [0.5]
    assert Acceptance(alpha=0.9).curve(2, factor=1.5).tolist() == [1.0, 1.0]


def test_a_factor_above_one_raises_conditional_acceptances_and_none_beyond_one():
    certain_second = Acceptance(survival=(0.5, 0.5, 0.25))
    assert certain_second.curve(4, factor=1.5).tolist() == [0.75, 0.75, 0.5625, 0.0]
    assert Acceptance(alpha=0.5).curve(2, factor=1.2) == pytest.approx([0.6, 0.36])


@pytest.mark.parametrize(
    ("acceptance", "fault"),
    [
        ({}, "one of alpha"),
        ({"alpha": 0.5, "survival": [0.5]}, "one of alpha"),
        ({"alpha": 1.5}, "less than or equal to 1"),
        ({"survival": [0.3, 0.5]}, "never rises"),
        ({"survival": []}, "at least 1"),
        ({"alhpa": 0.5}, "alhpa"),
    ],
)
def test_faulty_acceptance_is_refused(acceptance, fault):
    with pytest.raises(ValidationError, match=fault):
        Acceptance.model_validate(acceptance)


def test_methods_are_told_apart_by_name():
    part = {"method": "eagle", "depth": 5, "acceptance": {"alpha": 0.7}}
    assert PART.validate_python(part) == EagleDraft(depth=5, acceptance=Acceptance(alpha=0.7))
    assert PART.validate_python({"method": "none"}) == NoSpeculation()
    for method in ("early_exit", "layer_skip"):
        found = PART.validate_python(part | {"method": method, "draft_layers": 1})
        assert isinstance(found, SelfDraft)
    with pytest.raises(ValidationError, match="eagle"):
        PART.validate_python(part | {"method": "eagel"})
    with pytest.raises(ValidationError, match="at least the depth"):
        PART.validate_python(part | {"tree_nodes": 3})


def test_plain_decoding_drafts_nothing():
    plain = NoSpeculation()
    assert plain.verify_width == 1
    assert plain.draft_cost(SMALL).passes == 0


def test_drafts_that_cannot_work_are_refused():
    acceptance = Acceptance(alpha=0.5)
    draft = ModelDraft(draft_model="tiny", acceptance=acceptance)
    with pytest.raises(WorkloadError, match="vocabulary of 50"):
        draft.draft_cost(SMALL, DecoderSize(4, 1, 10, 49, 2))
    with pytest.raises(WorkloadError, match="'tiny'"):
        draft.draft_cost(SMALL)
    with pytest.raises(WorkloadError, match="below the target's 2"):
        SelfDraft(method="early_exit", draft_layers=2, acceptance=acceptance).draft_cost(SMALL)
