"""How many of the image classifiers of transformers become one graph, with class-default configs.

| of 42 types | |
|---|---|
| captured | 38 |
| a package that is not installed | dinat (natten), timm_wrapper (timm) |
| takes another input than an image of its own size | siglip2 (patches), perceiver (50,176 pixels) |
"""

from __future__ import annotations

import pytest

from workloads.errors import WorkloadError
from workloads.networks import network_macs
from workloads.trace import Trace

REFUSED = {
    "dinat": "natten",
    "perceiver": "Sizes of tensors",
    "siglip2": "reduction dim",
    "timm_wrapper": "timm",
}
SAMPLE = ("bit", "convnext", "levit", "resnet", "vit")
LEAST = 35


def _captured(model_type: str) -> Trace:
    """Return the trace of a type's default configuration, on its own input or 224 px."""
    from workloads.models.encoders import capture_network

    entry: dict[str, object] = {"model_type": model_type}
    try:
        return capture_network(entry, model_type)
    except WorkloadError as error:
        if "input must give" not in str(error):
            raise
    return capture_network({**entry, "input": "1x3x224x224"}, model_type)


def _types() -> list[str]:
    auto = pytest.importorskip("transformers.models.auto.modeling_auto")
    return list(auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES)


@pytest.mark.torch
@pytest.mark.parametrize("model_type", SAMPLE)
def test_a_sample_of_image_classifiers_is_captured(model_type: str) -> None:
    pytest.importorskip("transformers")
    assert network_macs(_captured(model_type)) > 1e8


@pytest.mark.torch
@pytest.mark.long
def test_image_classifiers_are_captured_or_refused_for_a_known_reason() -> None:
    found: dict[str, str] = {}
    for model_type in _types():
        try:
            _captured(model_type)
        except WorkloadError as error:
            found[model_type] = str(error)
    assert set(found) == set(REFUSED)
    assert all(REFUSED[name] in said for name, said in found.items())
    assert len(_types()) - len(found) >= LEAST
