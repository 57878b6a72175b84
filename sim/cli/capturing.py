"""The `trace` command: capture the operators of a model, or of any PyTorch module."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sim.errors import SimError
from workloads.catalogue import captured_model, get_entry, trace_for, trace_of
from workloads.models.entry import is_composition, is_model_path
from workloads.trace import PHASES, Trace
from workloads.trace_file import save_trace


def capture_to(model: str, phases: Sequence[str] | None, path: Path, cached: bool = True) -> str:
    """Capture a model to a trace file and return a sentence that says what was written.

    Without ``cached`` traces kept from earlier captures are neither read nor written. Raises
    SimError where the ``trace`` extra is not installed, and for a phase the model lacks.
    """
    if not cached:
        os.environ["ANDESIM_NO_CACHE"] = "1"
    try:
        entry = get_entry(model) if is_model_path(model) else {}
        if is_composition(entry):
            whole = trace_for(model)
        elif entry:
            whole = trace_of(entry, Path(model).name)
        else:
            whole = captured_model(model)
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    return _write(_only(whole, phases or ()), path)


def capture_module_to(factory: str, inputs: Sequence[str], path: Path) -> str:
    """Capture any module to a trace file and return a sentence that says what was written.

    Raises SimError where PyTorch is not installed.
    """
    try:
        from workloads.models.network import capture_module

        return _write(capture_module(factory, inputs), path)
    except ModuleNotFoundError as error:
        raise _missing(error) from None


def _missing(error: ModuleNotFoundError) -> SimError:
    return SimError(
        f"Capturing needs PyTorch and transformers, and {error.name} is not installed. "
        "Remedy: pip install '.[trace]' in andesim's folder."
    )


def _only(trace: Trace, phases: Sequence[str]) -> Trace:
    unknown = [name for name in phases if name not in trace.phases]
    if unknown:
        known = ", ".join(name for name in PHASES if name in trace.phases)
        raise SimError(
            f"a phase of {trace.model} must be one of {known}. Got {', '.join(unknown)}."
        )
    kept = {name: phase for name, phase in trace.phases.items() if not phases or name in phases}
    return replace(trace, phases=kept)


def _write(trace: Trace, path: Path) -> str:
    save_trace(trace, path)
    counts = {
        name: sum(repeat for repeat, _ in phase.operators()) for name, phase in trace.phases.items()
    }
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    return (
        f"Written to {path}: operators per call: {listed}; "
        f"captured with torch {trace.torch_version}"
        f"{f', {trace.captured_by}' if trace.captured_by else ''}."
    )
