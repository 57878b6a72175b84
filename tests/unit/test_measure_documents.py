"""The measurement file: cases, noise, what is refused, and what survives writing and reading."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.cli.measuring import measure_to
from sim.errors import OutputError, SimError
from sim.evidence.measuring.cases import Case, cases_for
from sim.evidence.measuring.document import (
    CaseTimes,
    Machine,
    Measurement,
    disagreement,
    parse_measurement,
    read_measurement,
    write_measurement,
)
from sim.evidence.measuring.protocol import check_noise, measure
from workloads.catalogue import trace_for


def times(*rounds: tuple[float, ...], phase: str = "decode") -> CaseTimes:
    return CaseTimes(
        case=Case(phase=phase, tokens=64),
        sizes={"T": 1, "S": 64},
        wall_s=tuple(tuple(2 * s for s in calls) for calls in rounds),
        cpu_s=rounds,
        peak_activation_bytes=1,
        kv_bytes=1,
        segments=(),
    )


def measurement(*cases: CaseTimes, **changes: object) -> Measurement:
    machine = Machine(
        cpu="Zen",
        logical_cores=2,
        caches_bytes={"L2": 2**20},
        memory_bytes=2**34,
        system="Linux",
        python="3.11",
        torch="2.13.0",
        threads=1,
        load_average=(0.5, 1.5),
    )
    fields: dict[str, object] = {
        "created": "2026-01-01T00:00:00+00:00",
        "model": "smollm2-135m",
        "config_digest": "0" * 64,
        "device": "cpu",
        "dtype": "bf16",
        "machine": machine,
        "parameters": 1,
        "weight_bytes": 2,
        "peak_resident_bytes": 3,
        "read_bytes_per_s": 1e10,
        "noise_floor": 0.01,
        "cases": cases or (times((1.0,), (1.1,), (1.2,)),),
    }
    return Measurement.model_validate(fields | changes)


def test_quick_cases_are_fewer_and_text_models_have_no_vision():
    text, vision = trace_for("smollm2-135m"), trace_for("andesvl-0.6b")
    assert {case.phase for case in cases_for(text)} == {"prefill", "decode"}
    assert {case.phase for case in cases_for(vision, quick=True)} == {"vision", "prefill", "decode"}
    assert len(cases_for(vision, quick=True)) < len(cases_for(vision))
    assert [case.id for case in cases_for(text, prompt_tokens=(7,), phases=("prefill",))] == [
        "prefill_7"
    ]


def test_an_image_becomes_the_patches_of_its_canvas():
    trace = trace_for("andesvl-1b")  # cells of 28 px, 2 x 2 patches each
    assert Case(phase="vision", image_px=(448, 672)).sizes(trace) == {"N": 32 * 48, "rows": 48}


def test_a_decode_step_computes_one_token_in_its_context():
    trace = trace_for("smollm2-135m")
    assert Case(phase="decode", tokens=300).sizes(trace) == {"T": 1, "S": 300}
    assert Case(phase="prefill", tokens=300).sizes(trace) == {"T": 300, "S": 300}


def test_cpu_time_is_judged_on_a_cpu_and_wall_time_on_an_accelerator():
    case = times((1.0, 3.0), (2.0,), (5.0,))
    assert (case.median_s("cpu"), case.median_s("cuda")) == (2.5, 5.0)
    assert case.minimum_s("cpu") == 1.0


@given(st.floats(0.01, 100.0), st.integers(2, 8))
def test_equal_rounds_have_no_noise_and_scale_does_not_matter(scale, rounds):
    assert disagreement([scale] * rounds) == 0.0
    values = [1.0, 1.5, 1.2]
    assert disagreement([scale * v for v in values]) == pytest.approx(disagreement(values))


def test_a_noisy_run_is_refused_with_case_load_and_remedy():
    noisy = times((1.0,), (2.0,), (1.0,))
    with pytest.raises(SimError, match=r"within 20%.*decode_64.*load of 0.5 to 1.5.*Remedy"):
        check_noise(measurement(noisy, noise_floor=0.5))
    check_noise(measurement(noisy, noise_floor=0.2))


def test_a_measurement_written_and_read_again_is_the_same(tmp_path):
    path = tmp_path / "run.json"
    write_measurement(measurement(), path)
    assert read_measurement(path) == measurement()
    assert json.loads(path.read_text())["schema"] == "andesim.measurement/1"
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


def test_nothing_half_written_is_left_behind(tmp_path):
    with pytest.raises(OutputError):
        write_measurement(measurement(), tmp_path / "missing" / "run.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("schema", "other/1", "schema"),
        ("device", "tpu", "device"),
        ("read_bytes_per_s", 0.0, "read_bytes_per_s"),
        ("cases", [], "cases"),
        ("colour", 1, "colour"),
    ],
)
def test_a_broken_file_is_refused_with_the_place(place, value, told):
    document = measurement().model_dump(mode="json", by_alias=True) | {place: value}
    with pytest.raises(SimError, match=told):
        parse_measurement(json.dumps(document), "run.json")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"schema": NaN}'])
def test_text_that_is_no_measurement_is_refused(text):
    with pytest.raises(SimError, match="run"):
        parse_measurement(text, "run.json")


def test_a_measurement_needs_rounds_cases_and_a_folder(tmp_path):
    with pytest.raises(SimError, match="at least 3"):
        measure("smollm2-135m", [Case(phase="decode", tokens=1)], rounds=2)
    with pytest.raises(SimError, match="must have a case"):
        measure("smollm2-135m", [])
    with pytest.raises(SimError, match="folder that exists"):
        measure_to("smollm2-135m", tmp_path / "missing" / "run.json")
    with pytest.raises(SimError, match="WIDTHxHEIGHT"):
        measure_to("andesvl-0.6b", tmp_path / "run.json", images="large")
