"""What is begun before anything is imported: the other process, with the first answer."""

from __future__ import annotations

from threading import Thread

from dashboard.elsewhere import elsewhere


def begin() -> None:
    """Start the other process on the default question, and return at once."""
    Thread(target=elsewhere, args=(answer, ""), daemon=True).start()


def answer(query: str) -> str:
    """Return the first answer to the question of an address; imported where it is made."""
    from dashboard.first_answer import first_answer

    return first_answer(query)
