"""The traces of compositions: parts found by id or file, joined (`workloads.composition`)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from workloads.composition import (
    LanguageShape,
    VisionPart,
    composed,
    input_side,
    read_composition,
)
from workloads.errors import WorkloadError
from workloads.models.entry import is_model_path
from workloads.networks import network_entry, shipped_network
from workloads.shipped_ids import network_ids
from workloads.trace import Trace
from workloads.trace_file import FOLDER as TRACES
from workloads.trace_file import load_trace

FOLDER = TRACES / "compositions"


class Catalogue(NamedTuple):
    """How the catalogue finds a model's entry and trace, and makes the trace of an entry."""

    get_entry: Callable[[str], dict[str, Any]]
    trace_for: Callable[[str], Trace]
    trace_of: Callable[[Mapping[str, Any], str], Trace]


@cache
def shipped_composition(composition: str) -> Trace:
    """Return the trace of a shipped composition."""
    return load_trace(FOLDER / f"{composition}.json")


def trace_of_composition(
    entry: Mapping[str, Any], name: str, folder: Path, catalogue: Catalogue
) -> Trace:
    """Return the trace of a composition; paths in it count from a folder, or else from here.

    Raises `WorkloadError` where it is at fault, and where a part must be captured without the
    ``trace`` extra.
    """
    asked = read_composition(entry, name)
    parts = (
        partial(_language, folder=folder, catalogue=catalogue),
        partial(_network, folder=folder, catalogue=catalogue),
    )
    return composed(asked, name, *parts)


def _language(part: LanguageShape | str, folder: Path, catalogue: Catalogue) -> Trace:
    if isinstance(part, LanguageShape):
        return catalogue.trace_of(part.entry(), "language")
    return catalogue.trace_for(_found(part, folder))


def _network(part: VisionPart, folder: Path, catalogue: Catalogue) -> Trace:
    """Return the encoder at the side that is asked for."""
    name, side_px = _found(part.model, folder), part.image_px
    if not is_model_path(name):
        if name not in network_ids():
            return catalogue.trace_for(name)
        shipped = shipped_network(name)
        if side_px in (None, input_side(shipped)):
            return shipped
        entry = network_entry(name)
    else:
        entry = catalogue.get_entry(name)
        if "schema" in entry:
            return _fixed(catalogue.trace_for(name), side_px)
    if side_px is not None:
        sized = {"image_size": side_px} if "model_type" in entry else {}
        entry = {**entry, **sized, "input": f"1x3x{side_px}x{side_px}"}
    return catalogue.trace_of(entry, Path(name).name)


def _fixed(trace: Trace, side_px: int | None) -> Trace:
    """Return a trace from a file, whose input cannot change."""
    own = input_side(trace)
    if side_px not in (None, own):
        raise WorkloadError(
            f"vision.image_px must be {own}, the input of {trace.model}'s trace. Got {side_px}."
        )
    return trace


def _found(name: str, folder: Path) -> str:
    """Return a path as it counts from a folder, where it lies there."""
    there = folder / name
    return str(there) if is_model_path(name) and os.path.exists(there) else name
