"""Trace files: JSON with deterministic bytes, checked when read.

Identical operator runs (the layers of prefill and of decode) are stored once and shared in memory,
so a program builder can cost each run once. A file of another schema version, a truncated file, a
wrong type, an unknown kind, a missing or a negative size is refused with the file and the place in
it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from workloads.errors import WorkloadError, did_you_mean
from workloads.extent import Extent
from workloads.files import parse_json, read_text, write_text
from workloads.image_rules import Rule
from workloads.operator_rules import RULES
from workloads.trace import (
    COUNTED_CLASSES,
    CROSS,
    KINDS,
    NETWORK,
    PHASES,
    ROLES,
    SCHEMA,
    TENSOR_CLASSES,
    DecoderShape,
    Operator,
    Phase,
    Segment,
    TensorRef,
    Trace,
    VisionShape,
)

FOLDER = Path(__file__).parent / "traces"
MANIFEST = "manifest.json"
_LEAST_RANKS = {
    "attention": (3, 3, 3),
    "conv": (2, 2),
    "embedding": (2,),
    "experts": (1, 3),
    "linear": (1, 2),
    "matmul": (1, 1),
}
_MOST_RANK = 5

T = TypeVar("T")


def load_trace(source: str | os.PathLike[str]) -> Trace:
    """Return a shipped trace by model id, or the trace in a ``.json`` file.

    Raises `WorkloadError` for an unknown id and for a file that is no trace.
    """
    path = Path(source)
    if path.suffix != ".json":
        files = {file.stem: file for file in trace_files(FOLDER)}
        if source not in files:
            hint = did_you_mean(source, files)
            raise WorkloadError(
                f"a trace must be a model id or a .json file. Got {source!r}. {hint}"
            )
        path = files[str(source)]
    return parse_trace(read_text(path), str(path))


def trace_files(directory: str | os.PathLike[str]) -> list[Path]:
    """Return the trace files in ``directory``, sorted."""
    return sorted(file for file in Path(directory).glob("*.json") if file.name != MANIFEST)


def save_trace(trace: Trace, path: str | os.PathLike[str]) -> None:
    """Write ``trace`` to ``path``, whole or not at all."""
    write_text(path, format_trace(trace))


def format_trace(trace: Trace) -> str:
    """Return the file's text: sorted keys, one operator per line, ending in a newline."""
    runs: list[tuple[Operator, ...]] = []
    phases = {name: _phase_json(phase, runs) for name, phase in trace.phases.items()}
    head = {
        "schema": trace.schema,
        "model": trace.model,
        "config_digest": trace.config_digest,
        "torch_version": trace.torch_version,
        "decoder": asdict(trace.decoder),
        "vision": asdict(trace.vision) if trace.vision else None,
        "parameters": dict(trace.parameters),
        "adapter_rank": trace.adapter_rank,
        "phases": phases,
        "runs": [[_operator_json(operator) for operator in run] for run in runs],
    }
    if trace.config:
        head |= {"config": dict(trace.config), "captured_by": trace.captured_by}
    if trace.stored_as:
        head["stored_as"] = dict(trace.stored_as)
    if trace.image_rule is not None:
        head["image_rule"] = trace.image_rule.facts()
    if trace.no_images:
        head["no_images"] = trace.no_images
    return _dump(head) + "\n"


def parse_trace(text: str, name: str = "trace") -> Trace:
    """Return the trace a file's text holds; ``name`` stands in error messages.

    Raises `WorkloadError` at the first fault, with its place.
    """
    top = _Node(parse_json(text, name), name)
    schema = top.get("schema", str)
    if schema != SCHEMA:
        raise WorkloadError(f"{name}: schema must be {SCHEMA!r}. Got {schema!r}.")
    runs = [tuple(map(_operator, run.some())) for run in top.child("runs").items()]
    vision = top.child("vision")
    phases = {
        key: _phase(key, node, runs)
        for key, node in top.child("phases").pairs((*PHASES, CROSS, NETWORK))
    }
    return Trace(
        model=top.get("model", str),
        config_digest=top.get("config_digest", str),
        torch_version=top.get("torch_version", str),
        decoder=top.child("decoder").build(DecoderShape),
        vision=None if vision.value is None else vision.build(VisionShape),
        parameters={
            key: node.count() for key, node in top.child("parameters").pairs(COUNTED_CLASSES)
        },
        phases=phases,
        adapter_rank=top.child("adapter_rank").count(),
        config=top.value.get("config", {}),
        captured_by=str(top.value.get("captured_by", "")),
        stored_as=top.value.get("stored_as", {}),
        image_rule=_image_rule(top.child("image_rule")),
        no_images=str(top.value.get("no_images", "")),
    )


def _image_rule(node: _Node) -> Rule | None:
    if node.value is None:
        return None
    from workloads.image_kinds import read_rule  # all kinds; few traces have one

    try:
        return read_rule(node.of(dict))
    except WorkloadError as error:
        raise WorkloadError(f"{node.place}: {error}") from None


class _Node:
    """A JSON value and its place in the file, for error messages."""

    def __init__(self, value: Any, place: str) -> None:
        self.value = value
        self.place = place

    def fault(self, rule: str) -> WorkloadError:
        return WorkloadError(f"{self.place} must be {rule}. Got {str(self.value)[:80]!r}.")

    def of(self, kind: type[T]) -> T:
        if not isinstance(self.value, kind) or (kind is int and isinstance(self.value, bool)):
            raise self.fault(f"of type {kind.__name__}")
        return self.value

    def count(self, least: int = 0) -> int:
        if self.of(int) < least:
            raise self.fault(f"at least {least}")
        return self.of(int)

    def choice(self, choices: tuple[str, ...]) -> str:
        if self.value not in choices:
            raise self.fault(f"one of {', '.join(choices)}")
        return self.of(str)

    def child(self, key: str) -> _Node:
        return _Node(self.of(dict).get(key), f"{self.place}: {key}")

    def get(self, key: str, kind: type[T]) -> T:
        return self.child(key).of(kind)

    def items(self) -> list[_Node]:
        return [_Node(v, f"{self.place}[{i}]") for i, v in enumerate(self.of(list))]

    def some(self) -> list[_Node]:
        """Return the items of a list that must not be empty."""
        if not self.of(list):
            raise self.fault("a list of at least one entry")
        return self.items()

    def pairs(self, keys: tuple[str, ...]) -> list[tuple[str, _Node]]:
        for key in self.of(dict):
            _Node(key, f"{self.place}: a key").choice(keys)
        return [(key, self.child(key)) for key in keys if key in self.value]

    def build(self, kind: type[T]) -> T:
        """Make a dataclass of sizes and flags; a size that must be given is at least 1."""
        hints = get_type_hints(kind)
        least = {item.name: int(item.default is MISSING) for item in fields(kind)}  # type: ignore[arg-type]
        for key in self.of(dict):
            if key not in least:
                raise WorkloadError(f"{self.place}: {key} is not known. {did_you_mean(key, least)}")
        for key in least:
            node = self.child(key)
            if hints[key] is bool:
                node.of(bool)
            elif least[key] or node.value is not None:
                node.count(least[key])
        return kind(**self.value)


def _phase(name: str, node: _Node, runs: list[tuple[Operator, ...]]) -> Phase:
    segments = []
    for item in node.child("segments").some():
        run, repeat = item.child("run").count(), item.child("repeat").count(least=1)
        if run >= len(runs):
            raise item.child("run").fault(f"below {len(runs)}, the number of runs")
        segments.append(Segment(item.get("name", str), repeat, runs[run]))
    symbols = tuple(item.of(str) for item in node.child("symbols").items())
    phase = Phase(name, symbols, tuple(segments))
    _check_symbols(phase, node)
    return phase


def _check_symbols(phase: Phase, node: _Node) -> None:
    for _, operator in phase.operators():
        for tensor in (*operator.inputs, *operator.outputs):
            for extent in tensor.shape:
                if any(name not in phase.symbols for name, _ in extent.terms):
                    raise WorkloadError(
                        f"{node.place}: sizes must use the names {', '.join(phase.symbols)}. "
                        f"Got '{extent}' in {operator.name} of {operator.module}."
                    )


def _operator(node: _Node) -> Operator:
    name = node.child("name").of(str)
    if name not in RULES:
        hint = did_you_mean(name, RULES)
        raise WorkloadError(f"{node.place}: name must be a known operator. Got {name!r}. {hint}")
    window, experts = node.child("window_tokens"), node.child("experts_per_token")
    work = node.child("work")
    operator = Operator(
        name=name,
        module=node.get("module", str),
        kind=node.child("kind").choice(KINDS),
        inputs=tuple(map(_tensor, node.child("inputs").items())),
        outputs=tuple(map(_tensor, node.child("outputs").items())),
        causal=node.value.get("causal", False) is True,
        window_tokens=None if window.value is None else window.count(),
        experts_per_token=None if experts.value is None else experts.count(least=1),
        work=None if work.value is None else _work(work),
    )
    if operator.kind != RULES[name].kind:
        raise node.child("kind").fault(f"{RULES[name].kind!r}, the kind of {name}")
    _check_operands(operator, node)
    return operator


def _work(node: _Node) -> tuple[Extent, Extent]:
    """Read the matrix FLOP and the vector operations of a group of calls."""
    parts = [_extent(item) for item in node.items()]
    if len(parts) != 2:
        raise node.fault("two sizes")
    return parts[0], parts[1]


def _check_operands(operator: Operator, node: _Node) -> None:
    """Refuse an operator that lacks what its cost is computed from."""
    ranks = _LEAST_RANKS.get(operator.kind, ())
    fits = len(operator.inputs) >= len(ranks) and all(
        len(tensor.shape) >= rank for tensor, rank in zip(operator.inputs, ranks, strict=False)
    )
    weights = [len(tensor.shape) for tensor in operator.inputs if tensor.role == "weight"]
    if operator.kind == "embedding" or (operator.kind == "linear" and weights):
        fits = fits and weights[:1] == [2]
    if operator.kind == "experts":
        fits = fits and weights[:1] == [3] and operator.experts_per_token is not None
    if operator.kind == "scan":
        fits = fits and operator.work is not None
    if not fits or not operator.outputs or max(weights, default=0) > _MOST_RANK:
        raise WorkloadError(f"{node.place} must read what {operator.name} reads.")


def _tensor(node: _Node) -> TensorRef:
    role = node.child("role")
    weight = role.value == "weight"
    return TensorRef(
        shape=tuple(map(_extent, node.child("shape").items())),
        dtype=node.get("dtype", str),
        role=role.choice(ROLES) if "role" in node.value else "activation",
        parameter=node.get("parameter", str) if weight else None,
        tensor_class=node.child("class").choice(TENSOR_CLASSES) if weight else None,
    )


def _extent(node: _Node) -> Extent:
    try:
        extent = Extent.parse(node.of(str))
    except WorkloadError as error:
        raise WorkloadError(f"{node.place}: {error}") from None
    if extent.constant < 0 and not extent.terms:
        raise node.fault("a size of at least 0")
    return extent


def _phase_json(phase: Phase, runs: list[tuple[Operator, ...]]) -> dict[str, Any]:
    segments = []
    for segment in phase.segments:
        if segment.operators not in runs:
            runs.append(segment.operators)
        run = runs.index(segment.operators)
        segments.append({"name": segment.name, "repeat": segment.repeat, "run": run})
    return {"symbols": list(phase.symbols), "segments": segments}


def _operator_json(operator: Operator) -> dict[str, Any]:
    value: dict[str, Any] = {
        "name": operator.name,
        "module": operator.module,
        "kind": operator.kind,
        "inputs": [_tensor_json(tensor) for tensor in operator.inputs],
        "outputs": [_tensor_json(tensor) for tensor in operator.outputs],
    }
    if operator.causal:
        value["causal"] = True
    if operator.window_tokens is not None:
        value["window_tokens"] = operator.window_tokens
    if operator.experts_per_token is not None:
        value["experts_per_token"] = operator.experts_per_token
    if operator.work is not None:
        value["work"] = [str(extent) for extent in operator.work]
    return value


def _tensor_json(tensor: TensorRef) -> dict[str, Any]:
    value: dict[str, Any] = {"shape": [str(e) for e in tensor.shape], "dtype": tensor.dtype}
    if tensor.role != "activation":
        value["role"] = tensor.role
    if tensor.role == "weight":
        value |= {"parameter": tensor.parameter, "class": tensor.tensor_class}
    return value


def _dump(head: Mapping[str, Any]) -> str:
    """One top-level key per line, and one operator per line, so that a change is one line."""
    line = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
    entries = []
    for key in sorted(head):
        if key == "runs":
            runs = ["[\n   " + ",\n   ".join(map(line, run)) + "]" for run in head[key]]
            entries.append('"runs":[' + ",\n  ".join(runs) + "]")
        else:
            entries.append(f"{line(key)}:{line(head[key])}")
    return "{" + ",\n ".join(entries) + "}"
