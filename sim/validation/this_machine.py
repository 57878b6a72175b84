"""``python -m sim.validation.this_machine``: judge the shipped runs, then this machine, afresh.

Afresh: measure some models, calibrate to them, and judge on models the fit never saw. A machine
that is too noisy to measure on is said to be, and nothing is claimed of it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sim.calibration.host import calibrate_host, report
from sim.errors import SimError
from sim.evidence.host_exhibit import host_exhibits
from sim.evidence.manifests import ROOT
from sim.evidence.measuring.cases import cases_for
from sim.evidence.measuring.document import MeasuredFile
from sim.evidence.measuring.protocol import LEAST_ROUNDS, measure
from sim.validation.host_judging import judge_all, phase_errors
from sim.validation.host_report import exhibit_report, phase_table, row_table
from workloads.catalogue import trace_for

WIDE: Final = ROOT / "host_epyc_zen4"
BUDGET_S: Final = 60.0  # of each model's rounds
TOLERANCE: Final = 0.1

Plan = Sequence[tuple[str, dict[str, Any]]]
CALIBRATION: Final[Plan] = (
    (str(WIDE / "wide.json"), {"prompt_tokens": (16, 128, 512), "context_tokens": (64, 1024)}),
    ("smollm2-135m", {"prompt_tokens": (16, 64, 256, 512), "context_tokens": (64, 256, 1024)}),
)
VALIDATION: Final[Plan] = (
    ("smollm2-360m", {"prompt_tokens": (100, 400), "context_tokens": (200, 800)}),
    ("andesvl-1b", {"images_px": ((336, 336),), "phases": ("vision",)}),
)


def main(arguments: Sequence[str]) -> int:
    """Print the tables; 1 when a fresh phase misses the tolerance, 2 when nothing can be told."""
    for exhibit in host_exhibits():
        print(exhibit_report(exhibit), end="\n\n")
    if "--shipped" in arguments:
        return 0
    try:
        return _fresh()
    except SimError as error:
        print(f"this machine, afresh: {error}", file=sys.stderr)
        return 2


def _fresh() -> int:
    fit = calibrate_host([_measured(model, sizes) for model, sizes in CALIBRATION])
    print("this machine, afresh", *report(fit), sep="\n")
    rows = judge_all([_measured(model, sizes) for model, sizes in VALIDATION], fit.soc)
    print(row_table(rows), phase_table(rows), sep="\n")
    return int(any(item.mape > TOLERANCE for item in phase_errors(rows)))


def _measured(model: str, sizes: dict[str, Any]) -> MeasuredFile:
    trace = Path(model).with_suffix(".trace.json") if model.endswith(".json") else None
    cases = cases_for(trace_for(str(trace or model)), **sizes)
    run = measure(model, cases, rounds=LEAST_ROUNDS, budget_s=BUDGET_S)
    return MeasuredFile(run, str(trace) if trace else None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
