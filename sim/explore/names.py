"""Which names a setting of a scenario may take: what the registries hold, or the schema's words."""

from __future__ import annotations

from collections.abc import Callable

from hw_models.soc import SocSpec, list_socs
from workloads.kv_cache import KV_FORMAT_IDS
from workloads.scenario import Scenario
from workloads.schema_paths import words_at
from workloads.shipped_ids import model_ids
from workloads.weight_formats import catalogue

MODELS = ("model", "deployment.speculation.draft_model")
WEIGHTS = ("deployment.weights", "deployment.speculation.weights")


def names_of(path: str, device: Callable[[], SocSpec]) -> list[str]:
    """Return the names a setting may take, as YAML writes them; none where it takes a number.

    Parameters
    ----------
    device
        Returns the device of the scenario; it is asked only for names that a device has.
    """
    if path in MODELS:
        return model_ids()
    if path == "device":
        return list_socs()
    if path == "stack":
        return list(device().stacks)
    if path in WEIGHTS or path.startswith(f"{WEIGHTS[0]}."):
        return list(catalogue())
    if path == "deployment.kv_cache.dtype":
        return list(KV_FORMAT_IDS)
    return words_at(Scenario, path)
