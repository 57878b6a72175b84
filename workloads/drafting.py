"""What a draft runs: its passes of each decode step, and the prompt where it keeps a cache of it.

A pass streams the draft's weights once, for one row or, where a tree is drafted, for as many nodes
as it expands at once. Where a method says so (``prefills``), the draft's layers run over every
chunk of the prompt behind the target's, into its own cache::

    FLOP of a chunk of T tokens that sees S = 2 T body + 4 heads d pairs(T, S)

with all query heads of all its layers, d wide each; its head is left out, since nothing is drafted
before the first token.

Not modelled: drafting and verification of the same session side by side on two units; activations
of a draft, which stay on the chip; arithmetic of attention in a pass; the choice of the best nodes,
which the host does within a step's overhead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workloads.attended import visible_pairs
from workloads.graph import Formats
from workloads.layout import WeightFormat
from workloads.operator_rules import SOFTMAX_OPERATIONS
from workloads.program import ProgramSegment
from workloads.speculation import DecoderSize, DraftCost
from workloads.tasks import Column, Task
from workloads.trace import Trace


def decoder_size(trace: Trace) -> DecoderSize:
    """Return the sizes draft costs depend on; the final norm is no part of a layer."""
    shape = trace.decoder
    return DecoderSize(
        hidden=shape.hidden,
        layers=shape.layers,
        layer_parameters=(trace.parameters["body"] - shape.hidden) // shape.layers,
        vocabulary=shape.vocab,
        kv_elements_per_layer=trace.kv_elements_per_token // shape.layers,
        q_heads=shape.q_heads,
        head_dim=shape.head_dim,
    )


@dataclass(frozen=True, slots=True)
class Draft:
    """What drafting adds to the steps of a deployment.

    Attributes
    ----------
    body, head
        Weight formats of the draft's layers and of the LM head it runs.
    """

    cost: DraftCost
    body: WeightFormat
    head: WeightFormat
    hidden: int
    is_tree: bool = False

    @property
    def resident_bytes(self) -> float:
        """Bytes of weights kept besides the target's [B]."""
        return self.cost.extra_parameters * self.body.resident_bits / 8

    @property
    def file_bytes(self) -> float:
        """Bytes of weights in flash besides the target's [B]."""
        return self.cost.extra_parameters * self.body.file_bits / 8

    def passes(
        self, formats: Formats, live: Column, committed: Column
    ) -> tuple[ProgramSegment, ...]:
        """Return the draft passes of each step, one graph call each; none where nothing runs.

        The first pass of a tree reads the tokens that were committed, the others the nodes that are
        expanded at once.
        """
        count, rows = self.cost.passes, float(self.cost.rows)
        if not count:
            return ()
        if rows == 1.0:
            return (self._pass("draft", formats, live, 1.0, count),)
        first = self._pass("draft", formats, live, committed, 1)
        return (first, self._pass("draft.tree", formats, live, rows, count - 1))[: 1 + (count > 1)]

    def prompt(
        self, formats: Formats, new: Column, context: Column, causal_skip: bool
    ) -> tuple[ProgramSegment, ...]:
        """Return what each chunk of a prompt runs in the draft; nothing where it does not prefill.

        Parameters
        ----------
        new, context
            Tokens of each chunk, and those it sees.
        """
        if not self.cost.prefills:
            return ()
        body = self._task(formats, "draft.body", self.cost.body_parameters, self.body, new, new)
        held = body, self._attention(formats, new, context, causal_skip)
        return (ProgramSegment("draft.prompt", 1, held, graph_call=True),)

    def needed_flops(self, tokens: int, context: int) -> float:
        """Return what tokens of a prompt need of the draft, padding left out [FLOP]."""
        if not self.cost.prefills:
            return 0.0
        linear = 2.0 * tokens * self.cost.body_parameters
        return linear + self._pair_flops * float(visible_pairs(tokens, context))

    @property
    def _pair_flops(self) -> float:
        """FLOP of both products of attention, of one query and one key in all heads."""
        return 4.0 * self.cost.heads * self.cost.head_dim

    def _pass(
        self, name: str, formats: Formats, live: Column, rows: Column | float, count: int
    ) -> ProgramSegment:
        cost, kv_bytes = self.cost, formats.kv.bytes_per_token(self.cost.kv_elements_per_token)
        body = self._task(formats, "draft.body", cost.body_parameters, self.body, live, rows)
        head = self._task(formats, "draft.head", cost.head_parameters, self.head, live, rows)
        written = rows * kv_bytes
        body = body.with_columns(kv_read_bytes=live * kv_bytes, kv_write_bytes=written)
        return ProgramSegment(name, count, (body, head), graph_call=True)

    def _task(
        self,
        formats: Formats,
        name: str,
        parameters: int,
        held: WeightFormat,
        live: Column,
        rows: Column | float,
    ) -> Task:
        columns = max(1, parameters // self.hidden)
        return Task.of(
            name,
            "linear",
            formats.unit_for("draft"),
            steps=live.shape[0],
            activations=formats.activations,
            operand_bits=held.compute_bits,
            tensor_class="draft",
            batch=1.0,
            m=rows,
            n=float(columns),
            k=float(self.hidden),
            flops=2.0 * parameters * rows,
            expanded_weights=float(parameters) if held.needs_expansion else 0.0,
            weight_bytes=parameters * held.traffic_bits / 8,
        )

    def _attention(self, formats: Formats, new: Column, context: Column, causal_skip: bool) -> Task:
        """Return attention of the draft's layers over a chunk, its cache read and written."""
        tokens, seen = new.astype(np.int64), context.astype(np.int64)
        pairs = np.asarray(visible_pairs(tokens, seen), dtype=np.float64)
        kv_bytes = formats.kv.bytes_per_token(self.cost.kv_elements_per_token)
        exponentials = self.cost.heads * pairs
        return Task.of(
            "draft.attention",
            "attention",
            formats.unit_for("draft"),
            steps=new.shape[0],
            activations=formats.activations,
            operand_bits=formats.kv.compute_bits,
            tensor_class="draft",
            batch=float(self.cost.heads),
            m=new,
            n=context,
            k=float(self.cost.head_dim),
            flops=self._pair_flops * (pairs if causal_skip else new * context),
            vector_ops=SOFTMAX_OPERATIONS * exponentials,
            exponentials=exponentials,
            kv_read_bytes=context * kv_bytes,
            kv_write_bytes=new * kv_bytes,
        )
