"""Record what LoRA adapters cost a real model: each step longer, and a switch.

::

    python -m workloads.measuring.adapters qwen3-0.6b adapters.json

One thread, random weights, process CPU seconds of every call, in rounds, so that drift shows as
noise between them. A switch copies the tensors of another adapter over those in use, as a runtime
binds them; what the cache then lacks is a prefill of the whole conversation, which is timed too.
Not measured: reading an adapter from flash.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from workloads.catalogue import get_model
from workloads.files import write_text
from workloads.measuring.phases import PhaseCall, one_thread, phase_call, random_model
from workloads.models.andesvl import LanguageModel
from workloads.models.lora import add_adapters

SCHEMA: Final = "andesim.adapters/1"
TARGETS: Final = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
RANKS: Final = (0, 16, 64)
"""Rank 0: no adapter."""
TOKENS: Final = 256
"""Tokens of the prefill, and in the cache of the decode step."""
ROUNDS, CALLS = 5, 4


def record(model: str, ranks: Sequence[int] = RANKS) -> dict[str, Any]:
    """Return the seconds of a prefill, a decode step and a switch with adapters of each rank."""
    torch_version, _ = one_thread("cpu")
    made = [(rank, _adapted(model, rank)) for rank in ranks]
    calls = [(rank, phase, _call(built, phase)) for rank, built in made for phase in _SIZES]
    seconds: dict[tuple[int, str], list[list[float]]] = {}
    for _, _, call in calls:
        call.run()
    for _ in range(ROUNDS):
        for rank, phase, call in calls:
            times = [call.seconds()[1] for _ in range(CALLS if phase == "decode" else 1)]
            seconds.setdefault((rank, phase), []).append(times)
        for rank, built in made:
            if rank:
                times = [_switch_s(built) for _ in range(CALLS)]
                seconds.setdefault((rank, "switch"), []).append(times)
    cases = [
        {"rank": rank, "phase": phase, "cpu_s": times} for (rank, phase), times in seconds.items()
    ]
    return {
        "schema": SCHEMA,
        "model": model,
        "modules": [name.removesuffix("_proj") for name in TARGETS],
        "tokens": TOKENS,
        "dtype": "bf16",
        "torch": torch_version,
        "cases": cases,
    }


_SIZES: Final = {"prefill": {"T": TOKENS, "S": TOKENS}, "decode": {"T": 1, "S": TOKENS}}


def _adapted(model: str, rank: int) -> LanguageModel:
    built = random_model(get_model(model), "cpu", "bf16")
    if rank:
        add_adapters(built, rank, TARGETS)
    return built


def _call(built: LanguageModel, phase: str) -> PhaseCall:
    return phase_call(built, phase, _SIZES[phase])


def _adapter(built: LanguageModel) -> Iterator[Tensor]:
    return (weight for name, weight in built.named_parameters() if ".lora_" in name)


@torch.inference_mode()
def _switch_s(built: LanguageModel) -> float:
    """Copy another adapter over the one in use and return the process CPU seconds it took [s]."""
    others = [torch.randn_like(weight) for weight in _adapter(built)]
    started_s = time.process_time()
    for weight, other in zip(_adapter(built), others, strict=True):
        weight.copy_(other)
    return time.process_time() - started_s


if __name__ == "__main__":
    write_text(Path(sys.argv[2]), json.dumps(record(sys.argv[1]), indent=1) + "\n")
