"""The first answer on screen: verdict and cards of the question in the address, as plain HTML.

It is made by the other process while Streamlit's own script still loads, and stands until Streamlit
shows the same numbers. The page itself imports nothing of it, so that the server starts at once.
"""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qsl

from dashboard import precomputed
from dashboard.cards import Card, cards, with_ranges
from dashboard.links import read_query
from dashboard.runs import USER_ERRORS, run, spoken
from sim.explore.uncertainty import intervals


def first_answer(query: str) -> str:
    """Return the answer to the question of an address; "" where the page has to explain itself.

    That is a link with a fault, a question that cannot be simulated, or a pinned baseline.
    """
    reading = read_query(dict(parse_qsl(query, keep_blank_values=True)))
    if reading.faults or reading.baseline is not None:
        return ""
    try:
        result = run(reading.choices)
    except USER_ERRORS:
        return ""
    shipped = precomputed.shipped(result)
    word, said = spoken(reading.choices, result, shipped)
    ranges = None if shipped is None else intervals(shipped)
    shown = "".join(map(_card, with_ranges(cards(result), ranges)))
    tone = word.lower().replace(" ", "-")
    return (
        f'<p class="verdict {tone}"><b>{escape(word)}.</b> {escape(said)}</p>'
        f'<div class="cards">{shown}</div>'
    )


def _card(card: Card) -> str:
    lines = "".join(f"<small>{escape(line)}</small>" for line in (card.note, card.range) if line)
    return f"<div><span>{escape(card.label)}</span><b>{escape(card.value)}</b>{lines}</div>"
