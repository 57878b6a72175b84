"""The metrics that ship, each with its formula, unit and words: the first part of the table.

What is derived from it is told in `sim.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from sim.facts import Facts
from sim.phase_facts import ratio

Formula = Callable[[Facts], Any]
"""From facts to a column over runs, NaN where a run never reached it."""
Better = Literal["lower", "higher"]
"""Which values of a metric are wished for."""


def _shown(
    formula: Formula, unit: str, words: str, better: Better | None, symbol: str, text: str
) -> Any:
    """Return a field of `Summary` that carries its metric."""
    metric = {"unit": unit, "words": words, "better": better, "symbol": symbol, "text": text}
    return field(metadata={"formula": formula, **metric})


def _whole(facts: Facts, column: Any) -> Any:
    """Return times of phases, NaN in runs that memory ended before they had all been reached."""
    return np.where(facts.fits, column, np.nan)


def _of_turns(facts: Facts, column: Any) -> Any:
    """Return what only a session has; NaN for a network."""
    return np.where(facts.network.steps > 0, np.nan, column)


def _of_all(facts: Facts, name: str) -> Any:
    return sum(getattr(part, name) for part in facts.phases)


def _decode_rate(facts: Facts) -> Any:
    return ratio(facts.decode.committed_tokens, facts.decode.seconds)


def _output_tokens(facts: Facts) -> Any:
    return sum(part.committed_tokens for part in facts.phases)


def _encoding_s(facts: Facts) -> Any:
    """Return the seconds of vision encode, prefill and a network, at once counted once [s]."""
    encoding_s = facts.vision.seconds + facts.prefill.seconds - facts.prefill.hidden_s
    return encoding_s + facts.network.seconds


def _streaming(facts: Facts, name: str) -> Any:
    """Return what decode steps do, or a network's calls."""
    return getattr(facts.decode, name) + getattr(facts.network, name)


@dataclass(frozen=True, slots=True)
class Summary:
    """Every metric of a run that ships; the unit is in the name, the formula in docs/metrics.md."""

    vision_encode_s: float | None = _shown(
        lambda f: _of_turns(f, _whole(f, f.vision.seconds / f.turns)),
        "s",
        "vision encode",
        "lower",
        "`t_V`",
        "sum[V] (e_i - s_i) / U",
    )
    prefill_s: float | None = _shown(
        lambda f: _of_turns(f, _whole(f, (f.prefill.seconds - f.prefill.hidden_s) / f.turns)),
        "s",
        "prefill",
        "lower",
        "`t_P`",
        "(sum[P] (e_i - s_i) - h) / U; h is hidden behind the encoding of images",
    )
    time_to_first_token_s: float | None = _shown(
        lambda f: _whole(f, f.first_token_s),
        "s",
        "time to first token",
        "lower",
        "TTFT",
        "mean over turns of f_u - a_u; weights are loaded",
    )
    decode_s: float | None = _shown(
        lambda f: _of_turns(f, _whole(f, f.decode.seconds)),
        "s",
        "decode",
        "lower",
        "`t_D`",
        "sum[D] (e_i - s_i), all turns together",
    )
    tokens_per_s: float | None = _shown(
        lambda f: _decode_rate(f),
        "tokens/s",
        "decode rate",
        "higher",
        "`v`",
        "sum[D] n_i / t_D",
    )
    time_per_output_token_s: float | None = _shown(
        lambda f: ratio(f.decode.seconds, f.decode.committed_tokens),
        "s",
        "time per output token",
        "lower",
        "TPOT",
        "t_D / sum[D] n_i",
    )
    output_tokens: int = _shown(
        lambda f: _output_tokens(f),
        "tokens",
        "output tokens",
        None,
        "`N`",
        "sum of n_i over prefill and decode",
    )
    decode_steps: int = _shown(
        lambda f: f.decode.steps,
        "steps",
        "decode steps",
        "lower",
        "`K`",
        "number of steps in D: calls of the target model",
    )
    tokens_per_step: float | None = _shown(
        lambda f: ratio(f.decode.committed_tokens, f.decode.steps),
        "tokens",
        "tokens per step",
        "higher",
        "`τ`",
        "sum[D] n_i / K: block efficiency",
    )
    inference_s: float | None = _shown(
        lambda f: _whole(f, ratio(f.network.seconds, f.network.steps)),
        "s",
        "inference",
        "lower",
        "`t_I`",
        "sum[N] (e_i - s_i) / number of calls of a network",
    )
    sustained_inference_s: float | None = _shown(
        lambda f: _whole(f, ratio(f.network.seconds, f.network.steps * f.sustained_fraction)),
        "s",
        "sustained inference",
        "lower",
        "`t_∞`",
        "mean time of a call in the tenth minute without a pause, under the governor",
    )
    energy_per_inference_j: float | None = _shown(
        lambda f: _whole(f, ratio(f.energy_j, f.network.steps)),
        "J",
        "energy per inference",
        "lower",
        "`E_I`",
        "E / number of calls of a network",
    )
    peak_dram_bytes: float = _shown(
        lambda f: f.peak_dram_bytes,
        "B",
        "peak DRAM",
        "lower",
        "`M_max`",
        "max over t of M(t)",
    )
    dram_read_bytes: float = _shown(
        lambda f: _of_all(f, "read_bytes"),
        "B",
        "DRAM read",
        "lower",
        "`Q_r`",
        "sum of r_i over all steps",
    )
    dram_write_bytes: float = _shown(
        lambda f: _of_all(f, "write_bytes"),
        "B",
        "DRAM write",
        "lower",
        "`Q_w`",
        "sum of w_i over all steps",
    )
    flash_read_bytes: float = _shown(
        lambda f: f.flash_read_bytes,
        "B",
        "flash read",
        "lower",
        "`Q_f`",
        "bytes read from flash: the deployed file on a cold start, adapters, weights mapped again",
    )
    load_s: float = _shown(
        lambda f: f.load_s,
        "s",
        "cold start",
        "lower",
        "`t_L`",
        "cold start: read the deployed file, open its graphs, make weights ready; not in TTFT",
    )
    energy_j: float = _shown(
        lambda f: f.energy_j,
        "J",
        "energy",
        "lower",
        "`E`",
        "DRAM + compute + busy units + host + display + idle + leakage at the die's heat + flash "
        "+ other apps",
    )
    energy_per_token_j: float | None = _shown(
        lambda f: ratio(f.energy_j, _output_tokens(f)),
        "J",
        "energy per token",
        "lower",
        "`E_N`",
        "E / N",
    )
    mean_power_w: float | None = _shown(
        lambda f: ratio(f.energy_j, f.makespan_s),
        "W",
        "mean power",
        "lower",
        "`P`",
        "E / T",
    )
    max_skin_c: float = _shown(
        lambda f: f.hottest_body_c,
        "°C",
        "body temperature",
        "lower",
        "`θ`",
        "highest body temperature of the run, from ambient on",
    )
    sustained_tokens_per_s: float | None = _shown(
        lambda f: ratio(f.decode.committed_tokens, f.decode.full_s) * f.sustained_fraction,
        "tokens/s",
        "sustained decode rate",
        "higher",
        "`v_∞`",
        "mean rate of the tenth minute of decoding without a pause, under the governors",
    )
    visual_tokens: int = _shown(
        lambda f: f.visual_tokens,
        "tokens",
        "visual tokens",
        None,
        "`N_V`",
        "tokens of all images of the session, tags not counted; with cross attention, their states",
    )
    kv_tokens_final: int = _shown(
        lambda f: f.kv_tokens,
        "tokens",
        "KV tokens final",
        None,
        "`N_KV`",
        "tokens in the KV cache at the end of the session",
    )
    weight_bytes_per_step: float = _shown(
        lambda f: f.weight_bytes_per_step,
        "B",
        "weight bytes per step",
        "lower",
        "`W`",
        "bytes of decoder and LM-head weights that one decode step reads; of a network: a call",
    )
    flops: float = _shown(
        lambda f: _of_all(f, "flops"),
        "FLOP",
        "flops",
        "lower",
        "`F`",
        "sum of F_i over all steps: what is executed, padding included",
    )
    useful_flops: float = _shown(
        lambda f: _of_all(f, "useful_flops"),
        "FLOP",
        "useful flops",
        None,
        "`U`",
        "those among `F` that the tokens need: no padded rows, masked pairs or empty cache",
    )
    mfu: float | None = _shown(
        lambda f: ratio(
            f.vision.peak_matrix_s + f.prefill.peak_matrix_s + f.network.peak_matrix_s,
            _encoding_s(f),
        ),
        "fraction",
        "MFU",
        "higher",
        "MFU",
        "sum[V, P] F_i / R over sum[V, P] (e_i - s_i) - h; of a network over its calls",
    )
    mbu: float | None = _shown(
        lambda f: ratio(
            _streaming(f, "dram_bytes"), _streaming(f, "seconds") * f.dram_peak_bytes_per_s
        ),
        "fraction",
        "MBU",
        "higher",
        "MBU",
        "sum[D] (r_i + w_i) / (B t_D); of a network over its calls",
    )
    fits: bool = _shown(
        lambda f: f.fits,
        "yes or no",
        "fits",
        None,
        "-",
        "M(t) stays within the app budget for all t",
    )

    def as_dict(self) -> dict[str, Any]:
        """Return the metrics by name."""
        return asdict(self)
