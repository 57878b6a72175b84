"""Files and folders are there whole or not at all, and nothing of a killed writer stays."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sim.errors import OutputError
from sim.output import write_folder, write_text

CODE = """
import os, signal, sys
from pathlib import Path
from sim.output import write_whole
def write(part):
    part.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
write_whole(Path(sys.argv[1]), write)
"""


def _two(part: Path) -> None:
    write_text(part / "rows.txt", "new")
    write_text(part / "summary.json", "new")


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is of POSIX")
def test_what_a_killed_writer_left_goes_with_the_next_write(tmp_path):
    wanted = tmp_path / "rows.csv"
    subprocess.run([sys.executable, "-c", CODE, str(wanted)], check=False)
    assert not wanted.exists()
    assert len(list(tmp_path.iterdir())) == 1
    write_text(wanted, "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


def test_what_another_writer_is_writing_stays(tmp_path):
    other = tmp_path / f".rows.csv.{os.getpid()}-0123abcd.csv"
    other.write_text("under way")
    write_text(tmp_path / "rows.csv", "whole")
    assert other.exists()


def test_a_folder_is_new_as_a_whole(tmp_path):
    def fail(part: Path) -> None:
        write_text(part / "rows.txt", "new")
        raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        write_folder(tmp_path / "run", fail, last="summary.json")
    assert not list(tmp_path.iterdir())
    write_folder(tmp_path / "run", _two, last="summary.json")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_that_exists_keeps_its_other_files(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "rows.txt").write_text("old")
    write_folder(tmp_path, _two, last="summary.json")
    names = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert names == {"mine.txt": "mine", "rows.txt": "new", "summary.json": "new"}


def test_a_folder_of_the_same_files_is_exchanged_as_a_whole(tmp_path, monkeypatch):
    folder = tmp_path / "run"
    write_folder(folder, _two, last="summary.json")
    before, seen = folder.stat().st_ino, []
    replaced = Path.replace

    def watched(self, target):
        done = replaced(self, target)
        seen.append(sorted(file.name for file in folder.iterdir()) if folder.exists() else None)
        return done

    monkeypatch.setattr(Path, "replace", watched)
    write_folder(folder, _two, last="summary.json")
    assert folder.stat().st_ino != before
    assert all(names is None or len(names) == 2 for names in seen)
    assert [file.name for file in tmp_path.iterdir()] == ["run"]
