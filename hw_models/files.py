"""Device files: strict YAML, where they are found, and how `extends:` joins them.

What the entries mean is not known here: a file is a nested mapping until `hw_models.soc` reads it.
"""

import os
import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Final

import yaml

from hw_models.errors import HardwareError, UnknownDevice
from hw_models.plugins import load_all

ENTRY_POINT_GROUP: Final = "andesim.devices"
"""Each entry point names a package whose YAML files are devices."""

SIZE_LIMIT_BYTES: Final = 4 * 2**20
DEPTH_LIMIT: Final = 64
VALUES_LIMIT: Final = 100_000
_TEXTS_KEPT: Final = 32
"""Parsed files that are remembered by their text."""

_SUFFIX: Final = ".yaml"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ALIAS: Final = re.compile(r"(?:^|[\s,\[{:])\*\w", re.MULTILINE)
_HEAD: Final = re.compile(r"^(?:name|describes|extends):.*(?:\n[ \t]+.*)*", re.MULTILINE)
_INDENT: Final = re.compile(rf"^[ \-?:]{{{4 * DEPTH_LIMIT},}}", re.MULTILINE)


class _TextLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe YAML in which a number is text, for `hw_models.units` to read with its unit.

    Only ``null``, ``true`` and ``false`` are values of their own, as in YAML 1.2; ``<<`` merges.
    """

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := [key for key in dict.fromkeys(keys) if keys.count(key) > 1]:
            line = node.start_mark.line + 1
            raise HardwareError(
                f"{twice[0]} must be given once per mapping. Got two near line {line}."
            )
        return dict(super().construct_mapping(node, deep=deep))

    def construct_text(self, node: yaml.ScalarNode) -> str:
        if _CONTROL.search(node.value):
            place = f"{node.value!r:.80} in line {node.start_mark.line + 1}"
            raise HardwareError(f"values must be text without control characters. Got {place}.")
        return str(node.value)


_TextLoader.add_constructor("tag:yaml.org,2002:str", _TextLoader.construct_text)
for _tag, _first, _pattern in (
    ("null", ["~", "n", "N", ""], "~|null|Null|NULL|"),
    ("bool", list("tTfF"), "true|True|TRUE|false|False|FALSE"),
    ("merge", ["<"], "<<"),
):
    _TextLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^({_pattern})$"), _first
    )


def parse_yaml(text: str) -> dict[str, Any]:
    """Read one YAML mapping, its numbers as text.

    Raises `HardwareError` for a key given twice, control characters, and anything but plain data.

    >>> parse_yaml("a: {b: 1, c: true}")
    {'a': {'b': '1', 'c': True}}
    """
    try:
        _check_nesting(text)
        data = yaml.load(text, Loader=_TextLoader)
    except HardwareError:
        raise
    except yaml.MarkedYAMLError as error:
        raise HardwareError(f"the file must be YAML. Got: {_told(error)}.") from error
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise HardwareError(
            f"the file must be YAML. Got {' '.join(str(error).split())}."
        ) from error
    if not isinstance(data, dict):
        raise HardwareError(f"the file must be a mapping. Got {type(data).__name__}.")
    return data


def _told(error: yaml.MarkedYAMLError) -> str:
    """Return what a reader of YAML found, with its lines."""
    at, begun = error.problem_mark, error.context_mark
    place = f" in line {at.line + 1}" if at else ""
    since = f", {error.context} that begins in line {begun.line + 1}" if begun else ""
    return f"{error.problem}{place}{since}"


def _check_nesting(text: str) -> None:
    """Refuse nesting so deep that libyaml crashes, and aliases that blow a small file up."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    if deepest > DEPTH_LIMIT or _INDENT.search(text):
        raise HardwareError(f"values must be nested at most {DEPTH_LIMIT} deep.")
    if _ALIAS.search(text):
        _check_aliases(text)


def _check_aliases(text: str) -> None:
    """Refuse a value that holds itself, and aliases that stand for too many values in all.

    A collection is counted when it ends. An alias of one that has not ended yet lies inside it, so
    that value would hold itself.
    """
    sizes: dict[str | None, int] = {}
    open_values: list[tuple[str | None, int]] = [(None, 0)]
    for event in yaml.parse(text, Loader=_TextLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            open_values.append((event.anchor, 1))
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_values.pop()
            if anchor:
                sizes[anchor] = size
        elif isinstance(event, yaml.AliasEvent):
            if any(event.anchor == anchor for anchor, _ in open_values):
                raise HardwareError(f"a value must not hold itself. Got *{event.anchor} inside it.")
            size = sizes.get(event.anchor, 1)
        else:
            size = 1
        parent, held = open_values.pop()
        open_values.append((parent, held + size))
        if held + size > VALUES_LIMIT:
            raise HardwareError(f"aliases (*name) must stand for at most {VALUES_LIMIT} values.")


def device_ids() -> list[str]:
    """List the ids of all packaged and plugged-in devices, sorted."""
    return sorted({_stem(file) for file in _all_files() if not file.name.startswith("_")})


def read_device(id_or_path: str | Path) -> dict[str, Any]:
    """Read a device by id or path as one nested mapping, with `extends:` resolved.

    `extends` is an id, a path or a list of them; later ones win over earlier ones and the file
    itself wins over all. A parameter (a mapping with a `value`, or with `of`, what it follows) is
    replaced as a whole, so that a new value never keeps an old range. Raises `HardwareError` for
    files that are missing, broken or extend themselves.
    """
    return _resolve(_find(id_or_path), ())


def read_head(device_id: str) -> dict[str, Any]:
    """Read only the name of a known device and what it describes, with `extends:` resolved."""
    return _resolve(_find(device_id), (), _read_head)


def is_path(id_or_path: str | Path) -> bool:
    """Tell a path from an id: a path is a `Path`, or text with a suffix or a folder.

    >>> is_path("dimensity_9500"), is_path("my/phone.yaml")
    (False, True)
    """
    text = str(id_or_path)
    return isinstance(id_or_path, Path) or "/" in text or text.endswith((_SUFFIX, ".yml"))


def _resolve(
    file: Traversable,
    seen: tuple[str, ...],
    read: Callable[[Traversable], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Read a file and what it extends; `seen` are the places of the files that led to it."""
    place = os.path.realpath(file) if isinstance(file, Path) else str(file)
    if place in seen:
        raise HardwareError(f"extends must not lead back to its own file. Got {file.name!r}.")
    data = (read or _read)(file)
    parents = data.pop("extends", [])
    parents = [parents] if isinstance(parents, str) else parents
    if not isinstance(parents, list) or not all(isinstance(name, str) for name in parents):
        raise HardwareError(f"extends must be an id, a path or a list of them. Got {parents!r}.")
    folder = file.parent if isinstance(file, Path) else Path()
    base: dict[str, Any] = {}
    for parent in parents:
        base = merge(base, _resolve(_find(parent, folder), (*seen, place), read))
    return merge(base, data)


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `changes` over `base`, mapping by mapping; one with a `value` or `of` goes in whole.

    >>> merge({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}})
    {'a': {'x': 1, 'y': 3}}
    """
    merged = dict(base)
    for key, new in changes.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(new, Mapping)
        whole = isinstance(new, Mapping) and bool({"value", "of"} & new.keys())
        merged[key] = merge(old, new) if both and not whole else new  # type: ignore[arg-type]
    return merged


def _find(id_or_path: str | Path, folder: Path = Path()) -> Traversable:
    if is_path(id_or_path):
        path = folder / os.path.expanduser(id_or_path)
        if os.path.isfile(path):
            return path
        rule = "be an ordinary file" if os.path.exists(path) else "exist"
        raise HardwareError(f"device file must {rule}. Got {str(id_or_path)!r:.200}.")
    if file := _packaged().get(str(id_or_path)):
        return file
    for file in _plugged_in():
        if _stem(file) == id_or_path:
            return file
    raise UnknownDevice(str(id_or_path))


@cache
def _packaged() -> dict[str, Traversable]:
    """Return the packaged files by id; the folder is listed once."""
    return {_stem(file): file for file in _yaml_files(files("hw_models") / "devices")}


def _all_files() -> Iterator[Traversable]:
    yield from _packaged().values()
    yield from _plugged_in()


def _plugged_in() -> Iterator[Traversable]:
    """Yield files of entry points, which are only searched when an id is not packaged."""
    for package in load_all(ENTRY_POINT_GROUP, ModuleType):
        yield from _yaml_files(files(package))


def _yaml_files(folder: Traversable) -> Iterator[Traversable]:
    return (file for file in folder.iterdir() if file.name.endswith(_SUFFIX))


def _stem(file: Traversable) -> str:
    return file.name.removesuffix(_SUFFIX)


def _text(file: Traversable) -> str:
    try:
        with file.open("rb") as stream:
            raw = stream.read(SIZE_LIMIT_BYTES + 1)
    except OSError as error:
        raise HardwareError(f"the file must be readable. Got: {error.strerror}.") from None
    if len(raw) > SIZE_LIMIT_BYTES:
        raise HardwareError(f"the file must be at most {SIZE_LIMIT_BYTES} bytes.")
    return raw.decode("utf-8-sig")


def _read(file: Traversable) -> dict[str, Any]:
    try:
        return dict(_parsed(_text(file)))
    except HardwareError as error:
        raise HardwareError(*(f"{file.name}: {fault}" for fault in error.faults)) from error
    except UnicodeDecodeError as error:
        raise HardwareError(f"{file.name}: the file must be UTF-8 text. Got {error}.") from error


@lru_cache(maxsize=_TEXTS_KEPT)
def _parsed(text: str) -> dict[str, Any]:
    """Parse a device's text, which solving and sweeping ask for at each of their points."""
    return parse_yaml(text)


def _read_head(file: Traversable) -> dict[str, Any]:
    return parse_yaml("\n".join(_HEAD.findall(_text(file))) or "{}")
