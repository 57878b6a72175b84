"""``python -m sim.validation.this_machine``: judge the shipped runs, then this machine, afresh.

Afresh: measure some models, calibrate to them, and judge on models the fit never saw. On a machine
that is too noisy to measure it says so, and claims nothing.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from hw_models.soc import SocSpec
from sim.calibration.host import calibrate_host, report
from sim.calibration.operators import Samples, samples_of
from sim.errors import SimError
from sim.evidence.exhibits import HostExhibit, load_host_exhibits
from sim.evidence.measured_metrics import ROOT
from sim.evidence.measuring.cases import cases_for
from sim.evidence.measuring.document import MeasuredFile
from sim.evidence.measuring.protocol import LEAST_ROUNDS, measure
from sim.validation.judging import validate_host
from sim.validation.tables import metric_table, row_table
from workloads.catalogue import trace_for

WIDE: Final = ROOT / "host_epyc_zen4"
BUDGET_S: Final = 60.0  # of each model's rounds
TOLERANCE: Final = 0.1

CALIBRATION: Final[Sequence[tuple[str, dict[str, Any]]]] = (
    (str(WIDE / "wide.json"), {"prompt_tokens": (16, 128, 512), "context_tokens": (64, 1024)}),
    ("smollm2-135m", {"prompt_tokens": (16, 64, 256, 512), "context_tokens": (64, 256, 1024)}),
)
VALIDATION: Final[Sequence[tuple[str, dict[str, Any]]]] = (
    ("smollm2-360m", {"prompt_tokens": (100, 400), "context_tokens": (200, 800)}),
    ("andesvl-1b", {"images_px": ((336, 336),), "phases": ("vision",)}),
)


def main(arguments: Sequence[str]) -> int:
    """Print the tables; 1 when a fresh metric misses the tolerance, 2 when nothing can be told."""
    for exhibit in load_host_exhibits():
        print(exhibit_report(exhibit), end="\n\n")
    if "--shipped" in arguments:
        return 0
    try:
        return _fresh()
    except SimError as error:
        print(f"this machine, afresh: {error}", file=sys.stderr)
        return 2


def exhibit_report(exhibit: HostExhibit) -> str:
    """Return the tables of a shipped exhibit, by both engines."""
    operators = operator_errors(samples_of(exhibit.validation, exhibit.soc), exhibit.soc)["all"]
    found = validate_host(exhibit.validation, exhibit.soc)
    replayed = validate_host(exhibit.validation, exhibit.soc, "event")
    parts = [
        f"{exhibit.folder.name}: {exhibit.manifest.title}",
        row_table(found.rows),
        "Max-plus engine:",
        metric_table(found.by_metric()),
        "Event engine:",
        metric_table(replayed.by_metric()),
        f"Median error of an operator: {operators:.1%}.",
    ]
    return "\n\n".join(parts)


def operator_errors(samples: Samples, soc: SocSpec) -> dict[str, float]:
    """Return the median absolute relative error per kernel, and over ``all`` operators."""
    found = np.abs(np.expm1(samples.log_errors([soc])[0][0]))
    errors: dict[str, list[float]] = {}
    for group, own in zip(samples.operators, np.split(found, samples.ends[:-1]), strict=True):
        errors.setdefault(group.kernel, []).extend(own.tolist())
    medians = {name: statistics.median(own) for name, own in sorted(errors.items())}
    return {**medians, "all": statistics.median(found.tolist())}


def _fresh() -> int:
    fitted = calibrate_host([_measured(model, sizes) for model, sizes in CALIBRATION])
    print("this machine, afresh", *report(fitted), sep="\n")
    files = [_measured(model, sizes) for model, sizes in VALIDATION]
    found = validate_host(files, fitted.soc)
    print(row_table(found.rows), metric_table(found.by_metric()), sep="\n\n")
    return int(any(scores.mape > TOLERANCE for scores in found.by_metric().values()))


def _measured(model: str, sizes: dict[str, Any]) -> MeasuredFile:
    trace = Path(model).with_suffix(".trace.json") if model.endswith(".json") else None
    cases = cases_for(trace_for(str(trace or model)), **sizes)
    run = measure(model, cases, rounds=LEAST_ROUNDS, budget_s=BUDGET_S)
    return MeasuredFile(run, str(trace) if trace else None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
