"""The tables of the corpus: typed, in the dictionary, small, and readable with pandas alone."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import pytest

from sim.evidence import corpus
from sim.evidence.corpus_tables import FOLDER, KINDS, dictionary

TYPES = {"text": "str", "count": "Int64", "number": "float64"}
SPEEDS = ("prefill_tokens_per_s", "tokens_per_s", "time_to_first_token_s", "peak_dram_bytes")
METRICS = {
    "language": SPEEDS,
    "vision_language": (*SPEEDS, "vision_encode_s"),
    "network": ("inference_s",),
    "energy": ("energy_j_per_token", "power_w"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_columns_and_types_are_those_of_the_dictionary(kind):
    table, words = pd.read_parquet(FOLDER / f"{kind}.parquet"), dictionary(kind)
    assert list(table.columns) == list(words["column"])
    for name, type_ in zip(words["column"], words["type"], strict=True):
        assert str(table[name].dtype) == TYPES[type_], name


def test_every_column_is_explained_and_every_unit_stands_in_the_name():
    words = dictionary()
    assert (words["meaning"] != "").all()
    ends = {"s": "_s", "B": "_bytes", "W": "_w", "Hz": "_hz", "C": "_c", "px": "_px"}
    for column, unit in zip(words["column"], words["unit"], strict=True):
        assert column.endswith(ends.get(unit, "")), column


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "time_series"])
def test_ids_are_unique_and_every_row_measures_something(kind):
    table = corpus(kind)
    assert table["id"].is_unique
    figures = table[list(METRICS[kind])]
    assert figures.notna().any(axis=1).all()
    assert not (figures <= 0.0).any().any()
    assert (table["source_url"] != "").all()


def test_a_series_is_one_run_that_goes_forward():
    for _, series in corpus("time_series").groupby("id", sort=False):
        assert series["time_s"].is_monotonic_increasing
        assert series[["device", "role"]].drop_duplicates().shape[0] == 1


def test_counts_and_fractions_are_sane():
    language = corpus("language")
    for column in ("prompt_tokens", "output_tokens", "depth_tokens", "context_tokens", "threads"):
        assert (language[column].dropna() >= 0).all()
    assert set(language["unit"]) <= {"cpu", "gpu", "npu", ""}
    assert set(language["weights_basis"]) == {"", "stated", "bits", "runtime"}


def test_first_tokens_of_ai_hub_are_of_one_chunk():
    hub = corpus("language").query("source == 'ai_hub_llm' and time_to_first_token_s.notna()")
    assert set(hub["prompt_tokens"]) == {128}


def test_no_figure_is_counted_twice_under_a_mirror():
    for kind in ("language", "network"):
        table = corpus(kind)
        mirrors = set(" ".join(table["mirrors"]).split())
        assert mirrors
        assert not mirrors & set(table["id"])


def test_what_was_left_out_is_named_with_its_reason():
    left_out = pd.read_parquet(FOLDER / "excluded.parquet")
    assert (left_out["reason"] != "").all()
    present = {row for kind in KINDS for row in corpus(kind)["id"]}
    assert not present & set(left_out["id"])


def test_the_corpus_is_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 15e6


def test_a_table_needs_pandas_and_nothing_of_ours():
    code = f"import pandas; print(len(pandas.read_parquet({str(FOLDER / 'energy.parquet')!r})))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(found.stdout) == len(corpus("energy"))
