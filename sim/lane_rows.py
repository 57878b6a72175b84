"""How many rows of a product are sooner on vector lanes than on the matrix tile, in a run's words.

Not modelled: products whose columns or depth fill no whole tile, which turn at more rows; weights
whose expansion takes longer than either.
"""

from __future__ import annotations

import math

from hw_models.compute import sooner_on_lanes_rows
from sim.engine.unit_time import UnitTimes
from sim.run import Run
from sim.work import precision_of
from workloads.tasks import Task


def sooner_rows(run: Run) -> float | None:
    """Return up to how many rows the largest product of decode is sooner on vector lanes.

    Infinite where no number of rows is sooner on the tile; None where the stack runs none there.
    """
    units = UnitTimes(run.soc, run.soc.stack(run.stack))
    products = [
        task
        for times in run.groups
        if times.group.phase == "decode"
        for task, _ in times.group.tasks()
        if units.on_lanes(task, "decode") is not None
    ]
    if not products:
        return None
    largest: Task = max(products, key=lambda task: float(task.n[0] * task.k[0]))
    unit, stack = run.soc.units[largest.unit], units.stack_of(largest.unit)
    assert stack.vector_products is not None  # as its product may run there
    key = precision_of(largest, run.soc)
    lanes = stack.vector_products.value * unit.vector.rate.value
    tile = stack.efficiency.decode.value * unit.matrix.rates[key].value
    rows = float(sooner_on_lanes_rows(unit.matrix.tile_m.value, lanes, tile))
    return rows if rows < unit.matrix.tile_m.value else math.inf


def lane_rows_sentence(run: Run) -> str | None:
    """Return at which rows products change from vector lanes to the matrix tile, as a sentence."""
    rows = sooner_rows(run)
    if rows is None:
        return None
    if rows < 1.0:
        return "No product of decode is sooner on vector lanes than on the matrix tile."
    if math.isinf(rows):
        return "Products of decode are sooner on vector lanes than on the matrix tile, at any rows."
    many = "1 row" if rows < 2.0 else f"{math.floor(rows)} rows"
    return f"Products of up to {many} are sooner on vector lanes, of more on the matrix tile."
