"""A short campaign over every reader: an object or the package's own refusal, nothing else.

The long ones are run by hand: `python -m tests.fuzz.campaign`, `python -m tests.fuzz.guided`.
"""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.mutations import mutated
from tests.fuzz.readers import READERS, REFUSALS


@pytest.mark.parametrize("name", READERS)
def test_every_seed_is_read(name, tmp_path):
    reader = READERS[name]
    assert reader.seeds()
    path = tmp_path / f"file{reader.suffix}"
    read = 0
    for raw in reader.seeds():
        path.write_bytes(raw)
        try:
            read += reader.read(path) is not None
        except REFUSALS:
            continue
    assert read, "no valid file to start from"


@pytest.mark.parametrize("name", READERS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(random=st.randoms(use_true_random=False), data=st.data())
def test_a_mutated_file_is_read_or_refused(name, tmp_path, random, data):
    reader = READERS[name]
    path = tmp_path / f"file{reader.suffix}"
    path.write_bytes(mutated(data.draw(st.sampled_from(reader.seeds())), random))
    with contextlib.suppress(*REFUSALS):
        assert reader.read(path) is not None
