"""The one public table of a MediaTek NPU comes out of three numbers: bandwidth, layers, copies."""

from __future__ import annotations

import numpy as np
import pytest

from sim.calibration.asked import Asked, asked
from sim.calibration.shipping import prior_of
from sim.calibration.stacks import fit_rows
from sim.evidence.corpus_runs import language_runs
from sim.evidence.questions import DECODE

TABLE = ("N002", "N004", "N008", "N010", "N018", "N020", "N022", "N024")
"""The official packages' rows in role calibration, 0.6 to 8 billion parameters."""
STACK = "stacks.neuropilot."
NUMBERS = ("bandwidth_fraction", "layer_s", "kv_copy")
NOISE = 0.02  # so small that the rows decide and not the priors


@pytest.fixture(scope="module")
def rows() -> list[Asked]:
    chosen = [run for run in language_runs("calibration") if run.id in TABLE]
    return asked([run for run in chosen if run.tokens_per_s], prior_of)[0]


def mean_error(rows: list[Asked], names: tuple[str, ...]) -> float:
    soc = prior_of("genio_720")
    off = {f"{STACK}{name}": 1e-9 if name == "layer_s" else 1e15 for name in NUMBERS[1:]}
    fixed = {path: value for path, value in off.items() if path.removeprefix(STACK) not in names}
    soc = soc.with_values(fixed)
    found = fit_rows(soc, [item.row for item in rows], [STACK + n for n in names], NOISE)
    fitted = soc.with_values(found.values)
    return float(np.mean([abs(r.row.simulated(fitted) / r.row.measured - 1.0) for r in rows]))


def test_layers_and_copies_halve_what_bandwidth_alone_leaves(rows: list[Asked]) -> None:
    """Three numbers of this form leave 7 % by hand, most of it in one network, Llama 3.2 3B."""
    assert len(rows) == len(TABLE)
    alone, three = mean_error(rows, NUMBERS[:1]), mean_error(rows, NUMBERS)
    assert three < 0.09
    assert three < 0.6 * alone


def test_every_row_is_of_decode(rows: list[Asked]) -> None:
    assert {item.row.metric for item in rows} == {DECODE}
