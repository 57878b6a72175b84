"""The metrics of a run, each defined once.

With several turns, times to first token and their parts are means over the turns; token counts,
bytes and joules are totals. A metric that the run never reached (no memory, a single output token)
is ``None``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hw_models import compute
from sim.engine.times import GroupTimes, hidden_s, span_s, total
from sim.heat.course import sustained_fractions
from sim.loading import read_s
from sim.run import Run


@dataclass(frozen=True, slots=True)
class Summary:
    """Every metric of a run; the unit is in the name.

    Attributes
    ----------
    vision_encode_s
        Images to visual tokens, mean per turn.
    prefill_s
        Filling the KV cache with the prompt, to the first token's logits, less what is hidden
        behind the encoding of images, mean per turn.
    time_to_first_token_s
        TTFT = vision encode + prefill + first token, on loaded weights, mean per turn.
    decode_s
        All steps after the first token.
    tokens_per_s
        Output tokens after the first / decode_s.
    time_per_output_token_s
        TPOT = decode_s / output tokens after the first.
    output_tokens, decode_steps, tokens_per_step
        Tokens delivered, target-model calls in decode, tokens a decode step commits (block
        efficiency).
    peak_dram_bytes
        Largest resident total.
    dram_read_bytes, dram_write_bytes, flash_read_bytes
        Bytes moved.
    load_s
        Cold start: reading the deployed file from flash; separate from TTFT.
    energy_j, energy_per_token_j, mean_power_w
        Energy of the whole device, per output token, and over the makespan.
    max_skin_c
        Highest body temperature, from ambient at the start.
    sustained_tokens_per_s
        Decode rate in the tenth minute of decoding without a pause: tokens_per_s times the mean
        clock that the governor leaves.
    visual_tokens, kv_tokens_final
        Image tokens of the session; tokens in the KV cache at its end.
    weight_bytes_per_step
        Decoder and LM-head weights one decode step streams, scales included.
    flops
        Matrix FLOPs executed.
    mfu
        Share of (vision encode + prefill) in which the matrix engine at peak rate would be busy.
    mbu
        DRAM bytes of decode / (decode_s x peak bandwidth).
    fits
        Whether the run stayed inside the DRAM budget.
    """

    vision_encode_s: float | None
    prefill_s: float | None
    time_to_first_token_s: float | None
    decode_s: float | None
    tokens_per_s: float | None
    time_per_output_token_s: float | None
    output_tokens: int
    decode_steps: int
    tokens_per_step: float | None
    peak_dram_bytes: float
    dram_read_bytes: float
    dram_write_bytes: float
    flash_read_bytes: float
    load_s: float
    energy_j: float
    energy_per_token_j: float | None
    mean_power_w: float | None
    max_skin_c: float
    sustained_tokens_per_s: float | None
    visual_tokens: int
    kv_tokens_final: int
    weight_bytes_per_step: float
    flops: float
    mfu: float | None
    mbu: float | None
    fits: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the metrics by name."""
        return asdict(self)


def summarise(run: Run) -> Summary:
    """Return the metrics of a run."""
    groups, program, soc = run.groups, run.program, run.soc
    phases = _by_phase(groups)
    turns = len({times.group.turn for times in groups}) or 1
    whole = run.fits
    decode_s = span_s(phases["decode"])
    output_tokens = int(sum(times.group.committed_tokens.sum() for times in groups))
    decoded = int(sum(times.group.committed_tokens.sum() for times in phases["decode"]))
    rate = _ratio(decoded, decode_s)
    energy_j = run.energy.total_j
    return Summary(
        vision_encode_s=span_s(phases["vision"]) / turns if whole else None,
        prefill_s=(span_s(phases["prefill"]) - hidden_s(groups)) / turns if whole else None,
        time_to_first_token_s=_first_token_s(groups) if whole else None,
        decode_s=decode_s if whole else None,
        tokens_per_s=rate,
        time_per_output_token_s=_ratio(decode_s, decoded),
        output_tokens=output_tokens,
        decode_steps=sum(times.group.steps for times in phases["decode"]),
        tokens_per_step=_ratio(decoded, sum(times.group.steps for times in phases["decode"])),
        peak_dram_bytes=run.ledger.peak.total_bytes,
        dram_read_bytes=total(groups, "read_bytes"),
        dram_write_bytes=total(groups, "write_bytes"),
        flash_read_bytes=run.flash_read_bytes,
        load_s=read_s(soc, program.file_bytes),
        energy_j=energy_j,
        energy_per_token_j=_ratio(energy_j, output_tokens),
        mean_power_w=_ratio(energy_j, run.makespan_s),
        max_skin_c=run.heat.hottest_body_c,
        sustained_tokens_per_s=rate * _sustained_fraction(run) if rate else None,
        visual_tokens=program.visual_tokens,
        kv_tokens_final=program.kv_tokens_final,
        weight_bytes_per_step=program.weight_bytes_per_step,
        flops=total(groups, "flops"),
        mfu=_mfu(run, phases["vision"] + phases["prefill"]),
        mbu=_ratio(total(phases["decode"], "dram_bytes"), decode_s * soc.dram.peak_bytes_per_s),
        fits=whole,
    )


def _by_phase(groups: Iterable[GroupTimes]) -> dict[str, list[GroupTimes]]:
    """Return the groups of each phase, in the order they ran."""
    phases: dict[str, list[GroupTimes]] = {"vision": [], "prefill": [], "decode": []}
    for times in groups:
        phases[times.group.phase].append(times)
    return phases


def _mfu(run: Run, groups: Sequence[GroupTimes]) -> float | None:
    return _ratio(_peak_matrix_s(run, groups), span_s(groups) - hidden_s(run.groups))


def _first_token_s(groups: Iterable[GroupTimes]) -> float:
    """Return the mean over turns from the start of a turn to the end of its last prefill step."""
    starts: dict[int, float] = {}
    firsts: dict[int, float] = {}
    for times in groups:
        starts.setdefault(times.group.turn, times.start_s)
        if times.group.phase == "prefill":
            firsts[times.group.turn] = times.end_s
    return float(np.mean([end_s - starts[turn] for turn, end_s in firsts.items()]))


def _sustained_fraction(run: Run) -> float:
    """Return the mean clock in the tenth minute of decoding at the last turn's power."""
    last = max(i for i, times in enumerate(run.groups) if times.group.phase == "decode")
    dram_j, compute_j = run.dynamic_j[last]
    times = run.groups[last]
    power_w = (dram_j + compute_j).sum() / (times.ends_s - times.starts_s).sum()
    around = run.scenario.environment
    return float(
        sustained_fractions(run.soc, around.ambient_c, np.array([power_w]), around.charging_heat_w)[
            0
        ]
    )


def _peak_matrix_s(run: Run, groups: Iterable[GroupTimes]) -> float:
    """Return the seconds the matrix FLOPs of groups would take at peak rate [s]."""
    seconds = 0.0
    for times in groups:
        for task, repeat in times.group.tasks():
            rates = run.soc.units[task.unit].matrix.rates
            key = compute.precision_key(task.activations, task.operand_bits, rates)
            seconds += repeat * float((task.flops * task.runs).sum()) / rates[key].value
    return seconds


SAME = 1e-9
"""Relative difference below which two metrics are one: other processors differ in the last bits."""


def moved_metrics(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the metrics of ``before`` that ``now`` lacks or that differ by more than `SAME`."""
    return [name for name, value in before.items() if not _is_same(value, now.get(name))]


def _is_same(before: float | None, now: float | None) -> bool:
    if before is None or now is None:
        return before is now
    return math.isclose(before, now, rel_tol=SAME)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None
