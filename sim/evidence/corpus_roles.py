"""Roles of the corpus: a written rule that looks at what was run, never at how fast it was.

1. Rows of an exhibit keep the role of their folder.
2. *Context* is every other row that says why it is one (``context_reason``) or that leaves open
   what ran: device, stack, network or weights.
3. A row that the language table holds, too, has its role from there; a row that a series of
   instants belongs to has that of the series.
4. *Validation* is every row of a network, a device or a release that is left out as a whole, and
   of a pair of stack and network that an exhibit already judges. What is left out is decided by
   the SHA-256 of its name. Nothing that an exhibit calibrates is left out, and nothing that holds
   more than a fifth of a table's usable rows. A series of instants is one run, and runs are left
   out by their names, too: there are too few devices and networks among them.
5. *Calibration* is the rest.

Not modelled: likeness of networks beyond equal shapes (``counts_as``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, NamedTuple

import pandas as pd

LEFT_OUT_SHARE: Final = {"network": 0.2, "device": 0.125, "release": 0.125, "run": 0.3}
"""Share of the names that are left out, by what the name is of."""
LARGEST_SHARE: Final = 0.2
"""What holds more of a table's usable rows is never left out."""
NEEDED: Final = ("device", "stack", "model", "weights")
"""What a row must say to fit or to judge."""
OPEN: Final = "left open: {}"

FIRST: Final = ("language", "time_series")
"""Tables whose roles others take over."""

Tables = Mapping[str, "pd.DataFrame"]


class LeftOut(NamedTuple):
    """Names that only judge: networks by shapes, devices, releases with their collection, runs."""

    network: frozenset[str]
    device: frozenset[str]
    release: frozenset[str]
    run: frozenset[str]


def with_roles(tables: Tables) -> dict[str, pd.DataFrame]:
    """Return the tables with ``role``, and a ``context_reason`` wherever it is context.

    Roles that rows of exhibits already have are taken as they are.
    """
    left_out = names_left_out(tables)
    judged = _judged_pairs(tables["language"])
    done: dict[str, pd.DataFrame] = {}
    known: dict[str, str] = {}
    for kind in (*FIRST, *(kind for kind in tables if kind not in FIRST)):
        done[kind] = _table_with_roles(tables[kind], left_out, judged, known)
        usable = done[kind][done[kind]["role"] != "context"]
        if kind in FIRST:
            rows = usable["id" if kind == "language" else "row"]
            known |= dict(zip(rows, usable["role"], strict=True))
    return {kind: done[kind] for kind in tables}


def names_left_out(tables: Tables) -> LeftOut:
    """Return what is left out as a whole, over all tables."""
    names = {kind: _names(_usable(table).drop_duplicates("id")) for kind, table in tables.items()}
    language = tables["language"]
    fitted = _names(language[_is_exhibit(language) & (language["role"] == "calibration")])
    chosen: dict[str, frozenset[str]] = {}
    for thing, share in LEFT_OUT_SHARE.items():
        counts = [table[thing].value_counts() for table in names.values()]
        large = {
            name for count in counts for name in count.index[count > LARGEST_SHARE * count.sum()]
        }
        kept = large | set(fitted[thing]) | {""}
        found = {name for count in counts for name in count.index} - kept
        chosen[thing] = frozenset(name for name in found if score(thing, name) < share)
    return LeftOut(**chosen)


def score(thing: str, name: str) -> float:
    """Return a number in [0, 1) that only a name decides.

    >>> round(score("network", "qwen2.5-1.5b"), 3) == round(score("network", "qwen2.5-1.5b"), 3)
    True
    """
    digest = hashlib.sha256(f"{thing}:{name}".encode()).hexdigest()
    return int(digest[:8], 16) / 16**8


def _table_with_roles(
    table: pd.DataFrame,
    left_out: LeftOut,
    judged: set[tuple[str, str]],
    known: Mapping[str, str],
) -> pd.DataFrame:
    names = _names(table)
    pairs = pd.Series(list(zip(table["stack"], table["counts_as"], strict=True)), index=table.index)
    judges = pairs.isin(list(judged))
    for thing, chosen in left_out._asdict().items():
        judges |= names[thing].isin(chosen)
    role = judges.map({True: "validation", False: "calibration"})
    inherited = table["id"].map(known)
    role = inherited.where(inherited.notna(), role)
    open_facts = _open_facts(table)
    reason = table["context_reason"].where(table["context_reason"] != "", open_facts)
    role = role.where(reason == "", "context")
    frozen = _is_exhibit(table) & (table["role"] != "")
    return table.assign(
        role=table["role"].where(frozen, role),
        context_reason=table["context_reason"].where(frozen, reason),
    )


def _names(table: pd.DataFrame) -> pd.DataFrame:
    """Return what can be left out of each row, a column a thing."""
    collection = table["source"].str.split("/").str[0]
    release = (collection + " " + table["release"]).where(table["release"] != "", "")
    run = table["id"] if "row" in table else pd.Series("", table.index)
    return pd.DataFrame(
        {"network": table["counts_as"], "device": table["device"], "release": release, "run": run}
    )


def _usable(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["context_reason"] == "") & (_open_facts(table) == "")]


def _open_facts(table: pd.DataFrame) -> pd.Series:
    """Return, per row, which needed facts are empty, or ""."""
    named = pd.Series("", table.index)
    for fact in NEEDED:
        comma = named.map(lambda text: ", " if text else "")
        named = named.where(table[fact] != "", named + comma + fact)
    return named.map(lambda facts: OPEN.format(facts) if facts else "")


def _judged_pairs(language: pd.DataFrame) -> set[tuple[str, str]]:
    rows = language[_is_exhibit(language) & (language["role"] == "validation")]
    return set(zip(rows["stack"], rows["counts_as"], strict=True))


def _is_exhibit(table: pd.DataFrame) -> pd.Series:
    return table["source"].str.startswith("exhibits/")
