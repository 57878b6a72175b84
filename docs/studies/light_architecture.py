"""Regenerate light_architecture.md: what a guessed lighter AndesVL would gain on a phone.

    python docs/studies/light_architecture.py

Everything in the page is computed; the architecture is a guess and is named so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from sim.explore.uncertainty import uncertainty
from sim.output import write_text
from sim.results import Result
from sim.simulation import simulate
from workloads.catalogue import trace_for
from workloads.scenario import Scenario

HERE = Path(__file__).parent
NAME = "light_architecture"
DRAWS = 200
DEVICE = "dimensity_9500"
REAL = ("andesvl-0.6b", "andesvl-1b")
GUESSED = ("andesvl-light-guess-mobilenet", "andesvl-light-guess-efficientnet")
FORMATS = {"body": "w4", "lm_head": "w8", "embedding": "w8", "vision": "w8"}
"""INT8, and INT4 where it can."""


def run(model: str) -> Result:
    """Return the default question asked of a model in the study's formats."""
    turn = {"images_px": [[1080, 2400]], "prompt_tokens": 64, "output_tokens": 128}
    return simulate(
        Scenario.from_mapping(
            {
                "device": DEVICE,
                "model": model,
                "deployment": {"weights": FORMATS},
                "session": {"turns": [turn]},
            }
        )
    )


def encoder_macs(found: Result) -> float:
    """Return the multiply-accumulates of encoding the image."""
    [group] = [group for group in found.program.groups if group.phase == "vision"]
    return group.total("flops") / 2


def row(model: str, draws: int, seed: int) -> dict[str, Any]:
    """Return what the table says of one model."""
    found, trace = run(model), trace_for(model)
    spread = uncertainty(found, draws, seed)
    return {
        "model": model,
        "parameters": trace.total_parameters,
        "vision": trace.parameters.get("vision", 0),
        "macs": encoder_macs(found),
        "tokens": found["visual_tokens"],
        "first": _with_range(found, spread, "time_to_first_token_s", 1e3, ".0f", "ms"),
        "encode": found["vision_encode_s"],
        "rate": _with_range(found, spread, "tokens_per_s", 1.0, ".0f", ""),
        "step": found["weight_bytes_per_step"],
        "peak": found["peak_dram_bytes"],
        "energy": found["energy_j"],
    }


def _with_range(found: Result, spread: Any, metric: str, scale: float, form: str, unit: str) -> str:
    low, high = (spread[metric][end] * scale for end in ("p10", "p90"))
    text = f"{found[metric] * scale:{form}} [{low:{form}} to {high:{form}}]"
    return f"{text} {unit}".rstrip()


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table."""
    head = (
        "| model | parameters | of these vision | encoder GMAC | visual tokens | encode "
        "| first token | tokens/s | MB per step | peak DRAM | energy |\n" + "|---" * 11 + "|\n"
    )
    lines = [
        f"| {item['model']} | {item['parameters'] / 1e6:.0f} M | {item['vision'] / 1e6:.0f} M | "
        f"{item['macs'] / 1e9:.1f} | {item['tokens']} | {item['encode'] * 1e3:.0f} ms | "
        f"{item['first']} | {item['rate']} | {item['step'] / 1e6:.0f} | "
        f"{item['peak'] / 2**30:.2f} GiB | {item['energy']:.1f} J |"
        for item in rows
    ]
    return head + "\n".join(lines) + "\n"


def written(draws: int = DRAWS, seed: int = 0) -> dict[str, str]:
    """Return the page by its name."""
    rows = [row(model, draws, seed) for model in (*REAL, *GUESSED)]
    real, light = rows[1], rows[2]
    formats = "; ".join(f"{name} {held}" for name, held in FORMATS.items())
    page = jinja2.Template((HERE / f"{NAME}.md.j2").read_text(encoding="utf-8")).render(
        table=table(rows),
        formats=formats,
        draws=draws,
        encoder=real["macs"] / light["macs"],
        real=real["model"],
        tokens=light["tokens"],
        real_tokens=real["tokens"],
        light_mb=light["step"] / 1e6,
        real_mb=real["step"] / 1e6,
        light_layers=trace_for(light["model"]).decoder.layers,
        real_layers=trace_for(real["model"]).decoder.layers,
        vocab=trace_for(light["model"]).decoder.vocab,
    )
    return {f"{NAME}.md": page.rstrip() + "\n"}


if __name__ == "__main__":
    for name, text in written().items():
        write_text(HERE / name, text)
