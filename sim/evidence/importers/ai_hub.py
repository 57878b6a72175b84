"""Qualcomm AI Hub profiles of one graph: ``job.download_profile()`` as JSON.

Fields as in the qai-hub client 0.56: ``execution_summary`` with microseconds and bytes, and
``execution_detail`` with a compute unit per layer. One inference is one graph call, of a phase the
file does not name, so its time is kept as samples of ``inference_s`` and not as a metric.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from sim.errors import SimError
from sim.evidence.importers.base import (
    Importer,
    build_run,
    mapping,
    number,
    parse_json,
    positive,
    seconds,
    total_by_name,
)
from sim.evidence.measured import MeasuredRun, OperatorTime


def sniff(text: str) -> bool:
    """Whether text is an AI Hub profile."""
    return '"execution_summary"' in text and '"estimated_inference_time"' in text


def read(text: str) -> list[MeasuredRun]:
    """Return the profile as one run."""
    profile = mapping(parse_json(text), "an AI Hub profile")
    summary = mapping(profile.get("execution_summary"), "execution_summary")
    details = _layers(profile)
    times = summary.get("all_inference_times") or [summary.get("estimated_inference_time")]
    if not isinstance(times, list):
        raise SimError(f"all_inference_times must be an array. Got {times!r:.60}.")
    peak = "estimated_inference_peak_memory"
    return [
        build_run(
            id="profile",
            peak_dram_bytes=number(summary[peak], peak) if summary.get(peak) else None,
            source_format="ai-hub",
            definitions={"inference_s": "AI Hub all_inference_times: one call of the graph"},
            samples={"inference_s": tuple(positive(t, "an inference time") * 1e-6 for t in times)},
            operators=total_by_name(map(_operator, details)),
            warnings=("device and model are not in the profile.", *_fallbacks(details)),
        )
    ]


def _layers(profile: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = profile.get("execution_detail", [])
    if not isinstance(found, list):
        raise SimError(f"execution_detail must be an array. Got {found!r:.60}.")
    return [mapping(layer, "a layer") for layer in found]


def _operator(layer: Mapping[str, Any]) -> OperatorTime:
    name = str(layer.get("type") or layer.get("name") or "")
    duration_s = seconds(layer.get("execution_time") or 0, "us", "execution_time")
    return OperatorTime(name, 1, duration_s, str(layer.get("compute_unit", "")))


def _fallbacks(details: list[Mapping[str, Any]]) -> tuple[str, ...]:
    """Warn of layers that left the unit most of them run on."""
    units = Counter(str(layer.get("compute_unit", "")) for layer in details)
    if len(units) < 2:
        return ()
    shown = ", ".join(f"{layers} on {unit or 'no unit'}" for unit, layers in units.most_common())
    return (f"layers run on several units: {shown}.",)


AI_HUB: Final = Importer("ai-hub", "Qualcomm AI Hub job.download_profile() JSON", sniff, read)
