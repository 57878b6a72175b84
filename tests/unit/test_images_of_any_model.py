"""Any vision-language model answers for images by the rule of its family; text needs none of it."""

import importlib.util
import json
from pathlib import Path

import pytest

from sim import simulate
from workloads import catalogue
from workloads.encoded_images import encoded_image
from workloads.errors import WorkloadError
from workloads.files import read_text
from workloads.image_kinds import KINDS, read_rule
from workloads.model_facts import describe_model
from workloads.trace_file import load_trace, parse_trace

IMAGE = {"session.turns.0.images_px": [[1080, 2400]]}
SEEING = ["gemma3-4b", "internvl3-1b", "qwen2.5-vl-3b", "smolvlm2-500m"]


@pytest.mark.parametrize("model", SEEING)
def test_an_image_is_encoded_and_prefilled_by_the_models_own_rule(model):
    seen = simulate(set={"model": model, **IMAGE})
    blind = simulate(set={"model": model, "session.turns.0.images_px": []})
    expected = encoded_image(load_trace(model), (1080, 2400))
    assert seen["visual_tokens"] == expected.tokens
    assert seen["vision_encode_s"] > 0 == blind["visual_tokens"]
    assert seen["time_to_first_token_s"] > blind["time_to_first_token_s"]


def test_two_images_are_two_encodings():
    one = simulate(set={"model": "internvl3-1b", **IMAGE})
    two = simulate(set={"model": "internvl3-1b", "session.turns.0.images_px": [[1080, 2400]] * 2})
    assert two["visual_tokens"] == 2 * one["visual_tokens"]
    assert two["vision_encode_s"] == pytest.approx(2 * one["vision_encode_s"], rel=0.2)


def test_a_larger_image_is_more_work_where_resolution_is_native_and_none_where_it_is_fixed():
    def patches(model, sides):
        return encoded_image(load_trace(model), sides).patches

    assert patches("qwen2-vl-2b", (896, 896)) == 4 * patches("qwen2-vl-2b", (448, 448))
    assert patches("gemma3-4b", (896, 896)) == patches("gemma3-4b", (448, 448))


def test_the_rule_of_andesvl_is_not_one_of_other_models():
    with pytest.raises(ValueError, match=r"deployment\.images must be left out"):
        simulate(set={"model": "internvl3-1b", **IMAGE, "deployment.images.preprocessor": "ceil"})


def test_a_text_model_still_takes_no_image():
    with pytest.raises(ValueError, match="a text model"):
        simulate(set={"model": "qwen3-0.6b", **IMAGE})


def test_a_description_counts_visual_tokens():
    facts = describe_model("smolvlm2-500m")
    assert facts.vision == {
        "parameters": 98_229_504,
        "visual_tokens": {"448x448": 17 * 64, "1080x2400": 9 * 64},
    }
    assert describe_model("qwen3-0.6b").vision is None


def test_a_description_says_why_there_are_no_visual_tokens(tmp_path, monkeypatch):
    monkeypatch.setenv("ANDESIM_NO_CACHE", "1")
    entry = catalogue.get_entry("gemma3-4b")
    entry["text_config"] |= {"num_hidden_layers": 2, "layer_types": None}
    entry["vision_config"] |= {"num_hidden_layers": 1, "image_size": 224}  # 16 patches a side
    entry["mm_tokens_per_image"] = 1024  # as 32 x 32 tokens
    (tmp_path / "config.json").write_text(json.dumps(entry))
    seen = describe_model(str(tmp_path)).vision
    assert seen["visual_tokens"] == {}
    assert "vision tower could not be captured" in seen["no_images"]


def test_a_preprocessor_file_beside_the_configuration_overrules_the_rule(tmp_path, monkeypatch):
    monkeypatch.setenv("ANDESIM_NO_CACHE", "1")
    monkeypatch.setattr("workloads.capture.version", lambda: None)
    entry = catalogue.get_entry("qwen2-vl-2b")
    (tmp_path / "config.json").write_text(json.dumps(entry))
    own = catalogue.trace_for(tmp_path)
    settings = {"min_pixels": 3136, "max_pixels": 512 * 28 * 28}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    small = catalogue.trace_for(tmp_path)
    assert encoded_image(own, (1080, 2400)).tokens == 3354
    assert encoded_image(small, (1080, 2400)).tokens == 15 * 33
    assert small.phases == own.phases
    (tmp_path / "preprocessor_config.json").write_text('{"max_pixels": "many"}')
    with pytest.raises(WorkloadError, match="max_pixels must be a whole number"):
        catalogue.trace_for(tmp_path)


@pytest.mark.parametrize("model", SEEING)
def test_a_rule_is_read_as_it_was_written(model):
    rule = load_trace(model).image_rule
    assert read_rule(json.loads(json.dumps(rule.facts()))) == rule


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "squares"}, "a known image rule"),
        ({"patch_px": -1}, "whole number of at least 0"),
        ({"pixels": 3}, "pixels is not known"),
    ],
)
def test_a_rule_that_is_none_is_refused(change, said):
    rule = load_trace("qwen2-vl-2b").image_rule.facts()
    with pytest.raises(WorkloadError, match=said):
        read_rule({**rule, **change})
    trace = json.loads(read_text(Path(catalogue.TRACES) / "qwen2-vl-2b.json"))
    trace["image_rule"] = {**rule, **change}
    with pytest.raises(WorkloadError, match="image_rule"):
        parse_trace(json.dumps(trace))


def test_sides_that_no_image_has_are_refused():
    for sides in ((0, 5), (10, 10**7), (10, 4000)):
        with pytest.raises(WorkloadError):
            encoded_image(load_trace("internvl3-1b"), sides)


def test_every_kind_of_rule_is_on_the_page():
    path = Path(__file__).parents[2] / "docs" / "models_vision.py"
    spec = importlib.util.spec_from_file_location("models_vision", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = module.page()
    assert page == module.PAGE.read_text()
    assert all(f"| {kind} |" in page for kind in KINDS)


@pytest.mark.parametrize("model", ["llama-3.2-11b-vision", "ministral-3-vision-3b", "qwen3-vl-2b"])
def test_the_encoder_runs_on_the_unit_that_is_asked_for(model):
    asked = {"model": model, **IMAGE, "session.turns.0.output_tokens": 2}
    moved = simulate(set={**asked, "deployment.placement.vision": "cpu"})
    stays = simulate(set=asked)

    def units(run, phase):
        return {t.unit for g in run.program.groups if g.phase == phase for t, _ in g.tasks()}

    assert "cpu" in units(moved, "vision")
    assert units(moved, "decode") == units(stays, "decode")
    assert moved["vision_encode_s"] > stays["vision_encode_s"]
