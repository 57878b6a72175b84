"""Capture: run the PyTorch modules on ``meta`` tensors and write down every operator.

Shapes only, so the largest model takes seconds and no memory. Each phase is recorded at several
sizes; every dimension is then solved as an affine form of the size names, exactly, in fractions,
and verified at sizes that took no part. A model whose dimensions are not affine is refused.

Needs PyTorch (``pip install '.[trace]'`` in its folder), imported inside the functions.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from workloads.errors import WorkloadError
from workloads.extent import Extent
from workloads.models.config import ModelConfig
from workloads.trace import PHASES, Operator, Phase, Segment, TensorRef, Trace
from workloads.trace_file import save_trace

if TYPE_CHECKING:
    from workloads.models.andesvl import LanguageModel

Sizes = Mapping[str, int]

# The first probe is the base, one more per name solves it, the rest verify.
TEXT_PROBES: Sequence[Sizes] = (
    {"T": 8, "S": 24},
    {"T": 16, "S": 24},
    {"T": 8, "S": 40},
    {"T": 37, "S": 75},
)
VISION_PROBES: Sequence[Sizes] = (
    {"N": 16, "rows": 4},
    {"N": 24, "rows": 4},
    {"N": 24, "rows": 2},
    {"N": 80, "rows": 10},
)
_LAYER = re.compile(r"\blayers\.(\d+)\b")


@dataclass(frozen=True)
class Adapters:
    """LoRA adapters to trace: their rank and the linear layers they sit on."""

    rank: int
    targets: tuple[str, ...]


def capture(
    config: ModelConfig, phases: Collection[str] | None = None, adapters: Adapters | None = None
) -> Trace:
    """Return the trace of a model.

    Arguments:
        config: the model, from `workloads.catalogue.get_model`.
        phases: names out of vision, prefill, decode; None: all the model has.
        adapters: LoRA adapters to include.

    Raises `WorkloadError` for a phase the model lacks, and for a module that calls an operator not
    in `workloads.operators.RULES` or has sizes that are not affine.
    """
    import torch

    from workloads.models.andesvl import build
    from workloads.models.lora import add_adapters

    wanted = _check_phases(phases, config)
    model = build(config)
    if adapters is not None:
        add_adapters(model, adapters.rank, adapters.targets)
    captured = _capture_vision(model) if "vision" in wanted else {}
    if wanted & {"prefill", "decode"}:
        captured |= _capture_text(model)
    return Trace(
        model=config.id,
        config_digest=config.digest,
        torch_version=torch.__version__.partition("+")[0],
        decoder=config.decoder.shape,
        vision=config.vision.shape if config.vision else None,
        parameters=_parameter_counts(model),
        phases={name: phase for name, phase in captured.items() if name in wanted},
        adapter_rank=adapters.rank if adapters else 0,
    )


def capture_to_file(
    config: ModelConfig,
    path: str | os.PathLike[str],
    phases: Collection[str] | None = None,
    adapters: Adapters | None = None,
) -> Trace:
    """Capture a trace and write it to ``path``, whole or not at all."""
    trace = capture(config, phases, adapters)
    save_trace(trace, path)
    return trace


def _check_phases(phases: Collection[str] | None, config: ModelConfig) -> set[str]:
    available = [name for name in PHASES if name != "vision" or config.vision]
    unknown = set(phases or ()) - set(available)
    if unknown:
        raise WorkloadError(
            f"a phase of {config.id} must be one of {', '.join(available)}. "
            f"Got {', '.join(sorted(unknown))}."
        )
    return set(phases or available)


def _parameter_counts(model: LanguageModel) -> dict[str, int]:
    from workloads.models.recorder import tensor_class

    counts: dict[str, int] = {}
    for name, parameter in model.named_parameters():
        key = tensor_class(name)
        counts[key] = counts.get(key, 0) + parameter.numel()
    return counts


def _capture_vision(model: LanguageModel) -> dict[str, Phase]:
    from workloads.models.recorder import record_vision

    runs = [record_vision(model, sizes["N"], sizes["rows"]) for sizes in VISION_PROBES]
    return _phases(runs, VISION_PROBES, ("N",))


def _capture_text(model: LanguageModel) -> dict[str, Phase]:
    from workloads.models.recorder import record_text

    runs = [record_text(model, sizes["T"], sizes["S"]) for sizes in TEXT_PROBES]
    return _phases(runs, TEXT_PROBES, ("T", "S"))


def _phases(
    runs: Sequence[Mapping[str, Sequence[Operator]]],
    probes: Sequence[Sizes],
    symbols: tuple[str, ...],
) -> dict[str, Phase]:
    phases = {}
    for name in runs[0]:
        folded = [fold_layers(run[name]) for run in runs]
        phases[name] = Phase(name, symbols, solve(folded, probes, symbols))
    return phases


def fold_layers(operators: Iterable[Operator]) -> tuple[Segment, ...]:
    """Return the segments of a phase: ``embed``, runs of equal layers, ``head``."""
    layers = [
        (layer, tuple(map(_star, group)))
        for layer, group in itertools.groupby(operators, key=_layer_of)
    ]
    segments: list[Segment] = []
    for _, same in itertools.groupby(layers, key=lambda item: (item[0] is None, item[1])):
        run = list(same)
        first, last = run[0][0], run[-1][0]
        if first is None:
            name = "head" if segments else "embed"
        else:
            name = f"layers.{first}-{last}" if first != last else f"layers.{first}"
        segments.append(Segment(name, len(run), run[0][1]))
    return tuple(segments)


def _layer_of(operator: Operator) -> int | None:
    match = _LAYER.search(operator.module)
    return int(match.group(1)) if match else None


def _star(operator: Operator) -> Operator:
    """Replace the layer number by ``*`` in the names of modules and parameters."""

    def star(tensor: TensorRef) -> TensorRef:
        name = tensor.parameter
        return replace(tensor, parameter=_LAYER.sub("layers.*", name)) if name else tensor

    return replace(
        operator,
        module=_LAYER.sub("layers.*", operator.module),
        inputs=tuple(map(star, operator.inputs)),
    )
