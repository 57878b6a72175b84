"""What a person brings: a device, a model, a scenario, a measured file, or a bundle of them.

A file is told by what it holds, read by the readers of the command line, and kept under a folder of
this process as ``name@digest``; nothing is executed, and its name is not trusted. Who knows the
digest in a link can use the file while this process lives; a bundle carries it elsewhere.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import yaml

from hw_models.errors import suggest
from hw_models.soc import SocSpec, load_soc
from sim.errors import SimError
from workloads.files import parse_yaml
from workloads.models.encoder_types import is_network
from workloads.scenario import Scenario
from workloads.trace import NETWORK

Kind = Literal["device", "model", "network", "scenario", "measured", "bundle"]

LIMIT_BYTES: Final = 64_000_000
DIGITS: Final = 8
"""Of the digest in an id."""
GGUF: Final = b"GGUF"
ZIP: Final = b"PK\x03\x04"
MOST_IN_BUNDLE: Final = 50
JUDGED: Final = "judged"
"""What the address of the Validate page calls the measured file that it judges."""
DEVICE_KEYS: Final = ("extends", "dram", "units", "stacks")
CONFIG_KEYS: Final = {"model_type", "architectures"}
BENCH_KEY: Final = "model_filename"
"""A row of llama-bench has a ``model_type``, too, and this."""
YAML: Final = (".yaml", ".yml")
SCENARIO_KEYS: Final = ("session", "network", "deployment")
WORDS: Final = {
    "device": "a device",
    "model": "a model",
    "network": "a network",
    "scenario": "a scenario",
    "measured": "measurements",
    "bundle": "a bundle",
}


class Brought(NamedTuple):
    """A file as it was brought: what it is, its id, where it lies, its bytes."""

    kind: Kind
    id: str
    path: Path
    content: bytes


_KEPT: dict[str, Brought] = {}


def bring(content: bytes, name: str) -> Brought:
    """Keep a file and return what it is; raises SimError where it is too large or nothing known."""
    if len(content) > LIMIT_BYTES:
        limit, got = LIMIT_BYTES / 1e6, len(content) / 1e6
        raise SimError(f"A file must be at most {limit:.0f} MB. Got {got:.0f} MB.")
    if not content.strip():
        raise SimError("A file must hold something. Got an empty one.")
    kind, ending = _kind_of(content, name)
    digest = hashlib.sha256(content).hexdigest()[:DIGITS]
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", Path(name).stem)[:40].strip("._") or kind
    found = f"{stem}@{digest}"
    if found not in _KEPT:
        folder = _folder() / digest
        folder.mkdir(exist_ok=True)
        path = folder / f"{stem}{ending}"
        path.write_bytes(content)
        _KEPT[found] = Brought(kind, found, path, content)
    return _KEPT[found]


def read_soc(text: str) -> SocSpec:
    """Return the device that a YAML text describes; raises what `load_soc` raises."""
    return load_soc(str(bring(text.encode(), "fitted").path))


def is_own(name: str) -> bool:
    """Return whether a name stands for a file that was brought."""
    return name in _KEPT


def place(name: str) -> str:
    """Return the path of a file that was brought; any other name as it is.

    >>> place("dimensity_9500")
    'dimensity_9500'
    """
    return str(_KEPT[name].path) if name in _KEPT else name


def kept(name: str) -> Brought:
    """Return a file that was brought."""
    return _KEPT[name]


def ids(kind: Kind) -> tuple[str, ...]:
    """Return the ids of a kind, in the order they came."""
    return tuple(name for name, item in _KEPT.items() if item.kind == kind)


def without_folder(text: str) -> str:
    """Return a message in which files that were brought are named, not their folders."""
    for item in _KEPT.values():
        text = text.replace(str(item.path), item.path.name)
    return text


def bundle(names: list[str], scenario: str, link: str) -> bytes:
    """Return a ZIP of files that were brought, with the scenario and the link that use them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("scenario.yaml", scenario)
        archive.writestr("link.txt", link + "\n")
        for name in names:
            archive.writestr(_KEPT[name].path.name, _KEPT[name].content)
    return buffer.getvalue()


def unpacked(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each file of a bundle but its link; SimError for a bad archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [item for item in archive.infolist() if not item.is_dir()]
            if len(members) > MOST_IN_BUNDLE or sum(m.file_size for m in members) > LIMIT_BYTES:
                raise SimError(f"A bundle must hold at most {MOST_IN_BUNDLE} files, 64 MB in all.")
            for item in members:
                if item.filename != "link.txt":
                    yield item.filename, archive.read(item)
    except zipfile.BadZipFile:
        raise SimError("A bundle must be a ZIP file that is whole. Got a broken one.") from None


@cache
def _folder() -> Path:
    """Return the folder of this process."""
    return Path(tempfile.mkdtemp(prefix="andesim-own-"))


def _kind_of(content: bytes, name: str) -> tuple[Kind, str]:
    """Return what a file is and the ending its reader wants.

    Raises what is wrong with a file whose name ends as YAML and which is none of ours.
    """
    if content.startswith(GGUF):
        return "model", ".gguf"
    if content.startswith(ZIP):
        return "bundle", ".zip"
    text = content.decode("utf-8", errors="replace")
    try:
        node = json.loads(text)
        is_run = isinstance(node, dict) and BENCH_KEY in node
        if isinstance(node, dict) and _is_network(node):
            return "network", ".json"
        if isinstance(node, dict) and not is_run and not CONFIG_KEYS.isdisjoint(node):
            return "model", ".json"
        return "measured", ".json"
    except (json.JSONDecodeError, RecursionError):
        pass
    keys, is_yaml = _keys(text), Path(name).suffix.lower() in YAML
    if not keys.isdisjoint((*SCENARIO_KEYS, *(Scenario.model_fields if is_yaml else ()))):
        return "scenario", ".yaml"
    if not keys.isdisjoint((*DEVICE_KEYS, *(SocSpec.model_fields if is_yaml else ()))):
        return "device", ".yaml"
    if is_yaml:
        raise SimError(_not_ours(text, name, keys))
    return "measured", ".txt"


def _is_network(node: dict[str, Any]) -> bool:
    """Return whether a mapping is the trace of one network, or the configuration of an encoder."""
    return NETWORK in (node.get("phases") or ()) or (not CONFIG_KEYS.isdisjoint(node)
                                                      and is_network(node))  # fmt: skip


def _keys(text: str) -> set[str]:
    """Return the keys of a YAML mapping; of broken YAML the words that look like keys."""
    try:
        node = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError):
        return set(re.findall(r"^(\w+):(?:\s|$)", text, re.MULTILINE))
    return set(map(str, node)) if isinstance(node, dict) else set()


def _not_ours(text: str, name: str, keys: set[str]) -> str:
    """Return what is wrong with a YAML file that is neither a device nor a scenario.

    Raises WorkloadError, which names the line, where it is no YAML at all.
    """
    parse_yaml(text, Path(name).name)
    known = {*DEVICE_KEYS, *SocSpec.model_fields, *Scenario.model_fields}
    hints = [f"{key} is not a known key. {suggest(key, known)}" for key in sorted(keys)]
    fault = f"{Path(name).name} must be a device or a scenario."
    return " ".join((fault, *hints[:1])) if hints else f"{fault} Got no keys."
