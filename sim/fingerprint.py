"""What identifies a run: everything that was asked, nothing that was computed.

A fingerprint covers the complete scenario, the model's operators, every entry that the device has,
the seed, andesim's version and those of packages that add formats, laws or devices; not where a
model's file lies and what it is called. It holds no result of a floating-point operation, so it is
the same on every machine, while results agree to 1e-9 only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from hw_models.plugins import packages
from hw_models.provenance import Parameter
from hw_models.soc import SocSpec
from hw_models.tree import leaves
from sim.packaging import versions
from workloads.catalogue import trace_for
from workloads.models.entry import is_model_path
from workloads.scenario import Scenario
from workloads.speculation import ModelDraft

DIGITS = 16


def fingerprint(scenario: Scenario, soc: SocSpec, seed: int) -> str:
    """Return the identity of a run, 16 hexadecimal digits."""
    if len(scenario.session.turns) != 1:
        return _started(scenario, soc, seed).hexdigest()[:DIGITS]
    [turn] = scenario.session.turns
    [found] = fingerprints(scenario, soc, [(turn.prompt_tokens, turn.output_tokens)], seed)
    return found


def fingerprints(
    scenario: Scenario, soc: SocSpec, tokens: Sequence[tuple[int, int]], seed: int
) -> list[str]:
    """Return the identity of a scenario of one turn at each pair of prompt and output tokens."""
    start = _started(with_tokens(scenario, 0, 1), soc, seed)
    found = []
    for pair in tokens:
        digest = start.copy()
        digest.update(repr(pair).encode())
        found.append(digest.hexdigest()[:DIGITS])
    return found


def with_tokens(scenario: Scenario, prompt_tokens: int, output_tokens: int) -> Scenario:
    """Return a scenario of one turn with other prompt and output tokens."""
    [turn] = scenario.session.turns
    counts = {"prompt_tokens": prompt_tokens, "output_tokens": output_tokens}
    session = scenario.session.model_copy(update={"turns": (turn.model_copy(update=counts),)})
    return scenario.model_copy(update={"session": session})


def _started(scenario: Scenario, soc: SocSpec, seed: int) -> hashlib._Hash:
    device = [
        (path, leaf.value if isinstance(leaf, Parameter) else leaf)
        for path, leaf in leaves(soc)
        # items of a tuple follow by themselves; what a device lacks is not asked of it
        if leaf is not None and not isinstance(leaf, tuple)
    ]
    method = scenario.deployment.speculation
    models = [scenario.model, *([method.draft_model] if isinstance(method, ModelDraft) else [])]
    traces = [_content(model) for model in models]
    if is_model_path(scenario.model):  # wherever it lies
        scenario = scenario.model_copy(update={"model": ""})
    asked = (scenario.model_dump_json(), traces, device, versions()["andesim"], seed)
    return hashlib.sha256(repr((*asked, *packages())).encode())


def _content(model: str) -> str:
    """Return the digest of a model's trace; of a file, whatever it is called."""
    trace = trace_for(model)
    return (replace(trace, model="") if is_model_path(model) else trace).digest
