"""The corpus: published figures of language models and networks on devices, a table a kind.

A table is a Parquet file of ``validation_data/corpus``, readable with pandas alone; a second file
beside it holds what our traces derive (bytes, FLOPs, patches) and the bound that an impossible row
breaks. ``columns.csv`` is the dictionary. Nothing here fits, judges or simulates.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sim.errors import SimError
from sim.evidence.measured_metrics import ROOT
from workloads.errors import did_you_mean

if TYPE_CHECKING:
    import pandas as pd

FOLDER: Final = ROOT / "corpus"
"""Where the tables lie."""
KINDS: Final = ("language", "vision_language", "network", "energy", "time_series")
"""The tables, by what a row measures."""
ROLES: Final = ("calibration", "validation", "context")
"""What a row may be used for."""
IMPOSSIBLE: Final = "impossible"
"""Derived column: the bound that a row breaks, or empty."""
HELD_BY: Final = "held_by"
"""Derived column: what bounds a row from below, or empty."""
NOT_HELD: Final = "not_held"
"""Derived column: what would have to be known to hold a row, or empty."""
BYTES: Final = "its bytes"
WEIGHTS_ONCE: Final = "its weights, read once"
FEWEST_ONCE: Final = "its weights at the fewest bits, read once"
"""What may hold a row, the surest first; encoders and products have words of their own."""
NOT_TIMED: Final = "no time or rate that physics bounds"


def corpus(kind: str, role: str | None = None, folder: Path = FOLDER) -> pd.DataFrame:
    """Return a table of published figures.

    Parameters
    ----------
    kind
        ``language``, ``vision_language``, ``network``, ``energy`` or ``time_series``.
    role
        ``calibration``, ``validation`` or ``context``: only rows with this role that break no
        bound of physics. Every row, if none. Code that fits may ask for ``calibration`` only.

    Raises
    ------
    SimError
        If there is no such table or role.
    """
    import pandas as pd

    _known(kind, KINDS, "kind")
    table = pd.read_parquet(folder / f"{kind}.parquet")
    derived = folder / f"derived_{kind}.parquet"
    if derived.exists():
        table = table.merge(pd.read_parquet(derived), on="id", how="left", validate="many_to_one")
        said = [name for name in (IMPOSSIBLE, HELD_BY, NOT_HELD) if name in table]
        table[said] = table[said].fillna("")
    if role is None:
        return table
    _known(role, ROLES, "role")
    possible = table[IMPOSSIBLE] == "" if IMPOSSIBLE in table else True
    return table[(table["role"] == role) & possible].reset_index(drop=True)


def dictionary(kind: str | None = None, folder: Path = FOLDER) -> pd.DataFrame:
    """Return the data dictionary: column, type, unit, tables and meaning; of one table, or all."""
    import pandas as pd

    columns = pd.read_csv(folder / "columns.csv", dtype="str", keep_default_na=False)
    if kind is None:
        return columns
    _known(kind, KINDS, "kind")
    return columns[columns["tables"].str.split().map(lambda tables: kind in tables)]


def _known(name: str, names: tuple[str, ...], what: str) -> None:
    if name not in names:
        raise SimError(
            f"{what} must be one of {', '.join(names)}. Got {name!r}. {did_you_mean(name, names)}"
        )
