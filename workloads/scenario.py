"""Scenario: device, model, deployment, environment, session, as one YAML file.

Every key but ``device``, ``model`` and ``session`` is optional; ``None`` means "what the device's
stack uses by default". Unknown keys are errors that name the nearest key, and all faults are told
at once.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ByteSize, Field, ValidationError

from workloads.compression import WeightMap
from workloads.errors import WorkloadError
from workloads.explain import sentences
from workloads.files import parse_yaml, read_yaml
from workloads.kv_cache import KvCache
from workloads.lora import Lora
from workloads.program import Unit
from workloads.pruning import Pruning
from workloads.session import Session, Strict, Turn
from workloads.speculation import NoSpeculation, SpeculationPart

Activations = Literal["int16", "int8", "fp16", "bf16", "fp32"]
Fusion = Literal["none", "scores", "elementwise", "attention"]


class ImageRule(Strict):
    """How images become visual tokens: a named preprocessor and its area limit.

    Attributes
    ----------
    max_size_px
        The image is scaled down to at most this squared area [px].
    """

    preprocessor: Literal["ceil", "one_more_cell", "mtk_sdk"] = "one_more_cell"
    max_size_px: Annotated[int, Field(ge=28, le=100_000)] = 733


class Placement(Strict):
    """Which unit runs what; the stack's unit where none is given."""

    vision: Unit | None = None
    body: Unit | None = None
    lm_head: Unit | None = None
    draft: Unit | None = None


class Deployment(Strict):
    """How the model is shipped.

    Attributes
    ----------
    weights
        Weight format id per tensor class, or text such as ``body=w4;lm_head=w8``; classes left out
        take the stack's default.
    fusion
        What the graph compiler fuses (`workloads.graph.GraphOptions`); the stack's way if none.
    """

    weights: WeightMap = WeightMap()
    activations: Activations | None = None
    images: ImageRule = ImageRule()
    placement: Placement = Placement()
    pruning: Pruning = Pruning()
    kv_cache: KvCache = KvCache()
    prefill_chunk_tokens: Annotated[int, Field(ge=1, le=65_536)] | None = None
    speculation: SpeculationPart = NoSpeculation()
    lora: Lora | None = None
    fusion: Fusion | None = None
    free_vision_after_encode: bool = True


class Environment(Strict):
    """Where and when it runs."""

    ambient_c: Annotated[float, Field(ge=-40.0, le=60.0)] = 25.0
    background: Literal["idle", "scrolling", "video_call", "game"] = "idle"
    app_budget_bytes: ByteSize | None = None
    start: Literal["warm", "cold"] = "warm"


class Scenario(Strict):
    """One what-if question, complete.

    Attributes
    ----------
    device
        Device id or path of a device file.
    stack
        Software stack of the device; its default if none.
    model
        Model id, or path of a Hugging Face ``config.json``.
    """

    device: str
    stack: str | None = None
    model: str
    deployment: Deployment = Deployment()
    environment: Environment = Environment()
    session: Session

    @classmethod
    def from_mapping(cls, mapping: object, name: str = "scenario") -> Scenario:
        """Return the scenario a mapping describes; all faults in one `WorkloadError`."""
        if not isinstance(mapping, Mapping):
            raise WorkloadError(f"{name} must be a mapping of keys. Got {type(mapping).__name__}.")
        try:
            return cls.model_validate(mapping)
        except ValidationError as error:
            faults = "\n  ".join(sentences(error, cls))
            raise WorkloadError(f"{name}:\n  {faults}") from None


DEFAULT: dict[str, Any] = {
    "device": "dimensity_9500",
    "model": "andesvl-4b",
    "session": {
        "turns": [{"images_px": [[1080, 2400]], "prompt_tokens": 64, "output_tokens": 128}]
    },
}


def with_override(mapping: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy of a nested mapping in which the dotted ``path`` holds ``value``.

    Parts of the path that are whole numbers index lists; missing mappings are made.

    >>> with_override({"turns": [{"prompt_tokens": 8}]}, "turns.0.prompt_tokens", 9)
    {'turns': [{'prompt_tokens': 9}]}
    """
    changed = copy.deepcopy(dict(mapping))
    *parents, last = path.split(".")
    node: Any = changed
    for part in parents:
        node = _child(node, part, path)
    if isinstance(node, list):
        node[_index(node, last, path)] = value
    elif isinstance(node, dict):
        node[last] = value
    else:
        raise WorkloadError(f"--set {path}: nothing lies below a plain value.")
    return changed


def _child(node: Any, part: str, path: str) -> Any:
    if isinstance(node, list):
        return node[_index(node, part, path)]
    if not isinstance(node, dict):
        raise WorkloadError(f"--set {path}: nothing lies below a plain value before '{part}'.")
    if node.get(part) is None:
        node[part] = {}
    return node[part]


def _index(node: list[Any], part: str, path: str) -> int:
    if not part.isdecimal() or int(part) >= len(node):
        raise WorkloadError(f"--set {path}: index must be 0 to {len(node) - 1}. Got '{part}'.")
    return int(part)


def load_scenario(path: str | Path | None = None, overrides: Iterable[str] = ()) -> Scenario:
    """Return the scenario of a YAML file, or the default one, with ``path=value`` overrides.

    Values of overrides are YAML, so ``deployment.weights={body: w4, lm_head: w8}`` works.
    """
    mapping = DEFAULT if path is None else read_yaml(path)
    name = "scenario" if path is None else str(path)
    if not isinstance(mapping, dict):
        raise WorkloadError(f"{name} must be a mapping of keys. Got {type(mapping).__name__}.")
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise WorkloadError(f"--set must be dotted.path=value. Got '{override}'.")
        mapping = with_override(mapping, key.strip(), parse_yaml(text, f"--set {key}"))
    return Scenario.from_mapping(mapping, name)


__all__ = [
    "DEFAULT",
    "Deployment",
    "Environment",
    "ImageRule",
    "KvCache",
    "Scenario",
    "Session",
    "Turn",
    "load_scenario",
    "with_override",
]
