"""Chrome trace JSON (also written by Perfetto tools): slices become operator times and phases.

Fields as in the trace event format: an array or ``{"traceEvents": [...]}``; ``ph`` X has ``ts`` and
``dur`` in microseconds, B and E open and close; M names processes and threads. An operator's time
excludes the slices nested in it. Slices named prefill, decode and vision become metrics; a count
of tokens is never guessed. Of nested slices of one phase only the outermost counts. Not read:
counters, flows, async events.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from sim.errors import SimError
from sim.evidence.importers.base import (
    Importer,
    array_items,
    build_run,
    mapping,
    number,
    parse_json,
    total_by_name,
)
from sim.evidence.measured import MeasuredRun, OperatorTime

_US: Final = 1e-6
_WHERE: Final = r"(?:llm|model|runner|engine|phase|step|run|andesim)?[ ._:/-]*"
_INDEX: Final = r"(?:[ ._:#-]*(?:step|token|phase|chunk|turn|call|iteration)?[ ._:#\[(-]*\d*[\])]?)"
_PHASES: Final = {
    "vision": r"(?:vision|image)[ ._-]?(?:encod(?:e|er|ing))?",
    "prefill": r"pre[ ._-]?fill(?:ing)?|prompt[ ._-]?(?:eval(?:uation)?|processing)",
    "decode": r"decod(?:e|ing)|generation[ ._-]?(?:step|token)",
}
"""A slice is a phase where its whole name says so: tokenisers, images and layers decode, too."""
_NAMED: Final = {
    phase: re.compile(f"{_WHERE}(?:{words}){_INDEX}", re.IGNORECASE)
    for phase, words in _PHASES.items()
}
DEFINITIONS: Final = {
    "time_to_first_token_s": "start of the first vision or prefill slice to end of the last prefill"
    " slice before decode",
    "tokens_per_s": "slices named decode / their total time; one token per slice",
    "vision_encode_s": "total time of the slices named vision",
}

Track = tuple[object, object]


class Slice(NamedTuple):
    """One interval on one track; ``shape`` are the sizes of its inputs where they were recorded."""

    name: str
    category: str
    track: Track
    start_s: float
    duration_s: float
    shape: str = ""

    @property
    def end_s(self) -> float:
        """When it ends [s]."""
        return self.start_s + self.duration_s


def sniff(text: str) -> bool:
    """Whether text holds trace events."""
    return '"ph"' in text and '"ts"' in text


def read(text: str) -> list[MeasuredRun]:
    """Return the trace as one run."""
    events = trace_events(text)
    names = track_names(events)
    found = list(slices(events))
    phase_slices = [s for s in found if phase_of(s.name)]
    operator_slices = [s for s in found if not phase_of(s.name)]
    return [run_of(phase_slices, self_times(operator_slices, names), "chrome-trace")]


def trace_events(text: str) -> list[Mapping[str, Any]]:
    """Return the events of a trace; raises SimError where the text is none.

    An array may lack its end: the format allows it, since a program that is killed writes none.
    """
    if text.lstrip().startswith("["):
        events: Any = list(array_items(text))
        if events and isinstance(events[-1], dict) and "fault" in events[-1]:
            events.pop()  # the event that was being written
    else:
        found = parse_json(text)
        events = found.get("traceEvents") if isinstance(found, dict) else found
    if not isinstance(events, list) or not events:
        raise SimError("a trace must be an array of events or an object with traceEvents.")
    return [mapping(event, "a trace event") for event in events]


def track_names(events: Iterable[Mapping[str, Any]]) -> dict[Track, str]:
    """Return the thread name of each track that has one."""
    return {
        _track(event): str(event["args"].get("name", ""))
        for event in events
        if event.get("name") == "thread_name" and isinstance(event.get("args"), dict)
    }


def slices(events: Iterable[Mapping[str, Any]]) -> Iterator[Slice]:
    """Yield the complete slices, and each B paired with its E.

    An E without a B, and a B without an E, are left out; an E before its B raises SimError.
    """
    open_slices: dict[Track, list[tuple[str, str, float]]] = {}
    for event in events:
        kind, track = event.get("ph"), _track(event)
        if kind not in ("X", "B", "E"):
            continue
        start_s = number(event.get("ts"), "ts") * _US
        name, category = str(event.get("name", "")), str(event.get("cat", ""))
        if kind == "X":
            duration_s = number(event.get("dur", 0), "dur") * _US
            yield Slice(name, category, track, start_s, duration_s, _shape(event))
        elif kind == "B":
            open_slices.setdefault(track, []).append((name, category, start_s))
        elif open_slices.get(track):
            name, category, begun_s = open_slices[track].pop()
            if start_s < begun_s:
                raise SimError(f"slice {name!r:.40} must end after it begins.")
            yield Slice(name, category, track, begun_s, start_s - begun_s)


def _shape(event: Mapping[str, Any]) -> str:
    """Return the sizes of an operator's inputs, as "1x512x1024, 1024x3072"."""
    given = event.get("args")
    dims = given.get("Input Dims") if isinstance(given, dict) else None
    if not isinstance(dims, list):
        return ""
    sizes = [d for d in dims if isinstance(d, list) and d and all(isinstance(n, int) for n in d)]
    return ", ".join("x".join(map(str, size)) for size in sizes[:3])


def self_times(found: Iterable[Slice], names: Mapping[Track, str]) -> tuple[OperatorTime, ...]:
    """Return the time per operator, without what runs in the slices nested in it."""
    ordered = sorted(found, key=lambda s: (str(s.track), s.start_s, -s.duration_s))
    own_s = [s.duration_s for s in ordered]
    parents: list[int] = []
    for index, current in enumerate(ordered):
        while parents and not _inside(current, ordered[parents[-1]]):
            parents.pop()
        if parents:
            own_s[parents[-1]] -= current.duration_s
        parents.append(index)
    return total_by_name(
        OperatorTime(s.name, 1, max(0.0, own), names.get(s.track, ""), s.shape)
        for s, own in zip(ordered, own_s, strict=True)
    )


def phase_of(name: str) -> str:
    """Return the phase a slice name stands for, or "".

    >>> phase_of("decode step 3"), phase_of("tokenizer.decode"), phase_of("decode_layer")
    ('decode', '', '')
    """
    return next((phase for phase, named in _NAMED.items() if named.fullmatch(name.strip())), "")


def run_of(
    phases: Iterable[Slice], operators: tuple[OperatorTime, ...], source_format: str
) -> MeasuredRun:
    """Return the run that phase slices and operator times make up.

    Raises SimError where nothing in them takes time.
    """
    by_phase = _outermost(phases)
    fields: dict[str, Any] = {}
    warnings = ["device, stack and model are not in the trace."]
    if by_phase["vision"]:
        fields["vision_encode_s"] = sum(s.duration_s for s in by_phase["vision"])
    if first_token_s := _time_to_first_token_s(by_phase):
        fields["time_to_first_token_s"] = first_token_s
    steps_s = [s.duration_s for s in by_phase["decode"] if s.duration_s > 0.0]
    if len(steps_s) > 1:
        fields["tokens_per_s"] = len(steps_s) / sum(steps_s)
        fields["output_tokens"] = len(steps_s) + 1
        fields["samples"] = {"tokens_per_s": tuple(1.0 / step for step in steps_s)}
    elif steps_s:
        warnings.append("a single decode slice does not say how many tokens it holds.")
    if not fields and not any(operator.duration_s for operator in operators):
        raise SimError("a trace must hold slices that take time. Got none.")
    return build_run(
        id="trace",
        source_format=source_format,
        definitions={name: text for name, text in DEFINITIONS.items() if name in fields},
        operators=operators,
        warnings=tuple(warnings),
        **fields,
    )


def _outermost(phases: Iterable[Slice]) -> dict[str, list[Slice]]:
    """Return the slices of each phase in the order they began, without those nested in another."""
    by_phase: dict[str, list[Slice]] = {phase: [] for phase in _PHASES}
    latest: dict[tuple[str, Track], Slice] = {}
    for found in sorted(phases, key=lambda s: (s.start_s, -s.duration_s)):
        phase = phase_of(found.name)
        before = latest.get((phase, found.track))
        if before is None or not _inside(found, before):
            latest[phase, found.track] = found
            by_phase[phase].append(found)
    return by_phase


def _time_to_first_token_s(by_phase: Mapping[str, list[Slice]]) -> float | None:
    decode_s = min((s.start_s for s in by_phase["decode"]), default=float("inf"))
    prefill = [s for s in by_phase["prefill"] if s.start_s < decode_s]
    if not prefill:
        return None
    start_s = min(s.start_s for s in (*by_phase["vision"], *prefill))
    return max(s.end_s for s in prefill) - start_s


def _inside(inner: Slice, outer: Slice) -> bool:
    """Whether a later slice lies in an earlier one of its track; 0.5 ns of rounding is forgiven."""
    return inner.track == outer.track and inner.end_s <= outer.end_s + 5e-10


def _track(event: Mapping[str, Any]) -> Track:
    return str(event.get("pid")), str(event.get("tid"))


CHROME_TRACE: Final = Importer(
    "chrome-trace", "Chrome trace event JSON, as chrome://tracing and Perfetto read it", sniff, read
)
