"""The recordings shipped: whole, replayed exactly by the simulator's laws, and told truly."""

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from workloads.acceptance import Acceptance
from workloads.behaviour.manifest import (
    DROPPED,
    FOLDER,
    EvictionRun,
    EvictionStudy,
    SpeculationRun,
    SpeculationStudy,
    digests,
    read_manifest,
    write_recording,
)
from workloads.behaviour.tables import (
    loss_table,
    markdown,
    speculation_table,
    survival_table,
    tables,
)
from workloads.behaviour.texts import texts
from workloads.errors import WorkloadError
from workloads.recordings import read_recording

STUDY = Path(__file__).parents[2] / "docs" / "studies" / "behaviour.md"


@cache
def manifest():
    return read_manifest()


def eviction_runs():
    return [pytest.param(run, id=run.retained) for run in manifest().eviction.runs]


def speculation_runs():
    return [pytest.param(run, id=run.accepted) for run in manifest().speculation.runs]


def test_files_are_those_the_manifest_lists():
    assert digests() == manifest().files


def test_every_recording_belongs_to_a_run():
    runs = manifest().eviction.runs
    named = {run.retained for run in runs} | {run.loaded for run in runs if run.loaded}
    named |= {run.accepted for run in manifest().speculation.runs}
    assert named | {DROPPED} == set(manifest().files)


def test_texts_are_those_recorded():
    now = {t.name: (t.kind, hashlib.sha256(t.content.encode()).hexdigest()) for t in texts()}
    assert now == manifest().subject.texts


@pytest.mark.parametrize("run", eviction_runs())
def test_the_law_predicts_what_was_retained(run):
    study = manifest().eviction
    counts = read_recording(FOLDER / run.retained, "retained_tokens").counts
    produced = np.arange(study.steps + 1)
    assert run.policy.retained_tokens(study.prompt_tokens, produced).tolist() == list(counts)
    replayed = run.policy.model_copy(update={"trace": str(FOLDER / run.retained)})
    assert replayed.retained_tokens(study.prompt_tokens, produced).tolist() == list(counts)


@pytest.mark.parametrize("run", [run for run in manifest().eviction.runs if run.loaded])
def test_the_law_predicts_what_was_read_within_a_page(run):
    study = manifest().eviction
    counts = read_recording(FOLDER / run.loaded, "loaded_tokens").counts
    law = run.policy.loaded_tokens(study.prompt_tokens, np.arange(1, study.steps + 1))
    assert np.abs(law - counts).max() <= run.policy.page


def test_positions_say_the_same_as_counts():
    study = manifest().eviction
    with np.load(FOLDER / DROPPED) as dropped:
        for run in study.runs:
            counts = read_recording(FOLDER / run.retained, "retained_tokens").counts
            name = run.retained.removeprefix("retained-").removesuffix(".yaml")
            if counts[0] == study.prompt_tokens:
                assert name not in dropped
                continue
            for step in (0, 1, study.steps):
                at = dropped[name][..., : study.prompt_tokens + step]
                assert (at > step).sum(axis=-1).mean() == counts[step]


def test_pyramid_layers_hold_ever_fewer_tokens():
    with np.load(FOLDER / DROPPED) as dropped:
        held = (dropped["pyramidkv-0.25"][..., : manifest().eviction.prompt_tokens] > 0).sum(-1)
    assert (held == held[:, :1]).all()
    assert held[0, 0] > 2 * held[-1, 0]


@pytest.mark.parametrize("run", speculation_runs())
def test_replay_commits_what_was_recorded(run):
    study = manifest().speculation
    counts = np.asarray(read_recording(FOLDER / run.accepted, "accepted_tokens").counts)
    assert counts.max() <= study.depth
    acceptance = Acceptance(trace=str(FOLDER / run.accepted))
    tokens = int((counts + 1).sum())
    committed = acceptance.committed_tokens(study.depth, tokens, np.random.default_rng(0))
    assert committed.tolist() == (counts + 1).tolist()


@pytest.mark.parametrize("run", speculation_runs())
def test_every_step_but_a_full_one_ends_in_a_rejection_or_for_want_of_drafts(run):
    study = manifest().speculation
    counts = np.asarray(read_recording(FOLDER / run.accepted, "accepted_tokens").counts)
    short = int((counts < study.depth).sum())
    assert run.rejections <= short
    if run.draft != "ngram":
        assert run.rejections == short


def test_greedy_drafts_saw_the_same_text():
    """Greedy output does not depend on the draft, so the share of repetition does not either."""
    for kind in ("prose", "code", "ui"):
        runs = [
            run
            for run in manifest().speculation.runs
            if run.kind == kind and run.temperature == 0.0
        ]
        assert max(run.repeated for run in runs) - min(run.repeated for run in runs) < 0.15


@pytest.mark.parametrize("name", ["loss", "positions", "speculation", "survival"])
def test_the_study_shows_the_recorded_figures(name):
    assert tables(manifest())[name] in STUDY.read_text(encoding="utf-8")


def test_recordings_hold_whole_tokens_only(tmp_path):
    file = write_recording(tmp_path, "retained", "x", "a test", [3.0, 4.0])
    assert read_recording(tmp_path / file, "retained_tokens").counts == (3, 4)
    with pytest.raises(WorkloadError, match="whole numbers"):
        write_recording(tmp_path, "retained", "x", "a test", [3.5])


def test_loss_changes_are_against_the_full_cache_of_the_same_text():
    def run(policy, keep, **loss):
        return EvictionRun(policy=policy, keep=keep, loss=loss, retained="-")

    runs = (run({"policy": "none"}, 1, a=3.0, b=1.0), run({"policy": "tova"}, 0.5, a=3.1, b=1.3))
    table = loss_table(EvictionStudy(prompt_tokens=8, steps=1, runs=runs), {"a": "x", "b": "y"})
    assert table.splitlines()[2:] == [
        "| none (loss) | 1 | 2.000 | 3.000 | 1.000 |",
        "| tova | 0.5 | +0.200 ± 0.141 | +0.100 | +0.300 |",
    ]


def test_tokens_per_step_by_hand(tmp_path):
    file = write_recording(tmp_path, "accepted", "x", "a test", [2, 0, 1, 1])
    run = SpeculationRun(
        draft="d", kind="code", temperature=0, rejections=3, repeated=0, accepted=file
    )
    study = SpeculationStudy(prompt_tokens=8, new_tokens=8, depth=2, drafts={"d": ""}, runs=(run,))
    # alpha = 4 / (4 + 3); 1 + alpha + alpha^2 = 1.90; s.e. = sqrt(2 / 3) / 2
    row = "| d | code | greedy | 4 | 2.00 ± 0.41 | 0.57 | 1.90 | 0.00 |"
    assert speculation_table(study, tmp_path).splitlines()[2] == row
    assert "| d | greedy | 4 | 0.75 | 0.25 |" in survival_table(study, tmp_path)


def test_markdown_tables():
    assert markdown(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
