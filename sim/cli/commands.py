"""The table of commands. Only the one that is asked for is loaded; ``--help`` loads them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Final

import typer

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "simulate": "sim.cli.simulating.simulate",
        "trace": "sim.cli.listing.trace",
        "measure": "sim.cli.evidence.measure",
        "calibrate": "sim.cli.evidence.calibrate",
        "validate": "sim.cli.evidence.validate",
        "sweep": "sim.cli.sweeping.sweep",
        "size": "sim.cli.sizing.size",
        "solve": "sim.cli.solving.solve",
        "compare": "sim.cli.comparing.compare",
        "report": "sim.cli.reporting.report",
        "study": "sim.cli.studying.study",
        "dashboard": "sim.cli.dashboarding.dashboard",
        "devices": "sim.cli.listing.devices",
        "models": "sim.cli.listing.models",
        "formats": "sim.cli.listing.formats",
        "scenarios": "sim.cli.listing.scenarios",
        "import": "sim.cli.evidence.import_runs",
        "evidence": "sim.cli.corpus.evidence",
    }
)
"""Commands in the order of ``--help``: a function, or a group of commands of its own."""
ASKED: Final = "_ANDESIM_COMPLETE"
"""By this variable a shell asks what it may offer."""
ABOUT: Final = "Simulate multimodal language models on phones: time, memory, energy, heat."


def app_for(words: Sequence[str] = ()) -> typer.Typer:
    """Return the command line: all of it, or the one command that the words begin with."""
    asked = words[0] if words else ""
    app = typer.Typer(
        name="andesim",
        help=ABOUT,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(help=ABOUT)(common)
    for name in [asked] if asked in COMMANDS else COMMANDS:
        module, _, function = COMMANDS[name].rpartition(".")
        command = getattr(import_module(module), function)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        from sim.packaging import versions

        typer.echo(f"andesim {versions()['andesim']}")
        raise typer.Exit


def common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""
