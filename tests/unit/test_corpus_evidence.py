"""What is derived from the corpus: bounds, noise, pictures and pages."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hw_models.soc import list_socs, load_soc
from sim.cli.studying import load_script
from sim.errors import SimError
from sim.evidence import corpus, noise_of
from sim.evidence.corpus_calls import PATCH_PX, SMALLEST_BYTES
from sim.evidence.corpus_derived import FEWEST_BITS
from sim.evidence.corpus_noise import FEWEST, differences_of, noise, publisher
from sim.evidence.corpus_pictures import Axis, Line, panels, scatter
from sim.evidence.corpus_runs import (
    FIRST_GRAPH,
    GENERATED,
    GPU_SINCE,
    SCALED,
    context_tokens,
    is_question,
    measured,
    prompt_tokens,
    simulated_as,
)
from sim.evidence.corpus_tables import FOLDER, KINDS
from sim.validation.roofline import highest_bytes_per_s, highest_flops_per_s
from workloads.shipped_ids import model_ids
from workloads.weight_formats import catalogue

DOCS = Path(__file__).parents[2] / "docs"
WRITER = load_script(DOCS / "corpus.py")


@pytest.mark.parametrize("kind", KINDS)
def test_each_row_has_its_derived_columns_and_each_of_them_is_explained(kind):
    derived = pd.read_parquet(FOLDER / f"derived_{kind}.parquet")
    assert set(derived["id"]) == set(pd.read_parquet(FOLDER / f"{kind}.parquet")["id"])
    assert derived["id"].is_unique
    assert set(derived.columns) - {"id"} <= {name for name, _, _ in WRITER.DERIVED}


@pytest.mark.parametrize("kind", KINDS)
def test_each_row_is_held_against_its_roofline_or_says_what_is_missing(kind):
    table = corpus(kind)
    held = table["held_by"] != ""
    assert (held != (table["not_held"] != "")).all()
    assert table.loc[held, "peak_bytes_per_s"].notna().all()
    assert held[table["impossible"] != ""].all()
    assert held[table["role"] != "context"].mean() > 0.5


def test_what_nobody_states_is_bounded_by_less_than_what_is_stated():
    """A format of fewest bits, a prompt of one token: bounds that no reading of a row can break."""
    table = corpus("language").query("held_by.str.contains('fewest')")
    assert len(table) > 300
    assert set(table["weights"]) == {""}
    assert table["decode_bytes_per_step"].isna().all()
    stated = set(corpus("language")["weights"]) & set(catalogue())
    fewest = catalogue()[FEWEST_BITS].traffic_bits
    assert all(fewest < catalogue()[name].traffic_bits for name in stated)


def test_a_network_in_a_cache_is_held_by_its_products():
    table = corpus("network").query("held_by.str.contains('products')")
    assert (table["call_bytes"] <= SMALLEST_BYTES).all()
    rates = {name: highest_flops_per_s(load_soc(name)) for name in set(table["device"])}
    beyond = table["inference_s"] < table["call_flops"] / table["device"].map(rates)
    assert beyond.equals(table["beyond_assumed_rate"] != "")


def test_an_impossible_rate_moves_more_bytes_than_the_bus_and_no_other_does():
    table = corpus("language").query("tokens_per_s.notna() and decode_bytes_per_step.notna()")
    own = table[table["device"].isin(list_socs()) & (table["derived_for"] != "ideal")]
    peaks = own["peak_bytes_per_s"]
    for name in ("apple_a15", "snapdragon_8_elite"):
        assert set(peaks[own["device"] == name]) == {highest_bytes_per_s(load_soc(name))}
    faster = own["decode_bytes_per_step"] * own["tokens_per_s"] > peaks * (1.0 + 1e-9)
    told = own["impossible"].str.contains("tokens_per_s of") & ~own["impossible"].str.contains(
        "prefill_tokens_per_s of"
    )
    assert (faster == told).all()
    assert told.any()


@pytest.mark.parametrize("kind", ["language", "vision_language", "energy", "time_series"])
def test_a_row_is_counted_with_the_network_that_it_is_simulated_as(kind):
    counted = corpus(kind).query("derived_network != ''")
    rows = counted.drop_duplicates(["model", "counts_as"]).to_dict(orient="records")
    assert {row["derived_network"] for row in rows} <= set(model_ids())
    for row in rows:
        assert row["derived_network"] == simulated_as(row), row["id"]


def test_first_tokens_of_a_whole_context_are_counted_with_its_prompt():
    """GenieX's llama.cpp, whether a release publishes the time itself or 128 / context of it."""
    rows = corpus("language").query(
        "stack == 'geniex_llamacpp_gpu' and model == 'qwen3-1.7b' and prefill_flops.notna()"
    )
    is_late = rows["release"] >= SCALED[1]
    late, early = (
        rows[chosen].groupby("context_tokens")["prefill_flops"].median()
        for chosen in (is_late, ~is_late)
    )
    for context in (512, 4096):
        assert late[context] == early[context]


def test_releases_of_geniex_agree_on_processors_once_their_scale_is_taken_out():
    """The same job in June and August 2026: 2.5 % apart in the median, not 4 and 32 times."""
    table = corpus("language", role="calibration").query("stack == 'geniex_llamacpp_cpu'")
    ratios = _of_releases(table, "time_to_first_token_s")
    assert len(ratios) > 20
    assert ratios.abs().median() < 0.05
    assert ratios.abs().max() < 0.2


def test_what_geniex_called_a_gpu_in_june_was_the_processor():
    table = corpus("language", role="calibration").query("stack.str.startswith('geniex_llama')")
    table = table[(table["release"] >= SCALED[0]) & table["tokens_per_s"].notna()]
    asked = ["device", "model", "context_tokens"]
    late = table["release"] >= GPU_SINCE
    apart = {}
    for is_late in (False, True):
        by_stack = table[late == is_late].pivot_table("tokens_per_s", asked, "stack", "median")
        ratio = by_stack["geniex_llamacpp_gpu"] / by_stack["geniex_llamacpp_cpu"]
        apart[is_late] = np.log(ratio.dropna().to_numpy())
    assert np.median(np.abs(apart[False])) < 0.05
    assert np.median(np.abs(apart[True])) > 0.3
    gpu = table[table["stack"] == "geniex_llamacpp_gpu"].to_dict(orient="records")
    questions = [row for row in gpu if is_question(row, "tokens_per_s")]
    assert questions
    assert min(row["release"] for row in questions) >= GPU_SINCE


def _of_releases(table: pd.DataFrame, metric: str) -> pd.Series:
    """Return the logarithms of August's values over June's, a row a question of both."""
    rows = table[(table["release"] >= SCALED[0]) & table[metric].notna()]
    values = [measured(row, metric) for row in rows.to_dict(orient="records")]
    half = rows["release"] >= GPU_SINCE
    rows = rows.assign(value=values, late=half)
    pairs = rows.pivot_table("value", ["device", "model", "context_tokens"], "late", "median")
    return np.log(pairs[True] / pairs[False]).dropna()


def test_graphs_for_several_contexts_read_the_first_that_holds_a_short_prompt():
    row = {"context_tokens": 4096, "stack": "geniex_qairt", "release": "main@2026-08-19"}
    of_qwen, of_llama = row | {"counts_as": "qwen3-8b"}, row | {"counts_as": "llama-3.1-8b"}
    assert context_tokens(of_qwen, "tokens_per_s") == FIRST_GRAPH
    assert context_tokens(of_llama, "tokens_per_s") == 4096
    filled = row | {"counts_as": "qwen3-8b", "stack": "geniex_llamacpp_npu"}
    assert context_tokens(filled, "tokens_per_s") == 4096 + GENERATED
    assert prompt_tokens(filled, "time_to_first_token_s") == 4096


def test_a_chip_without_a_device_file_is_held_against_a_published_bandwidth():
    quoted = pd.read_csv(FOLDER / "peaks.csv")
    assert not set(quoted["device"]) & set(list_socs())
    assert quoted["source_url"].str.startswith("https://").all()
    assert quoted["seen"].notna().all()
    assert set(quoted["kind"]) <= {"datasheet", "derived", "assumed"}
    assert (quoted["low_bytes_per_s"] <= quoted["peak_bytes_per_s"]).all()
    assert (quoted["peak_bytes_per_s"] <= quoted["high_bytes_per_s"]).all()
    rows = corpus("language").query("device == 'ryzen_ai_7_350' and tokens_per_s.notna()")
    assert set(rows["peak_bytes_per_s"]) == {128e9}
    assert (rows["decode_bytes_per_step"] * rows["tokens_per_s"]).max() < 128e9


def test_a_chip_of_which_no_page_was_found_has_no_roofline():
    rows = corpus("network").query("device == 'snapdragon_8cx_gen_3'")
    assert len(rows) == 10
    assert rows["peak_bytes_per_s"].isna().all()
    assert (rows["impossible"] == "").all()


def test_an_encoder_reads_its_parameters_at_least_once():
    rows = corpus("vision_language").query("encoder_bytes.notna()")
    of_qwen = rows.query("model == 'qwen2-vl-2b'")["encoder_bytes"]  # 665 million, in 16 bits
    assert of_qwen.between(1.32e9, 1.34e9).all()
    floor_s = rows["encoder_bytes"] / rows["peak_bytes_per_s"]
    assert (rows["vision_encode_s"] < floor_s).equals(rows["impossible"].str.contains("encode_s"))
    assert set(rows[rows["impossible"] != ""]["id"]) == {"N305"}  # milliseconds taken for seconds


def test_impossible_rows_have_no_role():
    table = corpus("language")
    broken = set(table[table["impossible"] != ""]["id"])
    for role in ("calibration", "validation"):
        assert not broken & set(corpus("language", role=role)["id"])


def test_a_step_moves_at_least_the_weights_of_its_network():
    table = corpus("language").query("model == 'llama-3.2-1b' and weights == 'q4_0'")
    moved = table["decode_bytes_per_step"].dropna()
    assert (moved > 1.23e9 * 4.5 / 8).all()
    assert (moved < 2.5e9).all()


def test_a_call_of_a_network_moves_its_weights_and_multiplies_as_published():
    table = corpus("network").query("call_bytes.notna()")
    assert len(table) > 2000
    both = table["call_bytes"] / table["weight_bytes"]
    assert both.dropna().between(0.8, 1.05).all()  # a table of words is not read in full
    resnet = table.query("derived_network == 'resnet50'")
    assert set((resnet["call_flops"] / 2e9).round(3)) == {4.089}


def test_a_vit_of_224_pixels_has_196_patches():
    vit = corpus("network").query("model == 'vit-b-16-224' and patches.notna()")
    assert set(vit["patches"]) == {196.0}
    assert PATCH_PX["vit-b-16-224"] == 16


@pytest.mark.long
def test_the_noise_that_ships_is_that_of_the_rows():
    shipped, found = pd.read_csv(FOLDER / "noise.csv"), noise()
    keys = ["kind", "metric", "unit", "relation", "questions"]
    assert shipped[keys].equals(found[keys])
    for column in ("median_difference", "p90_difference", "spread", "spread_low", "spread_high"):
        assert np.allclose(shipped[column], found[column], rtol=1e-6, equal_nan=True)


def test_noise_is_a_number_with_its_interval_or_unknown():
    shipped = pd.read_csv(FOLDER / "noise.csv")
    assert not shipped.duplicated(["kind", "metric", "unit", "relation"]).any()
    assert ((shipped["questions"] < FEWEST) == shipped["spread"].isna()).all()
    known = shipped.dropna()
    assert (known["spread_low"] <= known["spread"]).all()
    assert (known["spread"] <= known["spread_high"]).all()
    for row in known.itertuples():
        assert noise_of(row.kind, row.metric, row.relation, row.unit).spread == row.spread
    assert noise_of("energy", "energy_j_per_token") is None
    with pytest.raises(SimError, match="Did you mean 'other release'"):
        noise_of("language", "tokens_per_s", "other releases")


def test_rows_of_one_publisher_under_two_addresses_are_not_of_two_persons():
    old = "https://github.com/quic/ai-hub-models/blob/main/a/perf.yaml"
    new = "https://github.com/qualcomm/ai-hub-models/blob/598a0b9845/src/a/perf.yaml"
    shared = {"board": "S25", "setting": ""}
    rows = [
        {"publisher": publisher(url), "when": when, "tokens_per_s": rate} | shared
        for url, when, rate in ((old, "2026-02-12", 10.0), (new, "2026-06-23", 11.0))
    ]
    assert differences_of(rows, "tokens_per_s") == {"other release": [pytest.approx(math.log(1.1))]}
    rows[1]["tokens_per_s"] = 10.0  # carried over
    assert differences_of(rows, "tokens_per_s") == {}


def test_the_pages_are_what_the_tables_give():
    assert (DOCS / "reference" / "corpus.md").read_text(
        encoding="utf-8"
    ) == WRITER.dictionary_page()
    page = (DOCS / "corpus.md").read_text(encoding="utf-8")
    for line in WRITER.coverage_page().partition("## Noise")[0].splitlines():
        assert line in page


def test_each_picture_ships_with_as_many_points_as_the_tables_give():
    for name, text in WRITER.pictures().items():
        shipped = (DOCS / "images" / name).read_text(encoding="utf-8")
        assert shipped.count("<circle") == text.count("<circle"), name
        assert f"images/{name}" in (DOCS / "corpus.md").read_text(encoding="utf-8")


def test_points_stay_in_the_field_and_lines_are_named():
    table = pd.DataFrame({"x": [1.0, 10.0, 0.0], "y": [1.0, 0.01, 1.0], "g": ["a", "a<b", "a"]})
    text = scatter(table, Axis("x", "bytes"), Axis("y", "s"), "g", "t", [Line(10.0, "10 B/s")])
    assert text.count('r="2.6"') == 2
    assert "1 more" not in text
    assert "a&lt;b" in text
    assert "10 B/s" in text
    for across, down in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="2.6"', text):
        assert 70.0 <= float(across) <= 700.0
        assert 52.0 <= float(down) <= 452.0


def test_every_group_of_three_has_its_panel_with_all_points_behind_it():
    rows = [(x, 1.0 / x, g) for g, n in (("a", 4), ("b", 3), ("c", 2)) for x in range(1, n + 1)]
    table = pd.DataFrame(rows, columns=["x", "y", "g"])
    text = panels(table, Axis("x", "bytes"), Axis("y", "s"), "g", "t", [Line(10.0, "10 B/s")])
    assert re.findall(r">(\w) \((\d)\)<", text) == [("a", "4"), ("b", "3")]
    assert text.count('r="2.6"') == 7
    assert text.count("h0") == 9


def test_an_axis_of_less_than_a_power_of_ten_has_several_ticks():
    table = pd.DataFrame({"x": [12.0, 99.0], "y": [0.06, 0.4], "g": ["a", "a"]})
    text = scatter(table, Axis("x", "tokens/s"), Axis("y", "J"), "g", "t")
    for tick in ("20", "50", "0.1", "0.2"):
        assert f">{tick}<" in text


def test_colours_end_and_the_rest_is_named():
    names = [f"n{i:02}" for i in range(12)]
    table = pd.DataFrame({"x": range(1, 13), "y": range(1, 13), "g": names})
    assert ">2 more<" in scatter(table, Axis("x", "x"), Axis("y", "y"), "g", "t")


def test_every_table_of_the_corpus_loads():
    assert sum(len(corpus(kind)) for kind in KINDS) > 19_000
