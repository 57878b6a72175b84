"""One engine for formats that are a table of fields and patterns: prints, JSON documents, tables.

A format says which of its words is which field of ours, and in which unit, behind two underscores::

    lines   (r"prompt eval time = (?P<prefill_s__ms>[\\d.]+) ms", ...)     of a print
    keys    {"eval_duration": "decode_s__ns", ...}                       of a JSON document
    columns {"S_PP t/s": "prefill_tokens_per_s", ...}                    of a table

What is found makes records; `run_of` makes a record a run. Two fields that are no metric make one:
``prefill_s`` with the prompt's tokens, ``decode_s`` with the output's. A record that breaks a rule
is refused alone. A run of a print ends where ``begins`` matches again, or where a metric stands
that the run has already; values that head a run (model, backend, threads) hold until they change.

Not read: numbers that a tool prints as part of a sentence of another language.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from sim.errors import SimError
from sim.evidence.importers.base import Importer, build_run, count, documents, number
from sim.evidence.importers.names import identify
from sim.evidence.importers.processors import device_of
from sim.evidence.importers.tables import Row, csv_rows, has_table, table_rows
from sim.evidence.measured import MeasuredRun
from sim.evidence.measured_metrics import METRICS

Record = dict[str, Any]

N: Final = r"(?:[-+]?[\d.]+(?:[eE][-+]?\d+)?|[-+]?(?:[iI]nf|[nN]a[nN])(?:inity)?)"
"""A number as tools print it, also one that is none."""
_UNITS: Final = {
    **{"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0},
    **{"kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2**10, "mib": 2**20, "gib": 2**30},
}
_DURATION: Final = re.compile(r"([\d.]+)(h|ms|µs|us|ns|m|s)")
_DURATION_S: Final = {
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
}
_COUNTS: Final = (
    *("prompt_tokens", "output_tokens", "context_tokens", "depth_tokens", "threads"),
    "ubatch_tokens",
)
_OF_ONE_RUN: Final = ("prompt_tokens", "output_tokens", "context_tokens", "depth_tokens")
"""What no later run of a print inherits; nor does it the metrics."""
_NAMES: Final = ("model_name", "model_file", "weights_name", "backend", "processor")
"""Another name of these is of another run."""
_SPANS: Final = {"prefill_s": "prompt_tokens", "decode_s": "output_tokens"}
_RATES: Final = {"prefill_s": "prefill_tokens_per_s", "decode_s": "tokens_per_s"}
_COUNTED: Final = {"prefill_tokens_per_s": "prompt_tokens", "tokens_per_s": "output_tokens"}
_TEXTS: Final = (
    *("backend", "release", "processor", "flash_attention", "kv_dtype", "kv_value_dtype"),
    *("notes", "refusal", "model_name"),
)
FEWEST: Final = 2
"""Output tokens from which a decode rate means something."""


@dataclass(frozen=True)
class Format:
    """One format as a table.

    Attributes
    ----------
    name, describes
        As of an `Importer`.
    marks
        Patterns that each must match a text of this format.
    lines
        Patterns of a print, their named groups fields.
    keys
        Fields by dotted path in a JSON document; a document with none of the metrics is no run.
    columns
        Fields by column of a table; ``header`` are those a header must hold, ``absent`` not.
    begins
        What starts another run of a print.
    repeats
        A metric that stands a second time starts another run of a print; else its last value holds.
    stacks
        Our stack by the backend's first word in lower case; "" for any backend.
    definitions
        Per metric: what exactly the tool timed.
    derive
        Last changes of a record before it becomes a run.
    before
        What stands before a JSON document on its line.
    id
        What the ids of its runs begin with, if a record has no name.
    reads
        Yields the records of a text whose shape is none of the three.
    """

    name: str
    describes: str
    marks: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    header: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    begins: str = ""
    repeats: bool = True
    stacks: Mapping[str, str] = field(default_factory=dict)
    weights: str = ""
    definitions: Mapping[str, str] = field(default_factory=dict)
    derive: Callable[[Record], Record] = lambda record: record
    before: str = ""
    id: str = "run"
    reads: Callable[[str], Iterator[Record]] | None = None
    warnings: tuple[str, ...] = ()

    def importer(self) -> Importer:
        """Return the format as an importer."""
        return Importer(self.name, self.describes, self.sniff, self.read)

    def sniff(self, text: str) -> bool:
        """Whether a text is built like this format."""
        if self.header and (has_table(text, self.is_header) or self._is_csv(text)):
            return True
        return bool(self.marks) and all(_pattern(mark).search(text) for mark in self.marks)

    def read(self, text: str) -> list[MeasuredRun]:
        """Return the runs of a text; `SimError` where none can be read."""
        return runs_of(self.records(text), self)

    def records(self, text: str) -> Iterator[Record]:
        """Yield what the text holds, run by run; a fault stands under ``fault``."""
        if self.reads:
            yield from self.reads(text)
        elif self.header:
            rows = csv_rows(text) if self._is_csv(text) else table_rows(text, self.is_header)
            yield from (self._of_row(row) for row in rows)
        elif self.keys:
            shown = _pattern(self.before).sub("", text) if self.before else text
            for document in flat(documents(shown)):
                found = {name: at(document, path) for path, name in self.keys.items()}
                record = {name: value for name, value in found.items() if value is not None}
                if self.before or any(_is_metric(name) for name in record):
                    yield record
        else:
            yield from prints(text, self)

    def pattern(self) -> re.Pattern[str]:
        """Return the one pattern of a print's lines."""
        return _combined(self.lines, self.begins)

    def fields(self, match: re.Match[str]) -> Record:
        """Return what a match of `pattern` found; a number that the text ends in may go on."""
        return {
            _name(key): value
            for key, value in match.groupdict().items()
            if value and match.end(key) < len(match.string)
        }

    def is_header(self, cells: list[str]) -> bool:
        """Whether cells are the header of a table of this format."""
        found = set(cells)
        return self.header <= found and not self.absent & found

    def _is_csv(self, text: str) -> bool:
        first = next((line for line in text.splitlines() if line.strip()), "")
        return self.is_header([cell.strip().strip('"') for cell in first.split(",")])

    def _of_row(self, row: Row) -> Record:
        found = {
            self.columns[name]: cell for name, cell in row.cells.items() if name in self.columns
        }
        fault = {"fault": f"line {row.line}: {row.fault}"} if row.fault else {}
        return {"line": row.line, **found, **fault}


def runs_of(records: Iterable[Record], known: Format) -> list[MeasuredRun]:
    """Return a run per record, a refused one where a record breaks a rule.

    Raises `SimError` with every fault where no record can be read.
    """
    runs: list[MeasuredRun] = []
    faults: list[str] = []
    for index, record in enumerate(records, start=1):
        try:
            runs.append(run_of(index, record, known))
        except SimError as error:
            faults += str(error).splitlines()
            runs.append(MeasuredRun(id=f"run{index}", refusal=str(error), source_format=known.name))
    if not runs:
        raise SimError(f"a {known.name} file must hold a run. Got none.")
    if len(faults) and all(run.refusal for run in runs) and not any(r.metrics for r in runs):
        raise SimError("\n".join(faults))
    return runs


def run_of(index: int, raw: Record, known: Format) -> MeasuredRun:
    """Return the run of a record; `SimError` says which rule it breaks."""
    if "fault" in raw:
        raise SimError(raw["fault"])
    warnings = [*known.warnings]
    record = known.derive(_in_si(raw))
    metrics = _metrics(record, warnings)
    if not metrics and not record.get("refusal") and not record.get("samples"):
        raise SimError(f"run {index} must measure something. Got no rate and no time above 0.")
    names = (str(record.get(key) or "") for key in ("model_file", "model_name", "weights_name"))
    found = identify(
        *names, parameters=record.get("model_parameters"), file_bytes=record.get("model_bytes")
    )
    stack, doubt = _stack(record, known)
    weights = record.get("weights") or found.weights or known.weights
    open_ = [text for text in found.warnings if not (weights and "weight format" in text)]
    return build_run(
        id=f"{index}-{record['name']}" if record.get("name") else f"{known.id}{index}",
        device=device_of(str(record.get("processor") or "")),
        stack=stack,
        stack_is_inferred=True,
        model=found.model,
        weights=weights,
        source_format=known.name,
        definitions={n: known.definitions[n] for n in metrics if n in known.definitions},
        samples=record.get("samples") or {},
        warnings=(*warnings, *record.get("warnings", ()), *open_, *([doubt] if doubt else [])),
        model_parameters=record.get("model_parameters"),
        model_bytes=record.get("model_bytes"),
        **{name: count(record[name], name) for name in _COUNTS if _stands(record, name)},
        **{name: str(record[name]) for name in _TEXTS if record.get(name)},
        **metrics,
    )


def _stands(record: Record, name: str) -> bool:
    """Whether a count is known; a depth or a setting of 0 is none."""
    value = record.get(name)
    return value is not None and (value != 0 or name in ("prompt_tokens", "output_tokens"))


def _metrics(record: Record, warnings: list[str]) -> dict[str, float]:
    """Return the metrics of a record; those of nothing timed are left out with a warning.

    A number that is none refuses the record.
    """
    given = dict(record)
    for span, tokens in _SPANS.items():
        if given.get(span) is not None and given.get(tokens) and _RATES[span] not in given:
            seconds = number(given[span], span)
            given[_RATES[span]] = number(given[tokens], tokens) / seconds if seconds else 0.0
    found: dict[str, float] = {}
    faults: list[str] = []
    for name in METRICS:
        if given.get(name) is None:
            continue
        few = (given.get(_COUNTED.get(name, "")) or FEWEST) < FEWEST
        if few and name == "tokens_per_s":
            warnings.append("one token was generated: no decode rate.")
            continue
        try:
            value = number(given[name], name)
        except SimError as error:
            (warnings if few else faults).append(str(error))
            continue
        if value > 0.0:
            found[name] = value
        elif (given.get(_COUNTED.get(name, "")) or 0) >= FEWEST:
            faults.append(f"{name} must be above 0. Got 0: nothing was timed.")
        else:
            warnings.append(f"{name} is 0: nothing was timed.")
    if faults:
        raise SimError("\n".join(faults))
    if warnings and not found and not record.get("refusal"):
        raise SimError(f"a run must be timed. Got: {' '.join(warnings)}")
    return found


def _stack(record: Record, known: Format) -> tuple[str, str]:
    """Return the stack of a record's backend, or why it settles none."""
    if record.get("stack") is not None:
        return record["stack"], record.get("stack_doubt", "")
    if "" in known.stacks:
        return known.stacks[""], ""
    backend = str(record.get("backend") or "").lower()
    for word in re.split(r"[^a-z0-9]+", backend):
        if word in known.stacks:
            return known.stacks[word], ""
    shown = f"backend {backend!r:.40} does not settle a stack." if backend else ""
    return "", shown or "the stack is not in the file."


def _in_si(raw: Record) -> Record:
    """Return a record whose fields have no unit behind their names any more."""
    record: Record = {}
    for key, value in raw.items():
        name, _, unit = key.partition("__") if "__" in key else (key, "", "")
        if unit and unit not in _UNITS and unit != "duration":
            name, unit = key, ""  # a tool's own word
        if unit == "duration":
            value = _seconds_of(str(value), name)
        elif unit:
            value = number(value, name) * _UNITS[unit]
        elif name in _COUNTS and value is not None:
            value = count(value, name)
        record.setdefault(name, value)
    return record


def _seconds_of(text: str, what: str) -> float:
    """Return a duration written like ``1m2.5s`` in seconds; a bare number is one of seconds.

    >>> _seconds_of("1m2.5s", "eval duration")
    62.5
    """
    parts = _DURATION.findall(text)
    if not parts or "".join(value + unit for value, unit in parts) != text.strip():
        return number(text, what)
    return sum(number(value, what) * _DURATION_S[unit] for value, unit in parts)


def prints(text: str, known: Format) -> Iterator[Record]:
    """Yield the runs of a print in the order in which they stand; one told twice is one."""
    record: Record = {}
    told: Record = {}
    for match in known.pattern().finditer(text):
        groups = known.fields(match)
        named = [name for name in _NAMES if name in groups]
        another = any(record.get(name, groups.get(name)) != groups.get(name) for name in named)
        starts = (
            "begins" in groups
            or another
            or (known.repeats and any(_is_metric(name, record) for name in groups))
        )
        if starts and any(_is_metric(name) for name in record):
            if _measured(record) != _measured(told):
                yield record
            told, record = record, {n: v for n, v in record.items() if _is_head(n)}
        groups.pop("begins", None)
        record |= groups
    if any(_is_metric(name) for name in record) and _measured(record) != _measured(told):
        yield record


def _measured(record: Record) -> Record:
    return {name: value for name, value in record.items() if not _is_head(name)}


def _is_head(name: str) -> bool:
    return not _is_metric(name) and name.partition("__")[0] not in _OF_ONE_RUN


def _is_metric(name: str, record: Mapping[str, Any] | None = None) -> bool:
    """Whether a field is measured, and stands in a record if one is given."""
    plain = name.partition("__")[0]
    measured = plain in METRICS or plain in _SPANS
    return measured and (record is None or name in record)


def _name(group: str) -> str:
    """Return the field of a named group: a pattern's number stands behind it."""
    return re.sub(r"_\d+_$", "", group)


@cache
def _combined(lines: tuple[str, ...], begins: str) -> re.Pattern[str]:
    """Return one pattern for all, so that a text is read once and in order."""
    parts = [
        re.sub(r"\(\?P<(\w+)>", rf"(?P<\1_{index}_>", line) for index, line in enumerate(lines)
    ]
    start = [f"(?=(?P<begins>{begins}))"] if begins else []
    return re.compile("|".join(f"(?:{part})" for part in (*start, *parts)), re.MULTILINE)


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.MULTILINE)


def flat(found: Iterable[Any]) -> Iterator[Any]:
    """Yield documents, those of an array one by one."""
    for document in found:
        yield from document if isinstance(document, list) else (document,)


def at(document: object, path: str) -> Any:
    """Return what lies at a dotted path of nested mappings, or none.

    >>> at({"usage": {"extra": {"ttft_s": 0.5}}}, "usage.extra.ttft_s")
    0.5
    """
    for part in path.split("."):
        if not isinstance(document, Mapping):
            return None
        document = document.get(part)
    return document
