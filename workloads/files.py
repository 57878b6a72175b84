"""Strict reading of the YAML and JSON files people write.

Refused, by a `WorkloadError` with the file and, where there is one, the line: a key given twice, an
alias, a number that is not finite, a whole number that no float can hold, control characters, deep
nesting, a file above the size limit, and text that is not UTF-8.

YAML is read by the core schema of YAML 1.2, numbers in plain decimal only: ``85e9`` is a number;
``0100``, ``12:30``, ``0x10``, ``1_000``, ``yes`` and dates are text, which the part of a scenario
that wants a number then refuses (`workloads.session.Strict`). Nothing is ever executed, and no pipe
is waited for that nobody writes to.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, ClassVar

import yaml

from workloads.errors import WorkloadError
from workloads.whole import written_beside

SIZE_LIMIT_BYTES = 4 * 2**20
DEPTH_LIMIT = 64
DIGITS_LIMIT = 300
"""Digits of a whole number; those of the largest float are 309."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_LONG = f"whole numbers must have at most {DIGITS_LIMIT} digits"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_Loader):  # type: ignore[misc]
    """The safe loader with the rules of this module; what is no plain decimal stays text."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise _fault(f"key {key.value!r} must be given once", key)
            if isinstance(key.value, str):
                seen.add(key.value)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping

    def construct_text(self, node: yaml.ScalarNode) -> str:
        if _CONTROL.search(node.value):
            raise _fault(f"must be text without control characters. Got {node.value!r:.80}", node)
        return str(node.value)

    def construct_float(self, node: yaml.ScalarNode) -> float:
        number = float(node.value.lower().replace(".inf", "inf").replace(".nan", "nan"))
        if not math.isfinite(number):
            raise _fault(f"numbers must be finite. Got {node.value:.80}", node)
        return number

    def construct_int(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > DIGITS_LIMIT:
            raise _fault(_LONG, node)
        return int(node.value)


def _fault(problem: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


_StrictLoader.add_constructor("tag:yaml.org,2002:str", _StrictLoader.construct_text)
_StrictLoader.add_constructor(_INT, _StrictLoader.construct_int)
_StrictLoader.add_constructor(_FLOAT, _StrictLoader.construct_float)
_SIGNED = list("-+.0123456789")
for _tag, _first, _pattern in (
    ("tag:yaml.org,2002:null", ["~", "n", "N", ""], r"~|null|Null|NULL|"),
    ("tag:yaml.org,2002:bool", list("tTfF"), r"true|True|TRUE|false|False|FALSE"),
    (_INT, _SIGNED, r"[-+]?(0|[1-9]\d*)"),
    (_FLOAT, _SIGNED, r"[-+]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][-+]?\d+)?"),
    (_FLOAT, _SIGNED, r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
):
    _StrictLoader.add_implicit_resolver(_tag, re.compile(f"^({_pattern})$"), _first)


def read_bytes(path: str | os.PathLike[str], limit_bytes: int = SIZE_LIMIT_BYTES) -> bytes:
    """Return the bytes of a file no larger than ``limit_bytes``.

    A pipe is read to its end; one that nobody has opened for writing is empty. Raises
    `WorkloadError` where it can not be read or is larger.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as stream:
            raw = stream.read(limit_bytes + 1)
    except OSError as error:
        raise WorkloadError(f"{path} must be a readable file. Got: {error.strerror}.") from None
    except ValueError as error:  # a NUL or half a surrogate pair in the path
        raise WorkloadError(f"{os.fspath(path)!r} must be a path. Got: {error}.") from None
    if len(raw) > limit_bytes:
        raise WorkloadError(f"{path} must be at most {limit_bytes} bytes.")
    return raw


def _open_at_once(path: str, flags: int) -> int:
    """Open a file without waiting for the writer of a named pipe."""
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    os.set_blocking(handle, True)
    return handle


def read_text(path: str | os.PathLike[str], limit_bytes: int = SIZE_LIMIT_BYTES) -> str:
    """Return the UTF-8 text of a file no larger than ``limit_bytes``, without a byte-order mark."""
    try:
        text = read_bytes(path, limit_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WorkloadError(
            f"{path} must be UTF-8 text. Got byte {error.start}: {error.reason}."
        ) from None
    if found := _CONTROL.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise WorkloadError(
            f"{path}, line {line}: must be text without control characters. Got {found[0]!r}."
        )
    return text


def parse_yaml(text: str, name: str = "text") -> Any:
    """Return the value of a YAML document; ``name`` stands in error messages.

    >>> parse_yaml("bandwidth: 85e9")
    {'bandwidth': 85000000000.0}
    """
    try:
        _check_events(text, name)
        return yaml.load(text, Loader=_StrictLoader)
    except yaml.MarkedYAMLError as error:
        raise WorkloadError(f"{_place(name, error.problem_mark)}: {error.problem}.") from None
    except WorkloadError:
        raise
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise WorkloadError(f"{name} must be YAML. Got: {error}.") from None


def parse_json(text: str, name: str = "text") -> Any:
    """Return the value of a JSON document; ``name`` stands in error messages."""
    try:
        return json.loads(
            text,
            object_pairs_hook=_unique_keys,
            parse_constant=_finite,
            parse_float=_finite,
            parse_int=_whole,
        )
    except json.JSONDecodeError as error:
        raise WorkloadError(
            f"{name}, line {error.lineno}: must be JSON. Got: {error.msg}."
        ) from None
    except WorkloadError as error:
        raise WorkloadError(f"{name}: {error}") from None
    except RecursionError:
        raise WorkloadError(f"{name} must not be nested this deeply.") from None


def read_yaml(path: str | os.PathLike[str], limit_bytes: int = SIZE_LIMIT_BYTES) -> Any:
    """Return the value of a YAML file."""
    return parse_yaml(read_text(path, limit_bytes), str(path))


def read_mapping(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the mapping a ``.json`` file, or else a YAML file, consists of."""
    text = read_text(path)
    parse = parse_json if Path(path).suffix == ".json" else parse_yaml
    value = parse(text, str(path))
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise WorkloadError(f"{path} must be a mapping of names. Got a {type(value).__name__}.")
    return value


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a file whole or not at all: to a temporary file beside it, then rename.

    Raises `WorkloadError` where the operating system refuses.
    """
    target = Path(path)
    try:
        with written_beside(target) as part:
            part.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise WorkloadError(f"{target} must be writable. Got: {error.strerror}.") from None


def _check_events(text: str, name: str) -> None:
    """Refuse aliases and deep nesting before libyaml's recursive composer sees the text."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            place = _place(name, event.start_mark)
            raise WorkloadError(f"{place}: aliases (*name) must not be used.")
        if depth > DEPTH_LIMIT:
            place = _place(name, event.start_mark)
            raise WorkloadError(f"{place}: values must be nested at most {DEPTH_LIMIT} deep.")


def _place(name: str, mark: Any) -> str:
    return f"{name}, line {mark.line + 1}" if mark else name


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key, value in pairs:
        if key in mapping:
            raise WorkloadError(f"key {key!r} must be given once.")
        mapping[key] = value
    return mapping


def _whole(text: str) -> int:
    if len(text) > DIGITS_LIMIT:
        raise WorkloadError(f"{_LONG}. Got {len(text)}.")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise WorkloadError(f"numbers must be finite. Got {text}.")
    return number
