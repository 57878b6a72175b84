"""What no machine can beat: the roofline at datasheet peaks, upper ends of their ranges.

    floor_s = sum over phases of max(DRAM bytes / peak bandwidth, FLOPs / peak rate)

A measured value below the floor means that the row, the weight format or the device file is wrong:
fewer bytes were moved than the row says, or the number was not measured. Not modelled: what a
system-level cache spares, which can let a small model beat its floor by a little.
"""

from __future__ import annotations

from hw_models import compute
from hw_models.soc import SocSpec
from sim.calibration.rows import Observation
from workloads.program import StepGroup


def floor_seconds(row: Observation, soc: SocSpec) -> float:
    """Return the time that the phases of an observation's metric take at least [s]."""
    return sum(_group_floor_s(group, soc) for group in row.groups)


def measured_seconds(row: Observation) -> float:
    """Return the measured time of the same phases [s]."""
    if not row.metric.endswith("_per_s"):
        return row.measured
    return row.tokens / row.measured


def impossible(row: Observation, soc: SocSpec) -> str | None:
    """Return why a row cannot be true on a device, or none."""
    floor_s, seconds = floor_seconds(row, soc), measured_seconds(row)
    if seconds >= floor_s:
        return None
    return (
        f"{row.metric} of {row.measured:g} means {seconds:.3g} s, and the roofline of {soc.id} at "
        f"its peaks needs {floor_s:.3g} s."
    )


def _group_floor_s(group: StepGroup, soc: SocSpec) -> float:
    memory = soc.dram
    peak_bytes_per_s = memory.channels.high * memory.width_bits.high * memory.rate.high / 8
    return max(group.total("dram_bytes") / peak_bytes_per_s, _matrix_floor_s(group, soc))


def _matrix_floor_s(group: StepGroup, soc: SocSpec) -> float:
    seconds = 0.0
    for task, repeat in group.tasks():
        rates = soc.units[task.unit].matrix.rates
        key = compute.precision_key(task.activations, task.operand_bits, rates)
        seconds += repeat * float((task.flops * task.runs).sum()) / rates[key].high
    return seconds
