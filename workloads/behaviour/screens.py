"""Accessibility trees of made-up phone screens, as an assistant that operates a phone reads them.

A session visits settings screens. Each is dumped whole, node by node, first as it opens and again
after one of its switches was tapped, so most of a dump repeats the dump before it.

Not modelled: screens of real applications; the template and its words are our own.
"""

from __future__ import annotations

import random

_SCREENS = {
    "Display": ("Dark theme", "Adaptive brightness", "Night light", "Auto-rotate"),
    "Network": ("Wi-Fi", "Mobile data", "Hotspot", "Airplane mode"),
    "Sound": ("Vibrate for calls", "Do not disturb", "Touch sounds", "Live caption"),
    "Battery": ("Battery saver", "Adaptive charging", "Battery share", "Show percentage"),
    "Privacy": ("Camera access", "Microphone access", "Location", "Show passwords"),
}
_ROW_PX = 168


def dump(title: str, switches: dict[str, bool]) -> str:
    """Return one screen as text, a line per node.

    >>> print(dump("Sound", {"Touch sounds": True}))
    screen "Sound"
      node 0 Switch "Touch sounds" [0,168][1080,336] checked=true
    <BLANKLINE>
    """
    lines = [f'screen "{title}"']
    for place, (label, checked) in enumerate(switches.items()):
        top, bottom = (place + 1) * _ROW_PX, (place + 2) * _ROW_PX
        box = f"[0,{top}][1080,{bottom}]"
        lines.append(f'  node {place} Switch "{label}" {box} checked={str(checked).lower()}')
    return "\n".join(lines) + "\n"


def session(seed: int, visits: int = 12) -> str:
    """Return the dumps and taps of a session, the same for the same seed."""
    chance = random.Random(seed)
    state = {
        title: {label: chance.random() < 0.5 for label in labels}
        for title, labels in _SCREENS.items()
    }
    parts = []
    for _ in range(visits):
        title = chance.choice(list(_SCREENS))
        tapped = chance.choice(_SCREENS[title])
        parts += [dump(title, state[title]), f'tap "{tapped}"\n']
        state[title][tapped] = not state[title][tapped]
        parts.append(dump(title, state[title]))
    return "".join(parts)
