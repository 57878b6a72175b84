"""Formats that a stack is not known to run are told in every answer, with those that are known."""

from __future__ import annotations

import json

import pytest

from hw_models.errors import HardwareError
from hw_models.soc import list_socs, load_soc
from sim import load_scenario, simulate
from sim.evidence.nearest import weights_judged
from sim.explore.designs import SweepSpec
from sim.explore.sweep_rows import evaluate
from sim.known_formats import unknown_formats
from sim.planning import formats
from workloads.catalogue import trace_for

TEXT = "session={turns: [{prompt_tokens: 16, output_tokens: 4}]}"
ASKED = ("model=andesvl-0.6b", TEXT)
UNKNOWN = "neuropilot is not known to run weights in w3: seconds and bytes are as if it did."


def warnings(*overrides: str) -> str:
    return "\n".join(simulate(load_scenario(None, (*ASKED, *overrides))).warnings)


@pytest.mark.parametrize("device", list_socs())
def test_the_defaults_of_every_stack_are_known_to_run_there(device):
    soc, asked = load_soc(device), load_scenario(None, ASKED)
    for name, stack in soc.stacks.items():
        stored, trace = formats(asked, soc, stack), trace_for(asked.model)
        assert not list(unknown_formats(soc, name, stack, stored, trace)), name


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("deployment.weights.body=w3",), [UNKNOWN, "w4, w8 (stacks.neuropilot.defaults)"]),
        (("deployment.weights.layers={0-3: w2}",), ["weights in w2:"]),
        (("deployment.kv_cache.dtype=int4",), ["a cache in int4:", "int8 (stacks", "int16 (Genio"]),
        (("deployment.activations=fp16",), ["activations in fp16:", "int16 (stacks"]),
        (
            ("stack=llamacpp_gpu", "deployment.weights.body=w8"),
            ["weights in w8:", "q8_0", "(measured rows, such as https://"],
        ),
        (
            ("stack=llamacpp_cpu", "deployment.weights.body=w8"),
            ["and 34 more (llama.cpp, types of ggml"],
        ),
    ],
)
def test_what_is_not_known_is_told_with_what_is_and_by_which_source(overrides, told):
    found = warnings(*overrides)
    assert all(part in found for part in told), found


@pytest.mark.parametrize(
    "overrides",
    [
        ("deployment.weights.body=w8",),  # the head's own format
        ("deployment.kv_cache.dtype=int16",),  # a document's
        ("stack=llamacpp_cpu", "deployment.weights.body=tq2_0"),
        ("stack=llamacpp_cpu", "deployment.kv_cache.dtype=q8_0+q4_0"),
        ("stack=llamacpp_gpu", "deployment.weights.body=q8_0"),  # measured
        ("stack=llamacpp_gpu", "deployment.weights=f16"),  # w16 by another name
        ("device=ideal_85gbps_50tflops", "deployment.weights.body=w3"),  # no real part
    ],
)
def test_what_is_known_is_not_told(overrides):
    assert "not known" not in warnings(*overrides)


def test_weights_of_another_unit_are_not_asked_of_the_stack():
    elsewhere = ("deployment.weights.lm_head=w16", "deployment.placement.lm_head=cpu")
    assert "w16" in warnings("deployment.weights.lm_head=w16")
    assert "w16" not in warnings(*elsewhere)


def test_rows_name_the_weights_that_were_measured_on_a_stack():
    assert weights_judged("cactus_cpu").keys() == {"w8"}
    assert weights_judged("no such stack") == {}


def test_a_source_that_the_device_does_not_list_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: dimensity_9500\nstacks: {neuropilot: {runs: {source: hearsay, kv: [int4]}}}\n"
    )
    with pytest.raises(HardwareError, match="must cite a source listed under sources"):
        load_soc(path)


def test_every_command_says_it(andesim, tmp_path):
    asked = [f"--set={one}" for one in (*ASKED, "deployment.weights.body=w3")]
    target = "--target=tokens_per_s>1"
    solved = json.loads(andesim("solve", "--largest=prompt=[16, 32]", *asked, "--json").out)
    sized = json.loads(andesim("size", target, *asked, "--json").out)
    assert UNKNOWN in solved["warnings"][0]
    assert UNKNOWN in sized["warnings"][0]
    assert UNKNOWN in andesim("solve", "--largest=prompt=[16, 32]", *asked).out
    assert UNKNOWN in andesim("report", *asked, "--uncertainty=0").out


def test_rows_of_a_sweep_warn_as_their_runs_do_and_say_what_ran():
    base = load_scenario(None, (*ASKED, "deployment.weights.body=w3"))
    axes = {
        "device": ("dimensity_9500", "snapdragon_8_elite"),
        "session.turns.0.prompt_tokens": (16, 64, 40_970),
    }
    spec = SweepSpec(base=base.model_dump(mode="json", exclude_defaults=True), axes=axes)
    rows = evaluate(spec, 0, spec.points)
    assert [row["stack"] for row in rows] == ["neuropilot"] * 3 + ["genie"] * 3
    for values, row in zip(spec.rows(0, spec.points), rows, strict=True):
        alone = simulate(load_scenario(None, ()).from_mapping(spec.mapping(values)))
        assert row["warnings"] == "\n".join(alone.warnings)
    assert ["positions" in row["warnings"] for row in rows] == [False, False, True] * 2
