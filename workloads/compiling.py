"""Scenario parts -> Program: the steps of a session (`workloads.steps`) and what is resident."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from workloads.deployment import Deployment
from workloads.drafting import Draft
from workloads.graph import Formats, GraphOptions
from workloads.program import Program
from workloads.session import Session
from workloads.step_tasks import StepTasks
from workloads.steps import Compiler, Listing, cache_capacity
from workloads.storage import stored_bytes
from workloads.trace import Trace
from workloads.turns import TurnPlan, linear_sizes, plan_turns, visual_total

AS_IT_IS = Listing()


def compile_session(
    trace: Trace,
    deployment: Deployment,
    session: Session,
    formats: Formats,
    options: GraphOptions,
    draft: Draft,
    random: np.random.Generator,
    listing: Listing = AS_IT_IS,
) -> Program:
    """Return the program of a session whose turns are listed (`workloads.arrivals.expanded`).

    Parameters
    ----------
    random
        Draws how many drafted tokens each decode step commits.
    listing
        How its steps are listed; all of them if not said.

    Raises
    ------
    WorkloadError
        Where deployment, model and session do not go together, or ask for too many steps.
    """
    formats.weights.check_layers(trace.decoder.layers)
    plans = plan_turns(trace, deployment, session, random)
    in_file, wanted = stored_bytes(trace, formats, "file"), deployment.kv_cache.capacity_tokens
    tasks = StepTasks(trace, formats, options, draft, deployment.lora)
    compiler = Compiler(
        tasks,
        _capacity_tokens(plans, options, wanted),
        grows=wanted is None and not options.cache_buckets_tokens,
        vision_flash_bytes=_reload_bytes(deployment, in_file),
        listing=listing,
    )
    states = max(plan.image_states for plan in plans)
    initial, largest = _resident_bytes(compiler, session, states)
    stays = sum(initial.values()) - (
        initial.get("vision", 0.0) if deployment.free_vision_after_encode else 0.0
    )
    compiler = replace(compiler, room_bytes=listing.budget_bytes - stays)
    return Program(
        model=trace.model,
        groups=tuple(compiler.groups(plans)),
        resident_bytes=largest,
        initial_bytes=initial,
        file_bytes=sum(in_file.values()) + draft.file_bytes,
        kv_bytes_per_token=tasks.kv_bytes_per_token,
        kv_capacity_tokens=compiler.capacity_tokens,
        visual_tokens=visual_total(plans),
        kv_tokens_final=plans[-1].live_tokens,
        weight_bytes_per_step=stored_bytes(trace, formats, "traffic")["weights"],
        positions=max(plan.positions for plan in plans),
        image_states=states,
    )


def _capacity_tokens(plans: Sequence[TurnPlan], options: GraphOptions, wanted: int | None) -> int:
    """Return the capacity of the KV cache that suffices for every turn."""
    distinct = {plan.work: plan for plan in plans}.values()
    needed = max(plan.peak_tokens(options.prefill_chunk_tokens) for plan in distinct)
    return cache_capacity(needed, wanted, options.cache_buckets_tokens)


def _reload_bytes(deployment: Deployment, file_bytes: Mapping[str, float]) -> float:
    """Return what is read again for images, where the encoder leaves in between [B]."""
    return file_bytes["vision"] if deployment.free_vision_after_encode == "reload" else 0.0


def _resident_bytes(
    compiler: Compiler, session: Session, image_states: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the bytes of each class before the first turn, and at most [B].

    Every client's conversation has caches of its own.
    """
    tasks = compiler.tasks
    draft, lora = tasks.draft, tasks.lora
    clients = len({turn.client for turn in session.turns})
    caches = compiler.caches_bytes(compiler.capacity_tokens, image_states)
    stored = stored_bytes(tasks.trace, tasks.formats, "resident")
    largest = {
        **stored,
        "kv_cache": clients * caches["kv_cache"],
        "draft": draft.resident_bytes + clients * caches["draft"],
        "adapters": lora.resident_bytes(linear_sizes(tasks.trace)) if lora else 0.0,
    }
    initial = {**largest, "adapters": 0.0}
    if compiler.grows:
        initial |= {"kv_cache": 0.0, "draft": draft.resident_bytes}
    return initial, largest
