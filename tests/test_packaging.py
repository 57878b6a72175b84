"""The four packages come from one folder, belong to nobody else, and ship what they need."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from zipfile import ZipFile

import pytest

from sim import packaging
from sim.errors import SimError

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_all_packages_lie_in_one_folder():
    folders = set(packaging.package_folders().values())
    assert len(folders) == 1
    assert None not in folders
    packaging.check_one_folder()


def test_no_other_distribution_owns_a_package():
    packaging.check_one_owner()


@pytest.mark.parametrize("name", ["dashboard", "hw_models", "workloads"])
def test_a_package_of_the_same_name_elsewhere_stops_the_command_line(tmp_path, name):
    """What `pip install dashboard` would do: another folder comes first on the path."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from sim.cli import main; main()"
    process = subprocess.run(
        [sys.executable, "-c", code, "formats"], capture_output=True, text=True, cwd=tmp_path
    )
    assert (process.returncode, process.stdout) == (2, "")
    assert "The packages must come from one folder" in process.stderr
    assert str(tmp_path) in process.stderr
    assert "Traceback" not in process.stderr


def test_an_overwritten_package_is_told_with_its_other_owner(monkeypatch):
    owners = {"dashboard": ["andesim", "dashboard"], "sim": ["andesim"]}
    monkeypatch.setattr(packaging, "packages_distributions", lambda: owners)
    with pytest.raises(SimError, match=r"Got \{'dashboard': \['dashboard'\]\}"):
        packaging.check_one_owner()


def test_a_missing_package_is_told(monkeypatch):
    monkeypatch.setattr(packaging, "PACKAGES", ("sim", "no_such_package"))
    with pytest.raises(SimError, match="no_such_package in None"):
        packaging.check_one_folder()


def test_the_wheel_has_exactly_the_guarded_packages_and_the_exhibits():
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(packages) == {*packaging.PACKAGES, "validation_data"}
    for name in packaging.PACKAGES:
        assert (ROOT / name / "__init__.py").is_file()
        assert (ROOT / name / "py.typed").is_file()


def test_the_wheel_ships_every_file_of_the_packages_and_nothing_else(tmp_path):
    pytest.importorskip("hatchling")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    shipped = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    tops = (*packaging.PACKAGES, "validation_data")
    files = (path for top in tops for path in (ROOT / top).rglob("*") if path.is_file())
    ours = {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}
    assert shipped == ours
    assert {".yaml", ".json", ".csv", ".css"} <= {Path(name).suffix for name in shipped}


def test_the_project_can_not_be_uploaded_by_mistake():
    assert "Private :: Do Not Upload" in PROJECT["project"]["classifiers"]


def test_the_installed_version_is_the_project_s():
    assert version(packaging.DISTRIBUTION) == PROJECT["project"]["version"]


def test_no_module_is_named_like_a_package():
    """Streamlit puts `dashboard/` first on the path: `dashboard/sim.py` would hide `sim`."""
    names = {*packaging.PACKAGES, "validation_data"}
    inner = [
        path
        for package in packaging.PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.stem in names and (path.is_dir() or path.suffix == ".py")
    ]
    assert inner == []


def test_running_needs_no_torch():
    """The core installs without it; only the extras ask for it."""
    names = [requirement.split(">")[0].split("=")[0] for requirement in requirements()]
    assert not {"torch", "fvcore"} & set(names)
    assert any("torch" in line for line in PROJECT["project"]["optional-dependencies"]["trace"])


def requirements() -> list[str]:
    return list(PROJECT["project"]["dependencies"])
