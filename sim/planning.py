"""Scenario + SocSpec -> Program: the stack's defaults fill what the deployment leaves open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hw_models.power_modes import with_clock
from hw_models.provenance import Parameter
from hw_models.schema import Stack
from hw_models.soc import SocSpec
from hw_models.threads import with_threads
from sim.calibrated_range import range_warnings
from sim.cautions import cautions
from sim.engine.memory import Memory
from sim.errors import SimError
from sim.graph_swaps import with_prompt_graph
from sim.held import activations_held, held_by
from sim.streams import random_stream
from workloads.arrivals import expanded
from workloads.background import get_background
from workloads.calls import compile_network
from workloads.catalogue import trace_for
from workloads.compiling import compile_session
from workloads.compression import WeightMap, get_format
from workloads.drafting import Draft, decoder_size
from workloads.graph import Formats, GraphOptions
from workloads.kv_cache import get_kv_format
from workloads.program import OnProgress, Program, untold
from workloads.pruning import prune
from workloads.scenario import Scenario
from workloads.session import MAX_TOKENS, Session
from workloads.speculation import Drafting, ModelDraft
from workloads.steps import WINDOW_STEPS, Listing
from workloads.tasks import Unit
from workloads.trace import NETWORK, Trace
from workloads.windows import without_windows

ACTIVATION_BITS = {"int8": 8, "int16": 16, "fp16": 16, "bf16": 16, "fp32": 32}


@dataclass(frozen=True, slots=True)
class Plan:
    """What will run: the program of a session's listed turns, on which stack, in which budget."""

    program: Program
    session: Session
    stack: str
    budget_bytes: float
    warnings: tuple[str, ...]


def fits_whole(planned: Plan) -> NDArray[np.bool_]:
    """Return whether every class at its largest fits beside the largest activations."""
    held = sum(planned.program.resident_bytes.values())
    return np.asarray(held + max(activations_held(planned.program.groups)) <= planned.budget_bytes)


def memory_of(
    scenario: Scenario, planned: Plan, resident_bytes: Mapping[str, float] | None = None
) -> Memory:
    """Return the DRAM of a run before its first step.

    Parameters
    ----------
    resident_bytes
        Bytes of each class from the start; the plan's if none [B].
    """
    return Memory(
        planned.program.initial_bytes if resident_bytes is None else resident_bytes,
        planned.budget_bytes,
        sum(group.phase == "vision" for group in planned.program.groups),
        scenario.deployment.free_vision_after_encode,
        [turn.client for turn in planned.session.turns],
    )


def running(scenario: Scenario, soc: SocSpec) -> SocSpec:
    """Return the device as a scenario runs it: in its power mode, with its deployment's threads."""
    clock, deployed = scenario.environment.clock_fraction, scenario.deployment
    found = soc if clock == 1.0 else with_clock(soc, clock)
    if deployed.threads is None and deployed.clusters is None:
        return found
    stack = scenario.stack or soc.default_stack
    return with_threads(found, stack, deployed.threads, deployed.clusters or ())


def plan(
    scenario: Scenario,
    soc: SocSpec,
    seed: int = 0,
    *,
    to_run: bool = False,
    on_progress: OnProgress = untold,
) -> Plan:
    """Return the plan of a scenario on a device.

    Parameters
    ----------
    to_run
        The plan is for a run in its budget: steps that memory surely refuses need not be listed,
        and a long reply is several groups. Else it is one.
    on_progress
        Told how many turns are planned.

    Raises `SimError` where no turn is asked, or a placement names a unit that the device lacks.
    """
    name = scenario.stack or soc.default_stack
    stack = soc.stack(name)
    trace = deployed_trace(scenario, stack)
    stored = formats(scenario, soc, stack)
    streams = random_stream(seed, "arrivals"), random_stream(seed, "lengths")
    session = expanded(scenario.session, *streams)
    _check_that_someone_asks(session)
    budget = budget_bytes(scenario, soc)
    may_stop = to_run and scenario.environment.over_budget == "stop"
    options = graph_options(scenario, soc, stack)
    listing = Listing(
        budget if may_stop else np.inf, WINDOW_STEPS if to_run else MAX_TOKENS, on_progress
    )
    program = _program(scenario, trace, session, stored, options, seed, listing)
    program = replace(
        program,
        resident_bytes=held_by(stack, program.resident_bytes),
        initial_bytes=held_by(stack, program.initial_bytes),
    )
    program = with_prompt_graph(program, stack, budget)
    warnings = range_warnings(program, stack)
    warnings += cautions(scenario, trace, program, soc, stored)
    return Plan(program, session, name, budget, tuple(warnings))


def deployed_trace(scenario: Scenario, stack: Stack) -> Trace:
    """Return the trace of the model as the deployment cuts it and the stack's graphs hold it."""
    trace = prune(trace_for(scenario.model), scenario.deployment.pruning)
    return without_windows(trace) if stack.whole_windows else trace


def _program(
    scenario: Scenario,
    trace: Trace,
    session: Session,
    stored: Formats,
    options: GraphOptions,
    seed: int,
    listing: Listing,
) -> Program:
    """Return the program of a network's calls, or of a session's turns."""
    deployment = scenario.deployment
    if scenario.network is not None:
        return compile_network(trace, deployment, scenario.network, stored, options)
    if NETWORK in trace.phases:
        raise SimError(
            f"session: model must be a language model. Got {trace.model}, a network. Remedy: "
            "replace session by `network: {calls: 1}`, or --set network.calls=1."
        )
    drafting = draft(scenario, trace, stored)
    random = random_stream(seed, "acceptance")
    return compile_session(trace, deployment, session, stored, options, drafting, random, listing)


def _check_that_someone_asks(session: Session) -> None:
    """Raise `SimError` if no turn arrives before the session's end."""
    if not session.turns:
        raise SimError("session.clients must ask at least one turn before until_s. Got none.")
    firsts = {turn.client: turn for turn in reversed(session.turns)}.values()
    first_s = min(turn.at_s if turn.think_s is None else turn.think_s for turn in firsts)
    if session.until_s is not None and first_s >= session.until_s:
        raise SimError(
            "session must ask at least one turn before until_s. "
            f"Got the first at {first_s:g} s, until_s {session.until_s:g} s."
        )


def formats(scenario: Scenario, soc: SocSpec, stack: Stack) -> Formats:
    """Return the storage formats: the deployment's, else the model file's, else the stack's.

    A network's weights are stored as the stack stores encoders.
    """
    deployment, defaults = scenario.deployment, stack.defaults
    stored = trace_for(scenario.model).stored_as
    activations = deployment.activations or defaults.activations
    weights = deployment.weights.completed(
        WeightMap(
            body=stored.get("body", defaults.body if scenario.network is None else defaults.vision),
            lm_head=stored.get("lm_head", defaults.lm_head),
            embedding=stored.get("embedding", defaults.embedding),
            vision=stored.get("vision", defaults.vision),
        )
    )
    head, table = weights.format_for("lm_head"), weights.format_for("embedding")
    if stack.memory.unpacks_to:
        weights = weights.unpacked(ACTIVATION_BITS[stack.memory.unpacks_to])
    return Formats(
        weights=weights,
        activations=activations,
        activation_bits=ACTIVATION_BITS[activations],
        kv=get_kv_format(deployment.kv_cache.dtype or defaults.kv),
        units=placement(scenario, soc, stack),
        shared_table=_ties(stack) and head.id == table.id,
        unsupported=_unsupported(soc, stack),
        fallback=stack.fallback,
        encoder_bits=get_kv_format(defaults.kv).compute_bits,
    )


def _ties(stack: Stack) -> bool:
    """Return whether one table serves a stack twice; NPU graphs hold an LM head of their own."""
    known = stack.memory.ties_table
    return stack.unit != "npu" if known is None else known


def _unsupported(soc: SocSpec, stack: Stack) -> dict[Unit, frozenset[str]]:
    """Return what the graphs of each unit cannot hold: of this stack's, else of the first's."""
    drivers = reversed([*soc.stacks.values()])
    found: dict[Unit, frozenset[str]] = {
        one.unit: frozenset(one.unsupported) for one in (*drivers, stack)
    }
    return {unit: names for unit, names in found.items() if names and unit != stack.fallback}


def placement(scenario: Scenario, soc: SocSpec, stack: Stack) -> dict[str, Unit]:
    """Return the unit of each tensor class: the deployment's where given, else the stack's.

    Raises `SimError` for a unit that the device lacks.
    """
    wanted = scenario.deployment.placement.model_dump(exclude_none=True)
    for tensor_class, unit in wanted.items():
        if unit not in soc.units:
            raise SimError(
                f"deployment.placement.{tensor_class} must be a unit of {soc.id}. "
                f"Got '{unit}'. Known: {', '.join(sorted(soc.units))}."
            )
    classes = ("vision", "body", "lm_head", "draft")
    units: dict[str, Unit] = {name: wanted.get(name, stack.unit) for name in classes}
    units["embedding"] = units["body"]
    if "sampling" in wanted:  # else the host samples, within the step's overhead
        units["sampling"] = wanted["sampling"]
    return units


def graph_options(scenario: Scenario, soc: SocSpec, stack: Stack) -> GraphOptions:
    """Return what the stack's graph compiler does for this deployment."""
    chunk, overlap = scenario.deployment.prefill_chunk_tokens, scenario.deployment.vision_overlap
    own = stack.prefill_chunk_tokens or stack.ubatch_tokens
    if chunk is None and own is not None:
        chunk = int(own.value)
    cache = scenario.deployment.kv_cache
    allocated = (cache.capacity_tokens,) if stack.reads_allocated_cache else ()
    return GraphOptions(
        prefill_chunk_tokens=chunk,
        cache_buckets_tokens=cache.buckets
        or tuple(tokens for tokens in allocated if tokens is not None)
        or _counts(stack.cache_buckets_tokens),
        verify_buckets_tokens=scenario.deployment.verify_buckets
        or _counts(stack.verify_buckets_tokens),
        causal_skip=stack.causal_skip,
        activation_bytes=soc.units[stack.unit].buffer.activation_bytes.value,
        fusion=scenario.deployment.fusion or stack.fusion,
        vision_overlap=stack.vision_overlap if overlap is None else overlap,
        routing_skew=scenario.deployment.routing_skew,
        pads_prefill=stack.prefill_chunk_tokens is not None,
        whole_head=bool(stack.whole_head),
    )


def draft(scenario: Scenario, target: Trace, stored: Formats) -> Draft:
    """Return what the deployment's speculation drafts with, priced in bytes and passes."""
    method = scenario.deployment.speculation
    size = decoder_size(target)
    drafter = trace_for(method.draft_model) if isinstance(method, ModelDraft) else None
    own = decoder_size(drafter) if drafter else None
    body = stored.weights.format_for("body")
    wanted = getattr(method, "weights", None)
    held = get_format(wanted) if wanted else body
    shares_head = not isinstance(method, ModelDraft) and not getattr(method, "draft_vocabulary", 0)
    return Draft(
        cost=method.draft_cost(size, own),
        body=held,
        head=stored.weights.format_for("lm_head") if shares_head else held,
        hidden=(own or size).hidden,
        is_tree=isinstance(method, Drafting) and (method.tree_nodes or 0) > method.depth,
    )


def budget_bytes(scenario: Scenario, soc: SocSpec) -> float:
    """Return what the app may occupy: as given, else the device's share less other apps' [B]."""
    given = scenario.environment.app_budget_bytes
    if given is not None:
        return float(given)
    others = [get_background(item.profile) for item in scenario.environment.schedule]
    held = max((profile.memory_bytes.value for profile in others if profile), default=0.0)
    left = soc.dram.capacity.value * soc.dram.app_fraction.value - held
    return cast(float, np.maximum(0.0, left)) if np.ndim(left) else max(0.0, left)


def _counts(parameters: Sequence[Parameter]) -> tuple[int, ...]:
    return tuple(int(parameter.value) for parameter in parameters)
