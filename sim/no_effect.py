"""Tell of settings that change nothing in a run, and why; what only bounds a run is left out.

A setting counts as given where it differs from its default; the size of images also where its
default is written down, since another model's own rule stands in its place. Not told: bounds that
are not reached (a budget, a queue's length, the end of a session), and values that the model or
stack would have had anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from hw_models.soc import SocSpec
from workloads.errors import without_effect
from workloads.eviction import Eviction
from workloads.scenario import Scenario
from workloads.session import Turn
from workloads.speculation import NgramDraft, NoSpeculation
from workloads.trace import Trace

DEPLOYMENT = "deployment."
OF_IMAGES = (
    "weights.vision",
    "placement.vision",
    "images.preprocessor",
    "images.max_size_px",
    "free_vision_after_encode",
    "lora.vision",
    "speculation.image_factor",
)
OF_A_SESSION = (
    "weights.lm_head",
    "weights.embedding",
    "weights.vision",
    "weights.layers",
    "placement.vision",
    "placement.lm_head",
    "placement.draft",
    "placement.sampling",
    "free_vision_after_encode",
)
OF_A_CACHE = tuple(f"kv_cache.{one}" for one in ("dtype", "capacity_tokens", "buckets", "eviction"))
MTK_SDK = "mtk_sdk"


class Rule(NamedTuple):
    """Settings that change nothing, by dotted path, and why."""

    paths: tuple[str, ...]
    reason: str


def no_effect(scenario: Scenario, trace: Trace, soc: SocSpec, tokens: int) -> Iterator[str]:
    """Yield a sentence for each reason why settings that were given change nothing.

    Parameters
    ----------
    tokens
        Positions of the longest conversation.
    """
    rules = [*_of_the_model(scenario, trace), *_of_the_session(scenario)]
    rules += [*_of_each_other(scenario, soc, tokens)]
    told: set[str] = set()
    for rule in rules:
        given = [path for path in rule.paths if path not in told and _is_given(scenario, path)]
        told.update(given)
        if given:
            yield without_effect(given, rule.reason)


def _of_the_model(scenario: Scenario, trace: Trace) -> Iterator[Rule]:
    """Yield what the model lacks."""
    model, images = trace.model, _below(DEPLOYMENT, OF_IMAGES)
    if scenario.network is not None:
        reason = "a network is one graph, of which weights.body and placement.body speak"
        yield Rule(_below(DEPLOYMENT, OF_A_SESSION), reason)
    elif trace.vision is None or "vision" not in trace.phases:
        yield Rule(images, f"{model} encodes no images")
    elif not any(turn.images_px for turn in _turns(scenario)):
        yield Rule(images[1:], "no turn has an image")
    elif trace.image_rule is not None:
        yield Rule(images[2:4], f"images of {model} follow its own processor")
    kinds = {operator.kind for phase in trace.phases.values() for _, operator in phase.operators()}
    if "experts" not in kinds:
        yield Rule(("deployment.routing_skew",), f"{model} has no experts to choose from")
    if scenario.network is None and not trace.cache:
        yield Rule(_below(DEPLOYMENT, OF_A_CACHE), f"{model} keeps no KV cache")


def _of_the_session(scenario: Scenario) -> Iterator[Rule]:
    """Yield what no turn asks for."""
    session, turns = scenario.session, list(_turns(scenario))
    seen = sum(bool(turn.images_px) for turn in turns)
    if scenario.deployment.lora is not None and not any(turn.adapter for turn in turns):
        yield Rule(("deployment.lora",), "no turn names an adapter")
    if scenario.deployment.free_vision_after_encode == "reload" and seen == 1:
        reason = "no later turn has an image that the encoder would be read for again"
        if not any(client.arrivals for client in session.clients.values()):
            yield Rule(("deployment.free_vision_after_encode",), reason)
    if session.queue.limit is None:
        yield Rule(("session.queue.when_full",), "the queue has no limit")
    if len({client.priority for client in session.clients.values()}) < 2:
        yield Rule(("session.queue.preemption",), "no turn has a higher priority than another")
    late = [f"session.turns.{i}.at_s" for i, turn in enumerate(session.turns) if _waits(turn)]
    late += [
        f"session.clients.{name}.turns.{i}.at_s"
        for name, client in session.clients.items()
        for i, turn in enumerate(client.turns)
        if _waits(turn) and client.arrivals is None
    ]
    yield Rule(tuple(late), "think_s says when the turn is asked")
    arriving = [
        f"session.clients.{name}.turns.{i}.{when}"
        for name, client in session.clients.items()
        if client.arrivals is not None
        for i in range(len(client.turns))
        for when in ("at_s", "think_s")
    ]
    named = [
        f"session.clients.{name}.turns.{i}.client"
        for name, client in session.clients.items()
        for i in range(len(client.turns))
    ]
    yield Rule(tuple(named), "turns of a client are its own")
    yield Rule(tuple(arriving), "the client's arrivals say when turns are asked")


def _of_each_other(scenario: Scenario, soc: SocSpec, tokens: int) -> Iterator[Rule]:
    """Yield what another setting stands in the place of."""
    deployment, evicting = scenario.deployment, scenario.deployment.kv_cache.eviction
    if (unit := soc.stack(scenario.stack).unit) != "cpu":
        yield Rule(_below(DEPLOYMENT, ("threads", "clusters")), f"the stack runs on the {unit}")
    if deployment.images.preprocessor == MTK_SDK:
        reason = f"{MTK_SDK} computes one graph of a fixed size"
        yield Rule(("deployment.images.max_size_px",), reason)
    if isinstance(deployment.speculation, NgramDraft):
        yield Rule(("deployment.placement.draft",), "an n-gram draft is looked up on the host")
    if isinstance(deployment.speculation, NoSpeculation):
        yield Rule(("deployment.placement.draft",), "nothing is drafted")
        yield Rule(("deployment.lora.acceptance_factor",), "nothing is drafted")
        if 1 in (deployment.verify_buckets or ()):
            yield Rule(("deployment.verify_buckets",), "a step computes one token")
    path = "deployment.kv_cache.eviction"
    yield Rule((f"{path}.pool",), "pooling scores costs nothing countable")
    if evicting.trace is not None:
        names = ("keep", "budget_tokens", "cache_tokens", "slope")
        yield Rule(_below(f"{path}.", names), "the recording says how many tokens stay")
    elif getattr(evicting, "budget_tokens", None) is not None:
        yield Rule((f"{path}.keep",), "budget_tokens says how many tokens stay")
    if _keeps_all(evicting, tokens):
        yield Rule((path,), f"the longest conversation has {tokens} tokens, and all of them stay")
    if scenario.environment.over_budget == "reclaim" and soc.dram.reclaim is None:
        reason = f"what {soc.name} reclaims is not known, so that a run over budget ends"
        yield Rule(("environment.over_budget",), reason)


def _keeps_all(evicting: Eviction, tokens: int) -> bool:
    """Return whether a policy drops and skips nothing of a conversation of so many tokens."""
    if evicting.trace is not None or not tokens:
        return False
    return float(evicting.loaded_tokens(tokens, 0.0)) >= tokens


def _turns(scenario: Scenario) -> Iterator[Turn]:
    yield from scenario.session.turns
    for client in scenario.session.clients.values():
        yield from client.turns


def _waits(turn: Turn) -> bool:
    return turn.think_s is not None and turn.at_s > 0.0


def _below(prefix: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(prefix + name for name in names)


def _is_given(scenario: Scenario, path: str) -> bool:
    """Return whether a path holds something else than its default, or its default in words."""
    node: Any = scenario
    *parents, name = path.split(".")
    for part in parents:
        node = _child(node, part)
        if node is None:
            return False
    field = type(node).model_fields.get(name)
    if field is None:
        return False
    written = path == "deployment.images.max_size_px" and name in node.model_fields_set
    return bool(written or getattr(node, name) != field.get_default(call_default_factory=True))


def _child(node: Any, name: str) -> Any:
    if isinstance(node, tuple):
        return node[int(name)]
    return node.get(name) if isinstance(node, dict) else getattr(node, name, None)
