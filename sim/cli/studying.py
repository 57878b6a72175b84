"""The `study` command: regenerate a study from runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sim.errors import SimError
from workloads.errors import did_you_mean

STUDIES = ("andesvl",)


def study(
    name: Annotated[str, typer.Argument(help="Which study: andesvl.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Markdown file; standard output if none.")
    ] = None,
    draws: Annotated[int, typer.Option(min=20, max=5000, help="Draws of the parameters.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draws.")] = 0,
) -> None:
    """Regenerate a study of the documentation."""
    if name not in STUDIES:
        raise SimError(f"study must be known. Got '{name}'. {did_you_mean(name, STUDIES)}")
    from sim.output import write_text
    from sim.studies.andesvl import run
    from sim.studies.andesvl_report import page

    text = page(run(draws, seed), draws, seed)
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_text(out, text)
