"""Profiles of one graph: QNN CSV and viewer text, AI Hub JSON, ExecuTorch and LiteRT tables.

One graph is one call of a network of a phase the file does not name: its time is ``inference_s``,
its layers are operators. QNN times one call from two places; the accelerator's own time counts.
Node rows in cycles of a clock the file does not state are scaled to the accelerator's time, exact
only for nodes that do not overlap. AI Hub's peak is that of one graph, so it is kept as a note.
Forms as printed by microsoft/onnxruntime, core/providers/qnn (profiling CSV); Qualcomm's
qnn-profile-viewer, closed, as pytorch/executorch and others read it; qai-hub 0.56
(``job.download_profile()``); pytorch/executorch, devtools/inspector (``print_data_tabular``); and
tensorflow/tensorflow, tensorflow/lite/profiling/profile_summary_formatter.cc.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from statistics import median
from typing import Any, Final, TypeVar

from sim.errors import SimError
from sim.evidence.importers.base import (
    Importer,
    build_run,
    documents,
    mapping,
    number,
    parts,
    positive,
    seconds,
    total_by_name,
)
from sim.evidence.importers.engine import N, flat
from sim.evidence.importers.processors import device_of
from sim.evidence.importers.tables import csv_rows, table_rows
from sim.evidence.measured import MeasuredRun, OperatorTime

T = TypeVar("T")
_TIME, _UNIT, _EVENT, _MESSAGE = "Time", "Unit of Measurement", "Event Identifier", "Message"
_MICROSECONDS: Final = ("US", "MICROSEC")
_CALLS: Final = ("accelerator (execute) time", "qnn accelerator (execute) time", "execute")
"""Names of the time of one call, nearest to the silicon first."""
_OPEN: Final = "device, stack and model are not in the profile."
_VIEWER: Final = re.compile(
    rf"^\s*(?:Backend \()?(?P<event>[^\n()]*\([^()\n]*\) time)\)?\s*:\s*(?P<us>{N})\s*us",
    re.MULTILINE,
)
_NODE: Final = re.compile(
    rf"^\s*(?P<name>\S+?):OpId_\d+ \(cycles\)\s*:\s*(?P<cycles>{N})", re.MULTILINE
)
_LITERT_NODE: Final = re.compile(
    rf"^\s*(?P<kind>[A-Z_0-9]+)\s+(?:{N}\s+)?{N}\s+(?P<ms>{N})\s+{N}%.*?\[(?P<name>[^\]]*)\]",
    re.MULTILINE,
)
_INSPECTED: Final = r"^.*\bevent_block_name\b.*\bevent_name\b"
_TIMINGS: Final = re.compile(
    rf"Timings \(microseconds\):.*?avg=(?P<us>{N})|curr=.*?avg=(?P<avg>{N})"
)


def graph_run(
    source_format: str,
    calls_s: Iterable[float],
    operators: Iterable[OperatorTime],
    **fields: Any,
) -> MeasuredRun:
    """Return the run of one graph: its calls as samples, their median as ``inference_s`` [s]."""
    found = tuple(calls_s)
    warnings = (*fields.pop("warnings", ()), _OPEN)
    return build_run(
        id="profile",
        source_format=source_format,
        inference_s=median(found) if found else None,
        definitions={"inference_s": f"{source_format}: one call of the graph, median"},
        samples={"inference_s": found} if found else {},
        operators=total_by_name(operators),
        warnings=warnings,
        **fields,
    )


def numbered(
    source_format: str, found: Iterable[T], read: Callable[[T], MeasuredRun]
) -> list[MeasuredRun]:
    """Return a run per profile of a file, one that cannot be read refused; `SimError` for none."""
    runs: list[MeasuredRun] = []
    for index, item in enumerate(found, start=1):
        name = f"profile{index}" if index > 1 else "profile"
        try:
            runs.append(read(item).model_copy(update={"id": name}))
        except SimError as error:
            runs.append(MeasuredRun(id=name, source_format=source_format, refusal=str(error)))
    if all(run.refusal for run in runs):
        raise SimError("\n".join(run.refusal for run in runs) or "a profile must hold a graph.")
    return runs


def _read_qnn_csv(text: str) -> list[MeasuredRun]:
    """Return all inferences of the file, to which calls are appended, as one run."""
    rows = [row.cells for row in csv_rows(text) if not row.fault]
    needed = (_MESSAGE, _TIME, _UNIT, _EVENT)
    missing = [column for column in needed if rows and column not in rows[0]]
    if missing:
        raise SimError(f"a QNN profile must have the columns {', '.join(missing)}.")
    rows = [row for row in rows if row[_TIME] != _TIME]
    timed = [(row[_EVENT], row[_TIME]) for row in rows if row[_UNIT] in _MICROSECONDS]
    calls_s = _calls_s(timed)
    if not calls_s:
        raise SimError("a QNN profile must hold 'Accelerator (execute) time' in US. Got none.")
    nodes = [
        (row[_EVENT].split(":OpId")[0], number(row[_TIME], row[_EVENT]))
        for row in rows
        if row[_MESSAGE] == "NODE" and row[_UNIT] == "CYCLES"
    ]
    return [graph_run("qnn-csv", calls_s, _scaled(nodes, sum(calls_s)), backend="NPU")]


def _qnn_viewer(text: str) -> MeasuredRun:
    calls_s = _calls_s((match["event"], match["us"]) for match in _VIEWER.finditer(text))
    if not calls_s:
        raise SimError("a QNN profile must hold 'Accelerator (execute) time' in us. Got none.")
    nodes = [(match["name"], number(match["cycles"], "cycles")) for match in _NODE.finditer(text)]
    return graph_run("qnn-viewer", calls_s, _scaled(nodes, sum(calls_s)), backend="NPU")


def _viewed(text: str) -> list[str]:
    """Return the graphs of a viewer's text: its averages, where it has least and largest, too."""
    blocks = parts(text, r"^Execute Stats \(")
    averages = [block for block in blocks if block.startswith("Execute Stats (Average")] or blocks
    return [graph for block in averages for graph in parts(block, r"^\s*Graph \d+ \(")]


def _calls_s(events: Iterable[tuple[str, str]]) -> tuple[float, ...]:
    """Return the times of the calls, each told once, from microseconds [s]."""
    listed = [(event.lower().strip(), value) for event, value in events]
    for name in _CALLS:
        found = tuple(
            seconds(positive(value, event), "us", event) for event, value in listed if event == name
        )
        if found:
            return found
    return ()


def _scaled(nodes: list[tuple[str, float]], total_s: float) -> Iterator[OperatorTime]:
    """Yield nodes whose cycles share the time of the calls."""
    cycles = sum(count for _, count in nodes)
    scale = total_s / cycles if cycles else 0.0
    for name, count in nodes:
        yield OperatorTime(name, 1, scale * count, "NPU")


def _read_ai_hub(text: str) -> list[MeasuredRun]:
    return numbered("ai-hub", flat(documents(text)), _ai_hub)


def _ai_hub(document: Any) -> MeasuredRun:
    profile = mapping(document, "an AI Hub profile")
    summary = mapping(profile.get("execution_summary"), "execution_summary")
    details = profile.get("execution_detail", [])
    if not isinstance(details, list):
        raise SimError(f"execution_detail must be an array. Got {details!r:.60}.")
    layers = [mapping(layer, "a layer") for layer in details]
    times = summary.get("all_inference_times") or [summary.get("estimated_inference_time")]
    if not isinstance(times, list):
        raise SimError(f"all_inference_times must be an array. Got {times!r:.60}.")
    peak = summary.get("estimated_inference_peak_memory")
    chip = str(profile.get("device") or profile.get("chipset") or "")
    return graph_run(
        "ai-hub",
        (positive(time, "an inference time") * 1e-6 for time in times),
        map(_layer, layers),
        device=device_of(chip),
        processor=chip,
        notes=f"peak memory of this graph {number(peak, 'peak'):.0f} B" if peak else "",
        warnings=_fallbacks(layers),
    )


def _layer(layer: Any) -> OperatorTime:
    name = str(layer.get("type") or layer.get("name") or "")
    duration_s = seconds(layer.get("execution_time") or 0, "us", "execution_time")
    return OperatorTime(name, 1, duration_s, str(layer.get("compute_unit", "")))


def _fallbacks(layers: Iterable[Any]) -> tuple[str, ...]:
    """Warn of layers that left the unit most of them run on."""
    units = Counter(str(layer.get("compute_unit", "")) for layer in layers)
    if len(units) < 2:
        return ()
    shown = ", ".join(f"{count} on {unit or 'no unit'}" for unit, count in units.most_common())
    return (f"layers run on several units: {shown}.",)


def _is_inspector(cells: list[str]) -> bool:
    return "event_name" in cells and any(cell.startswith("avg") for cell in cells)


def _inspector(text: str) -> MeasuredRun:
    """Return ExecuTorch's Inspector table: the method's row is the call, others are operators."""
    calls_s: list[float] = []
    operators = []
    for row in table_rows(text, _is_inspector):
        if row.fault or not row.cells["event_name"]:
            continue
        column = next(name for name in row.cells if name.startswith("avg"))
        unit = (re.findall(r"\((\w+)\)", column) or ["ms"])[0]
        try:
            average_s = seconds(row.cells[column], unit, column)
        except SimError:
            continue  # a statistic that the runtime did not record
        if row.cells["event_name"] in ("Method::execute", "Execute"):
            calls_s = calls_s or [average_s]
        elif row.cells.get("event_block_name", "Execute") == "Execute":
            operators.append(OperatorTime(row.cells["event_name"], 1, average_s))
    if not calls_s and not operators:
        raise SimError("an Inspector table must hold an event that takes time. Got none.")
    return graph_run("executorch-inspector", calls_s, operators)


def _litert_profile(text: str) -> MeasuredRun:
    """Return the operator profile of TensorFlow Lite's benchmark tool: its nodes in run order."""
    nodes = [
        OperatorTime(match["kind"], 1, seconds(match["ms"], "ms", match["name"]))
        for match in _LITERT_NODE.finditer(parts(text, r"^.*={5,} ")[0])
    ]
    calls = [positive(m["us"] or m["avg"], "avg") * 1e-6 for m in _TIMINGS.finditer(text)]
    if not calls and not nodes:
        raise SimError("a LiteRT profile must hold a node that takes time. Got none.")
    return graph_run("litert-profile", calls[-1:], nodes)


def _profiled(text: str) -> list[str]:
    """Return the profiles of a log; that of a start is none of a call."""
    found = parts(text, r"^.*Profiling Info for ")
    return [part for part in found if "Initialization:" not in part.partition("\n")[0]] or found


def _has(*needed: str) -> Any:
    return lambda text: all(part in text for part in needed)


QNN_CSV: Final = Importer(
    "qnn-csv",
    "QNN profiling CSV (ONNX Runtime QNN provider)",
    lambda text: _UNIT in text[:2000] and _EVENT in text[:2000],
    _read_qnn_csv,
)
QNN_VIEWER: Final = Importer(
    "qnn-viewer",
    "qnn-profile-viewer text",
    lambda text: bool(_VIEWER.search(text)),
    lambda text: numbered("qnn-viewer", _viewed(text), _qnn_viewer),
)
AI_HUB: Final = Importer(
    "ai-hub",
    "Qualcomm AI Hub job.download_profile() JSON",
    _has('"execution_summary"', '"estimated_inference_time"'),
    _read_ai_hub,
)
INSPECTOR: Final = Importer(
    "executorch-inspector",
    "ExecuTorch Inspector table, print_data_tabular()",
    lambda text: "event_name" in text and "event_block_name" in text,
    lambda text: numbered("executorch-inspector", parts(text, _INSPECTED), _inspector),
)
LITERT_PROFILE: Final = Importer(
    "litert-profile",
    "TensorFlow Lite benchmark_model --enable_op_profiling=true",
    lambda text: "Operator-wise Profiling Info" in text or "[node type]" in text,
    lambda text: numbered("litert-profile", _profiled(text), _litert_profile),
)
PROFILES: Final = (QNN_CSV, QNN_VIEWER, AI_HUB, INSPECTOR, LITERT_PROFILE)
