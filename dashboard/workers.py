"""Work that is too slow to wait for: done in a thread, the newest question first.

A question is begun once it has stayed the newest for a moment, so that a slider on the move keeps
the processor to itself; questions that nobody waits for any more are never begun. Answers are
remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock, Thread
from time import sleep
from typing import Generic, TypeVar

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")


class Worker(Generic[Question, Answer]):
    """Answers questions in a thread of its own, one at a time.

    Attributes
    ----------
    compute
        Answers one question; what it raises ends the thread, and the question stays open.
    remembered
        Answers kept.
    settle_s
        How long a question must stay the newest before it is begun [s].
    """

    def __init__(
        self, compute: Callable[[Question], Answer], remembered: int = 64, settle_s: float = 0.0
    ) -> None:
        self._compute = compute
        self._remembered = remembered
        self._settle_s = settle_s
        self._answers: OrderedDict[Question, Answer] = OrderedDict()
        self._next: Question | None = None
        self._working = False
        self._lock = Lock()

    def ask(self, question: Question) -> Answer | None:
        """Return the answer if it is known; else ``None``, and begin to work on it."""
        with self._lock:
            if question in self._answers:
                return self._answers[question]
            self._next = question
            if not self._working:
                self._working = True
                Thread(target=self._work, daemon=True).start()
        return None

    def _work(self) -> None:
        while (question := self._taken()) is not None:
            try:
                answer = self._compute(question)
            except BaseException:
                with self._lock:
                    self._working = False  # so that the next question gets a thread
                raise
            with self._lock:
                self._answers[question] = answer
                if len(self._answers) > self._remembered:
                    self._answers.popitem(last=False)

    def _taken(self) -> Question | None:
        """Return the newest question once it has settled; with none left, the thread ends."""
        newest = None
        while newest != (newest := self._next):
            sleep(self._settle_s)
        with self._lock:
            question, self._next = self._next, None
            if question is None or question in self._answers:
                self._working = False
                return None
            return question
