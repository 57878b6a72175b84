"""A session in tokens: what each turn encodes, prefills, caches, commits and switches.

The turns of a client share one KV cache: a turn prefills its own prompt behind what earlier turns
left, unless an adapter switch invalidates the cache, and then the whole conversation is prefilled
again; a fresh turn starts from an empty cache. Adapters are switched in order of arrival.

Not modelled: what eviction or quantisation does to the length of a reply, and a conversation that
is shorter because a full queue refused one of its turns.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from workloads.deployment import Deployment, ImageRule
from workloads.encoded_images import encoded_image
from workloads.errors import WorkloadError
from workloads.eviction import Eviction
from workloads.image_rules import EncodedImage
from workloads.lora import AdapterCache, AdapterSwitch, LinearSizes
from workloads.session import Session, Turn
from workloads.speculation import Drafting
from workloads.storage import is_layer
from workloads.tasks import Column
from workloads.trace import Trace


@dataclass(frozen=True, slots=True)
class TurnPlan:
    """One turn in tokens and patches.

    Attributes
    ----------
    images
        What each image becomes.
    prefill_tokens
        Tokens prefilled: visual, tag and text tokens, and what must be computed again.
    cached_tokens
        Tokens of earlier turns that are used from the KV cache.
    committed
        Output tokens each decode step commits.
    width
        Tokens the target computes per decode step, before padding to a compiled width.
    switch
        What activating the turn's adapter takes, if it was not active.
    positions
        Position of the last token fed to the model, counted from the start of the conversation.
    image_states
        States of the conversation's images that cross attention reads; 0 for most models.
    """

    turn: Turn
    images: tuple[EncodedImage, ...]
    prefill_tokens: int
    cached_tokens: int
    committed: Column
    width: int
    eviction: Eviction
    switch: AdapterSwitch | None
    positions: int
    image_states: int = 0

    @property
    def work(self) -> Hashable:
        """What it runs, without when and for whom: turns of equal work run equal steps."""
        own = self.turn.images_px, self.turn.prompt_tokens, self.turn.adapter is None
        held = self.prefill_tokens, self.cached_tokens, self.image_states
        return own, held, self.width, self.committed.tobytes(), self.switch

    @property
    def visual_tokens(self) -> int:
        """What the language model reads of all images: tokens, or states beside the prompt."""
        return sum(image.seen for image in self.images)

    @property
    def patches(self) -> tuple[int, ...]:
        """Patches of each image."""
        return tuple(image.patches for image in self.images)

    @property
    def prompt_tokens(self) -> int:
        """Tokens the cache has been offered when prefill ends."""
        return self.cached_tokens + self.prefill_tokens

    @property
    def produced(self) -> Column:
        """Tokens fed back before each decode step."""
        return np.cumsum(self.committed) - self.committed

    @property
    def live_tokens(self) -> int:
        """Tokens in the cache once the turn is done; the last output token is never fed back."""
        fed_back = self.turn.output_tokens - 1
        return int(self.eviction.retained_tokens(self.prompt_tokens, fed_back))

    def images_needed(self, chunk: int) -> Column:
        """Return how many images must be encoded before each prefill step of ``chunk`` tokens.

        What is computed again comes first, then each image with its tags, half of them before it,
        then the text. A step needs every image of which it, or a step before it, holds a visual
        token.
        """
        sizes = np.array([image.tokens for image in self.images], dtype=np.int64)
        tags = np.array([image.tag_tokens for image in self.images], dtype=np.int64)
        again = self.prefill_tokens - int((sizes + tags).sum()) - self.turn.prompt_tokens
        first_visual = again + np.cumsum(sizes + tags) - sizes - tags // 2
        steps = -(-self.prefill_tokens // chunk)
        ends = chunk * np.arange(1, steps + 1)
        return np.searchsorted(first_visual, ends).astype(np.float64)

    def peak_tokens(self, chunk: int | None) -> int:
        """Return the most positions the cache needs during the turn."""
        return max(self.prefill_peak_tokens(chunk), self.decode_peak_tokens)

    def prefill_peak_tokens(self, chunk: int | None) -> int:
        """Return the most positions the cache needs during prefill, ``chunk`` tokens at a time."""
        return self.eviction.peak_prefill_tokens(self.prompt_tokens, chunk or self.prefill_tokens)

    @property
    def decode_peak_tokens(self) -> int:
        """The most positions the cache needs during decode; 0 without a decode step."""
        if not self.committed.size:
            return 0
        stored = self.eviction.retained_tokens(self.prompt_tokens, self.produced)
        return int(np.ceil(stored.max())) + self.width


def plan_turns(
    trace: Trace, deployment: Deployment, session: Session, random: np.random.Generator
) -> list[TurnPlan]:
    """Return the plan of each turn; ``random`` draws how many drafted tokens are accepted.

    Raises `WorkloadError` for a turn without a prompt, for images the model does not take, and for
    an adapter the deployment lacks.
    """
    adapters = _adapter_cache(trace, deployment)
    plans: list[TurnPlan] = []
    latest: dict[str, TurnPlan] = {}
    for index, turn in enumerate(session.turns):
        switch = _switch(adapters, turn, index)
        before = None if turn.fresh else latest.get(turn.client)
        history = before.live_tokens if before else 0
        recomputed = history if switch is not None and switch.invalidates_kv else 0
        images = [_image(trace, deployment.images, sides_px) for sides_px in turn.images_px]
        own = sum(image.tokens + image.tag_tokens for image in images) + turn.prompt_tokens
        if own == 0:
            raise WorkloadError(f"session.turns[{index}] must have a prompt token or an image.")
        latest[turn.client] = TurnPlan(
            turn=turn,
            images=tuple(images),
            prefill_tokens=own + recomputed,
            cached_tokens=history - recomputed,
            committed=committed_tokens(deployment, turn, random),
            width=deployment.speculation.verify_width,
            eviction=deployment.kv_cache.eviction,
            switch=switch,
            positions=(before.positions if before else 0) + own + turn.output_tokens - 1,
            image_states=(before.image_states if before else 0)
            + sum(image.states for image in images),
        )
        plans.append(latest[turn.client])
    return plans


def committed_tokens(deployment: Deployment, turn: Turn, random: np.random.Generator) -> Column:
    """Return the output tokens each decode step of a turn commits; the first token is prefill's."""
    tokens = turn.output_tokens - 1
    method = deployment.speculation
    if not isinstance(method, Drafting) or tokens == 0:
        return np.ones(tokens)
    factor = method.image_factor if turn.images_px else 1.0
    if deployment.lora is not None and turn.adapter is not None:
        factor *= deployment.lora.acceptance_factor
    committed = method.acceptance.committed_tokens(method.depth, tokens, random, factor)
    return committed.astype(np.float64)


def linear_sizes(trace: Trace) -> LinearSizes:
    """Return the sizes of the decoder's linear modules."""
    shape = trace.decoder
    return LinearSizes(
        shape.layers,
        shape.hidden,
        shape.q_heads,
        shape.kv_heads,
        shape.head_dim,
        shape.intermediate,
        vision_per_rank(trace),
    )


def vision_per_rank(trace: Trace) -> int:
    """Return the sum of input and output features of the vision encoder's linear layers."""
    if "vision" not in trace.phases:
        return 0
    layers = (part for part in trace.phases["vision"].segments if is_layer(part))
    return sum(
        part.repeat * int(extent.at({}))
        for part in layers
        for operator in part.operators
        if operator.kind == "linear"
        for extent in next(t for t in operator.inputs if t.role == "weight").shape
    )


def visual_total(plans: Sequence[TurnPlan]) -> int:
    """Return the visual tokens of all turns."""
    return sum(plan.visual_tokens for plan in plans)


def _adapter_cache(trace: Trace, deployment: Deployment) -> AdapterCache | None:
    lora = deployment.lora
    return None if lora is None else AdapterCache(lora, lora.adapter_bytes(linear_sizes(trace)))


def _switch(adapters: AdapterCache | None, turn: Turn, index: int) -> AdapterSwitch | None:
    if adapters is not None:
        return adapters.use(turn.adapter, f"session.turns[{index}].adapter")
    if turn.adapter is not None:
        raise WorkloadError(
            f"session.turns[{index}].adapter must be one of deployment.lora.adapters. "
            f"Got '{turn.adapter}', but the deployment has no lora."
        )
    return None


def _image(trace: Trace, rule: ImageRule, sides_px: tuple[int, int]) -> EncodedImage:
    if trace.vision is None or "vision" not in trace.phases:
        why = "a text model" if trace.vision is None else "whose trace lacks the phase vision"
        if trace.no_images or (trace.parameters.get("vision") and trace.vision is None):
            why = trace.no_images or "whose vision tower is not modelled"
            why += "; without images it is the same model"
        raise WorkloadError(
            f"session.turns: images_px must be empty for {trace.model}, {why.rstrip('.')}. "
            f"Got {list(sides_px)}. Remedy: leave images_px out, "
            "as in --set 'session.turns.0.images_px=[]'."
        )
    if trace.image_rule is not None and rule != ImageRule():
        raise WorkloadError(
            f"deployment.images must be left out for {trace.model}, whose images follow its own "
            f"processor. Got {rule.preprocessor}, {rule.max_size_px} px. Remedy: put the model's "
            "preprocessor_config.json beside its config.json."
        )
    return encoded_image(trace, sides_px, rule.preprocessor, rule.max_size_px)
