"""Which formats a stack uses, and which others a document says that it runs.

Not judged here: whether a run asks for others; `sim.known_formats` tells of them.
"""

from typing import Literal

from pydantic import ValidationInfo, field_validator

from hw_models.errors import HardwareError, suggest
from hw_models.part import Part

ActivationFormat = Literal["int8", "int16", "fp16", "bf16", "fp32"]


class StackDefaults(Part):
    """Formats that the stack uses unless a deployment says otherwise (plain ids)."""

    body: str
    lm_head: str
    embedding: str
    vision: str
    activations: ActivationFormat
    kv: ActivationFormat


class StackRuns(Part):
    """Formats that a document says the stack runs, besides its defaults (ids)."""

    source: str
    weights: tuple[str, ...] = ()
    activations: tuple[ActivationFormat, ...] = ()
    kv: tuple[str, ...] = ()

    @field_validator("source")
    @classmethod
    def _listed(cls, name: str, info: ValidationInfo) -> str:
        """Refuse a source that the file does not list."""
        if name not in (info.context or {}):
            hint = suggest(name, info.context or {})
            raise HardwareError(f"must cite a source listed under sources. Got {name!r}. {hint}")
        return name
