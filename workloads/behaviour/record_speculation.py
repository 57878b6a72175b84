"""Let every draft continue the start of every text, and write how many drafts were accepted.

Everything follows from weights, texts and seed. On another processor or PyTorch sums round
otherwise, and a near tie or a drawn token may fall otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from workloads.behaviour.manifest import (
    SpeculationRun,
    SpeculationStudy,
    write_recording,
)
from workloads.behaviour.speculation_torch import (
    Draft,
    ModelDraft,
    NgramDraft,
    Runner,
    Sampler,
    SelfDraft,
    Speculated,
    decode,
    rounded_copy,
)
from workloads.behaviour.texts import TextKind
from workloads.models.andesvl import LanguageModel

PROMPT_TOKENS, NEW_TOKENS, DEPTH = 256, 32, 4
CAPACITY = PROMPT_TOKENS + NEW_TOKENS + 2 * DEPTH
TEMPERATURES = (0.0, 1.0)

DRAFTS = {
    "ngram": "prompt lookup of up to 3 tokens",
    "early_exit": "first 25 of 30 layers",
    "layer_skip": "all but layers 15 to 19 of 30 (the best of twelve choices on another text)",
    "rtn3": "copy with its layers rounded to 3 bits in groups of 32",
}


def drafts(model: LanguageModel) -> dict[str, Callable[[Runner], Draft]]:
    """Return what makes each draft of `DRAFTS`, given the runner of the target."""
    rounded = rounded_copy(model, bits=3, group=32)
    skipping = [*range(15), *range(20, 30)]
    return {
        "ngram": lambda target: NgramDraft(model.config.decoder.vocab, longest=3),
        "early_exit": lambda target: SelfDraft(Runner(model, target.cache, range(25))),
        "layer_skip": lambda target: SelfDraft(Runner(model, target.cache, skipping)),
        "rtn3": lambda target: ModelDraft(Runner.whole(rounded, CAPACITY)),
    }


def record_speculation(
    model: LanguageModel,
    texts: Mapping[TextKind, Sequence[Sequence[int]]],
    seed: int,
    directory: Path,
) -> SpeculationStudy:
    """Write accepted tokens of every draft on every kind of text, and return what was found."""
    runs = []
    for draft, make in drafts(model).items():
        for kind, prompts in texts.items():
            for temperature in TEMPERATURES:
                sampler = Sampler(temperature, torch.Generator().manual_seed(seed))
                outcomes = [_continue(model, make, prompt, sampler) for prompt in prompts]
                name = f"{draft}-{kind}-{'sampled' if temperature else 'greedy'}"
                source = f"{model.config.id}, {NEW_TOKENS} tokens after {PROMPT_TOKENS} of {kind}"
                accepted = [count for outcome in outcomes for count in outcome.accepted]
                runs.append(
                    SpeculationRun(
                        draft=draft,
                        kind=kind,
                        temperature=temperature,
                        rejections=sum(map(rejections, outcomes)),
                        repeated=round(repeated([o.tokens for o in outcomes]), 3),
                        accepted=write_recording(directory, "accepted", name, source, accepted),
                    )
                )
    return SpeculationStudy(
        prompt_tokens=PROMPT_TOKENS,
        new_tokens=NEW_TOKENS,
        depth=DEPTH,
        drafts=DRAFTS,
        runs=tuple(runs),
    )


def rejections(run: Speculated) -> int:
    """Return the steps in which a draft was rejected, not just missing."""
    steps = zip(run.accepted, run.drafted, strict=True)
    return sum(accepted < drafted for accepted, drafted in steps)


def repeated(outputs: Sequence[Sequence[int]], size: int = 4) -> float:
    """Return the share of n-grams that stood in their output before.

    >>> repeated([[1, 2, 1, 2, 1]], size=2)
    0.5
    """
    grams = [
        (place, tuple(output[start : start + size]))
        for place, output in enumerate(outputs)
        for start in range(len(output) - size + 1)
    ]
    return 1 - len(set(grams)) / len(grams)


def _continue(
    model: LanguageModel,
    make: Callable[[Runner], Draft],
    text: Sequence[int],
    sampler: Sampler,
) -> Speculated:
    target = Runner.whole(model, CAPACITY)
    prompt = text[:PROMPT_TOKENS]
    return decode(target, make(target), prompt, NEW_TOKENS, DEPTH, sampler)
