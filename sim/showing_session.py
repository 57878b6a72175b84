"""How the turns of a session fared, as text for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from sim.results import Result
from sim.sessions import TurnSummary


def show_session(console: Console, result: Result) -> None:
    """Print how the turns of each client fared, and what ten minutes do to the rate."""
    session = result.session_summary()
    console.print(f"[bold]{session.verdict}[/bold]")
    table = Table(
        title="Turns: seconds from arrival, waiting included, median / 95th percentile; "
        "joules of work alone",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("client")
    for name in ("asked", "done", "wait", "first token", "reply", "J per reply"):
        table.add_column(name, justify="right")
    for row in session.clients:
        times = (row.wait_s, row.first_token_s, row.reply_s)
        cells = [" / ".join(f"{value:.2f}" for value in found.values()) for found in times]
        spent = "" if row.energy_per_reply_j is None else f"{row.energy_per_reply_j:.1f}"
        done = str(row.outcomes.get("done", 0))
        table.add_row(row.client, str(row.asked), done, *cells, spent)
    console.print(table)
    if session.turns:
        _turns(console, session.turns)
    rates = (session.first_minute_tokens_per_s, session.tenth_minute_tokens_per_s)
    if all(rates):
        console.print(
            "Decode {:.1f} tokens/s in the first minute, {:.1f} in the tenth.".format(*rates)
        )
    console.print(
        f"Busy {session.busy_share:.0%} of the time, {session.throttled_share:.0%} of that "
        "throttled. "
        f"{session.steps} steps, {session.replayed_steps} by events.\n"
    )


def _turns(console: Console, turns: Sequence[TurnSummary]) -> None:
    """Print each turn's wait, then its own work."""
    table = Table(
        title="\nTurn by turn: seconds of waiting, then of its own work to the first token",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("turn")
    for name in ("images", "wait", "first token", "tokens/s"):
        table.add_column(name, justify="right")
    for row in turns:
        found = (row.wait_s, row.first_token_s)
        times = ["-" if value is None else f"{value:.2f}" for value in found]
        rate = "-" if row.tokens_per_s is None else f"{row.tokens_per_s:.1f}"
        ended = "" if row.outcome == "done" else f", {row.outcome}"
        table.add_row(f"{row.turn} ({row.client}{ended})", str(row.images), *times, rate)
    console.print(table)
    if any(row.wait_s for row in turns):
        console.print("A turn without at_s or think_s asks at 0 s and waits for those before it.")
