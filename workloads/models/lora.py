"""LoRA adapters as a phone runs them: unmerged, A and B are inputs beside the frozen weight.

``y = W x + B (A x)``; the usual scale alpha / rank is folded into B when the adapter is exported.
"""

# mypy: disable-error-code="no-any-return"
# (calling a torch.nn.Module is typed as returning Any)

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor, nn
from torch.nn import functional

from workloads.errors import WorkloadError, did_you_mean


class LoraLinear(nn.Linear):
    """A linear layer with one adapter; the base weight keeps its name."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        device, dtype = base.weight.device, base.weight.dtype
        super().__init__(base.in_features, base.out_features, False, device="meta")
        self.weight, self.bias = base.weight, base.bias
        self.lora_A = nn.Linear(base.in_features, rank, False, device, dtype)
        self.lora_B = nn.Linear(rank, base.out_features, False, device, dtype)
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, input: Tensor) -> Tensor:
        """Map (..., in_features) to (..., out_features)."""
        base = functional.linear(input, self.weight, self.bias)
        return base + self.lora_B(self.lora_A(input))


def add_adapters(model: nn.Module, rank: int, targets: Collection[str]) -> None:
    """Replace every decoder linear layer whose name is in ``targets`` by one with an adapter.

    Raises `WorkloadError` for a target that is no linear layer of the decoder.
    """
    linears = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and ".layers." in name and name.startswith("model.")
    }
    names = {name.rpartition(".")[2] for name in linears}
    for target in set(targets) - names:
        hint = did_you_mean(target, names)
        raise WorkloadError(f"an adapter's target must be a linear layer. Got {target!r}. {hint}")
    for name, module in linears.items():
        parent, _, last = name.rpartition(".")
        if last in targets:
            adapted = LoraLinear(module, rank).requires_grad_(False)
            setattr(model.get_submodule(parent), last, adapted)
