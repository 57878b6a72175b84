"""QNN profiling CSV as ONNX Runtime's QNN provider writes it.

Columns ``Msg Timestamp, Message, Time, Unit of Measurement, Timing Source, Event Level, Event
Identifier``. The file is opened in append mode, so it holds several inferences; they become
samples of ``inference_s``. Node rows are in cycles of a clock the file does not state: they are
scaled to the accelerator's time, which is exact only for nodes that do not overlap. HTP profiles
list nodes with 0 cycles too; they take no time.
"""

from __future__ import annotations

import csv
import io
from typing import Final

from sim.errors import SimError
from sim.evidence.importers.base import (
    Importer,
    build_run,
    number,
    positive,
    seconds,
    total_by_name,
)
from sim.evidence.measured import MeasuredRun, OperatorTime

_TIME, _UNIT, _EVENT, _MESSAGE = "Time", "Unit of Measurement", "Event Identifier", "Message"
_ACCELERATOR: Final = "accelerator (execute) time"
_MICROSECONDS: Final = ("US", "MICROSEC")


def sniff(text: str) -> bool:
    """Whether text is a QNN profile."""
    head = text[:2000]
    return _UNIT in head and _EVENT in head


def read(text: str) -> list[MeasuredRun]:
    """Return all inferences of the file as one run."""
    rows = _rows(text)
    calls_s = tuple(
        seconds(positive(row[_TIME], row[_EVENT]), "us", row[_EVENT])
        for row in rows
        if _names_accelerator(row) and row[_UNIT] in _MICROSECONDS
    )
    if not calls_s:
        raise SimError("a QNN profile must hold 'Accelerator (execute) time' in US. Got none.")
    nodes = [row for row in rows if row[_MESSAGE] == "NODE" and row[_UNIT] == "CYCLES"]
    cycles = [number(row[_TIME], row[_EVENT]) for row in nodes]
    scale = sum(calls_s) / sum(cycles) if any(cycles) else 0.0
    return [
        build_run(
            id="profile",
            backend="NPU",
            source_format="qnn-csv",
            definitions={"inference_s": "QNN Accelerator (execute) time of one graph call"},
            samples={"inference_s": calls_s},
            operators=total_by_name(
                OperatorTime(row[_EVENT].split(":OpId")[0], 1, scale * count, "NPU")
                for row, count in zip(nodes, cycles, strict=True)
            ),
            warnings=("device, stack and model are not in the profile.",),
        )
    ]


def _rows(text: str) -> list[dict[str, str]]:
    """Return the rows with their cells stripped; a header repeated by appending is no row."""
    try:
        found = [
            {(key or "").strip(): (cell or "").strip() for key, cell in row.items() if key}
            for row in csv.DictReader(io.StringIO(text.strip()), strict=True, restval="")
        ]
    except csv.Error as error:
        raise SimError(f"must be CSV. Got: {error}.") from None
    needed = (_MESSAGE, _TIME, _UNIT, _EVENT)
    missing = [column for column in needed if found and column not in found[0]]
    if missing:
        raise SimError(f"a QNN profile must have the columns {', '.join(missing)}.")
    return [row for row in found if row[_TIME] != _TIME]


def _names_accelerator(row: dict[str, str]) -> bool:
    return row[_EVENT].lower() in (_ACCELERATOR, f"qnn {_ACCELERATOR}")


QNN_CSV: Final = Importer("qnn-csv", "QNN profiling CSV (ONNX Runtime QNN provider)", sniff, read)
