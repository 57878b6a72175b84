"""The bill of DRAM: each class at the peak, the formula behind it, and the instant of the peak.

Formulas leave out what is below a per cent: scales per row, norms and biases.
"""

from __future__ import annotations

from typing import Any

from sim.graph_swaps import PROMPT_GRAPH
from sim.planning import deployed_trace, formats
from sim.results import Result
from workloads.graph import Formats
from workloads.layout import WeightFormat
from workloads.trace import NETWORK, Trace


def memory(result: Result) -> dict[str, Any]:
    """Return the bill of a run as plain data [B, s]."""
    peak, budget_bytes = result.ledger.peak, result.ledger.budget_bytes
    said = _formulas(result)
    held = sorted(peak.by_class.items(), key=lambda item: -item[1])
    return {
        "peak_bytes": peak.total_bytes,
        "peak_at_s": peak.at_s,
        "peak_cause": peak.cause,
        "budget_bytes": budget_bytes,
        "budget_formula": _budget_formula(result),
        "left_bytes": budget_bytes - peak.total_bytes,
        "beyond_budget_bytes": result.soc.dram.capacity.value - budget_bytes,
        "classes": [
            {"name": name, "bytes": size, "formula": said.get(name, "")}
            for name, size in held
            if size
        ],
        "end_s": result.makespan_s,
        "timeline": [
            {"at_s": item.at_s, "bytes": dict(item.by_class)} for item in result.ledger.timeline
        ],
    }


BESIDE_TENSORS = {
    "runtime": "what the stack's runtime holds besides tensors",
    "packed": "weights once more, in the order of the stack's kernels",
    "graph_buffers": "working memory of the graphs that are open",
    PROMPT_GRAPH: "weights of the graph for prompts, beside those of the one for tokens",
}
"""What stacks hold besides the model's tensors, in words."""


def _formulas(result: Result) -> dict[str, str]:
    scenario, deployment = result.scenario, result.scenario.deployment
    stack = result.soc.stack(result.stack)
    trace, stored = deployed_trace(scenario, stack), formats(scenario, result.soc, stack)
    lora = deployment.lora
    said = BESIDE_TENSORS | {
        "weights": _decoder(trace, stored),
        "vision": _size(trace.parameters.get("vision", 0), stored.weights.format_for("vision")),
        "kv_cache": _kv_cache(result, trace, stored),
        "activations": f"largest working set of a step, {stored.activations}",
        "draft": "draft weights and their KV cache",
        "adapters": f"adapters of rank {lora.rank} that stay resident" if lora else "",
    }
    if not stored.shared_table:
        table = trace.decoder.vocab * trace.decoder.hidden
        said["embedding"] = _size(table, stored.weights.format_for("embedding"))
    if result.mapped:
        said["weights"] += "; only what the rest leaves of the budget, the others stay in flash"
    return said


def _decoder(trace: Trace, stored: Formats) -> str:
    head = trace.decoder.vocab * trace.decoder.hidden
    body = f"body {_size(trace.parameters['body'], stored.weights.format_for('body'))}"
    if NETWORK in trace.phases:
        return body
    parts = (
        body,
        f"LM head {_size(head, stored.weights.format_for('lm_head'))}",
    )
    return " + ".join(parts)


def _size(parameters: int, held: WeightFormat) -> str:
    return f"{parameters / 1e6:.0f} M × {held.resident_bits:.4g} bits / 8 ({held.id})"


def _kv_cache(result: Result, trace: Trace, stored: Formats) -> str:
    conversations = len({turn.client for turn in result.session.turns})
    grows = not result.program.initial_bytes.get("kv_cache")
    upto = "up to " * grows
    parts = [
        f"{part.elements} elements × {stored.kv.bits:.4g} bits / 8 × {upto}"
        + (
            f"{result.program.kv_capacity_tokens} tokens"
            if part.window_tokens is None
            else f"a window of {part.window_tokens} tokens and one prefill step"
        )
        for part in trace.cache
    ]
    if states := result.program.image_states:
        parts.append(
            f"{trace.cross_elements} elements × {stored.kv.bits:.4g} bits / 8 × {upto}{states} "
            "states of images"
        )
    size = " + ".join(parts) + (
        f" + state {trace.state_bytes / 1e6:.3g} MB" * bool(trace.state_bytes)
    )
    many = f" × {conversations} conversations" if conversations > 1 else ""
    return f"{size}{many} ({stored.kv.id})"


def _budget_formula(result: Result) -> str:
    environment, dram = result.scenario.environment, result.soc.dram
    if environment.app_budget_bytes is not None:
        return "given"
    whole = f"{dram.capacity.value / 2**30:.4g} GiB × {dram.app_fraction.value:.4g}"
    return f"{whole}, less what other apps hold"
