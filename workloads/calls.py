"""A network and its calls -> Program: one graph, run once per call, with nothing kept in between.

Not modelled: batches, and calls that overlap because the host prepares the next input meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from workloads.deployment import Deployment
from workloads.errors import WorkloadError
from workloads.graph import Formats, GraphOptions
from workloads.phase_lowering import lower_phase
from workloads.program import Program, StepGroup
from workloads.scenario import Network
from workloads.storage import stored_bytes
from workloads.trace import NETWORK, Trace

LANGUAGE_ONLY = (
    "images",
    "kv_cache",
    "lora",
    "prefill_chunk_tokens",
    "pruning",
    "speculation",
    "verify_buckets",
    "vision_overlap",
)
"""Settings of a deployment that mean nothing to a network."""


def compile_network(
    trace: Trace,
    deployment: Deployment,
    network: Network,
    formats: Formats,
    options: GraphOptions,
) -> Program:
    """Return the program of a network's calls, a step each.

    Raises `WorkloadError` for a language model, and for settings that only one has.
    """
    _check(trace, deployment)
    once, none = np.ones(network.calls), np.zeros(network.calls)
    segments, held = lower_phase(trace.phases[NETWORK], {"T": once}, once, formats, options)
    stored = stored_bytes(trace, formats, "resident")
    group = StepGroup(
        phase=NETWORK,
        turn=0,
        new_tokens=none,
        visible_tokens=none,
        live_tokens=none,
        committed_tokens=none,
        segments=segments,
        activation_bytes=float(held.max()),
    )
    return Program(
        model=trace.model,
        groups=(group,),
        resident_bytes=stored,
        initial_bytes=stored,
        file_bytes=sum(stored_bytes(trace, formats, "file").values()),
        kv_bytes_per_token=0.0,
        kv_capacity_tokens=0,
        visual_tokens=0,
        kv_tokens_final=0,
        weight_bytes_per_step=stored_bytes(trace, formats, "traffic")["weights"],
    )


def _check(trace: Trace, deployment: Deployment) -> None:
    if NETWORK not in trace.phases:
        raise WorkloadError(
            f"network: model must be a network, one graph. Got {trace.model}, a language model. "
            "Remedy: replace network by session, or name a network (`andesim models --networks`)."
        )
    if idle := list(_without_meaning(deployment)):
        raise WorkloadError(
            f"deployment.{idle[0]} must be left out of a network scenario: only language models "
            "have it."
        )


def _without_meaning(deployment: Deployment) -> Iterator[str]:
    default = Deployment()
    for name in LANGUAGE_ONLY:
        if getattr(deployment, name) != getattr(default, name):
            yield name
