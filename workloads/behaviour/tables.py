"""The tables of the study, computed from manifest and recordings.

alpha is the share of verified drafts accepted, accepted / (accepted + rejected); the formula with
that alpha assumes independent drafts and that ``depth`` of them are always there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workloads.acceptance import expected_tokens
from workloads.behaviour.manifest import DROPPED, FOLDER, EvictionStudy, Manifest, SpeculationStudy
from workloads.recordings import read_recording


def tables(manifest: Manifest, directory: Path = FOLDER) -> dict[str, str]:
    """Return each table of the study as Markdown, under its name."""
    kinds = {text: kind for text, (kind, _) in manifest.subject.texts.items()}
    return {
        "loss": loss_table(manifest.eviction, kinds),
        "positions": positions_table(manifest.eviction, directory),
        "speculation": speculation_table(manifest.speculation, directory),
        "survival": survival_table(manifest.speculation, directory),
    }


def loss_table(study: EvictionStudy, kinds: Mapping[str, str]) -> str:
    """Return the loss with all tokens, and how each policy changes it: mean, spread, per kind."""
    full = next(run.loss for run in study.runs if run.policy.policy == "none")
    means = [f"{np.mean(list(full.values())):.3f}", *(f"{m:.3f}" for m in _by_kind(full, kinds))]
    rows = [["none (loss)", "1", *means]]
    for run in study.runs:
        if run.policy.policy != "none":
            change = {text: run.loss[text] - full[text] for text in full}
            values = list(change.values())
            spread = f"{np.mean(values):+.3f} ± {np.std(values, ddof=1):.3f}"
            means = [spread, *(f"{mean:+.3f}" for mean in _by_kind(change, kinds))]
            rows.append([run.policy.policy, f"{run.keep:g}", *means])
    return markdown(["policy", "keep", "all texts", *dict.fromkeys(kinds.values())], rows)


def _by_kind(values: Mapping[str, float], kinds: Mapping[str, str]) -> list[float]:
    """Return the mean over the texts of each kind."""
    return [
        float(np.mean([values[text] for text in values if kinds[text] == kind]))
        for kind in dict.fromkeys(kinds.values())
    ]


def positions_table(study: EvictionStudy, directory: Path, keep: float = 0.25) -> str:
    """Return which share of each part of the prompt stays when prefill ends, at one budget.

    Overlap is what all KV heads of a layer keep over what any of them keeps.
    """
    rows = []
    with np.load(directory / DROPPED) as dropped:
        for run in study.runs:
            name = f"{run.policy.policy}-{keep:g}"
            if run.keep == keep and name in dropped:
                held = dropped[name][..., : study.prompt_tokens] > 0
                eighths = [part.mean() for part in np.array_split(held, 8, axis=-1)]
                overlap = held.all(axis=1).sum() / held.any(axis=1).sum()
                shares = [held[..., :4].mean(), *eighths, overlap]
                rows.append([run.policy.policy, *(f"{share:.2f}" for share in shares)])
    head = ["policy", "first 4", *(f"{part}/8" for part in range(1, 9)), "overlap"]
    return markdown(head, rows)


def speculation_table(study: SpeculationStudy, directory: Path) -> str:
    """Return tokens per target step of each draft and text, beside the formula."""
    rows = []
    for run in study.runs:
        counts = accepted(directory / run.accepted)
        alpha = counts.sum() / max(1, counts.sum() + run.rejections)
        error = counts.std(ddof=1) / np.sqrt(counts.size)
        rows.append(
            [
                run.draft,
                run.kind,
                run.decoding,
                str(counts.size),
                f"{1 + counts.mean():.2f} ± {error:.2f}",
                f"{alpha:.2f}",
                f"{expected_tokens(alpha, study.depth):.2f}",
                f"{run.repeated:.2f}",
            ]
        )
    head = ["draft", "text", "decoding", "steps", "tokens per step", "alpha", "formula", "repeated"]
    return markdown(head, rows)


def survival_table(study: SpeculationStudy, directory: Path) -> str:
    """Return the share of steps that accept at least 1, 2, ... drafts, all texts together."""
    places = np.arange(1, study.depth + 1)
    rows = []
    for draft, decoding in dict.fromkeys((run.draft, run.decoding) for run in study.runs):
        runs = [run for run in study.runs if (run.draft, run.decoding) == (draft, decoding)]
        counts = np.concatenate([accepted(directory / run.accepted) for run in runs])
        survival = (counts[:, None] >= places).mean(axis=0)
        rows.append([draft, decoding, str(counts.size), *(f"{s:.2f}" for s in survival)])
    return markdown(["draft", "decoding", "steps", *(f"s{place}" for place in places)], rows)


def accepted(path: Path) -> NDArray[np.int64]:
    """Return the drafts accepted in each step of a recording."""
    return np.asarray(read_recording(path, "accepted_tokens").counts)


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
