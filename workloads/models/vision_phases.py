"""Capture the encoding of an image: vision tower and projector as one phase for any image size.

The class's own ``get_image_features`` is recorded for several images; every size is solved in the
named sizes of the family's image rule (`workloads.image_rules`). Calls whose number depends on the
image (a loop over windows, tiles or images) are taken as one call with the sum of their work.

Not modelled: ordering the finished visual tokens between text tokens, which moves one hidden state
each, and what it adds to hidden states inside the decoder (Qwen3-VL).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from workloads.errors import WorkloadError
from workloads.image_rules import Fixed, Rule
from workloads.image_tiles import Tiles
from workloads.models.crossing import capture_crossing
from workloads.models.events import Event
from workloads.models.folding import Context, fold
from workloads.models.from_transformers import Built
from workloads.models.graph_recorder import GraphRecorder
from workloads.models.image_families import image_rule
from workloads.models.layer_kinds import first_of_kind, one_of_each
from workloads.models.loops import condensed, varying_modules
from workloads.models.seams import Listening
from workloads.models.text_phases import by_layer
from workloads.models.vision_inputs import image_call, image_inputs
from workloads.operator_rules import RULES
from workloads.solving import independent, solve
from workloads.trace import CROSS, Phase, Segment, VisionShape

IMAGES_PX = (
    (336, 336),
    (448, 336),
    (336, 560),
    (560, 448),
    (896, 448),
    (448, 1120),
    (672, 1344),
    (320, 960),
)
"""Images that towers are recorded with: their sizes tell every name apart."""
VERIFIED = 2
SYMBOLS = ("K", "N", "H", "W", "P", "M", "R", "C")


@dataclass(frozen=True)
class Seeing:
    """What was captured of a model's eyes.

    Arguments:
        shape, rule, phases: of the vision tower; empty for a text model.
        config: the tower's configuration, class defaults filled in.
        refusal: why a model with a tower takes no images here.
    """

    shape: VisionShape | None = None
    rule: Rule | None = None
    phases: dict[str, Phase] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    refusal: str = ""


def capture_vision(built: Built, names: Context) -> Seeing:
    """Return the vision phase of a model, or why there is none; text needs none of it."""
    model: Any = built.model
    config = model.config.to_dict()
    tower = {"vision_config": config["vision_config"]} if config.get("vision_config") else {}
    if not names.vision:
        return Seeing(config=tower, refusal=built.blind)
    try:
        rule = image_rule(config)
        if rule is None:
            told = f"whose image rule is not known: model_type {config.get('model_type')!r}"
            return Seeing(config=tower, refusal=told)
        rule = counted(built, rule)
        phases = {"vision": vision_phase(built, names, rule)}
        if built.crossing:
            kept, steps = capture_crossing(built, names, rule.encode(*IMAGES_PX[0]).states)
            encoded = phases["vision"]
            phases[CROSS] = steps
            phases["vision"] = replace(encoded, segments=(*encoded.segments, *kept))
    except MemoryError:
        raise
    except Exception as error:  # whatever the class's own code raises on these values
        said = " ".join(str(error).split())[:200]
        told = f"whose vision tower could not be captured ({type(error).__name__}: {said})"
        return Seeing(config=tower, refusal=told)
    found = tower_of(built, names)
    part = getattr(model.config, "vision_config", model.config)
    shape = VisionShape(
        layers=max(1, len(found.kinds)),
        hidden=_count(part, "hidden_size", "embed_dim"),
        patch_px=getattr(rule, "patch_px", 0) or _count(part, "patch_size"),
        merge=getattr(rule, "merge", 1),
    )
    return Seeing(shape, rule, phases, tower)


def counted(built: Built, rule: Rule) -> Rule:
    """Return a rule of squares with the visual tokens that the class makes of one, if unstated."""
    if not isinstance(rule, Fixed | Tiles) or rule.tokens:
        return rule
    side = rule.side_px if isinstance(rule, Fixed) else rule.tile_px
    inputs = image_inputs(built.model, rule, (side, side), torch.bfloat16)
    squares = rule.encode(side, side).sizes["K"]
    return replace(rule, tokens=record_image(built, inputs, folded=False)[1] // squares)


def _count(config: Any, *keys: str) -> int:
    """Return the first of the settings that is a number, 1 where none is."""
    values = (getattr(config, key, None) for key in keys)
    firsts = (value[0] if isinstance(value, list | tuple) and value else value for value in values)
    return next((value for value in firsts if isinstance(value, int) and value > 0), 1)


def vision_phase(built: Built, names: Context, rule: Rule) -> Phase:
    """Return the phase; raises `WorkloadError` where a tower is not understood."""
    symbols, images = probes(rule)
    sizes = [other.encode(*sides).sizes for other, sides in images]
    depth = _depth(tower_of(built, names), names, *images[0])
    runs = [_events(depth, *image) for image in images]
    try:
        solved = solve([segments_of(depth, names, run) for run in runs], sizes, symbols)
    except WorkloadError:
        loops = varying_modules(runs)
        runs = [condensed(run, loops) for run in runs]
        solved = solve([segments_of(depth, names, run) for run in runs], sizes, symbols)
    return Phase("vision", symbols, solved)


Probe = tuple[Rule, tuple[int, int]]


def probes(rule: Rule) -> tuple[tuple[str, ...], list[Probe]]:
    """Return the size names that a rule tells apart, and images that show them and verify them."""
    images = [
        (other, (wide * other.PROBED, high * other.PROBED))
        for other in rule.variants()
        for wide, high in IMAGES_PX
    ]
    encoded = [other.encode(*sides).sizes for other, sides in images]
    known = [name for name in SYMBOLS if all(name in sizes for sizes in encoded)]
    columns = [[1] * len(encoded), *([sizes[name] for sizes in encoded] for name in known)]
    symbols = tuple(known[index - 1] for index in independent(columns) if index)
    rows = [[1, *(sizes[name] for name in symbols)] for sizes in encoded]
    kept = independent(rows)
    kept += [index for index in range(len(rows)) if index not in kept][:VERIFIED]
    return symbols, [images[index] for index in kept]


def tower_of(built: Built, names: Context) -> Built:
    """Return the model with the layers of its vision tower in place of the decoder's.

    They are the longest list of modules inside the parts that see an image.
    """
    inside = {name.rpartition(".")[0] for name in names.vision}
    seeing = [
        (path, module)
        for path, module in built.model.named_modules()
        if isinstance(module, nn.ModuleList)
        and len(module)
        and "audio" not in path
        and any(owner.startswith(f"{path}.") for owner in inside)
    ]
    found = max(seeing, key=lambda item: len(item[1]), default=None)
    if found is None:
        return replace(built, layers_path="", kinds=[], crossing=())
    return replace(built, layers_path=found[0], kinds=first_of_kind(found[1]), crossing=())


def _depth(tower: Built, names: Context, rule: Rule, sides: tuple[int, int]) -> Built:
    """Return the tower with one layer of each kind where that shows what all of them show."""
    whole = replace(tower, kinds=[*range(len(tower.kinds))])
    if whole.kinds == tower.kinds:
        return whole
    try:
        few = segments_of(tower, names, _events(tower, rule, sides))
    except Exception:  # a layer that is skipped may have to return more than its hidden state
        return whole
    return tower if few == segments_of(whole, names, _events(whole, rule, sides)) else whole


def segments_of(built: Built, names: Context, events: Sequence[Event]) -> tuple[Segment, ...]:
    """Return a recorded run as segments: before the tower's layers, its layers, after them."""
    names = replace(names, layers_path=built.layers_path)
    whole = built.kinds == [*range(len(built.kinds))]
    return by_layer(built, names, fold(events), between=whole)


@torch.inference_mode()
def record_image(
    built: Built, inputs: Mapping[str, Any], folded: bool = True, real: bool = False
) -> tuple[list[Event], int]:
    """Return the events of encoding one image, and the visual tokens that come out."""
    layers = built.model.get_submodule(built.layers_path) if built.kinds else None
    skipping = one_of_each(layers, built.kinds) if folded and layers else nullcontext()  # type: ignore[arg-type]
    pixels = [tensor for tensor in inputs.values() if tensor.is_floating_point()]
    recorder = GraphRecorder(built.model, pixels)
    recorder.real = real
    with skipping, recorder, Listening(recorder):
        made = image_call(built.model)(**inputs)
    tokens = _rows(getattr(made, "pooler_output", made))
    return [event for event in recorder.events if not _is_glue(event)], tokens


def _events(built: Built, rule: Rule, sides: tuple[int, int]) -> list[Event]:
    inputs = image_inputs(built.model, rule, sides, torch.bfloat16)
    events, tokens = record_image(built, inputs)
    expected = rule.encode(*sides).seen
    if tokens != expected:
        raise WorkloadError(
            f"an image of {sides[0]}x{sides[1]} must become {expected} visual tokens by the rule "
            f"{rule.KIND!r}. The class made {tokens}."
        )
    return events


def _is_glue(event: Event) -> bool:
    """Return whether a call orders finished tokens, outside of every module of the model."""
    return event.module in ("", "model") and RULES[event.name].kind in ("copy", "elementwise")


def _rows(made: Any) -> int:
    if isinstance(made, list | tuple):
        return sum(map(_rows, made))
    return int(made.numel() // made.shape[-1])
