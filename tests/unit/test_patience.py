"""What a terminal shows while a person waits."""

import io
import time

from sim.cli import patience


def test_a_quick_command_shows_nothing(monkeypatch):
    terminal = io.StringIO()
    patience.Patience(terminal).end()
    assert terminal.getvalue() == ""


def test_a_slow_one_says_how_far_it_is_and_the_line_goes_with_the_first_print(monkeypatch):
    monkeypatch.setattr(patience, "AFTER_S", 0.05)
    monkeypatch.setattr(patience, "EVERY_S", 0.01)
    terminal, output = io.StringIO(), io.StringIO()
    waiting = patience.Patience(terminal)
    waiting.tell(1200, 100_000, "turns")
    time.sleep(0.2)
    patience._Ending(output, waiting).write("done")
    told = terminal.getvalue()
    assert "1,200 of 100,000 turns" in told
    assert told.endswith(patience.CLEAR)
    time.sleep(0.05)
    assert terminal.getvalue() == told
    assert output.getvalue() == "done"
