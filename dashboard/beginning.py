"""What is begun while the server starts: the other process, with the first answer, and loading.

Pages wait for what is loaded beside them: two threads that import the same packages at once may
meet a module that is half there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

from dashboard.elsewhere import elsewhere


def begin() -> None:
    """Start the other process on the default question, and return at once."""
    Thread(target=elsewhere, args=(answer, ""), daemon=True).start()


@contextmanager
def without(package: str) -> Iterator[None]:
    """Let nothing import a package for a while, as if it were not installed.

    Streamlit makes a theme for Plotly as soon as it is loaded, a third of its start, where it finds
    Plotly; charts here bring their own theme.
    """
    modules: dict[str, object] = sys.modules  # type: ignore[assignment]
    modules[package] = None
    try:
        yield
    finally:
        del modules[package]


def answer(query: str) -> str:
    """Return the first answer to the question of an address; imported where it is made."""
    from dashboard.first_answer import first_answer

    return first_answer(query)


def load(function: Callable[[], object]) -> None:
    """Call a function in a thread that pages wait for, after those that were begun before."""
    before = list(_LOADING)

    def work() -> None:
        for thread in before:
            thread.join()
        function()

    _LOADING.append(Thread(target=work, daemon=True))
    _LOADING[-1].start()


def loaded() -> None:
    """Return once all is loaded that was begun."""
    for thread in _LOADING:
        thread.join()


_LOADING: list[Thread] = []
