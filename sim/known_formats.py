"""Tell of formats that nobody is known to have run on a stack; the numbers are worked out anyway.

Known to run are the stack's own defaults, what a document says that it runs (`runs` of its device
file), and the weight formats of the measured rows that ship. A device that is no real part runs
everything. Formats are told apart by their ids: `w4_g32` on a stack that is known to run `w4` is
told, since kernels differ by group; formats that differ in nothing but their name are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from hw_models.schema import Stack
from hw_models.soc import SocSpec
from sim.evidence.nearest import weights_judged
from workloads.compression import WeightMap
from workloads.graph import Formats
from workloads.trace import NETWORK, Trace
from workloads.weight_formats import stored_id

ILLUSTRATIVE: Final = "illustrative"
SAME: Final = {"f16": "w16"}
"""Ids of one format, by the id it is known under here."""
MEASURED: Final = "measured rows"
MOST: Final = 8
"""Ids that are told of one source."""
CLASSES: Final = ("body", "lm_head", "embedding", "vision")
Known = dict[str, list[str]]
"""Where it is known from, to the ids known from there."""


def unknown_formats(
    soc: SocSpec, name: str, stack: Stack, stored: Formats, trace: Trace
) -> Iterator[str]:
    """Yield a sentence for weights, cache and activations each that the stack is not known to run.

    Parameters
    ----------
    name
        The stack's, under which its rows were measured.
    stored
        Formats of the run; classes that run on another unit are left out, and what the model of
        ``trace`` lacks: a vision encoder, a cache, all but the body of a network.
    """
    if soc.describes.startswith(ILLUSTRATIVE):
        return
    for what, asked, known in (
        ("weights", _weights(stack, stored, trace), _known_weights(soc, name, stack)),
        ("a cache", _cached(stored, trace), _known(soc, name, stack, "kv", [stack.defaults.kv])),
        (
            "activations",
            [stored.activations],
            _known(soc, name, stack, "activations", [stack.defaults.activations]),
        ),
    ):
        ids = {SAME.get(one, one) for ids in known.values() for one in ids}
        strange = [one for one in dict.fromkeys(asked) if SAME.get(one, one) not in ids]
        if strange:
            yield (
                f"{name} is not known to run {what} in {', '.join(strange)}: seconds and bytes "
                f"are as if it did. Known there: {_told(known)}."
            )


def _weights(stack: Stack, stored: Formats, trace: Trace) -> list[str]:
    """Return the formats of the weights that the stack's own unit multiplies."""
    if NETWORK in trace.phases:
        return [stored_id(stored.weights.format_for("body").id)]
    lacks = () if "vision" in trace.phases else ("vision",)
    held = [
        stored.weights.format_for(one).id
        for one in CLASSES
        if one not in lacks and stored.units.get(one, stack.unit) == stack.unit
    ]
    return [stored_id(name) for name in (*held, *stored.weights.layers.values())]


def _cached(stored: Formats, trace: Trace) -> list[str]:
    """Return the formats of K and V; none of a model without a cache."""
    has_cache = NETWORK not in trace.phases and trace.cache
    return stored.kv.id.split("+") if has_cache else []


def _known_weights(soc: SocSpec, name: str, stack: Stack) -> Known:
    defaults = [getattr(stack.defaults, one) for one in CLASSES]
    known = _known(soc, name, stack, "weights", defaults)
    told = {one for ids in known.values() for one in ids}
    rows = {one: url for text, url in weights_judged(name).items() for one in _ids(text)}
    if more := [one for one in rows if one not in told]:
        known[f"{MEASURED}, such as {rows[more[0]]}"] = more
    return known


def _known(soc: SocSpec, name: str, stack: Stack, kind: str, defaults: Iterable[str]) -> Known:
    """Return what the device file says: the stack's defaults, and what its documents name."""
    found = {f"stacks.{name}.defaults": list(dict.fromkeys(defaults))}
    if stack.runs is not None:
        more = [one for one in getattr(stack.runs, kind) if one not in {*defaults}]
        if more:
            found[soc.sources[stack.runs.source].title] = more
    return found


def _ids(text: str) -> Iterator[str]:
    """Yield the formats that a measured row's weights name."""
    weights = WeightMap.model_validate(text) if "=" in text else WeightMap(body=text)
    yield from (one for name in CLASSES if (one := getattr(weights, name)) is not None)


def _told(known: Known) -> str:
    return "; ".join(f"{_listed(ids)} ({source})" for source, ids in known.items())


def _listed(ids: list[str]) -> str:
    more = f" and {len(ids) - MOST} more" if len(ids) > MOST else ""
    return f"{', '.join(ids[:MOST])}{more}"
