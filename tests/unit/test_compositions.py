"""Models composed of parts: encoder, projector, language model, before anyone trains them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import sim
from workloads.catalogue import trace_for
from workloads.composed_models import shipped_composition
from workloads.composition import read_composition
from workloads.composition_parts import Projector, features_of, projected
from workloads.errors import WorkloadError
from workloads.networks import shipped_network
from workloads.shipped_ids import COMPOSITIONS, composition_ids

QWEN = "{vision: {model: mobilenet-v2}, projector: linear, language: qwen2.5-0.5b}"


@pytest.fixture
def composed(tmp_path: Path) -> str:
    file = tmp_path / "mine.yaml"
    file.write_text(QWEN)
    return str(file)


def test_an_encoder_ends_where_its_features_do() -> None:
    found = features_of(shipped_network("mobilenet-v2"), "mobilenet-v2")
    assert (found.tokens, found.channels) == (7 * 7, 1280)
    tower = features_of(shipped_network("vit-b-16-224"), "vit-b-16-224")
    assert (tower.tokens, tower.channels) == (14 * 14, 768)  # the class token is no place
    assert features_of(shipped_network("swin-t-224"), "swin-t-224").tokens == 7 * 7


@pytest.mark.parametrize(
    ("given", "tokens", "products"),
    [
        ("linear", 196, [(196, 768, 1024)]),
        ({"kind": "mlp", "layers": 2}, 196, [(196, 768, 1024), (196, 1024, 1024)]),
        ({"pool": 2}, 49, [(49, 768, 1024)]),
    ],
)
def test_a_projector_maps_features_to_the_decoders_width(given, tokens, products) -> None:  # type: ignore[no-untyped-def]
    from workloads.operators import cost

    tower = features_of(shipped_network("vit-b-16-224"), "vit-b-16-224")
    operators, made = projected(Projector.model_validate(given), tower, 1024)
    flops = sum(int(cost(operator, {}).matmul_flops) for operator in operators)
    assert made == tokens
    assert flops == sum(2 * math.prod(sizes) for sizes in products)


def test_a_resampler_makes_as_many_tokens_as_it_has_queries() -> None:
    tower = features_of(shipped_network("vit-b-16-224"), "vit-b-16-224")
    asked = Projector.model_validate({"resampler": {"queries": 64}})
    operators, made = projected(asked, tower, 1024)
    assert made == 64
    assert [operator.kind for operator in operators].count("attention") == 1


def test_a_composition_has_the_weights_of_its_parts(composed: str) -> None:
    trace, decoder = trace_for(composed), trace_for("qwen2.5-0.5b")
    body = shipped_network("mobilenet-v2").total_parameters - 1280 * 1000 - 1000
    norms = trace.parameters["vision"] - (896 * 1280 + 896)
    assert body * 0.98 < norms <= body  # batch norms are part of the convolutions
    assert trace.total_parameters - trace.parameters["vision"] == decoder.total_parameters


def test_images_become_the_tokens_of_the_square(composed: str) -> None:
    turn = {"images_px": [[1080, 2400], [448, 448]], "prompt_tokens": 8, "output_tokens": 4}
    run = sim.simulate(
        {"device": "dimensity_9500", "model": composed, "session": {"turns": [turn]}}
    )
    assert run["visual_tokens"] == 2 * 49
    assert 0 < run["vision_encode_s"] < run["time_to_first_token_s"]
    text = {**turn, "images_px": []}
    plain = sim.simulate(
        {"device": "dimensity_9500", "model": composed, "session": {"turns": [text]}}
    )
    assert plain["tokens_per_s"] == pytest.approx(run["tokens_per_s"], rel=0.05)


@pytest.mark.parametrize("name", composition_ids())
def test_shipped_compositions_say_that_they_are_guesses(name: str) -> None:
    from workloads.files import read_yaml

    asked = read_composition(read_yaml(COMPOSITIONS / f"{name}.yaml"), name)
    assert "No such model is published" in asked.guess
    assert "guess" in name
    assert shipped_composition(name).image_rule is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{vision: {model: qwen3-0.6b}, language: qwen3-0.6b}", "must be a network"),
        ("{vision: {model: resnet50}, language: resnet18}", "must be a language model"),
        ("{vision: {model: resnet51}, language: qwen3-0.6b}", "resnet50"),
        ("{vision: {model: resnet50}, projector: lineal, language: qwen3-0.6b}", "projector"),
        ("{vision: {model: resnet50}, language: {layers: 2}}", "language"),
        ("{vision: {model: resnet50}, projector: {pool: 9}, language: qwen3-0.6b}", "at most 7"),
    ],
)
def test_faults_of_a_composition_are_sentences(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(WorkloadError, match=said):
        trace_for(str(file))
