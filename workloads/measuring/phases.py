"""Phases of a real model at given sizes, ready to be called, timed and counted.

Weights are random: no cost here depends on their values. Not modelled: batches and sampling.
"""

# mypy: disable-error-code="no-untyped-call"
# (PyTorch's default dtype setter is not typed)

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from workloads.errors import WorkloadError
from workloads.measuring.memory import LiveBytes, tensor_bytes
from workloads.measuring.timer import Clock, OperatorCall, OperatorTimer
from workloads.models.andesvl import LanguageModel, TextPhase, VisionPhase, build
from workloads.models.config import ModelConfig

DTYPES: Mapping[str, torch.dtype] = {"bf16": torch.bfloat16, "fp32": torch.float32}


@dataclass(frozen=True)
class PhaseCall:
    """One phase of one model at one size.

    Arguments:
        module, argument: ``module(argument)`` runs the phase once.
        cache, constants: tensors the call reads that are neither weights nor activations.
    """

    model: nn.Module
    module: nn.Module
    argument: Tensor
    cache: tuple[Tensor, ...]
    constants: tuple[Tensor, ...]

    @property
    def kv_bytes(self) -> int:
        """Bytes of the KV cache it holds."""
        return tensor_bytes(self.cache)

    def run(self) -> None:
        """Run the phase once."""
        with torch.inference_mode():
            self.module(self.argument)

    def seconds(self) -> tuple[float, float]:
        """Run once and return wall seconds and process CPU seconds [s], until all work is done."""
        wall_s, cpu_s = self._now(), time.process_time()
        self.run()
        return self._now() - wall_s, time.process_time() - cpu_s

    def operators(self) -> list[OperatorCall]:
        """Run once and return each operator with its seconds."""
        timer = OperatorTimer(self.model, self.cache, self.constants, self._operator_clock())
        self._under(timer)
        return timer.calls

    def peak_activation_bytes(self) -> int:
        """Run once and return the most bytes of activations that live at one time."""
        weights = tuple(self.model.parameters())
        existing = (*weights, *self.cache, *self.constants, self.argument)
        counter = LiveBytes(existing)
        self._under(counter)
        return counter.peak_bytes

    def _under(self, mode: AbstractContextManager[Any]) -> None:
        with torch.inference_mode(), mode:
            self.module(self.argument)

    def _operator_clock(self) -> Clock:
        return self._now if self.argument.is_cuda else time.thread_time

    def _now(self) -> float:
        if self.argument.is_cuda:
            torch.cuda.synchronize()
        return time.perf_counter()


def one_thread(device: str) -> tuple[str, str]:
    """Let PyTorch use one thread, and return its version and the accelerator's name or "".

    Raises `WorkloadError` for ``cuda`` on a machine without it.
    """
    torch.set_num_threads(1)
    if device == "cpu":
        return torch.__version__, ""
    if not torch.cuda.is_available():
        raise WorkloadError("device must be cpu on a machine without CUDA. Got 'cuda'.")
    return torch.__version__, torch.cuda.get_device_name()


def random_model(config: ModelConfig, device: str, dtype: str) -> LanguageModel:
    """Return a model with random weights, made in ``dtype`` so that no wider copy ever exists."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(DTYPES[dtype])
    try:
        return build(config, device, DTYPES[dtype])
    finally:
        torch.set_default_dtype(before)


@torch.inference_mode()
def phase_call(model: LanguageModel, phase: str, sizes: Mapping[str, int]) -> PhaseCall:
    """Return a phase ready to be called.

    Arguments:
        phase: vision, prefill or decode.
        sizes: ``N`` patches in ``rows`` rows for vision; ``T`` new tokens at context ``S`` else.
    """
    return _vision(model, sizes) if phase == "vision" else _text(model, phase, sizes)


def _vision(model: LanguageModel, sizes: Mapping[str, int]) -> PhaseCall:
    patches, rows = sizes["N"], sizes["rows"]
    grid = model.vision.grid(rows, patches // rows)
    weight = model.vision.patch_embed.weight
    pixels = torch.zeros((patches, *weight.shape[1:]), device=weight.device, dtype=weight.dtype)
    return PhaseCall(model, VisionPhase(model, grid), pixels, (), grid.constants)


def _text(model: LanguageModel, phase: str, sizes: Mapping[str, int]) -> PhaseCall:
    new, context = sizes["T"], sizes["S"]
    cache = model.cache(context)
    span = model.model.span(context - new, new)
    ids = torch.zeros(new, dtype=torch.long, device=cache.keys.device)
    module = TextPhase(model, cache, span, last_only=phase == "prefill")
    return PhaseCall(model, module, ids, (cache.keys, cache.values), span.constants)


def read_bytes_per_s(device: str, size_bytes: int = 2**28, repeats: int = 5) -> float:
    """Return the rate of one thread (or one GPU) reading a buffer far larger than its caches [B/s].

    The buffer is written first, so that every page is its own; the best of a few reads counts.
    """
    buffer = torch.ones(size_bytes // 4, device=device)
    best_s = float("inf")
    for _ in range(repeats):
        started_s = _device_now(device)
        buffer.sum()
        best_s = min(best_s, _device_now(device) - started_s)
    return size_bytes / best_s


def _device_now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()
