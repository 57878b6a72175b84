"""Sweeps: a specification in, one row per point out, in process, on all cores or on a cluster.

    SweepSpec --chunks of points--> rows --parts--> FILE.parquet

Every backend evaluates chunks of about a second with the same function, so the rows and their order
do not depend on it. With Dask a chunk lost with its worker is evaluated again by another.

Not done here: choosing where to look next; see `sim.explore.sizing`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from sim.errors import SimError
from sim.explore.designs import SweepSpec
from sim.explore.sweep_files import SweepFile
from sim.explore.sweep_rows import Row, evaluate, rows_at_once

Backend = Literal["serial", "loky", "dask"]

CHUNK_S = 1.0
"""Aimed duration of a chunk: below about half a second the hand-over to workers shows [s]."""

FIRST_ROWS = 2
"""Rows of the first chunks; what they take says how large the next may be."""

GROWTH = 8
"""How much larger than the one before a chunk may be: rows that share work get cheaper together."""

ENDING = ".parquet"

TALKATIVE = ("distributed", "distributed.client", "tornado.application", "asyncio")
"""Loggers that tell of a lost connection, which is said in one sentence here."""

KEPT = "Finished chunks are kept: the same command, with any backend, continues."

CONNECT_S = 5.0
"""How long to try to reach a scheduler [s]."""


def run_sweep(
    spec: SweepSpec,
    path: str | Path,
    *,
    backend: Backend = "serial",
    scheduler: str | None = None,
    jobs: int = -1,
    on_rows: Callable[[int], None] = lambda _: None,
) -> int:
    """Run a sweep into a Parquet file and return its number of rows.

    Parameters
    ----------
    scheduler
        Address of a Dask scheduler; a local cluster if none.
    jobs
        Worker processes of `loky`; all cores if -1.
    on_rows
        Called with the number of rows done, those of an earlier run included.

    Raises `SimError` where the options are wrong or no cluster answers, `OutputError` where the
    file cannot be written or is another's. A point that breaks a rule is a row, no error.
    """
    if jobs == 0 or jobs < -1:
        raise SimError(f"--jobs must be at least 1, or -1 for all cores. Got {jobs}.")
    file = SweepFile(spec, Path(path))
    if file.is_complete():
        file.remove_parts()
        on_rows(spec.points)
        return spec.points
    if Path(path).suffix != ENDING:
        raise SimError(f"-o must end in {ENDING}, which is what a sweep writes. Got '{path}'.")
    file.open()
    missing = file.missing()
    done = spec.points - sum(stop - start for start, stop in missing)
    on_rows(done)
    for start, rows in _evaluated(spec, missing, backend, scheduler, jobs):
        file.write(start, rows)
        done += len(rows)
        on_rows(done)
    file.assemble()
    return spec.points


@dataclass(slots=True)
class _Pace:
    """How many rows the next chunk gets, by what the last one took.

    Attributes
    ----------
    at_once
        Rows that one pass evaluates: chunks hold whole passes, if they hold several.
    """

    at_once: int
    rows: int = FIRST_ROWS

    def __post_init__(self) -> None:
        self.rows = max(self.rows, self.at_once)

    def note(self, rows: int, seconds: float) -> None:
        """Aim the next chunk at `CHUNK_S` after one of so many rows and seconds [s]."""
        wanted = round(min(rows * CHUNK_S / max(seconds, 1e-9), GROWTH * rows))
        self.rows = max(1, wanted if wanted < self.at_once else wanted - wanted % self.at_once)

    def chunks(self, stretches: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """Yield stretches of rows in pieces, each as large as is known to be right by then."""
        for start, stop in stretches:
            while start < stop:
                end = min(stop, start + self.rows)
                yield start, end
                start = end


def _evaluated(
    spec: SweepSpec,
    stretches: Sequence[tuple[int, int]],
    backend: Backend,
    scheduler: str | None,
    jobs: int,
) -> Iterator[tuple[int, list[Row]]]:
    """Yield the first row and the rows of each chunk, as they get done."""
    pace = _Pace(rows_at_once(spec))
    chunks = pace.chunks(stretches)
    for start, rows, seconds in _done(spec, chunks, backend, scheduler, jobs):
        pace.note(len(rows), seconds)
        yield start, rows


def _done(
    spec: SweepSpec,
    chunks: Iterator[tuple[int, int]],
    backend: Backend,
    scheduler: str | None,
    jobs: int,
) -> Iterator[tuple[int, list[Row], float]]:
    """Yield the first row, the rows and the seconds of each chunk, whoever evaluates it."""
    if backend == "serial":
        yield from (_chunk(spec, start, stop) for start, stop in chunks)
        return
    from joblib import Parallel, delayed

    tasks = (delayed(_chunk)(spec, start, stop) for start, stop in chunks)
    with _workers(backend, scheduler):
        count = None if backend == "dask" else jobs
        yield from Parallel(n_jobs=count, return_as="generator_unordered", batch_size=1)(tasks)


def _chunk(spec: SweepSpec, start: int, stop: int) -> tuple[int, list[Row], float]:
    begun_s = time.perf_counter()
    rows = evaluate(spec, start, stop)
    return start, rows, time.perf_counter() - begun_s


@contextmanager
def _workers(backend: Backend, scheduler: str | None) -> Iterator[None]:
    from joblib import parallel_config

    if backend == "loky":
        with parallel_config("loky"), _told_if_killed():
            yield
        return
    with _quiet(), _client(scheduler), parallel_config("dask"), _told_if_lost():
        yield


@contextmanager
def _told_if_killed() -> Iterator[None]:
    """Say in a sentence that a worker process was ended, by the system or a person."""
    from concurrent.futures.process import BrokenProcessPool

    try:
        yield
    except BrokenProcessPool:
        raise SimError(
            "A worker process must stay until its rows are done. One was ended, most likely for "
            f"want of memory. {KEPT} Remedy: fewer --jobs."
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the loggers quiet that print tracebacks where a connection is lost."""
    with suppress(ModuleNotFoundError):
        import_module("distributed")  # sets the levels of its loggers
    loggers = [logging.getLogger(name) for name in TALKATIVE]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _told_if_lost() -> Iterator[None]:
    """Say in a sentence that a cluster went away, in place of its own words for it."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        yield
    except (CancelledError, CommClosedError):
        raise SimError(
            "The Dask scheduler must stay until the sweep is done. Got a lost connection. " + KEPT
        ) from None
    except KilledWorker:
        raise SimError(
            "Dask's workers must stay until their rows are done. Several were ended over one "
            f"chunk, most likely for want of memory. {KEPT}"
        ) from None


def _client(scheduler: str | None) -> Any:
    """Return a client of a Dask scheduler, or of a local cluster with a process per core."""
    try:
        from dask.distributed import Client
    except ModuleNotFoundError:
        raise SimError(
            "--backend dask must have Dask. Got none. "
            "Remedy: pip install '.[dask]' in andesim's folder."
        ) from None
    try:
        if scheduler is None:
            return Client(threads_per_worker=1, dashboard_address=":0")
        return Client(scheduler, timeout=CONNECT_S)
    except Exception as error:  # whatever answers there may say anything, in any protocol
        raise SimError(
            f"--scheduler must be the address of a running Dask scheduler. Got {scheduler!r}: "
            f"{str(error) or 'no answer'}. Start one with `dask scheduler`."
        ) from None
