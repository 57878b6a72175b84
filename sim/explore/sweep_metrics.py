"""The metrics of `sim.metrics`, as columns over many runs of one device.

The definitions are those of `sim.metrics.Summary`, written for arrays; a test compares every one of
them with `sim.simulate`. A metric that a run never reached is NaN.

Not modelled: runs that exceed the app budget; `fits` says which those are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw_models import power
from hw_models.soc import SocSpec
from sim.energy import EnergyModel
from sim.engine.timed import FloatColumn
from sim.heat.course import sustained_fractions, unthrottled
from sim.loading import read_s
from sim.planning import Plan
from workloads.scenario import Scenario
from workloads.trace import PHASES

Metrics = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class PhaseColumns:
    """One phase of every run, summed over its steps; each field has shape (runs,).

    Attributes
    ----------
    activation_bytes, kv_bytes
        Activations and KV cache resident while the phase runs [B].
    read_bytes, write_bytes
        Moved to and from DRAM [B].
    flops
        Arithmetic, 1 MAC = 2 FLOP.
    peak_matrix_s
        Seconds the FLOPs would take at the peak rate [s].
    dynamic_j
        DRAM and compute energy [J].
    """

    phase: str
    activation_bytes: FloatColumn
    kv_bytes: FloatColumn
    seconds: FloatColumn
    read_bytes: FloatColumn
    write_bytes: FloatColumn
    flops: FloatColumn
    peak_matrix_s: FloatColumn
    dynamic_j: FloatColumn


@dataclass(frozen=True)
class RunColumns:
    """Runs of one turn on one device that share everything but token counts.

    Attributes
    ----------
    plan
        The plan of one of them; only what does not depend on token counts is read.
    output_tokens, kv_tokens
        Tokens of each reply, and in the cache at its end; shape (runs,).
    """

    scenario: Scenario
    soc: SocSpec
    plan: Plan
    phases: tuple[PhaseColumns, ...]
    output_tokens: NDArray[np.int64]
    kv_tokens: NDArray[np.int64]

    def total(self, quantity: str, *phases: str) -> FloatColumn:
        """Return a quantity summed over phases, all of them if none is named."""
        chosen = [part for part in self.phases if not phases or part.phase in phases]
        zeros = np.zeros(self.output_tokens.shape)
        return sum((getattr(part, quantity) for part in chosen), start=zeros)

    @cached_property
    def heat(self) -> tuple[FloatColumn, FloatColumn, FloatColumn]:
        """The highest body and die temperatures [C] and the leakage [J]; each of shape (runs,)."""
        seconds = np.array([part.seconds for part in self.phases])
        dynamic_w = np.array([ratio(part.dynamic_j, part.seconds) for part in self.phases])
        ambient_c = self.scenario.environment.ambient_c
        return unthrottled(self.soc, ambient_c, seconds, np.nan_to_num(dynamic_w))

    @property
    def throttled(self) -> NDArray[np.bool_]:
        """Which runs a governor slows down; they are left to `sim.simulate`."""
        body_c, die_c, _ = self.heat
        body, die = self.soc.thermal.governor, self.soc.thermal.die_governor
        slow: NDArray[np.bool_] = body_c >= body.trip_c[0].value
        return slow | (die_c >= die.trip_c.value) if die else slow


def metric_columns(runs: RunColumns) -> Metrics:
    """Return every metric of `sim.metrics.Summary`, in its order, shape (runs,)."""
    program = runs.plan.program
    vision_s, prefill_s, decode_s = (runs.total("seconds", phase) for phase in PHASES)
    decoded = runs.output_tokens - 1
    rate = ratio(decoded, decode_s)
    makespan_s = vision_s + prefill_s + decode_s
    hottest_c, _, leakage_j = runs.heat
    energy_j, peak_bytes = _energy_j(runs, makespan_s, leakage_j), _peak_dram_bytes(runs)
    encode_s, one = vision_s + prefill_s, np.ones(decoded.shape)
    cold = runs.scenario.environment.start == "cold"
    return {
        "vision_encode_s": vision_s,
        "prefill_s": prefill_s,
        "time_to_first_token_s": encode_s,
        "decode_s": decode_s,
        "tokens_per_s": rate,
        "time_per_output_token_s": ratio(decode_s, decoded),
        "output_tokens": runs.output_tokens,
        "decode_steps": decoded,
        "tokens_per_step": ratio(decoded, decoded),
        "peak_dram_bytes": peak_bytes,
        "dram_read_bytes": runs.total("read_bytes"),
        "dram_write_bytes": runs.total("write_bytes"),
        "flash_read_bytes": one * (program.file_bytes if cold else 0.0),
        "load_s": one * read_s(runs.soc, program.file_bytes),
        "energy_j": energy_j,
        "energy_per_token_j": energy_j / runs.output_tokens,
        "mean_power_w": energy_j / makespan_s,
        "max_skin_c": hottest_c,
        "sustained_tokens_per_s": rate * _sustained_fraction(runs),
        "visual_tokens": np.full(decoded.shape, program.visual_tokens),
        "kv_tokens_final": runs.kv_tokens,
        "weight_bytes_per_step": one * program.weight_bytes_per_step,
        "flops": runs.total("flops"),
        "mfu": ratio(runs.total("peak_matrix_s", "vision", "prefill"), encode_s),
        "mbu": _mbu(runs, decode_s),
        "fits": peak_bytes <= runs.plan.budget_bytes,
    }


def _mbu(runs: RunColumns, decode_s: FloatColumn) -> FloatColumn:
    moved = runs.total("read_bytes", "decode") + runs.total("write_bytes", "decode")
    return ratio(moved, decode_s * runs.soc.dram.peak_bytes_per_s)


def ratio(part: NDArray[Any], whole: NDArray[Any]) -> FloatColumn:
    """Return ``part / whole``, NaN where the whole is zero."""
    found: FloatColumn = np.full(np.shape(whole), np.nan)
    np.divide(part, whole, out=found, where=np.asarray(whole) != 0)
    return found


def _energy_j(runs: RunColumns, makespan_s: FloatColumn, leakage_j: FloatColumn) -> FloatColumn:
    model, program = EnergyModel(runs.soc, mean_leakage_w=0.0), runs.plan.program
    cold = runs.scenario.environment.start == "cold"
    flash_bytes = program.file_bytes if cold else 0.0
    flash_j = power.flash_energy_j(flash_bytes, runs.soc.flash.energy.value)
    static_j = model.static_w() * makespan_s + leakage_j
    energy_j: FloatColumn = runs.total("dynamic_j") + static_j + flash_j
    return energy_j


def _peak_dram_bytes(runs: RunColumns) -> FloatColumn:
    """Return the largest residency: the vision encoder leaves once the images are encoded."""
    held = runs.plan.program.resident_bytes
    resident = sum(held.values()) - held["kv_cache"]
    sees = any(part.phase == "vision" for part in runs.phases)
    freed = held["vision"] if sees and runs.scenario.deployment.free_vision_after_encode else 0.0
    totals = [
        resident
        + part.kv_bytes
        + part.activation_bytes
        - (0.0 if part.phase == "vision" else freed)
        for part in runs.phases
    ]
    peak: FloatColumn = np.max(totals, axis=0)
    return peak


def _sustained_fraction(runs: RunColumns) -> FloatColumn:
    """Return the share of the decode rate that is left in the tenth minute (`sim.heat.course`)."""
    dynamic_w = ratio(runs.total("dynamic_j", "decode"), runs.total("seconds", "decode"))
    ambient_c = runs.scenario.environment.ambient_c
    return sustained_fractions(runs.soc, ambient_c, np.nan_to_num(dynamic_w))
