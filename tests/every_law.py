"""Devices with every optional law switched on at once, for tests of what must stay true then.

`LAWS` has a value for each entry that a device file may leave out; a law that joins the schema has
to join it too (`tests/theory/test_every_law.py`). `NO_LAWS` are entries that choose no law.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from hw_models.provenance import Parameter
from hw_models.soc import SocSpec, load_soc
from hw_models.tree import leaves

RANGE = 0.8, 1.25
"""Factors of the range that each value gets, for draws."""
STEPS = [0.9, 0.8, 0.7, 0.6, 0.5]

LAWS: dict[str, Any] = {
    "units.*.vector.exponential": 20.0,
    "units.*.ramp_bytes": 40e3,
    "units.*.active_w": 1.5,
    "units.*.allocation_bytes": "2 GB",
    "dram.queueing": 0.5,
    "dram.system_cache": {
        "capacity": "8 MB",
        "others": 0.2,
        "rate": "150 GB/s",
        "energy": 2e-12,
        "streamed": 0.5,
    },
    "dram.reclaim": {"swap": "1 GB", "churn": 2.0},
    "flash.hot": {"from_c": 40.0, "fraction": 0.6},
    "power.voltage_exponent": 1.5,
    "thermal.die_governor": {
        "trip_c": 80.0,
        "clock_fraction": STEPS,
        "hysteresis_c": 2.0,
        "sensor_period_s": 0.7,
    },
    "thermal.budget": {
        "sustained_w": 3.5,
        "time_constant_s": 3.0,
        "clock_fraction": STEPS,
        "hysteresis_w": 0.2,
        "sensor_period_s": 0.4,
    },
    "thermal.skin": {"time_constant_s": 20.0},
    "thermal.latch": {"trip_c": 84.0, "clock_fraction": 0.85},
    "stacks.*.layer_s": 2e-5,
    "stacks.*.kv_copy": "8 GB/s",
    "stacks.*.kv_read_share": 0.6,
    "stacks.*.attention_share": 0.7,
    "stacks.*.ubatch_tokens": 100.0,
    "stacks.*.vector_products": 2.0,
    "stacks.*.reads_allocated_cache": True,
    "stacks.*.whole_windows": True,
    "stacks.*.whole_head": True,
    "stacks.*.graph_init_s": "0.3 s",
    "stacks.*.runtime": "120 MB",
    "stacks.*.memory.packed_share": 0.4,
    "stacks.*.memory.embedding_share": 0.3,
    "stacks.*.memory.ties_table": True,
    "stacks.*.memory.unpacks_to": "fp16",
    "stacks.*.memory.graph_buffer": "4 MB",
    "stacks.*.memory.prepare": "1 GB/s",
    "stacks.*.prompt_graph": {
        "own_weights": 0.7,
        "swap": "2 GB/s",
        "from_flash": 0.6,
        "holds": "one",
    },
}
NO_LAWS = {
    # silicon and files
    "units.*.cores",
    "units.*.clusters",
    "units.*.threads",
    "power.clock",
    "stacks.*.runs",
    "stacks.*.fit",
    # of networks, plug-ins and calibrated kernels, with tests of their own
    "stacks.*.network",
    "stacks.*.kernels",
    "stacks.*.laws",
    "stacks.*.products",
    # what a graph compiler does
    "stacks.*.fusion",
    "stacks.*.unsupported",
    "stacks.*.fallback",
}


def with_every_law(soc: SocSpec) -> SocSpec:
    """Return a device with every law on that its file leaves out, each number with a range."""
    known = dict(leaves(soc))
    wanted: dict[str, Any] = {}
    for path, value in LAWS.items():
        group, _, rest = path.partition(".*.")
        names = getattr(soc, group) if rest else [""]
        wanted |= {f"{group}.{name}.{rest}" if rest else path: value for name in names}
    missing = {path: value for path, value in wanted.items() if not known.get(path, soc)}
    found = soc.with_overrides(missing)
    ranged = {
        path: _ranged(item)
        for path, item in found.parameters().items()
        if path.startswith(tuple(missing)) and "clock_fraction" not in path
    }
    return found.with_parameters(ranged, {})


def _ranged(item: Parameter) -> Parameter:
    low, high = (item.value * factor for factor in RANGE)
    return replace(item, low=low, high=min(high, 1.0) if item.value <= 1.0 else high)


def device_with_every_law(name: str) -> SocSpec:
    """Return a packaged device with every law on."""
    return with_every_law(load_soc(name))


def file_with_every_law(name: str, folder: Path) -> str:
    """Return the file of a packaged device with every law on, written once.

    Its budget of power is wide: what a governor takes comes at other instants in a run of other
    length, which no relation is about.
    """
    path = folder / f"{name}.yaml"
    if not path.exists():
        wide = device_with_every_law(name).with_overrides({"thermal.budget.sustained_w": 100.0})
        path.write_text(wide.to_yaml(), encoding="utf-8")
    return str(path)
