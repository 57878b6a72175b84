"""Vision towers that are networks of timm: what is said without it, and what it needs here."""

import sys
from importlib.util import find_spec

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.more_vision_families import TIMM_FAMILIES
from workloads.capture import capture_entry, made_by
from workloads.models.torchvision_names import NAMED, import_torchvision

pytestmark = pytest.mark.torch

FASTVLM = TIMM_FAMILIES["fixed_fast_vlm"]
HALF_INSTALLED = """
from torch import library
for name in {names!r}:
    library.register_fake(f"torchvision::{{name}}", lambda *given: None)
"""


@pytest.mark.skipif(find_spec("timm") is not None, reason="timm is installed")
def test_without_timm_the_packages_are_named():
    trace = capture_entry(FASTVLM, "fast")
    assert trace.no_images == (
        "whose vision tower is one of timm, which is not installed: "
        "pip install '.[timm]' in andesim's folder"
    )
    assert "timm" not in made_by()


def test_with_timm_the_tower_is_captured():
    import_torchvision()
    pytest.importorskip("timm")
    trace = capture_entry(FASTVLM, "fast")
    assert not trace.no_images
    assert trace.image_rule.encode(1080, 2400).tokens == 256
    assert "-timm" in made_by()


def test_a_torchvision_whose_library_does_not_load_is_imported(tmp_path, monkeypatch):
    if find_spec("torchvision") is not None:
        pytest.skip("torchvision is installed")
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(HALF_INSTALLED.format(names=NAMED))
    monkeypatch.syspath_prepend(tmp_path)
    try:
        with pytest.raises(RuntimeError, match="does not exist"):
            import torchvision  # noqa: F401
        import_torchvision()
        assert "torchvision" in sys.modules
    finally:
        sys.modules.pop("torchvision", None)
