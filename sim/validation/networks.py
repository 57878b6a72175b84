"""Networks of the corpus, simulated beside measured: the errors of the shipped devices.

    python -m sim.validation.networks [--role validation] [--out FILE.csv]

Rows of role calibration are read, unless another role is asked for; looks at role validation are
logged (`docs/looks.md`). Rows that differ in nothing the simulator sees are simulated once.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hw_models.soc import list_socs, load_soc
from sim.calibration.rows import observe
from sim.evidence.corpus_networks import NetworkRow, network_rows
from sim.evidence.questions import INFERENCE, CannotSimulate

if TYPE_CHECKING:
    import pandas as pd


def baseline(rows: Sequence[NetworkRow]) -> pd.DataFrame:
    """Return a row per measured row: simulated and measured seconds, or why it is not simulated."""
    import pandas as pd

    known: dict[tuple[str, ...], tuple[float | None, str]] = {}
    found = []
    for row in rows:
        run = row.run
        asked = (run.device, run.stack, run.model, str(run.weights), run.activations)
        if asked not in known:
            known[asked] = _simulated(row)
        simulated_s, reason = known[asked]
        found.append(
            {
                "id": run.id,
                "device": run.device,
                "corpus_stack": row.corpus_stack,
                "stack": run.stack,
                "is_own": row.is_own,
                "unit": row.unit,
                "network": run.model,
                "weights": str(run.weights),
                "activations": run.activations,
                "measured_s": run.metrics[INFERENCE],
                "simulated_s": simulated_s,
                "reason": reason,
            }
        )
    table = pd.DataFrame(found)
    table["error"] = table["simulated_s"].astype(float) / table["measured_s"] - 1.0
    return table


def _simulated(row: NetworkRow) -> tuple[float | None, str]:
    try:
        soc = load_soc(row.run.device)
        return observe(row.run, INFERENCE, soc).simulated(soc), ""
    except CannotSimulate as error:
        return None, str(error)


def summary(table: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Return rows, networks, MAPE, median error and median ratio of each group."""
    judged = table[table["simulated_s"].notna()]
    groups = judged.groupby(list(by))
    return groups.agg(
        rows=("id", "size"),
        networks=("network", "nunique"),
        devices=("device", "nunique"),
        mape=("error", lambda error: error.abs().mean()),
        median_error=("error", "median"),
        median_size=("error", lambda error: error.abs().median()),
    )


def stacks_by_device() -> dict[str, frozenset[str]]:
    """Return the stacks of every shipped device."""
    return {device: frozenset(load_soc(device).stacks) for device in list_socs()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the errors per corpus stack and unit, and of each network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="write every row here as CSV")
    parser.add_argument("--role", choices=("calibration", "validation"), default="calibration")
    given = parser.parse_args(arguments)
    table = baseline([*network_rows(stacks_by_device(), given.role)])
    for by in (("unit", "corpus_stack", "stack"), ("unit", "activations"), ("network",)):
        print(summary(table, by).to_string(float_format=lambda value: f"{value:.2f}"), "\n")
    refused = table[table["simulated_s"].isna()]
    print(refused.groupby("reason")["id"].size().to_string())
    if given.out:
        table.to_csv(given.out, index=False)


if __name__ == "__main__":
    main()
