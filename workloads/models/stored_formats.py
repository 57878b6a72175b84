"""How a checkpoint stores its weights, from the ``quantization_config`` of its configuration.

GPTQ, AWQ, MLX, compressed-tensors, bitsandbytes, torchao, FP8, MXFP4 and BitNet are mapped to the
weight format of the layers; what they leave unquantised (LM head, embedding) takes the stack's
default, since a deployment converts it anyway. Not modelled: layers left out by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from workloads.errors import WorkloadError
from workloads.models.entry import text_part
from workloads.weight_formats import get_format

_KEYS = ("quantization_config", "quantization")


def stored_formats(entry: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return the weight format id per tensor class that the configuration states; often nothing.

    Raises `WorkloadError` where it states one that is not known.
    """
    stated = entry.get("stored_as")
    if isinstance(stated, Mapping):
        return {str(key): str(value) for key, value in stated.items()}
    quantised = next(
        (part[key] for part in (entry, text_part(entry)) for key in _KEYS if part.get(key)), None
    )
    if not isinstance(quantised, Mapping):
        return {}
    method = str(quantised.get("quant_method") or "mlx").lower()
    found = _format_of(method, quantised)
    if found is None:
        raise WorkloadError(
            f"{name}: quantization_config must be of a known method with its bits. Got {method!r}, "
            f"{dict(quantised)!s:.80}. Remedy: remove it and give deployment.weights."
        )
    return {"body": get_format(found).id}


def _format_of(method: str, stated: Mapping[str, Any]) -> str | None:
    if method in ("gptq", "awq", "auto-round", "autoround", "intel/auto-round", "mlx", "hqq"):
        return _grouped(stated.get("bits", stated.get("w_bit")), stated.get("group_size", 128))
    if method == "bitsandbytes" or "load_in_4bit" in stated:
        return "w4_g64" if stated.get("load_in_4bit") else "w8"
    if method in ("compressed-tensors", "compressed_tensors"):
        groups = stated.get("config_groups") or {}
        first: Any = next(iter(groups.values()), {}) if isinstance(groups, Mapping) else {}
        weights = first.get("weights") or {}
        return _grouped(weights.get("num_bits"), weights.get("group_size"))
    if method == "mxfp4":
        return "mxfp4"
    if method in ("fp8", "fbgemm_fp8", "finegrained_fp8"):
        return "w8"
    if method == "bitnet":
        return "bitnet"
    if method == "torchao":
        return _torchao(stated)
    return None


def _torchao(stated: Mapping[str, Any]) -> str | None:
    """Return the format of a torchao type: its last number of bits is that of the weights.

    The older form is ``int4_weight_only`` with its arguments beside it, the newer one the name of a
    configuration class with its fields below.
    """
    kind = stated.get("quant_type")
    named = kind if isinstance(kind, str) else str(_nested(kind, "_type"))
    bits = re.findall(r"(?:int|float|fp)(\d)", named.lower())
    return _grouped(int(bits[-1]), _nested(stated, "group_size")) if bits else None


def _nested(value: Any, key: str) -> Any:
    """Return the first value of a key in nested mappings; None where there is none."""
    if not isinstance(value, Mapping):
        return None
    if key in value:
        return value[key]
    return next((x for part in value.values() if (x := _nested(part, key)) is not None), None)


def _grouped(bits: object, group: object) -> str | None:
    if not isinstance(bits, int) or not 1 <= bits <= 16:
        return None
    grouped = isinstance(group, int) and group > 0 and bits < 8
    return f"w{bits}_g{group}" if grouped else f"w{bits}"
