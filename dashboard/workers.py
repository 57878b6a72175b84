"""Work that is too slow to wait for: done in a thread, the newest question of each viewer first.

A question is begun once it has stayed its viewer's newest for a moment, so that a slider on the
move keeps the processor to itself; questions that nobody waits for any more are never begun. Those
of several viewers are answered in the order in which they came to rest. Answers are remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Generic, TypeVar

Question = TypeVar("Question", bound=Hashable)
Answer = TypeVar("Answer")


class Superseded(Exception):
    """The question that is worked on is asked by nobody any more."""


class Worker(Generic[Question, Answer]):
    """Answers questions in a thread of its own, one at a time.

    Attributes
    ----------
    compute
        Answers one question; what it raises ends the thread, and the question stays open. Long
        work may look at `is_wanted` on its way and raise `Superseded`.
    remembered
        Answers kept.
    settle_s
        How long a question must stay its viewer's newest before it is begun [s].
    """

    def __init__(
        self, compute: Callable[[Question], Answer], remembered: int = 64, settle_s: float = 0.0
    ) -> None:
        self._compute = compute
        self._remembered = remembered
        self._settle_s = settle_s
        self._answers: OrderedDict[Question, Answer] = OrderedDict()
        self._waiting: dict[str, tuple[Question, float]] = {}
        self._newest: dict[str, Question] = {}
        self._working = False
        self._lock = Lock()

    def ask(self, question: Question, viewer: str = "") -> Answer | None:
        """Return the answer if it is known; else ``None``, and begin to work on it.

        A viewer waits for one question; the next takes its place.
        """
        with self._lock:
            self._newest[viewer] = question
            if question in self._answers:
                self._waiting.pop(viewer, None)
                return self._answers[question]
            if self._waiting.get(viewer, (None, 0.0))[0] != question:
                self._waiting[viewer] = question, monotonic()
            if not self._working:
                self._working = True
                Thread(target=self._work, daemon=True).start()
        return None

    def is_wanted(self, question: Question) -> bool:
        """Return whether a question is the newest of a viewer."""
        with self._lock:
            return question in self._newest.values()

    def _work(self) -> None:
        while (question := self._taken()) is not None:
            try:
                answer = self._compute(question)
            except Superseded:
                continue
            except BaseException:
                with self._lock:
                    self._working = False  # so that the next question gets a thread
                raise
            with self._lock:
                self._answers[question] = answer
                if len(self._answers) > self._remembered:
                    self._answers.popitem(last=False)

    def _taken(self) -> Question | None:
        """Return the question that has rested longest; with none left, the thread ends."""
        while True:
            with self._lock:
                answered = [who for who, (asked, _) in self._waiting.items() if self._knows(asked)]
                for who in answered:
                    del self._waiting[who]
                if not self._waiting:
                    self._working = False
                    return None
                viewer = min(self._waiting, key=lambda who: self._waiting[who][1])
                question, since_s = self._waiting[viewer]
                left_s = since_s + self._settle_s - monotonic()
                if left_s <= 0.0:
                    del self._waiting[viewer]
                    return question
            sleep(left_s)

    def _knows(self, question: Question) -> bool:
        return question in self._answers
