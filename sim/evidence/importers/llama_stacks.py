"""Which of our stacks a run of llama.cpp used: the device that ran, and where its layers lay.

``backends`` lists what a build holds, ``dev`` what ran; a number of layers on the GPU below all of
them means two units in one step, which nobody here simulates.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

GPU: Final = ("cuda", "metal", "mtl", "vulkan", "opencl", "rocm", "hip", "sycl")
NPU: Final = ("htp", "hexagon")
CPU: Final = ("cpu", "blas", "none")
STACKS: Final = {
    **dict.fromkeys(GPU, "llamacpp_gpu"),
    **dict.fromkeys(NPU, "llamacpp_hexagon"),
    **dict.fromkeys(CPU, "llamacpp_cpu"),
}
ALL_LAYERS: Final = 99
"""What llama-bench and people give for "all layers"; no phone model has as many."""


class Placed(NamedTuple):
    """A stack, or why there is none; or why the row cannot be simulated."""

    stack: str
    doubt: str = ""
    refusal: str = ""


@lru_cache(maxsize=1024)
def placed(backends: str, device: str, layers: str, layers_of_model: int, decodes: bool) -> Placed:
    """Return the stack of a run.

    Parameters
    ----------
    backends, device
        What the build holds; what ran, "" or "auto" where the tool chose.
    layers
        Layers on the GPU as printed, "" where they do not stand.
    layers_of_model
        Of the decoder, to which llama.cpp adds the output layer; 0 where the model is open.
    decodes
        Without it the run is prefill, whose matrices a GPU takes even with no layer on it.

    >>> placed("OpenCL,HTP", "none", "99", 28, True).stack
    'llamacpp_cpu'
    """
    ran = device if device and device.lower() != "auto" else backends
    found = {stack for name, stack in STACKS.items() if _holds(ran, name)}
    unit = found - {"llamacpp_cpu"} or found
    if len(unit) > 1:
        return Placed("", f"backends {ran!r:.60} do not say which of them ran (dev).")
    if not unit or _open(ran):
        return Placed("", f"backend {ran!r:.60} does not settle a stack.")
    stack = unit.pop()
    wanted = int(layers) if re.fullmatch(r"\d+", layers) else ALL_LAYERS
    everything = layers_of_model + 1 if layers_of_model else ALL_LAYERS
    if stack == "llamacpp_cpu" or wanted < 0 or wanted >= min(ALL_LAYERS, everything):
        return Placed(stack)
    if wanted == 0 and decodes:
        return Placed("llamacpp_cpu")
    if wanted == 0:
        return Placed("", "no layer lies on the GPU, which yet may run prefill: stack left open.")
    if not layers_of_model:
        return Placed("", f"whether {wanted} layers (ngl) are all of them is open with the model.")
    said = f"{wanted} of {everything} layers ran on the GPU, the rest on the CPU (ngl)"
    return Placed("", refusal=f"{said}: layers on two units are not simulated.")


def _holds(text: str, name: str) -> bool:
    """Whether a list of devices such as ``GPUOpenCL`` or ``HTP0`` names a backend."""
    return any(
        part == name or re.fullmatch(rf"(?:gpu)?{name}\d*", part) is not None
        for part in re.split(r"[^a-z0-9]+", text.lower())
    )


def _open(text: str) -> bool:
    """Whether a backend stands there that could be anything: a remote machine, another library."""
    others = ("rpc", "kleidiai", "cann", "webgpu", "musa", "zdnn", "openvino")
    return any(name in re.split(r"[^a-z0-9]+", text.lower()) for name in others)
