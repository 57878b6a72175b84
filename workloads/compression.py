"""Which tensors carry which weight format, and which mix of formats meets a mean.

A tied embedding is two tensors here: the LM head is streamed in every step, the embedding table is
only looked up, one row per token (``get_format(id).traffic_bytes(1, hidden)``).

Not modelled: the accuracy a format costs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, model_validator

from workloads.errors import WorkloadError, did_you_mean
from workloads.layout import WeightFormat
from workloads.session import Strict
from workloads.weight_formats import catalogue, get_format, is_path

__all__ = ["Mix", "WeightFormat", "WeightMap", "catalogue", "get_format", "which_mix"]

MAX_MIXES = 1_000_000


def _as_unpacked(name: str, bits: int) -> str:
    return name if get_format(name).resident_bits >= bits else f"{name}_unpacked{bits}"


def _known(name: str) -> str:
    try:
        get_format(name)
    except WorkloadError as error:
        why = error if is_path(name) else did_you_mean(name, catalogue()).rstrip(".")
        raise ValueError(f"a known weight format ({why})") from None
    return name


def _layer_range(text: str) -> range:
    first, _, last = text.partition("-")
    if not (first.isdecimal() and (last or first).isdecimal()) or int(last or first) < int(first):
        raise ValueError("layers as a number or a range such as 0-3")
    return range(int(first), int(last or first) + 1)


FormatName = Annotated[str, AfterValidator(_known)]


class WeightMap(Strict):
    """The weight format of each tensor class.

    Attributes
    ----------
    body, lm_head, embedding, vision
        Format ids; a class left out takes the stack's default (`completed`), else the body's.
    layers
        Exceptions of the body by decoder layer, e.g. ``{"0-3": "w8"}``.
    """

    body: FormatName | None = None
    lm_head: FormatName | None = None
    embedding: FormatName | None = None
    vision: FormatName | None = None
    layers: Mapping[str, FormatName] = {}

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return _split(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _layers_are_disjoint(self) -> WeightMap:
        numbers = [layer for text in self.layers for layer in _layer_range(text)]
        if len(numbers) != len(set(numbers)):
            raise ValueError("ranges of layers that do not overlap")
        return self

    def completed(self, defaults: WeightMap) -> WeightMap:
        """Return the map with the classes left out taken from ``defaults``."""
        missing = {
            name: getattr(defaults, name) for name in _CLASSES if getattr(self, name) is None
        }
        return self.model_copy(update=missing)

    def unpacked(self, bits: int) -> WeightMap:
        """Return the map as a runtime keeps it that expands narrower weights as it loads them.

        >>> str(WeightMap.model_validate("body=w4;lm_head=w16").unpacked(16))
        'body=w4_unpacked16;lm_head=w16'
        """
        given = {name: getattr(self, name) for name in _CLASSES if getattr(self, name) is not None}
        changed = {name: _as_unpacked(held, bits) for name, held in given.items()}
        layers = {text: _as_unpacked(held, bits) for text, held in self.layers.items()}
        return self.model_copy(update={**changed, "layers": layers})

    def check_layers(self, layers: int) -> None:
        """Raise an error if an exception names a layer that a decoder of ``layers`` lacks."""
        missing = [text for text in self.layers if _layer_range(text)[-1] >= layers]
        if missing:
            raise WorkloadError(
                f"deployment.weights.layers must lie in 0 to {layers - 1}, the decoder's layers. "
                f"Got {', '.join(missing)}."
            )

    def format_for(self, tensor_class: str, layer: int | None = None) -> WeightFormat:
        """Return the format of a tensor class; of the body, in a given decoder layer.

        Raises `WorkloadError` for an unknown class, and where neither it nor the body has a format.

        >>> weights = WeightMap.model_validate("body=w4;lm_head=w8")
        >>> weights.format_for("lm_head").id, weights.format_for("embedding").id
        ('w8', 'w4')
        """
        if tensor_class not in _CLASSES:
            hint = did_you_mean(tensor_class, _CLASSES)
            raise WorkloadError(f"A tensor class must be known. Got {tensor_class!r}. {hint}")
        exceptions = self.layers.items() if tensor_class == "body" and layer is not None else ()
        for text, name in exceptions:
            if layer in _layer_range(text):
                return get_format(name)
        chosen = getattr(self, tensor_class) or self.body
        if chosen is None:
            raise WorkloadError(f"weights.{tensor_class} must be given, or a format of the body.")
        return get_format(chosen)

    def __str__(self) -> str:
        """Return the text form, e.g. ``body=w4;lm_head=w8``."""
        named = [(name, getattr(self, name)) for name in _CLASSES]
        return ";".join(f"{name}={value}" for name, value in named if value is not None)


_CLASSES = ("body", "lm_head", "embedding", "vision")


def _split(text: str) -> dict[str, str]:
    """Return the mapping that ``body=w4;lm_head=w8`` writes; a bare id is the body's."""
    parts = [part.strip() for part in text.split(";") if part.strip()]
    pairs = [part.partition("=") if "=" in part else ("body", "=", part) for part in parts]
    names = [name.strip() for name, _, _ in pairs]
    if not parts or len(names) != len(set(names)):
        raise ValueError("a format, or each tensor class once as in 'body=w4;lm_head=w8'")
    return {name: value.strip() for name, (_, _, value) in zip(names, pairs, strict=True)}


@dataclass(frozen=True, slots=True)
class Mix:
    """One assignment of formats to tensor classes and its mean traffic in bits per weight."""

    formats: Mapping[str, str]
    bits: float


def which_mix(
    target_bits: float,
    shares: Mapping[str, float],
    formats: Sequence[str],
    fixed: Mapping[str, str] | None = None,
    count: int = 5,
) -> tuple[Mix, ...]:
    """Return the mixes whose mean bits per weight come closest to a target, nearest first.

    The mean is sum(share * bits) / sum(share) over the tensor classes; every assignment is tried.
    Raises `WorkloadError` for shares that are no counts, and for more than `MAX_MIXES` assignments.

    Parameters
    ----------
    target_bits
        Wanted mean traffic [bits per weight].
    shares
        Weights per tensor class, as counts or fractions.
    formats
        Format ids that may be chosen for a class.
    fixed
        Classes whose format is given.

    >>> shares = {"body": 3.6335e9, "lm_head": 0.389e9}
    >>> best = which_mix(1.8, shares, ["sparse75_int4_entropy", "w4"], fixed={"lm_head": "w8"})[0]
    >>> best.formats["body"], round(best.bits, 2)
    ('sparse75_int4_entropy', 2.41)
    """
    fixed = dict(fixed or {})
    choices = [[fixed[name]] if name in fixed else list(formats) for name in shares]
    if math.fsum(shares.values()) <= 0 or min(shares.values()) < 0:
        raise WorkloadError(f"Shares must be positive counts. Got {dict(shares)}.")
    if math.prod(map(len, choices)) > MAX_MIXES:
        raise WorkloadError(f"Mixes to try must be at most {MAX_MIXES}. Give fewer formats.")
    mixes = (
        Mix(dict(zip(shares, names, strict=True)), _mean_bits(names, shares.values()))
        for names in itertools.product(*choices)
    )
    return tuple(sorted(mixes, key=lambda mix: abs(mix.bits - target_bits))[:count])


def _mean_bits(names: Iterable[str], shares: Collection[float]) -> float:
    pairs = zip(names, shares, strict=True)
    total = math.fsum(share * get_format(name).traffic_bits for name, share in pairs)
    return total / math.fsum(shares)
