"""What is derived from the corpus: bounds, noise, pictures and pages."""

from __future__ import annotations

import math
import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hw_models.soc import list_socs, load_soc
from sim.cli.studying import load_script
from sim.errors import SimError
from sim.evidence import corpus, noise_of
from sim.evidence.corpus_calls import PATCH_PX
from sim.evidence.corpus_noise import FEWEST, differences_of, noise, publisher
from sim.evidence.corpus_pictures import Axis, Line, scatter
from sim.evidence.corpus_tables import FOLDER, KINDS
from sim.validation.roofline import highest_bytes_per_s
from workloads.catalogue import model_ids

DOCS = Path(__file__).parents[2] / "docs"
WRITER = load_script(DOCS / "corpus.py")


@pytest.mark.parametrize("kind", KINDS)
def test_each_row_has_its_derived_columns_and_each_of_them_is_explained(kind):
    derived = pd.read_parquet(FOLDER / f"derived_{kind}.parquet")
    assert set(derived["id"]) == set(pd.read_parquet(FOLDER / f"{kind}.parquet")["id"])
    assert derived["id"].is_unique
    assert set(derived.columns) - {"id"} <= {name for name, _, _ in WRITER.DERIVED}


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


@pytest.mark.parametrize("kind", ["language", "vision_language", "energy"])
def test_a_row_is_counted_with_its_own_network_or_with_one_of_its_shapes(kind):
    counted = corpus(kind).query("derived_network != ''")
    named = counted["derived_network"]
    assert ((named == counted["model"]) | (named == counted["counts_as"])).all()
    assert set(named) <= set(model_ids())
    assert (counted["model"] != named).any()


def test_a_chip_without_a_device_file_is_held_against_a_published_bandwidth():
    quoted = pd.read_csv(FOLDER / "peaks.csv")
    assert not set(quoted["device"]) & set(list_socs())
    assert quoted["source_url"].str.startswith("https://").all()
    rows = corpus("language").query("device == 'ryzen_ai_7_350' and tokens_per_s.notna()")
    assert set(rows["peak_bytes_per_s"]) == {128e9}
    assert (rows["decode_bytes_per_step"] * rows["tokens_per_s"]).max() < 128e9


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
    assert "a&lt;b" in text
    assert "10 B/s" in text
    for across, down in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="2.6"', text):
        assert 70.0 <= float(across) <= 700.0
        assert 34.0 <= float(down) <= 434.0


def test_loading_everything_takes_less_than_two_seconds_of_one_core():
    corpus("energy")  # pandas and its Parquet reader are loaded by now
    began = time.process_time()
    assert sum(len(corpus(kind)) for kind in KINDS) > 19_000
    assert time.process_time() - began < 2.0
