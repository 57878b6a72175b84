"""Mutations of valid files: of bytes, and of the tree that a JSON or YAML file holds."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import yaml

TOKENS = (
    *(b"0", b"-1", b"0.5", b".nan", b"NaN", b".inf", b"-Infinity", b"1e999", b"1e400", b"1e-320"),
    *(b"9" * 5000, b"1_000", b"0x7fffffffffffffff", b"~", b"null", b"true", b"[]", b"{}", b'"'),
    *(b"'", b",", b":", b"\n", b"\r\n", b"\t", b"|", b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf"),
    *(b"&a ", b"*a", b"<<: ", b"!!python/object:os.system ", b"? ", b"- ", b"---\n", b"%YAML 9\n"),
    *(b"[" * 200, b"{a: " * 80, b'{"a":' * 2000, b"2001-01-01", b"\\ud800", b"\\u0000"),
    "±\u2028é".encode(),
)
VALUES = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 10**400, 0.5, -0.0, 1e-320, 1e308),
    *("", " ", "x", "0", "nan", "inf", "1e400", "85.3 GB/s", "-1 GB", "10**5", "a" * 5000),
    *("a\x00b", "~nobody/x.yaml", "\u202e", "/dev/null", "/", ".", "../..", "x" * 300 + ".yaml"),
    *([], {}, [[]], [{}], {"": None}, {"a": {"b": {}}}, [1, "a", None], [[1, 2], [3]]),
)


def mutated(raw: bytes, random: Random) -> bytes:
    """Return a file with one to four mutations."""
    for _ in range(random.randint(1, 4)):
        raw = (tree_mutated if random.random() < 0.6 else bytes_mutated)(raw, random)
    return raw


def bytes_mutated(raw: bytes, random: Random) -> bytes:
    """Replace, insert, delete, repeat or re-encode some bytes."""
    start = random.randint(0, len(raw))
    end = min(len(raw), start + random.choice((0, 0, 1, 3, 12, 200)))
    kind = random.random()
    if kind < 0.7:
        return raw[:start] + random.choice(TOKENS) + raw[end:]
    if kind < 0.8:
        return raw[:start] + bytes([random.randrange(256)]) + raw[end:]
    if kind < 0.9:
        return raw[:end] + raw[start:end] * random.randint(1, 50) + raw[end:]
    if kind < 0.97:
        return raw[:start]
    codec = random.choice(("utf-16", "utf-8-sig", "utf-32", "latin-1"))
    return raw.decode("utf-8", errors="replace").encode(codec, errors="replace")


def tree_mutated(raw: bytes, random: Random) -> bytes:
    """Change one value, key or item of the tree; of a file that holds none, change bytes."""
    tree, is_json = _tree(raw)
    places = list(_places(tree))
    if not places:
        return bytes_mutated(raw, random)
    holder, key = random.choice(places)
    _change(holder, key, random)
    if is_json:
        return json.dumps(tree).encode("utf-8", errors="replace")
    return yaml.safe_dump(tree, sort_keys=False).encode("utf-8", errors="replace")


def _tree(raw: bytes) -> tuple[Any, bool]:
    try:
        text = raw.decode()
        if text.lstrip()[:1] in ("{", "["):
            return json.loads(text), True
        if len(text) < 20_000 and text.count("[") < 300 and "*" not in text:
            return yaml.safe_load(text), False
    except (ValueError, RecursionError, yaml.YAMLError, TypeError):
        pass
    return None, False


def _places(tree: Any) -> Any:
    """Yield each container with each key of it."""
    if isinstance(tree, dict | list):
        for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _places(tree[key])


def _change(holder: Any, key: Any, random: Random) -> None:
    kind = random.random()
    if kind < 0.55:
        holder[key] = random.choice(VALUES)
    elif kind < 0.65:
        del holder[key]
    elif kind < 0.75 and isinstance(holder, dict):
        holder[random.choice((f"{key}x", key[1:] if isinstance(key, str) else 1, 7, None))] = (
            holder.pop(key)
        )
    elif kind < 0.85:
        holder[key] = [holder[key]] * random.randint(1, 20)
    elif isinstance(holder[key], int | float):
        holder[key] = random.choice((-holder[key], holder[key] * 10**6, str(holder[key])))
    else:
        holder[key] = {"a": holder[key]}
