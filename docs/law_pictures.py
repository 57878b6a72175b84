"""Picture of concepts/cost_laws.md: what shipped laws make of measured rows, as they ship.

    python docs/law_pictures.py

writes images/laws_measured.svg from judged rows in role calibration; nothing is simulated anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from power_pictures import IMAGES, MEASURED, SIMULATED, Curve, Panel, picture

from sim.evidence.nearest import JudgedRow, judged_rows_of

GREY: Final = "#59636e"
DECODE, PREFILL, FIRST, JOULES = (
    "tokens_per_s",
    "prefill_tokens_per_s",
    "time_to_first_token_s",
    "energy_j_per_token",
)


def rows(metric: str, **wanted: str) -> list[JudgedRow]:
    """Return the judged rows of a metric in role calibration with some attributes."""
    return [
        row
        for row in judged_rows_of(metric)
        if row.role == "calibration"
        and all(getattr(row, name) == value for name, value in wanted.items())
    ]


def steps_panel(title: str, device: str, stack: str, high: tuple[float, float]) -> Panel:
    """Return milliseconds of decode steps by the weights that they read, one point a network."""
    shown = sorted(rows(DECODE, device=device, stack=stack), key=lambda row: row.step_bytes)
    weights = [row.step_bytes / 1e9 for row in shown]
    curves = [
        Curve(weights, [1e3 / row.simulated for row in shown], SIMULATED, is_points=True),
        Curve(weights, [1e3 / row.measured for row in shown], MEASURED, is_points=True),
    ]
    return Panel(title, "GB of weights in a step", (0.0, high[0]), (0.0, high[1]), curves)


def lengths_panel() -> Panel:
    """Return decode rates by the length of the conversation, on a processor."""
    wanted = {"device": "kirin_9000", "stack": "mnn_cpu", "model": "llama-3.2-1b"}
    shown = sorted(rows(DECODE, **wanted), key=lambda row: row.tokens)
    tokens = [float(row.tokens) for row in shown]
    curves = [
        Curve(tokens, [row.simulated for row in shown], SIMULATED),
        Curve(tokens, [row.measured for row in shown], MEASURED, is_points=True),
    ]
    title = "Llama 3.2 1B, MNN on a Kirin 9000 [tokens/s]"
    return Panel(title, "tokens behind", (0.0, 1400.0), (0.0, 30.0), curves)


def against_panel(title: str, shown: Sequence[JudgedRow], ends: tuple[float, float]) -> Panel:
    """Return simulated against measured values, both as powers of ten."""
    measured, simulated = (
        np.log10([getattr(row, name) for row in shown]).tolist()
        for name in ("measured", "simulated")
    )
    print(f"{title}: {len(shown)} rows")
    curves = [Curve(ends, ends, GREY), Curve(measured, simulated, MEASURED, is_points=True)]
    return Panel(title, "log10 of measured, upwards of simulated", ends, ends, curves)


def main() -> None:
    """Write the picture."""
    panels = [
        steps_panel("Genio 720, NeuroPilot [ms]", "genio_720", "neuropilot", (5.0, 300.0)),
        steps_panel(
            "8 Elite, GenieX on QAIRT [ms]", "snapdragon_8_elite", "geniex_qairt", (5.0, 100.0)
        ),
        lengths_panel(),
        against_panel("Prompts on processors [tokens/s]", rows(PREFILL, unit="cpu"), (-0.5, 3.0)),
        against_panel("First tokens on NPUs [s]", rows(FIRST, unit="npu"), (-2.0, 2.0)),
        against_panel("Whole phones [J per token]", rows(JOULES), (-1.5, 0.5)),
    ]
    (IMAGES / "laws_measured.svg").write_text(picture(panels), encoding="utf-8")


if __name__ == "__main__":
    main()
