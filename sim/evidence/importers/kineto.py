"""PyTorch profiler (Kineto) traces: operators, kernels, and the annotations of phases.

A Chrome trace with ``schemaVersion`` and categories (torch 2.13): ``cpu_op`` and ``kernel`` slices
are operators, ``user_annotation`` slices named prefill, decode or vision are phases; where a GPU
has its own, those count, because the host's end before the work does. The profiler itself slows a
run down, so its rates are lower bounds. Not read: memory events, shapes.
"""

from __future__ import annotations

from typing import Final

from sim.evidence.importers.base import Importer
from sim.evidence.importers.chrome_trace import (
    phase_of,
    run_of,
    self_times,
    slices,
    trace_events,
    track_names,
)
from sim.evidence.measured import MeasuredRun

_ANNOTATIONS: Final = ("user_annotation", "gpu_user_annotation")
_OPERATORS: Final = ("cpu_op", "kernel", "gpu_memcpy", "gpu_memset")


def sniff(text: str) -> bool:
    """Whether text is a Kineto trace."""
    return '"schemaVersion"' in text and '"traceEvents"' in text


def read(text: str) -> list[MeasuredRun]:
    """Return the profile as one run."""
    events = trace_events(text)
    found = list(slices(events))
    phases = [s for s in found if s.category in _ANNOTATIONS and phase_of(s.name)]
    on_gpu = [s for s in phases if s.category == "gpu_user_annotation"]
    operators = [s for s in found if s.category in _OPERATORS]
    run = run_of(on_gpu or phases, self_times(operators, track_names(events)), "kineto")
    doubt = "recorded under the profiler: times are upper bounds."
    return [run.model_copy(update={"warnings": (*run.warnings, doubt)})]


KINETO: Final = Importer("kineto", "PyTorch profiler, prof.export_chrome_trace()", sniff, read)
