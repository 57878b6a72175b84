"""Kernels that expand weights before they multiply, and attention at an efficiency of its own."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import numpy as np
import pytest

from hw_models.products import Products
from hw_models.provenance import Parameter
from hw_models.schema import Stack
from hw_models.soc import SocSpec, load_soc
from sim import Scenario, simulate
from sim.breakdown import EXPANDING, phase_terms
from sim.engine.unit_time import UnitTimes
from workloads.tasks import Task

PHONE = load_soc("_snapdragon_8_elite")
STACK = PHONE.stack("llamacpp_cpu")
ROWS, COLUMNS, DEPTH = 512, 3072, 2048
WEIGHTS_8B = 6.98e9
"""Weights of an 8B network's layers; the LM head multiplies the last token alone."""
PUBLISHED = (
    *(("q4_0", 114.63, 3.5, True), ("iq4_nl", 92.64, 3.5, True), ("q8_0", 54.54, 3.5, False)),
    *(("q5_0", 25.15, 3.5, False), ("q2_k_s", 33.02, 3.5, False), ("q3_k_s", 24.95, 3.5, False)),
    *(("q4_k_s", 43.3, 3.5, False), ("q5_k_s", 27.82, 3.5, False), ("q6_k", 26.73, 3.5, False)),
    *(("q4_1", 35.18, 3.5, False), ("q5_1", 23.33, 3.5, False), ("iq4_xs", 37.9, 3.5, False)),
    *(("iq2_xxs", 18.5, 3.5, False), ("iq3_s", 11.49, 3.5, False), ("q8_0", 160.03, 4.4, True)),
    *(("q8_0", 43.03, 4.4, False), ("q4_k", 98.37, 4.4, True), ("q4_k", 60.62, 4.4, False)),
    *(("q5_k", 83.1, 4.4, True), ("q5_k", 39.67, 4.4, False), ("q6_k", 94.97, 4.4, True)),
    *(("q6_k", 42.93, 4.4, False), ("q5_k", 69.97, 4.4, True), ("q5_k", 35.15, 4.4, False)),
    *(("q6_k", 94.76, 4.4, True), ("q6_k", 30.1, 4.4, False)),
)
"""Format, tokens/s of an 8B network on eight cores, their clock [GHz], and whether it is packed;
sources `llamacpp_formats` (M2 Max) and `llamacpp_repacking` (M4 Max) of the device files."""


def product(weight_format: str, rows: float = ROWS, kind: str = "linear") -> Task:
    weights = float(COLUMNS * DEPTH)
    task = Task.of(
        *("layer", kind, "cpu"),
        **{"steps": 1, "activations": "int8", "operand_bits": 8, "tensor_class": "body"},
        **{"batch": 1.0, "m": rows, "n": float(COLUMNS), "k": float(DEPTH)},
        **{"flops": 2.0 * rows * weights, "expanded_weights": weights},
    )
    return replace(task, weight_format=weight_format)


def seconds(soc: SocSpec, task: Task, phase: str = "prefill") -> float:
    return float(UnitTimes(soc, soc.stack("llamacpp_cpu")).busy_s(task, phase)[0])


def number(value: float) -> Parameter:
    return Parameter(value, "fraction", "assumed", "test", value, value)


@pytest.mark.parametrize(
    ("weight_format", "rows", "expansions"),
    [("q6_k", 512, 128), ("q6_k", 2, 1), ("q6_k", 1, 1), ("q3_k", 512, 512), ("q3_k", 1, 1)],
)
def test_a_product_is_multiplied_and_its_weights_expanded_once_per_rows_that_share_it(
    weight_format: str, rows: int, expansions: int
) -> None:
    cpu, products = PHONE.units["cpu"], STACK.products
    assert products is not None
    weights = COLUMNS * DEPTH
    multiply = (
        2 * rows * weights / (STACK.efficiency.prefill.value * cpu.matrix.rates["a8w8"].value)
    )
    pace = products.pace[weight_format].value * cpu.dequantise.rate.value
    expected = multiply + expansions * weights / pace
    assert seconds(PHONE, product(weight_format, rows)) == pytest.approx(expected, rel=1e-9)


def test_one_number_a_format_gives_the_published_rates_with_and_without_packing() -> None:
    """The core multiplies 33.5 weights a cycle by SDOT or SMMLA, seven tenths of its peak."""
    core, products = load_soc("_apple_m4").units["cpu"].cores["apple-p"], STACK.products
    assert products is not None
    errors = []
    for weight_format, measured, clock_ghz, packed in PUBLISHED:
        multiply = 1 / (0.7 * core.int8_per_cycle.value / 2)
        rows = products.rows.value if packed else 1.0
        pace = products.pace[weight_format].value * core.weights_per_cycle.value * rows
        cycles = WEIGHTS_8B / 8 * (multiply + 1 / pace)
        errors.append(abs(np.log(clock_ghz * 1e9 / cycles / measured)))
    assert median(errors) < 0.1
    assert max(errors) < 0.36


def test_nothing_is_packed_for_cores_without_dot_products_and_experts_come_row_by_row() -> None:
    products = STACK.products
    assert products is not None
    assert not load_soc("_bcm2711").units["cpu"].has_dot_products
    assert load_soc("_tensor_g1").units["cpu"].has_dot_products
    assert products.rows_of("q4_0", True, "linear") == 4.0
    assert products.rows_of("q4_0", False, "linear") == 1.0
    assert products.rows_of("q3_k", True, "linear") == 1.0
    assert products.rows_of("q4_0", True, "experts") == 1.0
    assert seconds(PHONE, product("q4_0", kind="experts")) > seconds(PHONE, product("q4_0"))


def test_a_decode_step_and_formats_of_no_known_pace_keep_their_efficiency() -> None:
    plain = replace(product("q3_k"), weight_format="")
    for task, phase in ((product("q3_k"), "decode"), (plain, "prefill")):
        assert UnitTimes(PHONE, STACK).expanding_s(task, phase) is None
    assert seconds(PHONE, product("q3_k"), "decode") == seconds(PHONE, plain, "decode")


IDEAL = load_soc("ideal_85gbps_50tflops")


def ideal(**entries: object) -> SocSpec:
    changed: Stack = IDEAL.stack().model_copy(update=entries)
    return IDEAL.model_copy(update={"stacks": {IDEAL.default_stack: changed}})


def asked(**deployment: object) -> Scenario:
    turns = [{"prompt_tokens": 600, "output_tokens": 2}]
    about = {"device": IDEAL.id, "model": "smollm2-135m", "session": {"turns": turns}}
    return Scenario.from_mapping({**about, "deployment": deployment})


def test_attention_at_a_tenth_of_the_efficiency_takes_ten_times_its_seconds_and_no_other() -> None:
    slow = ideal(attention_share=Parameter(0.1, "fraction", "assumed", "test", 0.1, 0.1))
    group = next(g for g in simulate(asked(), soc=IDEAL).program.groups if g.phase == "prefill")
    before, after = (UnitTimes(soc, soc.stack()) for soc in (IDEAL, slow))
    for task in (task for part in group.segments for task in part.tasks if task.flops.any()):
        unit = IDEAL.units[task.unit]
        times = 10.0 if task.kind == "attention" else 1.0
        one, other = (p._matrix_s(task, unit, "prefill") for p in (before, after))
        assert other == pytest.approx(times * one, rel=1e-9)
        assert after._matrix_s(task, unit, "decode") == pytest.approx(one, rel=1e-9)


@pytest.mark.parametrize("engine", ["event", "maxplus"])
def test_what_bounds_a_prompt_names_the_expansion_and_both_engines_agree(engine: str) -> None:
    pace = {"q6_k": number(1e-6)}
    soc = ideal(products=Products.model_construct(
        rows=number(4), unpacked_rows=number(1), packed=(), pace=pace
    ))  # fmt: skip
    result = simulate(asked(weights="q6_k"), soc=soc, engine=engine)
    terms = {term.name: term.seconds for term in phase_terms(result, "prefill")}
    assert terms[EXPANDING] == max(terms.values())
    other = simulate(asked(weights="q6_k"), soc=soc, engine="maxplus")
    assert result["prefill_s"] == pytest.approx(other["prefill_s"], rel=1e-9)
    assert EXPANDING not in {term.name for term in phase_terms(result, "decode")}
