"""Sliding windows that a stack's graphs do not keep: the layers hold and read a whole cache.

Not modelled: a mask that grows with the cache.
"""

from __future__ import annotations

from dataclasses import replace

from workloads.trace import Operator, Phase, Trace


def without_windows(trace: Trace) -> Trace:
    """Return a trace whose layers with a window have a cache as long as the others' and read it.

    Tokens behind the window are masked, so the model is the same; its graph computes over them.
    Source: measured on LiteRT, whose decode of Gemma slows with the capacity more than the layers
    that see everything explain.
    """
    phases = {name: _phase(phase) for name, phase in trace.phases.items()}
    decoder = replace(trace.decoder, window_tokens=None, window_layers=0)
    return replace(trace, phases=phases, decoder=decoder)


def _phase(phase: Phase) -> Phase:
    segments = (
        replace(segment, operators=tuple(map(_operator, segment.operators)))
        for segment in phase.segments
    )
    return replace(phase, segments=tuple(segments))


def _operator(operator: Operator) -> Operator:
    return operator if operator.window_tokens is None else replace(operator, window_tokens=None)
