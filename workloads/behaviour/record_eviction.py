"""Run every eviction policy at every budget on the texts, and write what each of them did.

The loss compared is over the tokens after a prompt; text and prompt are the same for all policies.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from workloads.behaviour import eviction_rules as rules
from workloads.behaviour.eviction_torch import Evicted, Rule, prefill, run, with_scored_attention
from workloads.behaviour.manifest import DROPPED, EvictionRun, EvictionStudy, write_recording
from workloads.eviction_policies import (
    EvictionPolicy,
    H2o,
    NoEviction,
    Okv,
    PyramidKv,
    Quest,
    SlidingWindow,
    SnapKv,
    Tova,
)
from workloads.models.andesvl import LanguageModel

KEEPS = (0.5, 0.25, 0.125)
PROMPT_TOKENS, STEPS = 512, 128
SINKS, PAGE = 4, 16


def policies(prompt: int) -> Iterator[tuple[float, EvictionPolicy]]:
    """Yield every policy at every share of a prompt it keeps, or reads."""
    yield 1.0, NoEviction()
    for keep in KEEPS:
        budget = math.ceil(keep * prompt)
        yield keep, SlidingWindow(window=budget - SINKS, sinks=SINKS)
        for kind in (H2o, Tova, SnapKv, PyramidKv, Okv):
            yield keep, kind(keep=keep)
        yield keep, Quest(page=PAGE, budget_tokens=budget)


def rule_for(policy: EvictionPolicy, prompt: int, layers: int) -> Rule:
    """Return the rule that does in PyTorch what a scenario's policy stands for."""
    match policy:
        case SlidingWindow():
            return rules.SlidingWindowRule(policy.sinks, policy.window)
        case H2o():
            return rules.H2oRule(policy.budget(prompt))
        case Tova():
            return rules.TovaRule(policy.budget(prompt))
        case SnapKv() | Okv():
            budgets = [policy.budget(prompt)] * layers
            return rules.SnapKvRule(tuple(budgets), policy.window, policy.pool)
        case PyramidKv():
            mean = policy.budget(prompt)
            budgets = rules.pyramid_budgets(mean, policy.window, layers, policy.slope, prompt)
            return rules.SnapKvRule(tuple(budgets), policy.window, policy.pool)
        case Quest():
            return rules.QuestRule(policy.page, policy.budget_tokens // policy.page)
        case _:
            return Rule()


def record_eviction(
    model: LanguageModel, texts: Mapping[str, Sequence[int]], directory: Path
) -> EvictionStudy:
    """Write what every policy did to the first text, and return that with all losses.

    Policies that are the same rule (SnapKV and the stand-in for OKV) are run once.
    """
    layers = model.config.decoder.layers
    chosen = [(keep, p, rule_for(p, PROMPT_TOKENS, layers)) for keep, p in policies(PROMPT_TOKENS)]
    outcomes = _run_all(model, texts, {rule for *_, rule in chosen})
    first = next(iter(texts))
    source = f"{model.config.id}, {PROMPT_TOKENS} tokens of {first}, then {STEPS}"
    runs, dropped = [], {}
    for keep, policy, rule in chosen:
        name = f"{policy.policy}-{keep:g}"
        outcome = outcomes[rule][first]
        retained = outcome.retained.double().mean(dim=0).tolist()
        loaded = outcome.loaded.mean(dim=0).round().tolist()
        losses = {text: round(outcome.loss, 5) for text, outcome in outcomes[rule].items()}
        runs.append(
            EvictionRun(
                policy=policy,
                keep=keep,
                loss=losses,
                retained=write_recording(directory, "retained", name, source, retained),
                loaded=write_recording(directory, "loaded", name, source, loaded)
                if isinstance(policy, Quest)
                else None,
            )
        )
        if outcome.retained[0, 0] < PROMPT_TOKENS:
            dropped[name] = outcome.dropped_at.numpy()
    np.savez_compressed(directory / DROPPED, allow_pickle=False, **dropped)
    return EvictionStudy(prompt_tokens=PROMPT_TOKENS, steps=STEPS, runs=tuple(runs))


def _run_all(
    model: LanguageModel, texts: Mapping[str, Sequence[int]], chosen: Collection[Rule]
) -> dict[Rule, dict[str, Evicted]]:
    """Return what each rule does to each text; a prompt is prefilled once for all rules."""
    scored = with_scored_attention(model)
    outcomes: dict[Rule, dict[str, Evicted]] = {rule: {} for rule in chosen}
    for text, ids in texts.items():
        tokens = torch.tensor(ids[: PROMPT_TOKENS + STEPS + 1])
        prefilled = prefill(scored, tokens[:PROMPT_TOKENS])
        for rule, outcome in outcomes.items():
            outcome[text] = run(scored, prefilled, rule, tokens[PROMPT_TOKENS:])
    return outcomes
