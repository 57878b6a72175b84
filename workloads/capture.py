"""Capture: run the PyTorch modules on ``meta`` tensors and write down every operator.

Shapes only, so the largest model takes seconds and no memory. Each phase is recorded at several
sizes; every dimension is then solved as an affine form of the size names (`workloads.solving`).
AndesVL has modules of its own (`capture`); every other model is the ``transformers`` class of its
configuration (`capture_entry`); any ``nn.Module`` is one graph (`capture_module`).

Needs the ``trace`` extra (``pip install '.[trace]'`` in its folder), imported inside the functions.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from hashlib import blake2b
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workloads.errors import WorkloadError
from workloads.layer_segments import layer_segments, renamed
from workloads.models.config import ModelConfig
from workloads.models.entry import BOOKKEEPING, digest
from workloads.solving import Sizes, solve
from workloads.trace import PHASES, Operator, Phase, Segment, Trace

if TYPE_CHECKING:
    from workloads.models.andesvl import LanguageModel
    from workloads.models.from_transformers import Built

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


def capture_entry(entry: Mapping[str, Any], name: str) -> Trace:
    """Return the trace of the ``transformers`` class that a configuration names.

    Arguments:
        entry: the mapping of a ``config.json``; what it leaves out is the class's default.
        name: becomes the trace's model, and stands in errors.

    Raises `WorkloadError` for a type without a class, values it refuses, and for a module that
    calls an operator not in `workloads.operator_rules.RULES` or has sizes that are not affine.
    """
    import torch

    from workloads.models.from_transformers import VERSION, read_config
    from workloads.models.stored_formats import stored_formats
    from workloads.models.text_shape import context_of, decoder_shape, parameter_counts
    from workloads.models.vision_phases import capture_vision

    formats = stored_formats(entry, name)
    built, phases = _run_text(read_config(entry, name), name)
    names = context_of(built)
    seen = capture_vision(built, names)
    return Trace(
        model=name,
        config_digest=digest(entry),
        torch_version=torch.__version__.partition("+")[0],
        decoder=decoder_shape(built, phases["decode"]),
        vision=seen.shape,
        parameters=parameter_counts(built, names),
        phases=seen.phases | phases,
        config=_plain(built.config.to_dict() | seen.config),
        captured_by=f"transformers {VERSION}",
        stored_as=formats,
        image_rule=seen.rule,
        no_images=seen.refusal,
    )


def _run_text(config: Any, name: str) -> tuple[Built, dict[str, Phase]]:
    """Return a model and its phases: attention as one call, or, where the class needs, in pieces.

    Raises `WorkloadError` with what the first way met.
    """
    from workloads.models.from_transformers import INSTEAD, attentions_of, build
    from workloads.models.text_phases import text_phases
    from workloads.models.text_shape import context_of

    faults = []
    ways = attentions_of(config)
    for first in range(len(ways)):
        built = build(config, name, attentions=ways[first:])
        try:
            return built, text_phases(built, context_of(built))
        except WorkloadError as error:
            faults.append(f"{name}: {error}")
        except MemoryError:
            raise
        except Exception as error:  # whatever the class's own code raises on these values
            said = " ".join(str(error).split())[:200]
            faults.append(
                f"{name}: the class of model_type {built.config.model_type!r} must run on tensors "
                f"without data. {type(error).__name__}: {said}"
            )
    raise WorkloadError(faults[0] if "Remedy" in faults[0] else f"{faults[0]} {INSTEAD}")


def version() -> str | None:
    """Return the version of the library that captures; None where it is not installed."""
    from importlib.metadata import version as installed
    from importlib.util import find_spec

    try:
        found = all(find_spec(name) is not None for name in ("torch", "transformers"))
    except ValueError:  # another program has barred the import
        found = False
    return installed("transformers") if found else None


def made_by() -> str:
    """Return what a captured trace depends on besides its configuration, as part of a file name.

    The libraries that capture, `timm` among them where it is installed, and this package's code.
    """
    from importlib.metadata import version as installed
    from importlib.util import find_spec

    towers = f"-timm{installed('timm')}" if find_spec("timm") is not None else ""
    return f"{version() or 'any'}{towers}-{_own_code()}"


@cache
def _own_code() -> str:
    folder = Path(__file__).parent
    files = sorted((*folder.glob("*.py"), *folder.glob("models/*.py")))
    return blake2b(b"".join(file.read_bytes() for file in files), digest_size=4).hexdigest()


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what JSON can hold of a configuration, without bookkeeping."""
    kept = {key: value for key, value in config.items() if key not in BOOKKEEPING}
    return {key: _finite(value) for key, value in sorted(kept.items())}


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    plain = isinstance(value, str | int | None) or (isinstance(value, float) and isfinite(value))
    return value if plain else str(value)


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
    for outside, same in itertools.groupby(layers, key=lambda item: item[0] is None):
        if outside:
            segments += [Segment("head" if segments else "embed", 1, run) for _, run in same]
        else:
            segments += layer_segments((layer or 0, run) for layer, run in same)
    return tuple(segments)


def _layer_of(operator: Operator) -> int | None:
    match = _LAYER.search(operator.module)
    return int(match.group(1)) if match else None


def _star(operator: Operator) -> Operator:
    """Replace the layer number by ``*`` in the names of modules and parameters."""
    return renamed(operator, partial(_LAYER.sub, "layers.*"))
