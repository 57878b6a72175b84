"""The `study` command: run a study of the documentation again.

A study is a script ``docs/studies/NAME.py`` of the sources. Its ``written(draws, seed)`` returns
texts by file name, the page first.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from sim.cli.offering import offered
from sim.cli.options import say_written
from sim.errors import SimError
from workloads.errors import did_you_mean

FOLDER: Final = Path(__file__).parents[2] / "docs" / "studies"


def study_names() -> list[str]:
    """Return the names of the studies; none outside a checkout of the sources."""
    return sorted(path.stem for path in FOLDER.glob("*.py"))


def study_ids(begun: str) -> list[str]:
    """Return studies whose names begin so, for the Tab key."""
    return offered(begun, study_names())


def study(
    name: Annotated[
        str | None,
        typer.Argument(help="Which study; lists them if none.", autocompletion=study_ids),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Markdown file, its figures beside it; else printed."),
    ] = None,
    draws: Annotated[int, typer.Option(min=20, max=5000, help="Draws of the parameters.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
) -> None:
    """Regenerate a study of the documentation."""
    names = study_names()
    if not names:
        raise SimError(f"study must run from a checkout of the sources. Got none: no {FOLDER}.")
    if name is None:
        typer.echo("\n".join(names))
        return
    if name not in names:
        raise SimError(f"study must be known. Got '{name}'. {did_you_mean(name, names)}")
    page, *figures = load_script(FOLDER / f"{name}.py").written(draws, seed).items()
    if out is None:
        typer.echo(page[1], nl=False)
        return
    from sim.output import write_text

    write_text(out, page[1])
    say_written(out)
    for file, text in figures:
        write_text(out.parent / file, text)
        say_written(out.parent / file)


def load_script(path: Path) -> Any:
    """Return the module of a script outside the packages."""
    spec = importlib.util.spec_from_file_location(f"script_{path.stem}", path)
    assert spec is not None  # a .py file always has one
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return module
