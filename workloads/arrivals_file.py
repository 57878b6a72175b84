"""Turns recorded from real use: a CSV file with one row per turn.

Columns, of which only the first is needed; an empty cell takes the default::

    at_s            when the turn was asked [s]
    client          who asked it ("assistant")
    priority        of the client, smaller is served first (1); the same in all of its rows
    prompt_tokens   text tokens of the prompt (64)
    output_tokens   tokens of the reply (128)
    images          width and height of each image, such as 1080x2400 1280x960 (none)
    adapter         LoRA adapter (none)
    fresh           true: a new conversation (false)

Not modelled: why people asked when they did; a replay asks at the same instants however long the
replies take.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from workloads.errors import WorkloadError, did_you_mean
from workloads.files import read_text
from workloads.session import ASSISTANT, MAX_SECONDS, MAX_SIDE_PX, MAX_TOKENS

SIZE_LIMIT_BYTES = 32 * 2**20
MOST_FAULTS = 20
WHOLE = re.compile(r"[-+]?\d+")
IMAGE = re.compile(r"(\d+)x(\d+)")

Row = dict[str, Any]


def recorded_clients(path: str | Path) -> dict[str, Any]:
    """Return the clients of a file as `workloads.session.Session` takes them.

    Raises `WorkloadError` with the faults of the file, at most `MOST_FAULTS`.
    """
    text = read_text(Path(path), SIZE_LIMIT_BYTES).removeprefix("\ufeff")
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        faults = _header_faults(reader.fieldnames or ())
    except csv.Error as error:
        faults = [f"the header must be CSV. Got: {error}."]
    if faults:
        raise _fault(path, faults)
    return _clients(path, list(_rows(path, reader)))


def _header_faults(names: Sequence[str]) -> list[str]:
    known = list(COLUMNS)
    faults = [
        f"column '{name}' is not known. {did_you_mean(name, known)}"
        for name in names
        if name not in known
    ]
    if "at_s" not in names:
        faults.append("the header must name at_s.")
    twice = {name for name in names if list(names).count(name) > 1}
    return faults + [f"column '{name}' must be given once." for name in sorted(twice)]


def _rows(path: str | Path, reader: csv.DictReader[str]) -> Iterator[Row]:
    """Yield the rows as mappings; all faults of the file at once."""
    faults: list[str] = []
    try:
        for cells in reader:
            line, row = reader.line_num, {}
            if None in cells or None in cells.values():
                faults.append(f"line {line} must have as many cells as the header.")
                continue
            for name, cell in cells.items():
                if cell.strip():
                    row[name] = _read(name, cell.strip(), line, faults)
            if "at_s" not in row:
                faults.append(f"line {line}: at_s must be given.")
            yield row
    except csv.Error as error:
        faults.append(f"line {reader.line_num} must be CSV. Got: {error}.")
    if faults:
        raise _fault(path, faults)


def _read(name: str, cell: str, line: int, faults: list[str]) -> Any:
    rule, convert = COLUMNS[name]
    try:
        return convert(cell)
    except ValueError:
        faults.append(f"line {line}: {name} must be {rule}. Got '{cell:.40}'.")
        return None


def _clients(path: str | Path, rows: Sequence[Row]) -> dict[str, Any]:
    clients: dict[str, dict[str, Any]] = {}
    for row in rows:
        name = row.pop("client", ASSISTANT)
        client = clients.setdefault(name, {"turns": []})
        priority = row.pop("priority", None)
        if priority is not None and client.setdefault("priority", priority) != priority:
            raise _fault(path, [f"the priority of '{name}' must be the same in all rows."])
        if "images" in row:
            row["images_px"] = row.pop("images")
        client["turns"].append(row)
    if not clients:
        raise _fault(path, ["at least one row must follow the header."])
    return clients


def _fault(path: str | Path, faults: list[str]) -> WorkloadError:
    left = len(faults) - MOST_FAULTS
    told = [*faults[:MOST_FAULTS], *([f"and {left} more."] if left > 0 else [])]
    return WorkloadError("\n  ".join([f"{path} must be a recording of turns:", *told]))


def _seconds(cell: str) -> float:
    seconds = float(cell)
    if not 0.0 <= seconds <= MAX_SECONDS:
        raise ValueError
    return seconds


def _between(low: int, high: int) -> Callable[[str], int]:
    def convert(cell: str) -> int:
        if not WHOLE.fullmatch(cell) or not low <= int(cell[:20]) <= high:
            raise ValueError
        return int(cell)

    return convert


def _images(cell: str) -> list[tuple[int, int]]:
    sizes = [IMAGE.fullmatch(part) for part in cell.replace(";", " ").split()]
    pairs = [(int(size[1][:9]), int(size[2][:9])) for size in sizes if size]
    if len(pairs) < len(sizes) or not all(1 <= side <= MAX_SIDE_PX for p in pairs for side in p):
        raise ValueError
    return pairs


def _boolean(cell: str) -> bool:
    try:
        return {"true": True, "false": False, "1": True, "0": False}[cell.lower()]
    except KeyError:
        raise ValueError from None


COLUMNS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "at_s": (f"seconds from 0 to {MAX_SECONDS:.0f}", _seconds),
    "client": ("a name", str),
    "priority": ("a whole number from 0 to 100", _between(0, 100)),
    "prompt_tokens": (f"a whole number from 0 to {MAX_TOKENS}", _between(0, MAX_TOKENS)),
    "output_tokens": (f"a whole number from 1 to {MAX_TOKENS}", _between(1, MAX_TOKENS)),
    "images": ("sizes such as 1080x2400", _images),
    "adapter": ("a name", str),
    "fresh": ("true or false", _boolean),
}
"""The rule of each column in words, and what reads a cell of it."""
