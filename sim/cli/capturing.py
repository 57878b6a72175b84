"""The `trace` command: capture a model's operators from its PyTorch module."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sim.errors import SimError
from workloads.catalogue import get_model


def capture_to(model: str, phases: Sequence[str] | None, path: Path) -> str:
    """Capture a model to a trace file and return a sentence that says what was written.

    Raises SimError where PyTorch is not installed.
    """
    try:
        from workloads.capture import capture_to_file

        written = capture_to_file(get_model(model), path, phases or None)
    except ModuleNotFoundError as error:
        raise SimError(
            f"Capturing needs PyTorch, which is not installed ({error.name}). "
            "Remedy: pip install '.[trace]' in andesim's folder."
        ) from None
    counts = {
        name: sum(repeat for repeat, _ in phase.operators())
        for name, phase in written.phases.items()
    }
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    return f"{path}: operators per call: {listed}; captured with torch {written.torch_version}."
