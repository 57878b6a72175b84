"""Choices: every what-if control as one frozen object, and the scenario and link it stands for.

    Choices --mapping--> Scenario        Choices --query--> link --read_query--> Choices

The sidebar edits choices, the link carries them, the command line and the YAML are written from
them, so all four agree. Not covered: several turns, placement, formats by layer; a scenario file
holds those.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from dashboard.own import place
from dashboard.what_ifs import RULE, assume
from sim.errors import SimError
from workloads.eviction_policies import EVICTION_POLICIES

STACK_DEFAULT = "default"
BY_BITS = "by bits"
GIB = 2**30
MOST_CHARACTERS = 4_000
"""Of the what-if values, which a link carries."""

Side = Annotated[int, Field(ge=28, le=10_000)]
Bits = Annotated[float, Field(ge=1.0, le=16.0)]


def has_keep(policy: str) -> bool:
    """Return whether an eviction policy keeps a share of the tokens, or else says how many."""
    found = EVICTION_POLICIES.known().get(policy)
    return found is not None and "keep" in found.model_fields


class Choices(BaseModel):
    """What the sidebar shows; the defaults are the default scenario.

    Attributes
    ----------
    stack, body, lm_head, embedding, vision, kv_dtype
        Ids; ``default`` is what the device's stack uses.
    body_bits, lm_head_bits, embedding_bits, vision_bits
        Bits per weight of a class whose format is ``by bits``.
    context_tokens
        Tokens the KV cache is built for; 0: what the session needs.
    keep
        Share of the tokens an eviction policy keeps; some keep a number of tokens instead.
    acceptance
        Probability that a drafted token is accepted, an input and no prediction.
    clock_fraction
        Share of the full clock that a power mode leaves.
    threads
        Threads of a stack of the CPU; 0: its own number.
    app_budget_gib
        Memory the app may occupy [GiB]; 0: the device's.
    most_first_token_s, least_tokens_per_s
        Targets of the verdict; they change no run.
    what_if
        Device parameters by dotted path, in SI: ``dram.rate=9.6e9; host.step_s=0.001``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: str = "andesvl-4b"
    device: str = "dimensity_9500"
    stack: str = STACK_DEFAULT
    images: Annotated[int, Field(ge=0, le=16)] = 1
    image_width_px: Side = 1080
    image_height_px: Side = 2400
    prompt_tokens: Annotated[int, Field(ge=1, le=131_072)] = 64
    output_tokens: Annotated[int, Field(ge=1, le=8_192)] = 128
    body: str = STACK_DEFAULT
    body_bits: Bits = 4.0
    lm_head: str = STACK_DEFAULT
    lm_head_bits: Bits = 8.0
    embedding: str = STACK_DEFAULT
    embedding_bits: Bits = 8.0
    vision: str = STACK_DEFAULT
    vision_bits: Bits = 8.0
    kv_dtype: str = STACK_DEFAULT
    context_tokens: Annotated[int, Field(ge=0, le=262_144)] = 0
    eviction: str = "none"
    keep: Annotated[float, Field(ge=0.05, le=1.0)] = 0.5
    speculation: str = "none"
    depth: Annotated[int, Field(ge=1, le=16)] = 4
    acceptance: Annotated[float, Field(ge=0.0, le=1.0)] = 0.7
    adapters: Annotated[int, Field(ge=0, le=16)] = 0
    rank: Annotated[int, Field(ge=1, le=256)] = 16
    ambient_c: Annotated[float, Field(ge=-20.0, le=50.0)] = 25.0
    background: str = "idle"
    start: str = "warm"
    clock_fraction: Annotated[float, Field(ge=0.05, le=1.0)] = 1.0
    threads: Annotated[int, Field(ge=0, le=64)] = 0
    app_budget_gib: Annotated[float, Field(ge=0.0, le=64.0)] = 0.0
    most_first_token_s: Annotated[float, Field(ge=0.05, le=600.0)] = 2.0
    least_tokens_per_s: Annotated[float, Field(ge=0.0, le=1_000.0)] = 15.0
    what_if: Annotated[str, Field(max_length=MOST_CHARACTERS)] = ""

    @field_validator("what_if")
    @classmethod
    def _is_read(cls, text: str) -> str:
        try:
            assume(text)
        except SimError:
            raise ValueError(RULE) from None
        return text

    def mapping(self) -> dict[str, Any]:
        """Return the scenario as a YAML file would hold it, without what is left to defaults."""
        deployment = {
            "weights": self._weights(),
            "kv_cache": self._kv_cache(),
            "speculation": self._speculation(),
            "lora": {"rank": self.rank, "adapters": self._adapters()} if self.adapters else {},
            "threads": self.threads,
        }
        scenario: dict[str, Any] = {"device": place(self.device), "model": place(self.model)}
        if self.stack != STACK_DEFAULT:
            scenario["stack"] = self.stack
        parts = {
            "deployment": _given(deployment),
            "environment": self._environment(),
            "assume": assume(self.what_if),
        }
        return scenario | _given(parts) | {"session": {"turns": [self._turn()]}}

    def question(self) -> Choices:
        """Return the choices with the targets, which change no run, at their defaults."""
        return self.changed(**{name: default(name) for name in TARGETS})

    def changed(self, **values: Any) -> Choices:
        """Return the choices with some changed.

        >>> Choices().changed(body="w8").body
        'w8'
        """
        return self.model_copy(update=values)

    def placed(self) -> Choices:
        """Return the choices with the paths of own files for their names, for another process."""
        return self.changed(device=place(self.device), model=place(self.model))

    def _weights(self) -> dict[str, str]:
        chosen = {name: getattr(self, name) for name in WEIGHT_CLASSES}
        for name, value in chosen.items():
            if value == BY_BITS:
                chosen[name] = f"bpw{getattr(self, f'{name}_bits'):g}"
        return {name: value for name, value in chosen.items() if value != STACK_DEFAULT}

    def _kv_cache(self) -> dict[str, Any]:
        cache: dict[str, Any] = {}
        if self.kv_dtype != STACK_DEFAULT:
            cache["dtype"] = self.kv_dtype
        if self.context_tokens:
            cache["capacity_tokens"] = self.context_tokens
        if self.eviction != "none":
            share = {"keep": self.keep} if has_keep(self.eviction) else {}
            cache["eviction"] = {"policy": self.eviction, **share}
        return cache

    def _speculation(self) -> dict[str, Any]:
        if self.speculation == "none":
            return {}
        return {
            "method": self.speculation,
            "depth": self.depth,
            "acceptance": {"alpha": self.acceptance},
        }

    def _adapters(self) -> list[str]:
        return [f"adapter_{index}" for index in range(1, self.adapters + 1)]

    def _environment(self) -> dict[str, Any]:
        environment = {
            name: getattr(self, name)
            for name in ("ambient_c", "background", "start", "clock_fraction")
            if getattr(self, name) != default(name)
        }
        if self.app_budget_gib:
            environment["app_budget_bytes"] = max(1, round(self.app_budget_gib * GIB))
        return environment

    def _turn(self) -> dict[str, Any]:
        turn: dict[str, Any] = {}
        if self.images:
            sides = self.image_width_px, self.image_height_px
            turn["images_px"] = [list(sides) for _ in range(self.images)]
        turn |= {"prompt_tokens": self.prompt_tokens, "output_tokens": self.output_tokens}
        if self.adapters:
            turn["adapter"] = self._adapters()[0]
        return turn


WEIGHT_CLASSES = ("body", "lm_head", "embedding", "vision")
TARGETS = ("most_first_token_s", "least_tokens_per_s")


def default(name: str) -> Any:
    """Return the default of a choice."""
    return Choices.model_fields[name].default


def limits(name: str) -> tuple[Any, Any]:
    """Return the lowest and the highest value of a number.

    >>> limits("keep")
    (0.05, 1.0)
    """
    rules = Choices.model_fields[name].metadata
    lowest = next(rule.ge for rule in rules if hasattr(rule, "ge"))
    return lowest, next(rule.le for rule in rules if hasattr(rule, "le"))


def _given(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in parts.items() if part}
