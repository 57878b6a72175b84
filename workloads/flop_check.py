"""Count the matrix FLOP of AndesVL four ways, which must agree to the last digit.

========  ======================================================================================
trace     this package's formulas on the shipped trace
fvcore    ``FlopCountAnalysis`` with a handler for attention, which it lacks; MACs, so doubled;
          without the vector operations it counts for LayerNorm
torch     ``FlopCounterMode`` on ``meta``, where attention arrives as its two products
closed    the closed form of the architecture, from the configuration alone
========  ======================================================================================

``python -m workloads.flop_check`` prints the table. Attention counts the full rectangle of queries
and keys, as the counters do; norms, rotary positions and softmax are not matrix operations.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from workloads.catalogue import get_model
from workloads.models.config import ModelConfig
from workloads.operators import cost
from workloads.trace import PHASES, Phase
from workloads.trace_file import load_trace

if TYPE_CHECKING:
    from torch import Tensor, nn

MODELS = ("andesvl-0.6b", "andesvl-1b", "andesvl-2b", "andesvl-4b")
SIZES: Mapping[str, Mapping[str, int]] = {
    "vision": {"N": 1024},
    "prefill": {"T": 320, "S": 320},
    "decode": {"T": 3, "S": 1024},
}


@dataclass(frozen=True)
class FlopCounts:
    """Matrix FLOP of one phase by each of the four ways."""

    trace: int
    fvcore: int
    torch: int
    closed: int

    @property
    def agree(self) -> bool:
        """All four are equal."""
        return len(set(astuple(self))) == 1


def check(model: str, phase: str, sizes: Mapping[str, int] | None = None) -> FlopCounts:
    """Count one phase of one model four ways; needs PyTorch and fvcore.

    Arguments:
        model: catalogue id.
        phase: vision, prefill or decode.
        sizes: N for vision, T and S for prefill and decode; None: `SIZES`.
    """
    sizes = SIZES[phase] if sizes is None else sizes
    config = get_model(model)
    module, argument = phase_module(config, phase, sizes)
    return FlopCounts(
        trace=phase_flops(load_trace(model).phases[phase], sizes),
        fvcore=_fvcore_flops(module, argument),
        torch=_torch_flops(module, argument),
        closed=closed_form_flops(config, phase, sizes),
    )


def phase_flops(phase: Phase, sizes: Mapping[str, int]) -> int:
    """Return the matrix FLOP of a phase of a trace."""
    return sum(
        int(repeat * cost(operator, sizes).matmul_flops) for repeat, operator in phase.operators()
    )


def closed_form_flops(config: ModelConfig, phase: str, sizes: Mapping[str, int]) -> int:
    """Return the matrix FLOP that the architecture implies.

    Decoder of L layers, T new tokens at context S, logits of R tokens, h hidden, n_q and n_kv
    heads of d, I intermediate, V vocabulary::

        2*T*L*(h*(n_q + 2*n_kv)*d + n_q*d*h + 3*h*I) + 4*L*T*S*n_q*d + 2*R*h*V

    Vision of N patches of side p, v hidden, m = 3 (gated) or 2 matrices in the MLP::

        2*N*(L*(4*v*v + m*v*I) + 3*p*p*v) + 4*L*N*N*v + 2*(N/4)*((4*v)*(4*v) + 4*v*h)
    """
    decoder, vision = config.decoder, config.vision
    if phase == "vision" and vision is not None:
        patches, width, cell = sizes["N"], vision.hidden, vision.merge**2
        matrices = 3 if vision.family == "aimv2" else 2
        layer = 4 * width * width + matrices * width * vision.intermediate
        linear = patches * (vision.layers * layer + 3 * vision.patch_px**2 * width)
        attention = 2 * vision.layers * patches * patches * width
        projector = patches // cell * cell * width * (cell * width + decoder.hidden)
        return 2 * (linear + attention + projector)
    new, context = sizes["T"], sizes["S"]
    q_width, kv_width = (n * decoder.head_dim for n in (decoder.q_heads, decoder.kv_heads))
    layer = decoder.hidden * (2 * q_width + 2 * kv_width + 3 * decoder.intermediate)
    logits = decoder.hidden * decoder.vocab * (1 if phase == "prefill" else new)
    attention = 2 * decoder.layers * new * context * q_width
    return 2 * (new * decoder.layers * layer + attention + logits)


def phase_module(
    config: ModelConfig, phase: str, sizes: Mapping[str, int]
) -> tuple[nn.Module, Tensor]:
    """Return a module on ``meta`` whose forward call is one phase at ``sizes``, and its argument.

    Its tensors are no inference tensors, which fvcore's tracer could not write to.
    """
    import torch

    from workloads.models.andesvl import TextPhase, VisionPhase, build

    model = build(config)
    if phase == "vision" and config.vision is not None:
        patches, side = sizes["N"], config.vision.patch_px
        rows = _even_divisor(patches)
        pixels = torch.zeros((patches, 3, side, side), device="meta", dtype=torch.bfloat16)
        return VisionPhase(model, model.vision.grid(rows, patches // rows)), pixels
    new, context = sizes["T"], sizes["S"]
    ids = torch.zeros(new, dtype=torch.long, device="meta")
    span = model.model.span(context - new, new)
    return TextPhase(model, model.cache(context), span, last_only=phase == "prefill"), ids


def _even_divisor(patches: int) -> int:
    """Return the rows of the grid nearest to a square that whole cells can fill."""
    cells = patches // 4
    return 2 * max(n for n in range(1, math.isqrt(cells) + 1) if cells % n == 0)


def _fvcore_flops(module: nn.Module, argument: Tensor) -> int:
    import torch
    from fvcore.nn.flop_count import FlopCountAnalysis
    from fvcore.nn.jit_handles import get_shape

    def attention(inputs: list[Any], outputs: list[Any]) -> int:
        query, key, value = (get_shape(tensor) or [] for tensor in inputs[:3])
        return int(math.prod(query[:-1]) * key[-2] * (query[-1] + value[-1]))

    analysis = FlopCountAnalysis(module, argument)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.tracer_warnings("none")
    analysis.set_op_handle("aten::scaled_dot_product_attention", attention)
    analysis.set_op_handle("aten::layer_norm", lambda inputs, outputs: 0)
    logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)
    with torch.no_grad():
        return 2 * int(analysis.total())


def _torch_flops(module: nn.Module, argument: Tensor) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(argument)
    return int(counter.get_total_flops())


def main() -> None:
    """Print the table, a row per model and phase."""
    print(f"{'model':14}{'phase':9}{'trace':>20}{'fvcore':>20}{'torch':>20}{'closed':>20}  agree")
    for model in MODELS:
        for phase in PHASES:
            counts = check(model, phase)
            row = "".join(f"{count:>20,}" for count in astuple(counts))
            print(f"{model:14}{phase:9}{row}  {'yes' if counts.agree else 'NO'}")


if __name__ == "__main__":
    main()
