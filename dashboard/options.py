"""What the choices may be: ids from the catalogues, the same for the sidebar and for links."""

from __future__ import annotations

from functools import cache

from dashboard.choices import BY_BITS, STACK_DEFAULT, WEIGHT_CLASSES, literal_options
from hw_models.soc import list_socs, load_soc
from workloads.catalogue import model_ids
from workloads.eviction_policies import EVICTION_POLICIES
from workloads.kv_cache import KV_FORMAT_IDS
from workloads.weight_formats import catalogue

WORDS = ("speculation", "background", "start")
"""Choices among a few words, which `Choices` lists itself."""


@cache
def options(device: str) -> dict[str, tuple[str, ...]]:
    """Return the options of each choice that has some, on a device.

    >>> options("ideal_85gbps_50tflops")["stack"]
    ('default', 'ideal')
    """
    formats = (STACK_DEFAULT, BY_BITS, *catalogue())
    return {
        "model": tuple(model_ids()),
        "device": tuple(list_socs()),
        "stack": stacks(device),
        **dict.fromkeys(WEIGHT_CLASSES, formats),
        "kv_dtype": (STACK_DEFAULT, *KV_FORMAT_IDS),
        "eviction": tuple(EVICTION_POLICIES.known()),
        **{name: literal_options(name) for name in WORDS},
    }


def stacks(device: str) -> tuple[str, ...]:
    """Return the stacks of a device, ``default`` first; of an unknown device only that."""
    known = load_soc(device).stacks if device in list_socs() else {}
    return (STACK_DEFAULT, *known)
