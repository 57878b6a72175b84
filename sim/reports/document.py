"""The report as plain data: the JSON that every page is written from.

Nothing here depends on the clock of this computer, so the same question gives the same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any, Final

import yaml

from hw_models.provenance import Parameter
from hw_models.soc import SocSpec
from hw_models.units import format_quantity
from sim.breakdown import phase_terms
from sim.documents import summary_document
from sim.engine.memory import PHASES
from sim.explore.remedies import plain, remedies_of
from sim.explore.sensitivity import Swing, parameters_behind, tornado
from sim.explore.targets import Target
from sim.explore.uncertainty import intervals, sampled_metrics
from sim.judgements import Judgement, Status
from sim.metrics import headlines, moved_metrics
from sim.planning import formats
from sim.reports.baseline import baseline
from sim.reports.conditions import conditions
from sim.reports.evidence import evidence
from sim.reports.gaps import gaps
from sim.reports.memory import memory
from sim.reports.question import Question
from sim.reports.recommendation import recommendation
from sim.results import Result
from sim.simulation import simulate
from sim.verdicts import judge
from sim.wording import visual_noun

SCHEMA: Final = "andesim.report/1"
STEPS: Final = 5
"""What `report_steps` tells before the report is there."""
SWINGS: Final = 5
MOST_METRICS: Final = 3
"""Metrics whose swings are told where no target was asked for."""
SMALLEST_SHARE: Final = 0.01
"""Terms and waiting below this share of the whole are left out."""
LONGEST_NUMBER: Final = 9
"""Characters of a number; longer ones get an exponent."""


def report_document(
    question: Question, on_step: Callable[[str], object] = lambda _: None
) -> dict[str, Any]:
    """Return everything a report says, ready for JSON; each step is told in words as it begins."""
    found: dict[str, Any] = {}
    for step in report_steps(question):
        if isinstance(step, dict):
            found = step
        else:
            on_step(step)
    return found


def report_steps(question: Question) -> Iterator[str | dict[str, Any]]:
    """Yield what is done next in words, `STEPS` times, and last everything a report says."""
    yield "simulating"
    result = simulate(question.scenario, engine=question.engine, seed=question.seed)
    asked = question.draws, question.seed, question.minutes
    yield "drawing devices"
    sampled = sampled_metrics(result, *asked) if question.draws else None
    judged = judge(result, question.targets, sampled, question.minutes)
    yield "trying other configurations"
    recommended = recommendation(question, result.ledger.budget_bytes)
    missed = bool(question.targets) and judged.status is not Status.PASS
    passing = plain(remedies_of(result, question.targets, question.minutes)) if missed else []
    compared = baseline(question.baseline, result)
    yield "moving every assumption"
    swings = _sensitivities(result, question.targets)
    yield "comparing with measurements"
    has_image = any(group.phase == "vision" for group in result.program.groups)
    judged_rows = evidence(result.soc.id, result.stack, has_image)
    yield {
        "schema": SCHEMA,
        "verdict": {
            "word": judged.status.value,
            "sentence": judged.sentence,
            "probability": judged.probability,
            "probability_sustained": judged.probability_sustained,
            "minutes": judged.minutes,
        },
        "question": _asked(result),
        "targets": [_target(item) for item in (*judged.targets, judged.budget)],
        "recommendation": recommended,
        "remedies": passing,
        "baseline": compared,
        "run": summary_document(result, intervals(sampled) if sampled else None),
        "memory": memory(result),
        "phases": _phases(result),
        "waiting_s": _waiting_s(result),
        "heat": _heat(result),
        "sensitivities": swings,
        "assumptions": _assumptions(result),
        "formats": _formats(result),
        "validation": judged_rows,
        "not_modelled": [gap._asdict() for gap in gaps()],
        "differences": _differences(question, result),
        "reproduce": {
            "command": question.command,
            "link": question.link or None,
            "fingerprint": result.fingerprint,
            "seed": question.seed,
            "draws": question.draws,
            "scenario": _scenario_yaml(question),
        },
    }


def _asked(result: Result) -> dict[str, Any]:
    turns = result.session.turns
    return {
        "model": result.program.model,
        "device": result.soc.name,
        "stack": result.stack,
        "turns": len(turns),
        "images": sum(len(turn.images_px) for turn in turns),
        "visual_tokens": result.program.visual_tokens,
        "visual_noun": visual_noun(result.program),
        "prompt_tokens": sum(turn.prompt_tokens for turn in turns),
        "output_tokens": sum(turn.output_tokens for turn in turns),
        "start": result.scenario.environment.start,
        "conditions": conditions(result.scenario),
        "calls": result.scenario.network.calls if result.scenario.network else 0,
    }


def _target(item: Judgement) -> dict[str, Any]:
    return {
        "metric": item.target.metric,
        "sign": item.target.sign,
        "limit": item.target.limit,
        "value": item.value,
        "value_sustained": item.value_sustained,
        "interval": list(item.interval) if item.interval else None,
        "slack": item.slack,
        "probability": item.probability,
        "probability_sustained": item.probability_sustained,
        "is_budget": item.is_budget,
        "verdict": item.status.value,
    }


def _phases(result: Result) -> list[dict[str, Any]]:
    """Return each phase that ran, its mean seconds per turn, and what bounds it."""
    turns = len({times.group.turn for times in result.groups}) or 1
    found = []
    for phase, name in PHASES.items():
        terms = phase_terms(result, phase) if result.fits else []
        if terms:
            seconds = sum(term.seconds for term in terms) / turns
            large = [term for term in terms if term.share >= SMALLEST_SHARE]
            found.append(
                {
                    "name": name,
                    "seconds": seconds,
                    "terms": [asdict(term) | {"seconds": term.seconds / turns} for term in large],
                }
            )
    return found


def _waiting_s(result: Result) -> float | None:
    """Return the part of the time to first token in which other turns ran [s]."""
    found = result.summary()
    total_s = found.time_to_first_token_s
    if total_s is None:
        return None
    waiting_s = total_s - (found.vision_encode_s or 0.0) - (found.prefill_s or 0.0)
    return waiting_s if waiting_s > SMALLEST_SHARE * total_s else 0.0


def _heat(result: Result) -> dict[str, Any]:
    governor = result.soc.thermal.governor
    return {
        "ambient_c": result.scenario.environment.ambient_c,
        "trip_c": [trip.value for trip in governor.trip_c],
        "clock_fraction": [fraction.value for fraction in governor.clock_fraction],
        "readings": [
            {"at_s": reading.at_s, "body_c": reading.body_c, "clock": reading.clock}
            for reading in result.heat.readings
        ],
    }


def _sensitivities(result: Result, targets: Iterable[Target]) -> list[dict[str, Any]]:
    """Return the widest swings of each metric that is asked for, or of the headlines."""
    metrics = result.metrics()
    asked = dict.fromkeys(target.metric for target in targets) or dict.fromkeys(
        headlines(result.scenario)
    )
    reached = [name for name in asked if metrics[name] is not None][:MOST_METRICS]
    return [
        {
            "metric": name,
            "value": metrics[name],
            "swings": [
                swing_entry(item) for item in tornado(result, name)[:SWINGS] if item.width > 0
            ],
        }
        for name in reached
    ]


def swing_entry(item: Swing) -> dict[str, Any]:
    """Return a swing as plain data, the parameter as text with units."""
    return {
        "path": item.path,
        **_parameter(item.parameter),
        "source": item.source,
        "at_low": _finite(item.low),
        "at_high": _finite(item.high),
    }


def _parameter(item: Parameter) -> dict[str, Any]:
    """Return a parameter as text with units, as device files write it."""
    names = ("value", "low", "high")
    texts = {name: _quantity(getattr(item, name), item.unit) for name in names}
    return {**texts, "kind": item.kind}


def _quantity(value: float, unit: str) -> str:
    """Return a number as device files write it, or with an exponent where that is very long."""
    text = format_quantity(value, unit)
    return text if len(text.partition(" ")[0]) <= LONGEST_NUMBER else f"{value:.3g} {unit}"


def _assumptions(result: Result) -> list[dict[str, Any]]:
    """Return every parameter of the device that this run stands on."""
    return [
        {"path": path, **_parameter(item), **_source(result.soc, item)}
        for path, item in parameters_behind(result).items()
    ]


def _source(soc: SocSpec, item: Parameter) -> dict[str, Any]:
    source = soc.sources[item.source]
    where = source.url or (f"doi:{source.doi}" if source.doi else None)
    accessed = source.accessed.isoformat() if source.accessed else None
    return {"source": source.title, "where": where, "accessed": accessed}


def _formats(result: Result) -> list[dict[str, Any]]:
    """Return the storage formats of the deployment with their sources."""
    stored = formats(result.scenario, result.soc, result.soc.stack(result.stack))
    found: list[dict[str, Any]] = []
    for name in ("body", "lm_head", "embedding", "vision"):
        held = stored.weights.format_for(name)
        bits = {"bits": held.resident_bits, "traffic_bits": held.traffic_bits}
        found.append(
            {"part": name, "format": held.id, **bits, "kind": held.kind, "source": held.source}
        )
    kv = stored.kv
    bits = {"bits": kv.bits, "traffic_bits": kv.bits}
    found.append({"part": "KV cache", "format": kv.id, **bits, "kind": None, "source": kv.source})
    return found


def _differences(question: Question, result: Result) -> list[str]:
    """Return where a result folder does not hold what its scenario gives today."""
    recorded = question.recorded
    if not recorded:
        return []
    found = []
    if recorded.get("fingerprint") != result.fingerprint:
        found.append(
            f"The folder's run has fingerprint {recorded.get('fingerprint')}; "
            f"this one has {result.fingerprint}: a device, model or version has changed."
        )
    if moved := moved_metrics(recorded["metrics"], result.metrics()):
        found.append(f"Metrics that differ from those in the folder: {', '.join(moved)}.")
    return found


def _scenario_yaml(question: Question) -> str:
    mapping = question.scenario.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(mapping, sort_keys=False)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
