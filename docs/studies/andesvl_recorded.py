"""Regenerate andesvl_recorded.md: AndesVL run on one machine, and replayed by the simulator.

    python docs/studies/andesvl_recorded.py

The recordings are in validation_data/host_epyc_zen4_andesvl. Nothing was fitted to what is judged.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

from hw_models.soc import SocSpec
from sim.calibration.operators import samples_of
from sim.evidence.exhibits import HostExhibit, load_host_exhibit
from sim.evidence.measured_metrics import ROOT
from sim.evidence.measuring.document import MeasuredFile, parse_measurement
from sim.output import write_text
from sim.simulation import simulate
from sim.validation.judging import Judged, validate_host
from sim.validation.structure import structure
from sim.validation.this_machine import operator_errors
from workloads.scenario import Scenario

HERE = Path(__file__).parent
NAME = "andesvl_recorded"
EXHIBIT = ROOT / "host_epyc_zen4_andesvl"
ADAPTERS = EXHIBIT / "adapters.json"
FITTED = "andesvl-0.6b"
"""The model whose encoder is among the runs that fitted the device."""
CLASSES = ("llama-1408x14", "gemma3-1152x12")


class Case(NamedTuple):
    """A phase that was run, and its judged replay [s]."""

    model: str
    phase: str
    size: str
    row: Judged

    @property
    def is_inside(self) -> bool:
        """Whether the interval holds what was measured."""
        low, high = self.row.interval or (0.0, 0.0)
        return low <= self.row.measured <= high


def cases(files: Iterable[MeasuredFile], soc: SocSpec) -> list[Case]:
    """Return every case of the recordings beside its replay."""
    found = []
    for file in files:
        for times, row in zip(file.measurement.cases, validate_host([file], soc).rows, strict=True):
            phase, _, size = times.case.id.partition("_")
            model = file.measurement.model.removesuffix(".json")
            found.append(Case(model, phase, size, row))
    return found


def by_phase(found: Iterable[Case]) -> list[dict[str, Any]]:
    """Return mean error, bias and the share inside the intervals, phase by phase."""
    groups: dict[str, list[Case]] = {}
    for case in found:
        groups.setdefault(case.phase, []).append(case)
    return [
        {
            "phase": phase,
            "cases": len(group),
            "mean": statistics.mean(abs(case.row.error) for case in group),
            "bias": statistics.mean(case.row.error for case in group),
            "inside": sum(case.is_inside for case in group),
        }
        for phase, group in groups.items()
    ]


def kernels(files: tuple[MeasuredFile, ...], soc: SocSpec) -> list[tuple[str, float]]:
    """Return the median error of an operator, kernel by kernel; ``all`` comes last."""
    return list(operator_errors(samples_of(files, soc), soc).items())


def outside_s(file: MeasuredFile) -> list[float]:
    """Return what decode steps take outside their kernels, timed in calls of their own [s]."""
    return [
        times.median_s("cpu")
        - sum(
            part.repeat * sum(item.median_s for item in part.operators) for part in times.segments
        )
        for times in file.measurement.cases
        if times.case.phase == "decode"
    ]


def adapters(soc: SocSpec) -> list[dict[str, Any]]:
    """Return a prefill, a decode step and a switch at each rank, measured and replayed [s]."""
    told = json.loads(ADAPTERS.read_text(encoding="utf-8"))
    measured: dict[int, dict[str, float]] = {}
    for case in told["cases"]:
        seconds = [call for calls in case["cpu_s"] for call in calls]
        measured.setdefault(case["rank"], {})[case["phase"]] = statistics.median(seconds)
    return [
        {"rank": rank, "measured": seconds, "simulated": _replayed(told, rank, soc)}
        for rank, seconds in measured.items()
    ]


def _replayed(told: Mapping[str, Any], rank: int, soc: SocSpec) -> dict[str, float]:
    lora = {"rank": rank, "adapters": ["one"], "modules": told["modules"]} if rank else None
    turn = {"prompt_tokens": told["tokens"], "output_tokens": 2}
    run = simulate(
        Scenario.from_mapping(
            {
                "device": "host",
                "model": told["model"],
                "deployment": {"lora": lora} if lora else {},
                "session": {"turns": [turn | ({"adapter": "one"} if lora else {})]},
            }
        ),
        soc=soc,
    )
    return {
        times.group.phase: float((times.ends_s - times.starts_s).ravel()[0]) for times in run.groups
    }


def head(file: MeasuredFile, soc: SocSpec) -> dict[str, Any]:
    """Return the seconds of a class's LM head on one row, and its prefills as if it took no longer.

    After a prompt and in a decode step the head computes one row.
    """
    heads: dict[str, list[float]] = {}
    for times in file.measurement.cases:
        items = (item for part in times.segments for item in part.operators)
        last = next(item.median_s for item in items if item.module == "lm_head")
        heads.setdefault(times.case.phase, []).append(last)
    decode = statistics.median(heads["decode"])
    prefills = [case for case in cases([file], soc) if case.phase == "prefill"]
    whole = zip(prefills, heads["prefill"], strict=True)
    without = [case.row.measured - (slow - decode) for case, slow in whole]
    slow = statistics.median(heads["prefill"])
    simulated = [case.row.simulated for case in prefills]
    pairs = zip(simulated, without, strict=True)
    return {
        "model": prefills[0].model,
        "prefill": slow,
        "decode": decode,
        "ratio": slow / decode,
        "without": without,
        "simulated": simulated,
        "errors": [f"{100 * (ours / theirs - 1):+.0f} %" for ours, theirs in pairs],
    }


def recorded(name: str) -> MeasuredFile:
    """Return a recording that lies beside the manifest, with its class's trace if it has one."""
    text = (EXHIBIT / f"{name}.measurement.json").read_text(encoding="utf-8")
    trace = EXHIBIT / f"{name}.trace.json"
    return MeasuredFile(parse_measurement(text, name), str(trace) if trace.is_file() else None)


def tables(exhibit: HostExhibit) -> dict[str, Any]:
    """Return everything the page shows."""
    soc, blind = exhibit.soc, exhibit.validation
    own, others = (recorded(FITTED), *blind), [recorded(name) for name in CLASSES]
    equal = [row for file in own for row in structure(file.measurement, soc) if row.exact]
    loads = [file.measurement.machine.load_average for file in (*own, *others)]
    return {
        "cases": cases(own, soc),
        "phases": by_phase(cases(blind, soc)),
        "others": cases(others, soc),
        "heads": [head(file, soc) for file in others],
        "kernels": kernels(blind, soc),
        "exact": len(equal),
        "agree": sum(row.agrees for row in equal),
        "outside": [1e3 * seconds for file in (*own, *others) for seconds in outside_s(file)],
        "own_bias": _decode_bias(cases(blind, soc)),
        "class_bias": _decode_bias(cases(others, soc)),
        "adapters": adapters(soc),
        "machine": blind[0].measurement.machine,
        "least_load": min(map(min, loads)),
        "most_load": max(map(max, loads)),
        "largest": max(file.measurement.parameters for file in own),
    }


def _decode_bias(found: Iterable[Case]) -> float:
    return statistics.mean(case.row.error for case in found if case.phase == "decode")


def written(draws: int = 0, seed: int = 0) -> dict[str, str]:
    """Return the page by its name; it draws nothing."""
    text = (HERE / f"{NAME}.md.j2").read_text(encoding="utf-8")
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(text)
    return {f"{NAME}.md": template.render(tables(load_host_exhibit(EXHIBIT))).rstrip() + "\n"}


if __name__ == "__main__":
    for name, page in written().items():
        write_text(HERE / name, page)
