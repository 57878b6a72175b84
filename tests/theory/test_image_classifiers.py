"""Image classifiers of transformers become one graph: docs/models_breadth_classifiers.md."""

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


def _capture(model_type: str) -> Trace:
    from workloads.models.encoders import capture_default

    return capture_default(model_type)


def _types() -> list[str]:
    auto = pytest.importorskip("transformers.models.auto.modeling_auto")
    return list(auto.MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES)


@pytest.mark.torch
@pytest.mark.parametrize("model_type", SAMPLE)
def test_a_sample_of_image_classifiers_is_captured(model_type: str) -> None:
    pytest.importorskip("transformers")
    assert network_macs(_capture(model_type)) > 1e8


@pytest.mark.torch
@pytest.mark.long
def test_image_classifiers_are_captured_or_refused_for_a_known_reason() -> None:
    found: dict[str, str] = {}
    for model_type in _types():
        try:
            _capture(model_type)
        except WorkloadError as error:
            found[model_type] = str(error)
    assert set(found) == set(REFUSED)
    assert all(REFUSED[name] in said for name, said in found.items())
    assert len(_types()) - len(found) >= LEAST
