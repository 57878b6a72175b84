"""Scenario: device, model, deployment, environment, session, as one YAML file.

Every key but ``device``, ``model`` and ``session`` is optional; ``None`` means "what the device's
stack uses by default". Unknown keys are errors that name the nearest key, and all faults are told
at once.
"""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Iterable, Mapping
from errno import ENOENT
from pathlib import Path
from typing import Any

from pydantic import (
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from workloads.arrivals_file import recorded_clients
from workloads.deployment import Deployment
from workloads.environment import BackgroundAt, Environment
from workloads.errors import WorkloadError, did_you_mean
from workloads.explain import sentences
from workloads.files import parse_yaml, read_yaml
from workloads.kv_cache import KvCache
from workloads.network_calls import Network, is_of_a_network, network_session
from workloads.session import Session, Strict, Turn

FOLDER = Path(__file__).parent / "scenarios"


class Scenario(Strict):
    """One what-if question, complete: a model and a session, or a network and its calls.

    Attributes
    ----------
    device
        Device id or path of a device file.
    stack
        Software stack of the device; its default if none.
    model
        Model id, or path of a Hugging Face ``config.json``, a composition or a trace file.
    network
        Calls of a network, in place of ``session``.
    assume
        Entries of the device that are to be other than its file says, nested or by dotted path,
        as in ``{dram: {rate: 9 GT/s}}``; what-if values without a range.
    """

    device: str
    stack: str | None = None
    model: str
    deployment: Deployment = Deployment.usual()
    environment: Environment = Environment.usual()
    network: Network | None = None
    session: Session
    assume: Mapping[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _session_of_a_network(cls, given: Any) -> Any:
        """Give a network its one empty turn; a scenario that was written out has it already."""
        if not isinstance(given, Mapping) or given.get("network") is None:
            return given
        own = network_session().model_dump(mode="json")
        session = given.get("session")
        if session is not None and not is_of_a_network(session):
            raise PydanticCustomError("either", "either session or network, not both")
        return {**given, "session": own}

    @model_serializer(mode="wrap")
    def _without_a_networks_session(
        self, written: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, Any]:
        """Leave out the empty turn of a network where defaults are left out, and what is not set.

        So a scenario is written, and named by its fingerprint, as before such a key was known.
        """
        found: dict[str, Any] = written(self)
        if not self.assume:
            found.pop("assume", None)
        if self.network is None:
            found.pop("network", None)
        if self.network is not None and info.exclude_defaults:
            found.pop("session", None)
        return found

    @classmethod
    def from_mapping(cls, mapping: object, name: str = "scenario") -> Scenario:
        """Return the scenario a mapping describes; all faults in one `WorkloadError`.

        ``session.recorded`` names a CSV file of turns (`workloads.arrivals_file`), whose relative
        path counts from the working directory; see `counted_from`.
        """
        if not isinstance(mapping, Mapping):
            raise WorkloadError(f"{name} must be a mapping of keys. Got {type(mapping).__name__}.")
        if (other := _other_file(mapping)) is not None:
            raise WorkloadError(f"{name} must be a scenario. Got {other.format(name=name)}")
        try:
            return cls.model_validate(_with_recorded(mapping))
        except ValidationError as error:
            faults = "\n  ".join(sentences(error, cls))
            raise WorkloadError(f"{name}:\n  {faults}") from None


def _other_file(mapping: Mapping[str, Any]) -> str | None:
    """Return what a file of another kind is and how it is used, or none for a scenario."""
    if {"model", "session", "network"} & set(mapping):
        return None
    if "axes" in mapping:
        return "a sweep; run it by `andesim sweep {name} -o rows.parquet`."
    is_device = "extends" in mapping or "stacks" in mapping
    return "a device file; name it under device: or by --set device={name}." if is_device else None


def counted_from(folder: Path, mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a scenario's mapping whose ``session.recorded`` counts from a folder.

    >>> counted_from(Path("runs"), {"session": {"recorded": "v.csv"}})
    {'session': {'recorded': 'runs/v.csv'}}
    """
    session = mapping.get("session")
    if not isinstance(session, Mapping) or not isinstance(session.get("recorded"), str):
        return mapping
    if not session["recorded"]:  # refused later, with its own words
        return mapping
    return {**mapping, "session": {**session, "recorded": str(folder / session["recorded"])}}


def _with_recorded(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a scenario's mapping with the clients of ``session.recorded`` in its place."""
    session = mapping.get("session")
    if not isinstance(session, Mapping) or "recorded" not in session:
        return mapping
    path, clients = session["recorded"], session.get("clients") or {}
    if not isinstance(path, str) or not path:
        raise WorkloadError(f"session.recorded must be the path of a CSV file. Got {path!r}.")
    if session.get("turns"):
        raise WorkloadError(
            "session must have either turns or recorded. Got both. "
            f"Replace the whole session: --set 'session={{recorded: {path}}}'."
        )
    found = recorded_clients(path)
    if both := sorted(set(found) & set(clients)):
        raise WorkloadError(
            f"session.clients must not name a client of {path} again. Got '{both[0]}'."
        )
    rest = {key: value for key, value in session.items() if key != "recorded"}
    return {**mapping, "session": {**rest, "clients": {**clients, **found}}}


SHIPPED = "Remedy: `andesim scenarios` lists those that ship."
DEFAULT: dict[str, Any] = {
    "device": "dimensity_9500",
    "model": "andesvl-4b",
    "session": {
        "turns": [{"images_px": [[1080, 2400]], "prompt_tokens": 64, "output_tokens": 128}]
    },
}


def with_override(mapping: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy of a nested mapping in which the dotted ``path`` holds ``value``.

    Parts of the path that are whole numbers index lists; missing mappings are made. Raises
    `WorkloadError` where the path leads below a plain value or beyond a list.

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
        whole = path.split(f".{part}")[0]
        raise WorkloadError(
            f"--set {path}: index must be 0 to {len(node) - 1}. Got '{part}'. "
            f"Remedy: for more, give the whole list, --set '{whole}=[...]'."
        )
    return int(part)


def load_scenario(path: str | Path | None = None, overrides: Iterable[str] = ()) -> Scenario:
    """Return the scenario of a YAML file or shipped id, or the default one, with overrides.

    Overrides are ``path=value``; values are YAML, so ``deployment.weights={body: w4, lm_head: w8}``
    works. The path of ``session.recorded`` counts from the scenario file's folder. Raises
    `WorkloadError` with all faults of the scenario.
    """
    mapping = DEFAULT if path is None else read_yaml(scenario_file(path))
    given = [_given(override) for override in overrides]
    name = "scenario" if path is None else str(path)
    folder = Path() if path is None or path in scenario_ids() else Path(path).parent
    if not isinstance(mapping, dict):
        got = "an empty file" if mapping is None else type(mapping).__name__
        raise WorkloadError(f"{name} must be a mapping of keys. Got {got}. {SHIPPED}")
    if path is None:
        mapping = default_with(dict(given))
    for key, value in given:
        mapping = with_override(mapping, key, value)
    return Scenario.from_mapping(counted_from(folder, mapping), name)


def _given(override: str) -> tuple[str, Any]:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise WorkloadError(f"--set must be dotted.path=value. Got '{override}'.")
    return key.strip(), parse_yaml(text, f"--set {key}")


def default_with(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the default scenario as far as what is set by dotted path leaves it.

    A network has calls and no session. Of a text model nobody asks about the default's image: it is
    left out with a warning, unless something of the session is set.
    """
    if any(path.startswith("network") for path in given):
        return {key: value for key, value in DEFAULT.items() if key != "session"}
    from workloads.catalogue import is_of_words  # its models are heavy to load

    model = given.get("model")
    if not isinstance(model, str) or any(path.startswith("session") for path in given):
        return DEFAULT
    try:
        if not is_of_words(model):
            return DEFAULT
    except WorkloadError:  # whoever runs it says what is wrong
        return DEFAULT
    warnings.warn(f"{model} is a text model: the default's image is left out.", stacklevel=2)
    return with_override(DEFAULT, "session.turns.0.images_px", [])


def scenario_ids() -> list[str]:
    """Return the ids of the shipped scenarios."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def scenario_file(id_or_path: str | Path) -> Path:
    """Return the file of a shipped scenario's id, or the path itself where it looks like one."""
    path = Path(id_or_path)
    if os.path.exists(path):
        return path
    if path.suffix or path.name != str(id_or_path):
        raise WorkloadError(
            f"{path} must be a readable file. Got: {os.strerror(ENOENT)}. {SHIPPED}"
        )
    known = scenario_ids()
    if path.name not in known:
        raise WorkloadError(
            f"A scenario must be a YAML file or a shipped scenario. Got '{path}'. "
            f"{did_you_mean(path.name, known)}"
        )
    return FOLDER / f"{path.name}.yaml"


__all__ = [
    "DEFAULT",
    "BackgroundAt",
    "Deployment",
    "Environment",
    "KvCache",
    "Network",
    "Scenario",
    "Session",
    "Turn",
    "default_with",
    "load_scenario",
    "scenario_ids",
    "with_override",
]
