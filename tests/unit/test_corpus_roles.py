"""Roles of the corpus: they follow from the written rule, and code that fits sees one role only."""

from __future__ import annotations

import ast
import hashlib
import re
from pathlib import Path

import pandas as pd
import pytest

from sim.errors import SimError
from sim.evidence import corpus
from sim.evidence.corpus_roles import NEEDED, names_left_out, score, with_roles
from sim.evidence.corpus_tables import FOLDER, KINDS, ROLES
from sim.evidence.exhibits import load_exhibits

ROOT = Path(__file__).parents[2]
README = (ROOT / "validation_data" / "README.md").read_text(encoding="utf-8")
BLIND = re.compile(
    r"qwen[\s._-]*3[\s._-]*(vl[\s._-]*)?(instruct[\s._-]*)?4[\s._-]*b", re.IGNORECASE
)


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return {kind: pd.read_parquet(FOLDER / f"{kind}.parquet") for kind in KINDS}


def test_the_frozen_roles_are_those_of_the_rule(tables):
    again = with_roles(tables)
    for kind, table in tables.items():
        assert (again[kind]["role"] == table["role"]).all(), kind
        assert (again[kind]["context_reason"] == table["context_reason"]).all(), kind


def test_every_row_has_a_role_and_every_context_row_its_reason(tables):
    for table in tables.values():
        assert set(table["role"]) <= set(ROLES)
        assert (table["context_reason"] != "")[table["role"] == "context"].all()


def test_rows_that_fit_or_judge_say_what_ran(tables):
    for kind, table in tables.items():
        used = table[table["role"] != "context"]
        for fact in NEEDED:
            assert (used[fact] != "").all(), (kind, fact)


def test_what_is_left_out_calibrates_nothing_anywhere(tables):
    out = names_left_out(tables)
    for table in tables.values():
        fits = table[table["role"] == "calibration"]
        assert not set(fits["counts_as"]) & out.network
        assert not set(fits["device"]) & out.device
        assert not set(fits["source"].str.split("/").str[0] + " " + fits["release"]) & out.release
        assert not set(fits["id"]) & out.run


def test_a_pair_that_an_exhibit_judges_is_fitted_on_no_device(tables):
    judged = {
        (run.stack, run.model)
        for exhibit in load_exhibits()
        if exhibit.manifest.role == "validation"
        for run in exhibit.runs
    }
    for table in tables.values():
        fits = table[table["role"] == "calibration"]
        assert not judged & set(zip(fits["stack"], fits["model"], strict=True))


def test_rows_of_exhibits_keep_role_and_figures(tables):
    known = tables["language"].set_index("id")
    for exhibit in load_exhibits():
        for run in (run for run in exhibit.runs if run.id in known.index):
            row = known.loc[run.id]
            assert (row["role"], row["stack"]) == (run.role, run.stack), run.id
            for metric in ("tokens_per_s", "prefill_tokens_per_s", "time_to_first_token_s"):
                value = getattr(run, metric)
                assert (
                    pd.isna(row[metric]) if value is None else row[metric] == pytest.approx(value)
                )


def test_one_measurement_has_one_role(tables):
    roles = pd.concat([t[t["role"] != "context"][["id", "role"]] for t in tables.values()])
    assert (roles.groupby("id")["role"].nunique() == 1).all()


def test_figures_of_one_release_stay_together_but_for_pairs_that_an_exhibit_judges(tables):
    language = tables["language"]
    exhibits = language["source"].str.startswith("exhibits/") & (language["role"] == "validation")
    judged = set(_pairs(language[exhibits]))
    for kind in (
        "language",
        "vision_language",
        "network",
        "energy",
    ):  # of series, runs are left out
        table = tables[kind]
        usable = (table["role"] != "context") & (table["release"] != "")
        rows = table[usable & ~_pairs(table).isin(judged)]
        together = rows.groupby(["source", "device", "counts_as", "release"])["role"].nunique()
        assert (together == 1).all(), kind


def _pairs(table: pd.DataFrame) -> pd.Series:
    return pd.Series(zip(table["stack"], table["counts_as"], strict=True), index=table.index)


def test_no_blind_row_is_in_the_corpus(tables):
    for table in tables.values():
        texts = table.select_dtypes(include="str")
        for name in texts:
            assert not [text for text in texts[name].unique() if BLIND.search(text)]
    assert BLIND.search("Qwen3-VL-4B-Instruct")
    assert BLIND.search("QWEN3_4B")


def test_a_name_alone_decides():
    assert score("network", "a") == score("network", "a") != score("device", "a")
    assert 0.0 <= score("release", "x") < 1.0


def test_another_name_or_role_is_refused_with_the_nearest():
    with pytest.raises(SimError, match="Did you mean 'language'"):
        corpus("languages")
    with pytest.raises(SimError, match="Did you mean 'calibration'"):
        corpus("language", role="calibrate")


DOORS = ("corpus", "language_runs", "network_rows", "runs_in_role")
"""Functions that show published rows, all of which take a role."""


def test_code_that_fits_can_only_see_calibration_rows():
    """In sim/calibration published rows are reached by these calls, with one role, spelt out."""
    seen = []
    for path in sorted((ROOT / "sim" / "calibration").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        for closed in ("parquet", "corpus_tables", "load_exhibits", "samples.csv"):
            assert closed not in text, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and _called(node) in DOORS:
                (role,) = (word.value for word in node.keywords if word.arg == "role")
                assert ast.literal_eval(role) == "calibration", path
                seen.append(_called(node))
    assert set(seen) == {"language_runs", "network_rows"}


def test_a_fit_of_any_kind_is_asked_for_no_role():
    """So no caller of code that fits can choose another."""
    for path in sorted((ROOT / "sim" / "calibration").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert "role" not in {item.arg for item in node.args.args + node.args.kwonlyargs}


def _called(node: ast.Call) -> str:
    return getattr(node.func, "id", "") or getattr(node.func, "attr", "")


@pytest.mark.parametrize("kind", KINDS)
def test_the_door_shows_one_role(kind):
    assert set(corpus(kind, role="calibration")["role"]) == {"calibration"}


def test_the_frozen_tables_are_those_of_the_readme():
    told = dict(re.findall(r"^\| `(\w+)\.parquet` \| ([0-9a-f]{64}) \|$", README, re.MULTILINE))
    found = {
        kind: hashlib.sha256((FOLDER / f"{kind}.parquet").read_bytes()).hexdigest()
        for kind in KINDS
    }
    assert told == found
    assert re.search(r"frozen in commit `[0-9a-f]{40}`", README)


def test_the_readme_counts_the_roles(tables):
    for kind, table in tables.items():
        counts = table["role"].value_counts().reindex(ROLES, fill_value=0)
        assert f"| {kind} | {len(table)} | {' | '.join(map(str, counts))} |" in README
