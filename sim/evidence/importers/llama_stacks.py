"""Which of our stacks a run of llama.cpp used: the device that ran, and where its layers lay.

``backends`` lists what a build holds, ``dev`` what ran; a number of layers on the GPU below all of
them means two units in one step, which nobody here simulates. The same holds for a cache, experts
or single tensors that stay on the CPU.

Weights repacked for the CPU's product instructions make prefill 2.6 to 3.7 times as fast (see the
stack ``llamacpp_cpu_2024``): runs without them are of that stack. A memory map changes the first
run only, which llama.cpp's tools do not time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

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

REPACKING_BUILDS: Final = (4000, 4300)
"""Assumed: none before the first repacks (pull request 9921 of November 2024), every one from the
second on does unless told otherwise (10446 of December 2024)."""
REPACKED: Final = "llamacpp_cpu"
UNREPACKED: Final = "llamacpp_cpu_2024"
_OFFLINE: Final = ("q4_0_4_4", "q4_0_4_8", "q4_0_8_8")
"""File types that hold the repacked order already."""
_OFF: Final = ("0", "false", "off", "no", "disabled")
_ON: Final = ("1", "true", "on", "yes", "enabled")


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
    wanted = int(layers) if re.fullmatch(r"[0-9]{1,9}", layers) else ALL_LAYERS
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


def cache_types(keys: str, values: str) -> dict[str, str | None]:
    """Return the formats of keys and values in our words; values only where they differ.

    >>> cache_types("f16", "q8_0")
    {'kv_dtype': 'fp16', 'kv_value_dtype': 'q8_0'}
    """
    ours = {"f16": "fp16", "f32": "fp32"}
    mine, theirs = ours.get(keys, keys), ours.get(values, values)
    return {"kv_dtype": mine or None, "kv_value_dtype": theirs if theirs != mine else None}


def generation(stack: str, repack: str, build: int | None, weights: str) -> tuple[str, str]:
    """Return the stack of a run with or without repacked weights, and what to say of it.

    Parameters
    ----------
    repack
        As the source writes it, "" where it says nothing.
    build
        Number of the build.

    >>> generation("llamacpp_cpu", "0", None, "q4_0")[0]
    'llamacpp_cpu_2024'
    """
    if stack != REPACKED or weights in _OFFLINE:
        return stack, ""
    if repack.lower() in _OFF:
        return UNREPACKED, "weights were not repacked: judged as llama.cpp without such kernels."
    first, last = REPACKING_BUILDS
    if repack or build is None or build >= last:
        return stack, ""
    if build < first:
        return UNREPACKED, f"build {build} did not repack weights yet."
    return stack, f"whether build {build} repacked weights is open: judged as if it did."


def apart(stack: str, record: Mapping[str, Any]) -> str:
    """Return why a run on a GPU or an NPU had two units in one step; "" where it had one."""
    if stack in ("", REPACKED, UNREPACKED):
        return ""
    said = []
    if _is_on(record.get("no_kv_offload")):
        said.append("the cache stayed on the CPU (nkvo)")
    if str(record.get("n_cpu_moe") or "0") not in ("0", ""):
        said.append(f"experts of {record['n_cpu_moe']} layers stayed on the CPU (ncmoe)")
    if str(record.get("tensor_buft_overrides") or "none").lower() not in ("none", "0"):
        said.append("tensors were placed by hand (ot)")
    return f"{' and '.join(said)}: two units in one step are not simulated." if said else ""


def mapped(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a memory map of the weights means for a row that names one."""
    mode = str(record.get("load_mode") or "")
    if not mode and not _is_on(record.get("use_mmap")):
        return ()
    if mode and "mmap" not in mode:
        return ()
    return ("weights are mapped (mmap): judged warm, as after the tool's own warm-up run.",)


def flash_attention(value: object) -> str | None:
    """Return whether a setting keeps scores on chip: ``on``, ``off``, or none where it is open.

    >>> flash_attention("1"), flash_attention("disabled"), flash_attention("auto")
    ('on', 'off', None)
    """
    said = str(value).lower()
    return "on" if said in _ON else "off" if said in _OFF else None


def _is_on(value: object) -> bool:
    return str(value if value is not None else "0").lower() in _ON
