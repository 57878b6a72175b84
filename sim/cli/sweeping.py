"""`andesim sweep`: a specification in, a Parquet file out, and a bar with the time left."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from sim.cli.bars import STOPPED, Bar
from sim.cli.options import TENTH, Minutes, Targets, tell_idle

MISSED = 1
MOST_WARNINGS = 3


def sweep(
    spec: Annotated[Path, typer.Argument(help="Sweep YAML: base, axes, design.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Parquet file to write.")],
    backend: Annotated[
        Literal["serial", "loky", "dask"],
        typer.Option(help="This process, all cores, or a Dask cluster."),
    ] = "serial",
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler, e.g. tcp://host:8786; implies dask.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Worker processes of loky; -1: all cores.")] = -1,
    target: Targets = None,
    uncertainty: Annotated[
        int, typer.Option(min=0, help="Draws of the device for each row's verdict.")
    ] = 0,
    minutes: Minutes = 10,
) -> None:
    """Run a sweep; run it again to continue after a stop.

    With targets each row has a verdict (status, probability); exit code 1 if none passes.
    """
    from sim.explore.designs import load_sweep
    from sim.explore.sweep_verdicts import targets_of
    from sim.explore.sweeps import run_sweep

    wanted = load_sweep(spec)
    if target:
        asked = {"targets": tuple(target), "uncertainty": uncertainty, "minutes": minutes}
        wanted = wanted.model_copy(update=asked)
    targets_of(wanted.targets)
    if not wanted.targets:
        idle = {"--minutes": minutes != TENTH, "--uncertainty": uncertainty > 0}
        tell_idle(idle, "no --target is given")
    chosen = "dask" if scheduler else backend
    bar = Bar("rows")

    def on_rows(done: int) -> None:
        bar.tell(done, wanted.points)  # not before the output is known to be good

    try:
        run_sweep(wanted, out, backend=chosen, scheduler=scheduler, jobs=jobs, on_rows=on_rows)
    except KeyboardInterrupt:
        bar.end()
        print(f"Stopped: {bar.done} of {wanted.points} rows are kept.", file=sys.stderr)
        print("The same command continues.", file=sys.stderr)
        raise typer.Exit(STOPPED) from None
    finally:
        bar.end()
    _tell_failures(out)
    if wanted.targets and not _tell_verdicts(out, wanted.paths):
        raise typer.Exit(MISSED)


def _tell_failures(out: Path) -> None:
    """Say how many rows have no metrics, and why the first of them has none."""
    import pyarrow.parquet as pq

    rows = pq.read_table(out, columns=["error", "warnings"])
    errors = rows["error"]
    failed = len(errors) - errors.null_count
    print(f"Written to {out}: {len(errors)} rows.", file=sys.stderr)
    if failed:
        first = errors.drop_null()[0].as_py()
        print(f"{failed} of them failed (column `error`), first: {first}", file=sys.stderr)
    _tell_warnings(rows["warnings"].drop_null().to_pylist())


def _tell_warnings(said: Sequence[str]) -> None:
    """Say what most rows warn of, and how many other warnings there are."""
    counts = Counter(text for row in said for text in row.splitlines()).most_common()
    for text, rows in counts[:MOST_WARNINGS]:
        print(f"Warning of {rows} row{'s' * (rows != 1)}: {text}", file=sys.stderr)
    if len(counts) > MOST_WARNINGS:
        more = len(counts) - MOST_WARNINGS
        print(f"{more} more in column `warnings`.", file=sys.stderr)


def _tell_verdicts(out: Path, paths: Sequence[str]) -> bool:
    """Say how many rows pass, or which comes nearest; return whether any does."""
    import pyarrow.parquet as pq

    rows = pq.read_table(out, columns=[*paths, "status", "slack", "in_the_way"]).to_pylist()
    judged = [row for row in rows if row["status"]]
    counts = Counter(row["status"] for row in judged)
    print(", ".join(f"{count} {status}" for status, count in counts.items()), file=sys.stderr)
    if counts["PASS"] or not judged:
        return bool(counts["PASS"])
    row = max(judged, key=lambda row: row["slack"])
    settings = ", ".join(f"{path} = {row[path]}" for path in paths)
    print(f"Nearest: {settings}; in the way: {row['in_the_way']}.", file=sys.stderr)
    return False
