"""Bytes as pictures: the way of a token's bytes, memory at the peak, operators that walk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboard.flows import Flows
from sim.charts.frame import INK, Figure, Trace, figure, text_at
from sim.charts.shapes import ALERT, BLUE, colour

if TYPE_CHECKING:
    import pandas as pd

GIB: Final = 2**30
FREE: Final = "free"
FREE_INK: Final = "#D0D3D7"
"""Opaque, so that what is written on it is dark on a dark page, too."""
PALETTE: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
SYMBOLS: Final = ("circle", "square", "diamond", "cross", "triangle-up", "star")
"""Of operators that walk, so that their colours need not tell them apart."""
SMALLEST: Final = 1e-3
"""Ways of less than this share of the bytes are left out."""


def sankey(moved: Flows, waits: dict[str, float]) -> Figure:
    """Draw DRAM -> class -> group of layers -> unit; the redder a way, the more its unit waits."""
    whole = sum(moved.values()) or 1.0
    kept = {key: size for key, size in moved.items() if size > SMALLEST * whole}
    links: dict[tuple[str, str], float] = {}
    told: dict[tuple[str, str], str] = {}
    for (name, group, unit), size in kept.items():
        for pair in (("DRAM", name), (name, group), (group, f"on {unit}")):
            links[pair] = links.get(pair, 0.0) + size
            told[pair] = group if group in pair else ""
    nodes = list(dict.fromkeys(end for pair in links for end in pair))
    units = {f"on {unit}" for _, _, unit in kept}
    alone = units.pop() if len(units) == 1 else ""  # its name stands above, beside no other
    inks = [_wait_ink(waits.get(told[pair], 0.0)) if told[pair] else "rgba(154,160,166,.35)"
            for pair in links]  # fmt: skip
    said = [
        f"{pair[0]} to {pair[1]}<br>{size / 1e6:.1f} MB ({size / whole:.0%})"
        + (f", waiting {waits.get(told[pair], 0.0):.0%} of its time" if told[pair] else "")
        for pair, size in links.items()
    ]
    named = [f"{name}<br>{_through(name, links) / 1e6:,.0f} MB" for name in nodes]
    named = [
        f"{text}, waits {waits[name]:.0%}" if name in waits else text
        for name, text in zip(nodes, named, strict=True)
    ]
    trace = {
        "type": "sankey",
        "arrangement": "snap",
        "node": {
            "label": [
                "" if name == alone else text for name, text in zip(nodes, named, strict=True)
            ],
            "customdata": named,
            "color": [colour(name) for name in nodes],
            "pad": 18,
            "thickness": 16,
            "line": {"width": 0},
            "hovertemplate": "%{customdata}<extra></extra>",
        },
        "link": {
            "source": [nodes.index(source) for source, _ in links],
            "target": [nodes.index(target) for _, target in links],
            "value": list(links.values()),
            "color": inks,
            "customdata": said,
            "hovertemplate": "%{customdata}<extra></extra>",
        },
        "textfont": {"color": INK, "size": 13},
    }
    above = text_at(1, 1, f"all {alone}", xref="paper", yref="paper", xanchor="right",
                    yanchor="bottom")  # fmt: skip
    margin = {"l": 10, "r": 10, "t": 26, "b": 16}
    return figure([trace], 410, margin=margin, annotations=[above] if alone else [])


def _through(name: str, links: dict[tuple[str, str], float]) -> float:
    """Return the bytes that pass a node [B]."""
    into = sum(size for (_, target), size in links.items() if target == name)
    return into or sum(size for (source, _), size in links.items() if source == name)


def _wait_ink(share: float) -> str:
    """Return a colour between blue, never waiting, and red, always waiting."""
    ends = [tuple(int(ink[at : at + 2], 16) for at in (1, 3, 5)) for ink in (BLUE, ALERT)]
    mixed = [round(low + (high - low) * min(1.0, share)) for low, high in zip(*ends, strict=True)]
    return f"rgba({mixed[0]},{mixed[1]},{mixed[2]},.5)"


def treemap(held: dict[tuple[str, str], float], budget_bytes: float) -> Figure:
    """Draw what memory holds at the peak, in the frame of the app budget."""
    peak = sum(held.values())
    free = max(0.0, budget_bytes - peak)
    frame = f"app budget {budget_bytes / GIB:.2f} GiB"
    classes: dict[str, float] = {}
    for (name, _), size in held.items():
        classes[name] = classes.get(name, 0.0) + size
    ids, labels, parents, sizes, inks = [frame], [frame], [""], [peak + free], ["rgba(0,0,0,0)"]

    def add(id_: str, label: str, parent: str, size: float, ink: str) -> None:
        ids.append(id_)
        labels.append(f"{label}<br>{size / GIB:.2f} GiB")
        parents.append(parent)
        sizes.append(size)
        inks.append(ink)

    for name, size in classes.items():
        add(name, name.replace("kv_cache", "KV cache"), frame, size, colour(name))
    for (name, part), size in held.items():
        if part:
            add(f"{name}/{part}", part, name, size, colour(name))
    if free:
        add(FREE, FREE, frame, free, FREE_INK)
    trace = {
        "type": "treemap",
        "ids": ids,
        "labels": labels,
        "parents": parents,
        "values": sizes,
        "branchvalues": "total",
        "marker": {"colors": inks},
        "hovertemplate": "%{label}<br>%{percentRoot:.1%} of the budget<extra></extra>",
        "tiling": {"pad": 3},
        "sort": False,
    }
    return figure([trace], 400, margin={"l": 6, "r": 6, "t": 6, "b": 6})


def walkers(table: pd.DataFrame, roofs: list[Trace], names: list[Figure]) -> Figure:
    """Draw how operators move under the roofs as the context grows, the largest marker last."""
    traces = []
    for place, name in enumerate(dict.fromkeys(table["name"].tolist())):
        way = table[table["name"] == name].sort_values("context")
        contexts = way["context"].tolist()
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": name.rpartition(".")[2] if "." in name else name,
                "x": (way["flops"] / way["dram_bytes"]).tolist(),
                "y": (way["flops"] / way["elapsed_s"]).tolist(),
                "customdata": [[name, size] for size in contexts],
                "line": {"color": PALETTE[place % len(PALETTE)], "width": 1.5},
                "marker": {
                    "size": [6 + 3 * step for step in range(len(contexts))],
                    "symbol": SYMBOLS[place % len(SYMBOLS)],
                },
                "hovertemplate": "%{customdata[0]} at a context of %{customdata[1]} tokens<br>"
                "%{x:.3s} FLOP/B, %{y:.3s}FLOP/s<extra></extra>",
            }
        )
    return figure(
        [*roofs, *traces],
        430,
        xaxis={"type": "log", "dtick": 1, "title": {"text": "FLOP per byte of DRAM traffic"}},
        yaxis={"type": "log", "dtick": 1, "exponentformat": "SI", "title": {"text": "FLOP/s"}},
        annotations=names,
        legend={"orientation": "h", "y": -0.25, "x": 0, "font": {"size": 12}},
    )
