"""Where memory ends a setting since the KV cache is rounded up to a compiled size."""

from __future__ import annotations

from typing import Any

from hw_models.soc import SocSpec
from sim.assumed import device_of
from sim.explore.limits import MEMORY
from sim.explore.solve import Limit
from sim.planning import graph_options, plan
from workloads.scenario import Scenario


def next_size(base: Scenario, limit: Limit, soc: SocSpec | None = None) -> str:
    """Return a sentence where a limit of memory is one of the sizes the cache is compiled for.

    Without a context given by hand the cache takes the smallest compiled size that holds the
    session. Where the first value beyond the limit takes a larger size than the limit does, a
    context between the two sizes may still fit. Empty elsewhere.
    """
    if limit.best is None or limit.beyond is None or limit.binding != MEMORY:
        return ""
    if base.deployment.kv_cache.capacity_tokens is not None:
        return ""
    within, sizes = _taken(base, limit, limit.best.value, soc)
    beyond, _ = _taken(base, limit, limit.beyond.value, soc)
    if beyond <= within or beyond not in sizes:
        return ""
    return (
        f"The cache's next compiled size is {beyond:,} tokens; a context given by hand, below it, "
        "may fit."
    )


def _taken(
    base: Scenario, limit: Limit, value: float, soc: SocSpec | None
) -> tuple[int, tuple[int, ...]]:
    """Return the tokens the cache is built for at a value, and the sizes that are compiled."""
    mapping: dict[str, Any] = base.model_dump(mode="json", exclude_defaults=True)
    asked = limit.scale.scenario(mapping, value)
    chip = device_of(asked, soc)
    planned = plan(asked, chip, to_run=True)
    sizes = graph_options(asked, chip, chip.stack(planned.stack)).cache_buckets_tokens
    return planned.program.kv_capacity_tokens, sizes
