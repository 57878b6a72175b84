"""What the choices may be, the same for the sidebar and for links: what the registries hold.

Not offered: draft methods that need more than a depth and an acceptance, such as the name of a
draft model; a scenario file holds those.
"""

from __future__ import annotations

from functools import cache
from typing import get_args

from dashboard import own
from dashboard.choices import BY_BITS, STACK_DEFAULT, WEIGHT_CLASSES
from hw_models.soc import list_socs, load_soc
from workloads.background import BackgroundId
from workloads.eviction_policies import EVICTION_POLICIES
from workloads.kv_cache import KV_FORMAT_IDS
from workloads.scenario import Environment
from workloads.shipped_ids import model_ids
from workloads.speculation import DRAFT_METHODS
from workloads.weight_formats import catalogue

DRAFTING = ("method", "depth", "acceptance")
"""What the sidebar says of a draft method."""


def options(device: str) -> dict[str, tuple[str, ...]]:
    """Return the options of each choice that has some, on a device; files that were brought too.

    >>> options("ideal_85gbps_50tflops")["stack"]
    ('default', 'ideal')
    """
    shipped = _shipped()
    return shipped | {
        "model": (*shipped["model"], *own.ids("model")),
        "device": (*shipped["device"], *own.ids("device")),
        "stack": stacks(device),
    }


@cache
def _shipped() -> dict[str, tuple[str, ...]]:
    formats = (STACK_DEFAULT, BY_BITS, *catalogue())
    return {
        "model": tuple(model_ids()),
        "device": tuple(list_socs()),
        **dict.fromkeys(WEIGHT_CLASSES, formats),
        "kv_dtype": (STACK_DEFAULT, *KV_FORMAT_IDS),
        "eviction": tuple(EVICTION_POLICIES.known()),
        "speculation": draft_methods(),
        "background": get_args(BackgroundId),
        "start": get_args(Environment.model_fields["start"].annotation),
    }


def draft_methods() -> tuple[str, ...]:
    """Return the draft methods that need nothing the sidebar does not say."""
    return tuple(
        name
        for name, method in DRAFT_METHODS.known().items()
        if all(key in DRAFTING for key, field in method.model_fields.items() if field.is_required())
    )


def stacks(device: str) -> tuple[str, ...]:
    """Return the stacks of a device, ``default`` first; of an unknown device only that."""
    is_known = device in _shipped()["device"] or own.is_own(device)
    known = load_soc(own.place(device)).stacks if is_known else {}
    return (STACK_DEFAULT, *known)
