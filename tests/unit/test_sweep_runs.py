"""Running a sweep: the same rows however it is run, nothing lost when it is stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise

import pandas as pd
import pyarrow.parquet as pq
import pytest

from sim import Scenario, simulate
from sim.errors import OutputError, SimError
from sim.explore import sweeps
from sim.explore.designs import SweepSpec
from sim.explore.sweep_files import SweepFile
from sim.explore.sweep_rows import rows_at_once
from sim.explore.sweeps import FIRST_ROWS, run_sweep

BASE = {
    "device": "ideal_85gbps_50tflops",
    "model": "qwen3-0.6b",
    "session": {"turns": [{"prompt_tokens": 64, "output_tokens": 16}]},
}
PROMPT = "session.turns.0.prompt_tokens"
SLOW = SweepSpec(
    base=BASE, axes={"deployment.prefill_chunk_tokens": {"linear": [8, 87], "count": 80}}
)
MIXED = SweepSpec(
    base=BASE,
    axes={PROMPT: [1, 300, 0, -4, 2.5], "deployment.weights.body": ["w4", "nonsense"]},
)


def rows_until(limit):
    def on_rows(done):
        if done >= limit:
            raise KeyboardInterrupt

    return on_rows


def test_each_row_is_what_simulate_says_or_why_it_says_nothing(tmp_path):
    run_sweep(MIXED, tmp_path / "rows.parquet")
    frame = pd.read_parquet(tmp_path / "rows.parquet")
    assert list(frame["deployment.weights.body"]) == ["w4"] * 5 + ["nonsense"] * 5
    good = frame[frame["error"].isna()]
    assert list(good[PROMPT]) == [1.0, 300.0]
    for _, row in good.iterrows():
        given = MIXED.mapping((int(row[PROMPT]), "w4"))
        expected = simulate(Scenario.from_mapping(given)).summary().as_dict()
        known = {name: value for name, value in expected.items() if value is not None}
        assert {name: row[name] for name in known} == pytest.approx(known, rel=1e-9)
        assert all(pd.isna(row[name]) for name in set(expected) - set(known))
    assert good["fingerprint"].str.fullmatch(r"[0-9a-f]{16}").all()
    assert good["fingerprint"].is_unique
    bad = frame[frame["error"].notna()]
    assert bad["fingerprint"].isna().all()
    assert bad["error"].str.contains("session|deployment.weights.body").all()


def test_rows_that_differ_in_a_later_turn_have_their_own_fingerprints(tmp_path):
    two = BASE | {"session": {"turns": [{"output_tokens": 4}, {"output_tokens": 4}]}}
    spec = SweepSpec(base=two, axes={"session.turns.1.prompt_tokens": [64, 128]})
    run_sweep(spec, tmp_path / "rows.parquet")
    frame = pd.read_parquet(tmp_path / "rows.parquet")
    assert frame["prefill_s"].is_unique
    assert frame["fingerprint"].is_unique


def test_an_axis_of_mixed_values_becomes_text(tmp_path):
    spec = SweepSpec(base=BASE, axes={"deployment.prefill_chunk_tokens": [128, None, "x"]})
    run_sweep(spec, tmp_path / "rows.parquet")
    frame = pd.read_parquet(tmp_path / "rows.parquet")
    assert list(frame["deployment.prefill_chunk_tokens"]) == ["128", "null", "x"]
    assert list(frame["error"].isna()) == [True, True, False]


def test_a_session_of_clients_is_swept_like_one_of_turns(tmp_path):
    client = {"turns": [{"prompt_tokens": 64, "output_tokens": 4}]}
    clients = BASE | {"session": {"clients": {"assistant": client}}}
    spec = SweepSpec(base=clients, axes={"environment.ambient_c": [20.0, 30.0]})
    run_sweep(spec, tmp_path / "rows.parquet")
    frame = pd.read_parquet(tmp_path / "rows.parquet")
    assert frame["error"].isna().all()
    assert frame["decode_s"].notna().all()
    assert frame["fingerprint"].is_unique


def test_a_run_out_of_memory_is_a_row_not_a_failure(tmp_path):
    spec = SweepSpec(base=BASE, axes={"environment.app_budget_bytes": ["1 MB", "8 GB"]})
    run_sweep(spec, tmp_path / "rows.parquet")
    frame = pd.read_parquet(tmp_path / "rows.parquet")
    assert list(frame["fits"]) == [False, True]
    assert frame["error"].isna().all()
    assert list(frame["decode_s"].isna()) == [True, False]


def test_runs_that_the_governor_slows_are_as_slow_in_a_sweep(tmp_path):
    hot = BASE | {"device": "dimensity_9500", "environment": {"ambient_c": 41.0}}
    spec = SweepSpec(base=hot, axes={"session.turns.0.output_tokens": [64, 2000]})
    run_sweep(spec, tmp_path / "rows.parquet")
    found = pd.read_parquet(tmp_path / "rows.parquet")["decode_s"]
    for seconds, tokens in zip(found, (64, 2000), strict=True):
        alone = simulate(Scenario.from_mapping(spec.mapping((tokens,)))).summary()
        assert seconds == pytest.approx(alone.decode_s, rel=1e-9)
    cool = Scenario.from_mapping(spec.mapping((2000,)) | {"environment": {}})
    assert found[1] > 1.05 * simulate(cool).summary().decode_s


def assert_same_rows(one, other):
    pd.testing.assert_frame_equal(pd.read_parquet(one), pd.read_parquet(other), rtol=1e-9)


def test_chunks_follow_the_time_they_take(monkeypatch, tmp_path):
    def slow(spec, start, stop):
        time.sleep(0.01 * (stop - start))
        return [{"error": None}] * (stop - start)

    monkeypatch.setattr(sweeps, "evaluate", slow)
    monkeypatch.setattr(sweeps, "CHUNK_S", 0.05)
    seen = []
    run_sweep(SLOW, tmp_path / "rows.parquet", on_rows=seen.append)
    sizes = [after - before for before, after in pairwise(seen)]
    assert sizes[0] == FIRST_ROWS
    assert max(sizes[1:]) <= 6
    assert sum(sizes) == SLOW.points


def test_chunks_hold_whole_passes(tmp_path):
    """Points that differ in token counts are evaluated together, so no chunk divides them."""
    axes = {PROMPT: [16, 32, 48, 64, 80], "deployment.weights.body": ["w2", "w4", "w8"]}
    seen = []
    run_sweep(SweepSpec(base=BASE, axes=axes), tmp_path / "rows.parquet", on_rows=seen.append)
    assert seen[:2] == [0, 5]
    assert all(done % 5 == 0 for done in seen)


@pytest.mark.parametrize(
    ("changes", "rows"),
    [
        ({}, 2),
        ({"targets": ("tokens_per_s>1",)}, 1),
        ({"design": "lhs"}, 1),
        ({"base": BASE | {"environment": {"background": "game"}}}, 1),
        ({"axes": {PROMPT: [1, 2, 3]}}, 3),
        ({"axes": {PROMPT: {"linear": [1, 5000], "count": 5000}}}, 4096),
        ({"base": BASE | {"enviroment": {}}}, 1),
    ],
)
def test_rows_that_one_pass_evaluates(changes, rows):
    axes = {PROMPT: [16, 32], "deployment.weights.body": ["w2", "w4"]}
    assert rows_at_once(SweepSpec(**({"base": BASE, "axes": axes} | changes))) == rows


def test_a_stopped_sweep_continues_where_it_was(tmp_path):
    file = tmp_path / "rows.parquet"
    with pytest.raises(KeyboardInterrupt):
        run_sweep(SLOW, file, on_rows=rows_until(1))
    assert not file.exists()
    kept = {
        part: part.stat().st_mtime_ns for part in file.with_name("rows.parquet.parts").iterdir()
    }
    seen = []
    with pytest.raises(KeyboardInterrupt):
        run_sweep(SLOW, file, on_rows=lambda done: seen.append(done) or rows_until(76)(done))
    assert seen[0] == FIRST_ROWS
    assert all(part.stat().st_mtime_ns == written for part, written in kept.items())
    assert run_sweep(SLOW, file) == 80
    run_sweep(SLOW, tmp_path / "whole.parquet")
    assert_same_rows(file, tmp_path / "whole.parquet")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["rows.parquet", "whole.parquet"]


def test_a_killed_process_loses_no_finished_part(tmp_path):
    code = (
        "import sys; from sim.explore.designs import SweepSpec\n"
        "from sim.explore.sweeps import run_sweep\n"
        "run_sweep(SweepSpec.model_validate_json(sys.argv[1]), sys.argv[2],\n"
        "          on_rows=lambda done: print(done, flush=True))\n"
    )
    file = tmp_path / "rows.parquet"
    child = subprocess.Popen(
        [sys.executable, "-c", code, SLOW.model_dump_json(), str(file)], stdout=subprocess.PIPE
    )
    assert [int(child.stdout.readline()) for _ in range(2)] == [0, FIRST_ROWS]
    child.kill()
    child.wait()
    seen = []
    run_sweep(SLOW, file, on_rows=seen.append)
    assert seen[0] >= FIRST_ROWS
    assert list(pd.read_parquet(file)["deployment.prefill_chunk_tokens"]) == list(range(8, 88))


def test_a_finished_sweep_is_not_run_again_and_anothers_file_is_not_touched(tmp_path):
    file = tmp_path / "rows.parquet"
    run_sweep(MIXED, file)
    written = file.stat().st_mtime_ns
    seen = []
    run_sweep(MIXED, file, on_rows=seen.append)
    assert seen == [10]
    assert file.stat().st_mtime_ns == written
    with pytest.raises(OutputError, match="must be new or hold this very sweep"):
        run_sweep(SLOW, file)
    file.write_text("not a table")
    with pytest.raises(OutputError, match="must be new"):
        run_sweep(MIXED, file)


def test_rows_of_a_device_file_that_has_changed_since_are_not_taken_for_its_own(tmp_path):
    base, device, file = (tmp_path / name for name in ("base.yaml", "own.yaml", "rows.parquet"))
    base.write_text("extends: dimensity_9500\n")
    device.write_text("extends: ./base.yaml\n")
    spec = SLOW.model_copy(update={"base": BASE | {"device": str(device)}})
    before = SweepFile(spec, file).identity
    assert before == SweepFile(spec, file).identity
    base.write_text("extends: dimensity_9400\n")
    assert before != SweepFile(spec, file).identity


def test_parts_of_another_sweep_are_refused(tmp_path):
    file = tmp_path / "rows.parquet"
    with pytest.raises(KeyboardInterrupt):
        run_sweep(SLOW, file, on_rows=rows_until(1))
    with pytest.raises(SimError, match="Remove the folder"):
        run_sweep(MIXED, file)
    (file.with_name("rows.parquet.parts") / "sweep.json").write_text("{broken")
    with pytest.raises(SimError, match="Remove the folder"):
        run_sweep(SLOW, file)


def test_an_unwritable_place_is_refused_before_anything_runs(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="must be writable"):
        run_sweep(SLOW, tmp_path / "file" / "rows.parquet", on_rows=rows_until(1))


def test_a_full_disk_leaves_finished_parts_and_nothing_half_written(tmp_path, monkeypatch):
    file = SweepFile(SLOW, tmp_path / "rows.parquet")
    file.open()
    file.write(0, [{}] * 32)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(OutputError, match="No space left"):
        file.write(32, [{}] * 32)
    assert sorted(part.name for part in file.parts.iterdir()) == [
        "000000000-000000032.parquet",
        "sweep.json",
    ]
    assert file.missing() == [(32, 80)]


def test_the_file_says_which_sweep_it_holds(tmp_path):
    run_sweep(MIXED, tmp_path / "rows.parquet")
    schema = pq.read_schema(tmp_path / "rows.parquet")
    expected = SweepFile(MIXED, tmp_path / "x.parquet").identity
    assert schema.metadata[b"andesim.sweep"].decode() == expected
    assert schema.names[-2:] == ["fingerprint", "error"]


def test_rows_do_not_depend_on_the_backend(tmp_path):
    run_sweep(SLOW, tmp_path / "serial.parquet")
    run_sweep(SLOW, tmp_path / "loky.parquet", backend="loky", jobs=2)
    assert_same_rows(tmp_path / "serial.parquet", tmp_path / "loky.parquet")


def test_a_cluster_that_loses_a_worker_at_work_loses_no_row(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr(sweeps, "CHUNK_S", 0.1)
    run_sweep(SLOW, tmp_path / "serial.parquet")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        killed = []

        def on_rows(done):
            busy = {at for at, worker in cluster.scheduler.workers.items() if worker.processing}
            at_work = [nanny for nanny in cluster.workers.values() if nanny.worker_address in busy]
            if done and at_work and not killed:
                killed.append(at_work[0].pid)
                os.kill(killed[0], signal.SIGKILL)

        run_sweep(
            SLOW,
            tmp_path / "dask.parquet",
            backend="dask",
            scheduler=cluster.scheduler_address,
            on_rows=on_rows,
        )
    assert killed
    assert_same_rows(tmp_path / "serial.parquet", tmp_path / "dask.parquet")


def test_an_unreachable_scheduler_is_told_within_ten_seconds(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    assert sweeps.CONNECT_S < 10.0
    monkeypatch.setattr(sweeps, "CONNECT_S", 0.5)
    with pytest.raises(SimError, match="must be the address of a running Dask scheduler"):
        run_sweep(MIXED, tmp_path / "x.parquet", backend="dask", scheduler="tcp://127.0.0.1:9")


def test_whatever_answers_instead_of_a_scheduler_is_one_sentence(tmp_path, monkeypatch):
    """A web server's greeting reads as a frame of exabytes."""
    distributed = pytest.importorskip("distributed")

    def answer(*_, **__):
        raise MemoryError("Unable to allocate 3.07 EiB")

    monkeypatch.setattr(distributed, "Client", answer)
    with pytest.raises(SimError, match="must be the address of a running Dask scheduler"):
        run_sweep(MIXED, tmp_path / "x.parquet", backend="dask", scheduler="tcp://127.0.0.1:80")


def test_no_workers_and_a_folder_as_file_are_refused_before_anything_runs(tmp_path):
    with pytest.raises(SimError, match="--jobs must be at least 1"):
        run_sweep(MIXED, tmp_path / "x.parquet", backend="loky", jobs=0)
    with pytest.raises(OutputError, match="Got a folder"):
        run_sweep(MIXED, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_identity_of_a_sweep_survives_a_round_trip():
    again = SweepSpec.model_validate(json.loads(SLOW.model_dump_json()))
    assert again == SLOW


def test_parts_that_nobody_claims_are_not_taken_for_ones_own(tmp_path):
    """A kill while the parts are removed may leave some, without the claim that says whose."""
    path = tmp_path / "rows.parquet"
    other = MIXED.model_copy(update={"base": BASE | {"model": "qwen3-1.7b"}})
    file = SweepFile(other, path)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(other, path, on_rows=rows_until(8))
    (file.parts / "sweep.json").unlink()
    assert list(file.parts.iterdir())
    run_sweep(MIXED, path)
    run_sweep(MIXED, tmp_path / "alone.parquet")
    found, expected = (pd.read_parquet(tmp_path / f"{n}.parquet") for n in ("rows", "alone"))
    pd.testing.assert_frame_equal(found, expected)


def test_parts_beside_a_finished_file_are_cleared_away(tmp_path):
    path = tmp_path / "rows.parquet"
    run_sweep(MIXED, path)
    (tmp_path / "rows.parquet.parts").mkdir()
    run_sweep(MIXED, path)
    assert list(tmp_path.iterdir()) == [path]
