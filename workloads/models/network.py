"""Capture any PyTorch module as one graph: an encoder, a convolutional network, a user's own.

The module runs once on tensors without data, at the shapes that are given; nothing in its trace
depends on a size. Not modelled: batches, branches on values, custom kernels.
"""

# mypy: disable-error-code="no-any-return, no-untyped-call"

from __future__ import annotations

import hashlib
import importlib
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from workloads.errors import WorkloadError
from workloads.models.folding import Context, as_operator, fold
from workloads.models.graph_recorder import GraphRecorder
from workloads.models.network_folding import segments_of, with_norms_folded
from workloads.models.seams import Listening
from workloads.models.torchvision_names import import_torchvision
from workloads.trace import NETWORK, DecoderShape, Operator, Phase, Trace

_SHAPE = re.compile(r"^(\d{1,6}(?:x\d{1,6})*)(?::(int|float))?$")


def capture_module(factory: str, inputs: Sequence[str]) -> Trace:
    """Return the trace of the module that ``package.module:factory`` makes.

    Arguments:
        factory: takes no argument and returns an ``nn.Module``; the working folder is importable.
        inputs: shape of each argument of its forward call, ``1x3x224x224``; ``1x77:int`` for
            whole numbers.

    Raises `WorkloadError` for a factory that is not found or fails, for shapes that are none, and
    for an operator that is not known.
    """
    module = made_module(factory)
    tensors = [as_input(text) for text in inputs]
    if not tensors:
        raise WorkloadError("--input must give the shape of each argument, such as 1x3x224x224.")
    operators = record_network(module.to("meta").eval(), tensors, {}, factory)
    return Trace(
        model=factory.rpartition(":")[2],
        config_digest=hashlib.sha256(repr((factory, tuple(inputs))).encode()).hexdigest(),
        torch_version=torch.__version__.partition("+")[0],
        decoder=NO_DECODER,
        vision=None,
        parameters={"body": count_parameters(module)},
        phases=network_phase(operators),
    )


NO_DECODER = DecoderShape(layers=1, hidden=1, vocab=1, tied_embedding=False)


def network_phase(operators: Sequence[Operator]) -> dict[str, Phase]:
    """Return the one phase of a graph."""
    return {NETWORK: Phase(NETWORK, (), segments_of(operators))}


def count_parameters(module: nn.Module) -> int:
    """Return the parameters of a module, tied ones once."""
    return sum(parameter.numel() for parameter in module.parameters())


def record_network(
    module: nn.Module, tensors: Sequence[Tensor], named: Mapping[str, Any], name: str
) -> list[Operator]:
    """Return the operators of one forward call of a module on ``meta``.

    Raises `WorkloadError` where it does not run on tensors without data, and for an operator that
    is not known.
    """
    given = [*tensors, *(item for item in named.values() if isinstance(item, Tensor))]
    recorder = GraphRecorder(module, given)
    try:
        with torch.inference_mode(), recorder, Listening(recorder):
            module(*tensors, **named)
    except WorkloadError as error:
        raise WorkloadError(f"{name}: {error}") from None
    except MemoryError:
        raise
    except Exception as error:  # whatever the module's own code raises
        said = " ".join(str(error).split())[:200]
        raise WorkloadError(
            f"{name} must run on tensors of these shapes, without data. "
            f"{type(error).__name__}: {said}"
        ) from None
    names = Context("", frozenset(), "")
    events = with_norms_folded(fold(recorder.events))
    operators = [as_operator(event, names) for event in events]
    if not operators:
        raise WorkloadError(f"{name} must call operators. Got none.")
    return operators


def made_module(factory: str) -> nn.Module:
    """Return what a factory makes on ``meta``; `WorkloadError` where it makes no module."""
    place, _, name = factory.partition(":")
    if not place or not name:
        raise WorkloadError(f"--module must read package.module:factory. Got {factory!r}.")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    import_torchvision()
    try:
        maker = getattr(importlib.import_module(place), name)
    except ModuleNotFoundError as error:
        raise WorkloadError(
            f"--module must name an importable module. Got {place!r}: no {error.name!r} in the "
            "working folder or among the installed packages."
        ) from None
    except AttributeError:
        raise WorkloadError(f"{place} must have {name!r}. It has not.") from None
    try:
        with torch.device("meta"):
            made = maker()
    except MemoryError:
        raise
    except Exception as error:  # the factory is a user's
        said = " ".join(str(error).split())[:200]
        raise WorkloadError(
            f"{factory} must return a module. {type(error).__name__}: {said}"
        ) from None
    if not isinstance(made, nn.Module):
        raise WorkloadError(f"{factory} must return an nn.Module. Got {type(made).__name__}.")
    return made


def as_input(text: str) -> Tensor:
    """Return a tensor of a shape such as ``1x3x224x224``, or ``1x77:int`` of real whole numbers."""
    found = _SHAPE.match(text.replace(" ", "").lower())
    if found is None:
        raise WorkloadError(f"--input must read 1x3x224x224 or 1x77:int. Got {text!r}.")
    shape = tuple(map(int, found.group(1).split("x")))
    if found.group(2) == "int":
        return torch.zeros(shape, dtype=torch.long)
    return torch.empty(shape, device="meta")
