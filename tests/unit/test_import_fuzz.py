"""Whatever bytes a file holds, an importer returns runs or says what is wrong."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.errors import SimError
from sim.evidence.importers import import_measured, importers
from sim.evidence.measured import MeasuredRun

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures" / "imports").iterdir())
JUNK = st.sampled_from(
    [
        *(b"0", b"-1", b"0.5", b"NaN", b"Infinity", b"1e999", b"1e-320", b"9" * 5000),
        *(b"null", b"true", b"[]", b"{}", b'"', b'"x"', b",", b"\n", b"|", b"", b"\x00"),
        *(b"\xff\xfe", "±".encode()),
    ]
)
SHARED_FOLDER = (HealthCheck.function_scoped_fixture,)


def runs_or_reason(path, raw, **options):
    """Any exception but SimError, and any other result than runs, fails the test."""
    path.write_bytes(raw)
    with contextlib.suppress(SimError):
        runs = import_measured(path, **options)
        assert runs
        assert all(isinstance(run, MeasuredRun) for run in runs)


@settings(max_examples=100, deadline=None, suppress_health_check=SHARED_FOLDER)
@given(raw=st.binary(max_size=200))
def test_random_bytes(raw, tmp_path):
    runs_or_reason(tmp_path / "f", raw)


@settings(max_examples=300, deadline=None, suppress_health_check=SHARED_FOLDER)
@given(data=st.data())
def test_mutated_fixtures(data, tmp_path):
    raw = data.draw(st.sampled_from(FIXTURES)).read_bytes()
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(raw)))
        length = data.draw(st.integers(0, 12))
        raw = raw[:start] + data.draw(JUNK | st.binary(max_size=4)) + raw[start + length :]
    runs_or_reason(tmp_path / "f", raw)


@pytest.mark.parametrize("name", list(importers()))
@settings(max_examples=20, deadline=None, suppress_health_check=SHARED_FOLDER)
@given(data=st.data())
def test_a_forced_format_on_any_file(name, data, tmp_path):
    raw = data.draw(st.sampled_from(FIXTURES).map(Path.read_bytes) | st.binary(max_size=50))
    runs_or_reason(tmp_path / "f", raw, format=name)
