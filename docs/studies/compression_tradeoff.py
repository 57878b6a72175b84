"""Regenerate compression_tradeoff.md and its two figures from the shipped sweep and sizing example.

    python docs/studies/compression_tradeoff.py

The figures are plain SVG, so that the page reads on any viewer.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from sim.explore.designs import load_sweep
from sim.explore.knobs import default_knobs
from sim.explore.sensitivity import least_certain
from sim.explore.sizing import size
from sim.explore.sweeps import run_sweep
from sim.explore.targets import parse_targets
from sim.explore.uncertainty import uncertainty
from sim.output import write_text
from sim.simulation import simulate
from sim.verdicts import verdict
from workloads.scenario import Scenario, load_scenario, with_override
from workloads.weight_formats import get_format

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"
NAME = "compression_tradeoff"
DRAWS = 200
BODY, CACHE = "deployment.weights.body", "deployment.kv_cache.dtype"
PROMPT = "session.turns.0.prompt_tokens"
CACHES = ("int16", "int8", "int4")
CACHE_BODY = "w4"
BOUND = 0.1
"""A step is bound by DRAM where its rate gains a tenth or more of what its bytes give up."""
TARGETS = ("tokens_per_s>20", "time_to_first_token_s<2.5", "peak_dram_bytes<3 GB")
COLOURS = ("#1b6ca8", "#d1702b", "#3d8f5f")
WIDTH_PX, HEIGHT_PX, MARGIN_PX = 640, 360, 56


def swept() -> pd.DataFrame:
    """Return the rows of the shipped sweep."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.parquet"
        run_sweep(load_sweep(EXAMPLES / f"{NAME}.yaml"), file)
        return pd.read_parquet(file)


def body_rows(
    frame: pd.DataFrame, base: Mapping[str, Any], draws: int, seed: int
) -> list[dict[str, Any]]:
    """Return a row of the first table per weight format."""
    found = []
    chosen = frame[(frame[CACHE] == "int16") & (frame[PROMPT] == frame[PROMPT].min())]
    for row in chosen.to_dict("records"):
        mapping = with_override(with_override(base, BODY, row[BODY]), CACHE, "int16")
        interval = uncertainty(simulate(Scenario.from_mapping(mapping)), draws, seed)[
            "tokens_per_s"
        ]
        stored = get_format(row[BODY])
        found.append(
            {
                "body": row[BODY],
                "traffic": stored.traffic_bits,
                "resident": stored.resident_bits,
                "rate": row["tokens_per_s"],
                "low": interval["p10"],
                "high": interval["p90"],
                "first": row["time_to_first_token_s"],
                "peak": row["peak_dram_bytes"] / 1e9,
                "energy": row["energy_per_token_j"] * 1e3,
            }
        )
    return found


def cache_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return a row of the second table per prompt length."""
    found = []
    for prompt, rows in frame[frame[BODY] == CACHE_BODY].groupby(PROMPT):
        by_cache = rows.set_index(CACHE).loc[list(CACHES)]
        peaks = (by_cache["peak_dram_bytes"] / 1e9).tolist()
        found.append({"prompt": prompt, "rates": by_cache["tokens_per_s"].tolist(), "peaks": peaks})
    return found


def sizing_answer(base: Scenario, draws: int, seed: int) -> dict[str, Any]:
    """Return what the page says about the sizing example."""
    mapping = base.model_dump(mode="json", exclude_defaults=True)
    targets = parse_targets(TARGETS)
    answer = size(mapping, default_knobs(base), targets)
    found: dict[str, Any] = {
        "targets": TARGETS,
        "evaluated": len(answer.candidates),
        "blocking": [str(target) for target in answer.blocking],
    }
    if answer.meeting:
        settings = answer.meeting[0].settings
        for path, value in settings.items():
            mapping = with_override(mapping, path, value)
        found["chosen"] = ", ".join(f"`{path}` = `{value}`" for path, value in settings.items())
        chosen = simulate(Scenario.from_mapping(mapping))
        found["probability"] = verdict(chosen, targets, draws, seed=seed).shares()
    return found


def svg(
    series: Mapping[str, Sequence[tuple[float, float]]], x_title: str, y_title: str, top: float
) -> str:
    """Return a line chart from the origin as SVG text."""
    right = 1.05 * max(x for points in series.values() for x, _ in points)

    def place(x: float, y: float) -> tuple[float, float]:
        across = MARGIN_PX + x / right * (WIDTH_PX - 2 * MARGIN_PX)
        down = HEIGHT_PX - MARGIN_PX - y / top * (HEIGHT_PX - 2 * MARGIN_PX)
        return round(across, 1), round(down, 1)

    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        (left, y), (end, _) = place(0.0, share * top), place(right, share * top)
        x, bottom = place(share * right, 0.0)
        parts.append(f'<path d="M{left} {y}H{end}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{share * top:.3g}</text>')
        parts.append(
            f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{share * right:.2g}</text>'
        )
    for (name, points), colour in zip(series.items(), COLOURS, strict=False):
        places = [place(*point) for point in points]
        parts += [
            f'<path d="M{a[0]} {a[1]}L{b[0]} {b[1]}" stroke="{colour}" stroke-width="2"/>'
            for a, b in pairwise(places)
        ]
        parts += [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>' for x, y in places]
        x, y = places[-1]
        parts.append(f'<text x="{x + 6}" y="{y - 6}" fill="{colour}">{name}</text>')
    parts.append(
        f'<text x="{WIDTH_PX / 2}" y="{HEIGHT_PX - 12}" text-anchor="middle">{x_title}</text>'
    )
    parts.append(f'<text x="8" y="24">{y_title}</text>')
    box = f'viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}" width="{WIDTH_PX}" height="{HEIGHT_PX}"'
    style = 'font-family="sans-serif" font-size="12"'
    body = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box} {style}>\n{body}\n</svg>\n'


def figures(frame: pd.DataFrame) -> dict[str, str]:
    """Return the figures by file name."""
    short = frame[frame[PROMPT] == frame[PROMPT].min()]
    rate, memory = {}, {}
    for cache in CACHES:
        rows = short[short[CACHE] == cache].to_dict("records")
        by_bits = sorted((get_format(row[BODY]).traffic_bits, row["tokens_per_s"]) for row in rows)
        rate[f"cache {cache}"] = by_bits
        memory[f"cache {cache}"] = sorted(
            (row["tokens_per_s"], row["peak_dram_bytes"] / 1e9) for row in rows
        )
    fastest = 1.1 * float(short["tokens_per_s"].max())
    largest = 1.1 * float(short["peak_dram_bytes"].max()) / 1e9
    return {
        f"{NAME}_rate.svg": svg(rate, "bits per body weight read", "tokens/s", fastest),
        f"{NAME}_memory.svg": svg(memory, "tokens/s", "peak DRAM, GB", largest),
    }


def written(draws: int, seed: int) -> dict[str, str]:
    """Return the texts of the study by file name, its page first."""
    spec = load_sweep(EXAMPLES / f"{NAME}.yaml")
    example = load_scenario(EXAMPLES / "sizing.yaml")
    frame = swept()
    bodies = sorted(body_rows(frame, spec.base, draws, seed), key=lambda row: -row["traffic"])
    stopped = (
        b["body"]
        for a, b in pairwise(bodies)
        if b["rate"] / a["rate"] - 1.0 < BOUND * (a["traffic"] / b["traffic"] - 1.0)
    )
    widest = least_certain(simulate(example), "tokens_per_s")
    text = jinja2.Environment(trim_blocks=False).from_string(
        (HERE / f"{NAME}.md.j2").read_text(encoding="utf-8")
    )
    page = text.render(
        draws=draws,
        rows=spec.points,
        bodies=bodies,
        most=bodies[0],
        least=bodies[-1],
        gain_stop=next(stopped, None),
        cache_body=CACHE_BODY,
        caches=cache_rows(frame),
        assumption=widest.sentence() if widest else "none.",
        **sizing_answer(example, draws, seed),
    )
    return {f"{NAME}.md": page + "\n", **figures(frame)}


if __name__ == "__main__":
    for name, text in written(DRAWS, 0).items():
        write_text(HERE / name, text)
