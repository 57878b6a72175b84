"""Scenario + SocSpec -> Program: the stack's defaults fill what the deployment leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hw_models.provenance import Parameter
from hw_models.schema import Stack
from hw_models.soc import SocSpec
from workloads.catalogue import trace_for
from workloads.compiling import compile_session
from workloads.compression import WeightMap
from workloads.kv_cache import get_kv_format
from workloads.lowering import Formats, GraphOptions
from workloads.program import Program
from workloads.scenario import Scenario

ACTIVATION_BITS = {"int8": 8, "int16": 16, "fp16": 16, "bf16": 16, "fp32": 32}


@dataclass(frozen=True, slots=True)
class Plan:
    """What will run: the program, on which stack, within which budget."""

    program: Program
    stack: str
    budget_bytes: float
    warnings: tuple[str, ...]


def plan(scenario: Scenario, soc: SocSpec) -> Plan:
    """Return the plan of a scenario on a device."""
    name = scenario.stack or soc.default_stack
    stack = soc.stack(name)
    program = compile_session(
        trace_for(scenario.model),
        scenario.deployment,
        scenario.session,
        formats(scenario, stack),
        graph_options(scenario, soc, stack),
    )
    return Plan(program, name, _budget_bytes(scenario, soc), ())


def _budget_bytes(scenario: Scenario, soc: SocSpec) -> float:
    given = scenario.environment.app_budget_bytes
    if given is not None:
        return float(given)
    return soc.dram.capacity.value * soc.dram.app_fraction.value


def formats(scenario: Scenario, stack: Stack) -> Formats:
    """Return the storage formats: the deployment's where given, the stack's elsewhere."""
    deployment, defaults = scenario.deployment, stack.defaults
    activations = deployment.activations or defaults.activations
    weights = deployment.weights.completed(
        WeightMap(
            body=defaults.body,
            lm_head=defaults.lm_head,
            embedding=defaults.embedding,
            vision=defaults.vision,
        )
    )
    head, table = weights.format_for("lm_head"), weights.format_for("embedding")
    return Formats(
        weights=weights,
        activations=activations,
        activation_bits=ACTIVATION_BITS[activations],
        kv=get_kv_format(deployment.kv_cache.dtype or defaults.kv),
        unit=stack.unit,
        shared_table=stack.unit != "npu" and head.id == table.id,
    )


def graph_options(scenario: Scenario, soc: SocSpec, stack: Stack) -> GraphOptions:
    """Return what the stack's graph compiler does for this deployment."""
    chunk = scenario.deployment.prefill_chunk_tokens
    if chunk is None and stack.prefill_chunk_tokens is not None:
        chunk = int(stack.prefill_chunk_tokens.value)
    return GraphOptions(
        prefill_chunk_tokens=chunk,
        cache_buckets_tokens=scenario.deployment.kv_cache.buckets
        or _counts(stack.cache_buckets_tokens),
        causal_skip=stack.causal_skip,
        activation_bytes=soc.units[stack.unit].buffer.activation_bytes.value,
        fusion=scenario.deployment.fusion,
    )


def _counts(parameters: Sequence[Parameter]) -> tuple[int, ...]:
    return tuple(int(parameter.value) for parameter in parameters)
