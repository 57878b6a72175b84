import contextlib
import csv
import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import SimError
from sim.evidence.measured import COLUMNS, MeasuredRun, parse_measured, read_measured
from sim.evidence.measured_metrics import METRICS

TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=12).map(str.strip)
QUANTITY = st.none() | st.floats(min_value=0.0, allow_infinity=False, allow_nan=False)
COUNT = st.none() | st.integers(min_value=0, max_value=10**9)
RUNS = st.builds(
    MeasuredRun,
    id=TEXT.filter(bool),
    device=TEXT,
    weights=st.sampled_from(["", "w4", "body=w4;lm_head=w8"]),
    context_tokens=COUNT,
    prompt_tokens=COUNT,
    output_tokens=COUNT,
    image_px=st.lists(st.tuples(st.integers(1, 9999), st.integers(1, 9999)), max_size=2).map(tuple),
    prefill_tokens_per_s=QUANTITY,
    tokens_per_s=QUANTITY,
    power_w=QUANTITY,
    role=st.sampled_from(["", "calibration", "validation", "context"]),
    notes=TEXT,
    warnings=st.lists(TEXT.filter(bool), max_size=2).map(tuple),
    refusal=TEXT,
    model_name=TEXT,
    model_parameters=QUANTITY,
    processor=TEXT,
)


def as_csv(runs):
    """Write runs as a careful stranger would."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for run in runs:
        cells = run.model_dump()
        images = ";".join(f"{width}x{height}" for width, height in run.image_px)
        cells |= {"image_px": images, "warnings": " || ".join(run.warnings)}
        writer.writerow([cells[name] for name in COLUMNS])
    return out.getvalue()


def faults(text):
    with pytest.raises(SimError) as caught:
        parse_measured(text, "f.csv")
    return str(caught.value).splitlines()


def test_the_columns_are_the_contract():
    assert ",".join(COLUMNS) == (
        "id,device,stack,backend,model,weights,activations,kv_dtype,context_tokens,prompt_tokens,"
        "output_tokens,image_px,prefill_tokens_per_s,tokens_per_s,time_to_first_token_s,"
        "vision_encode_s,peak_dram_bytes,power_w,source_url,role,notes,depth_tokens,threads,release,"
        "kv_value_dtype,energy_j_per_token,inference_s,ubatch_tokens,flash_attention,warnings,"
        "refusal,model_name,model_parameters,processor"
    )
    assert list(MeasuredRun.model_fields)[: len(COLUMNS)] == list(COLUMNS)


@given(st.lists(RUNS, unique_by=lambda run: run.id, max_size=4))
def test_reading_gives_the_runs_that_were_written(runs):
    assert parse_measured(as_csv(runs)) == runs


def test_a_file_is_read(tmp_path):
    runs = [MeasuredRun(id="a", tokens_per_s=24.4, notes='says "fast", twice')]
    (tmp_path / "m.csv").write_text(as_csv(runs))
    assert read_measured(tmp_path / "m.csv") == runs


def test_bom_crlf_blank_lines_and_quotes_are_understood():
    text = '\ufeffid,tokens_per_s,notes\r\n"a",1,"x, y"\r\n\r\nb, 2 ,\r\n'
    first, second = parse_measured(text)
    assert (first.id, first.tokens_per_s, first.notes) == ("a", 1.0, "x, y")
    assert (second.id, second.tokens_per_s, second.notes) == ("b", 2.0, "")


def test_an_empty_cell_is_unknown_and_not_zero():
    run = parse_measured("id,tokens_per_s,prompt_tokens,image_px\na,,,\n")[0]
    assert run.tokens_per_s is None
    assert run.prompt_tokens is None
    assert run.metrics == {}


def test_a_row_without_an_id_is_named_by_its_line():
    assert [run.id for run in parse_measured("tokens_per_s\n1\n2\n")] == ["line2", "line3"]


def test_all_faults_of_a_file_are_told_at_once_with_their_lines():
    text = (
        "id,tokens_per_s,prompt_tokens,role,image_px\n"
        "a,nan,,,\n"
        "b,inf,1.5,,\n"
        "c,-1,,judge,3x\n"
        "d,5 tok/s,,,\n"
        "e,1\n"
        "f,1,,judge,\n"
        "g,1,,,\n"
        "g,2,,,\n"
        "id,tokens_per_s,prompt_tokens,role,image_px\n"
    )
    told = faults(text)
    assert [line.split(":")[0] for line in told] == [
        f"f.csv, line {n}" for n in (2, 3, 3, 4, 4, 5, 6, 7, 9, 10)
    ]
    assert "finite number" in told[0]
    assert "whole number" in told[2]
    assert "without a unit" in told[5]
    assert "must have 5 cells. Got 2" in told[6]
    assert "calibration" in told[7]
    assert "unique" in told[8]
    assert "header again" in told[9]


def test_unknown_and_double_columns_are_faults_that_name_the_nearest():
    told = faults("id,token_per_s,stack,stack\n")
    assert "'token_per_s' is not known. Did you mean 'tokens_per_s'?" in told[0]
    assert "'stack' must be given once" in told[1]


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_an_empty_file_is_refused(text):
    assert "empty file" in faults(text)[0]


def test_broken_quotes_are_refused():
    assert "must be CSV" in faults('id,notes\na,"never closed\n')[0]


def test_a_mapping_renames_columns_and_drops_the_rest():
    text = "run,TG (tok/s),comment\nr1,18.5,warm\n"
    run = parse_measured(text, mapping={"run": "id", "TG (tok/s)": "tokens_per_s"})[0]
    assert (run.id, run.tokens_per_s, run.notes) == ("r1", 18.5, "")


def test_a_mapping_must_name_columns_on_both_sides():
    with pytest.raises(SimError, match=r"does not have.*Did you mean 'speed'"):
        parse_measured("speed\n1\n", mapping={"sped": "tokens_per_s"})
    with pytest.raises(SimError, match="Did you mean 'tokens_per_s'"):
        parse_measured("speed\n1\n", mapping={"speed": "tokens_per_sec"})


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(SimError, match="readable file"):
        read_measured(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes(b"id,notes\na,\xff\n")
    with pytest.raises(SimError, match="UTF-8"):
        read_measured(tmp_path / "latin.csv")


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_a_run_holds_no_impossible_metric(metric, value):
    with pytest.raises(ValueError, match=metric):
        MeasuredRun(id="a", **{metric: value})


def test_several_images_are_kept_in_order():
    run = parse_measured("id,image_px\na,1080x2400;448 x 448\n")[0]
    assert run.image_px == ((1080, 2400), (448, 448))


@given(st.text(max_size=200))
def test_any_text_is_runs_or_a_sim_error(text):
    with contextlib.suppress(SimError):
        assert all(isinstance(run, MeasuredRun) for run in parse_measured(text))
