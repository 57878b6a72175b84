"""What no machine can beat: the roofline at datasheet peaks, upper ends of their ranges.

    floor_s = sum over phases of max(DRAM bytes / peak bandwidth, seconds at the peak matrix rate)

A measured value below the floor means that the row, the weight format or the device file is wrong:
fewer bytes were moved than the row says, or the number was not measured. Not modelled: what a
system-level cache spares, which can let a small model beat its floor by a little.
"""

from __future__ import annotations

from hw_models.soc import SocSpec
from sim.calibration.rows import Observation
from sim.work import work_of
from workloads.program import StepGroup


def floor_seconds(row: Observation, soc: SocSpec) -> float:
    """Return the time that the phases of an observation's metric take at least [s]."""
    best = _at_its_best(soc)
    return sum(max(_moved_s(group, best), _matrix_s(group, best)) for group in row.groups)


def memory_floor_seconds(row: Observation, soc: SocSpec) -> float:
    """Return the time that their bytes alone take at the peak bandwidth [s]."""
    best = _at_its_best(soc)
    return sum(_moved_s(group, best) for group in row.groups)


def matrix_floor_seconds(row: Observation, soc: SocSpec) -> float:
    """Return the time that their products alone take at the peak rates [s]."""
    best = _at_its_best(soc)
    return sum(_matrix_s(group, best) for group in row.groups)


def highest_bytes_per_s(soc: SocSpec) -> float:
    """Return the peak DRAM bandwidth of a device at the upper ends of its ranges [B/s]."""
    return _at_its_best(soc).dram.peak_bytes_per_s


def highest_flops_per_s(soc: SocSpec) -> float:
    """Return the highest matrix rate of any unit and precision of a device [FLOP/s]."""
    units = _at_its_best(soc).units.values()
    return max(rate.value for unit in units for rate in unit.matrix.rates.values())


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


def _at_its_best(soc: SocSpec) -> SocSpec:
    """Return the device with the peak rates of memory and matrix engines at their upper ends."""
    peaks = ("dram.channels", "dram.width_bits", "dram.rate")
    return soc.with_values(
        {
            path: item.high
            for path, item in soc.parameters().items()
            if path in peaks or ".matrix.rates." in path
        }
    )


def _moved_s(group: StepGroup, best: SocSpec) -> float:
    work = work_of(group, best)
    return float((work.read_bytes + work.write_bytes).sum()) / best.dram.peak_bytes_per_s


def _matrix_s(group: StepGroup, best: SocSpec) -> float:
    return float(work_of(group, best).peak_matrix_s.sum())
