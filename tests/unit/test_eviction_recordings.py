"""Recordings of retained tokens: replayed exactly, and refused when they do not fit."""

import json

import numpy as np
import pytest

from workloads.errors import WorkloadError
from workloads.eviction_policies import Okv
from workloads.recordings import read_recording


def write(path, **changes):
    recording = {
        "schema": "andesim.behaviour/1",
        "kind": "retained_tokens",
        "source": "a test",
        "counts": [80, 81, 60],
    }
    path.write_text(json.dumps(recording | changes))
    return str(path)


def test_recorded_counts_replace_the_law(tmp_path):
    policy = Okv(trace=write(tmp_path / "kept.json"))
    assert policy.retained_tokens(1000, np.array([0, 2, 1])).tolist() == [80, 60, 81]


def test_running_past_the_end_is_an_error_with_a_remedy(tmp_path):
    policy = Okv(trace=write(tmp_path / "kept.json"))
    with pytest.raises(WorkloadError, match="must cover 3 generated tokens"):
        policy.retained_tokens(1000, 3)


@pytest.mark.parametrize("name", ["retained-okv-0.7", "a" * 300, "a\0b"])
def test_a_name_that_is_neither_shipped_nor_a_file_is_refused(name):
    with pytest.raises(WorkloadError, match="must be a file or a shipped recording"):
        read_recording(name, "retained_tokens")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"schema": "other/9"}, "schema"),
        ({"kind": "accepted_tokens"}, "must record retained_tokens"),
        ({"counts": []}, "counts"),
        ({"counts": [1, -1]}, r"counts\[1\]"),
        ({"source": ""}, "source"),
        ({"count": [1]}, "Did you mean 'counts'"),
    ],
)
def test_faulty_recordings_are_refused(tmp_path, changes, fault):
    with pytest.raises(WorkloadError, match=fault):
        read_recording(write(tmp_path / "bad.json", **changes), "retained_tokens")


def test_missing_files_are_named(tmp_path):
    with pytest.raises(WorkloadError, match=r"nowhere\.yaml"):
        read_recording(tmp_path / "nowhere.yaml", "retained_tokens")
