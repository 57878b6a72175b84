"""A bar on standard error: how much of all is done, and the time that is left or was taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.progress import Progress

STOPPED: Final = 130
"""Exit code after Ctrl-C, as shells count it: 128 and the number of SIGINT."""


class Bar:
    """A bar that is shown once the first thing is told, with the time left."""

    def __init__(self, things: str) -> None:
        self._things = things
        self._progress: Progress | None = None
        self.done = 0

    def tell(self, done: int, of: int) -> None:
        """Say how many of all things are done."""
        self.done = done
        if self._progress is None:
            self._progress = _progress(self._things)
            self._progress.add_task(self._things)
            self._progress.start()
        self._progress.update(self._progress.task_ids[0], completed=done, total=of)

    def end(self) -> None:
        """Leave the bar as it is; what is printed next stands below it."""
        if self._progress is not None:
            self._progress.stop()


def _progress(things: str) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    left = TimeRemainingColumn(elapsed_when_finished=True)
    columns = (things, BarColumn(), MofNCompleteColumn(), left)
    return Progress(*columns, console=Console(stderr=True))
