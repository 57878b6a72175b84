"""With every optional law on at once: engines, draws and relations are what they were without."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hw_models.part import Part
from hw_models.soc import SocSpec, load_soc
from hw_models.tree import leaves
from sim import Scenario, simulate
from sim.explore.designs import SweepSpec
from sim.explore.draws import draw
from sim.explore.sweep_rows import evaluate
from sim.explore.variants import variant_metrics
from tests import random_scenarios
from tests.every_law import LAWS, NO_LAWS, device_with_every_law, file_with_every_law
from tests.random_questions import drawn
from tests.relations import RELATIONS

NAMED = {"units": "*", "stacks": "*"}
OF_SOME = ("stacks.*.prompt_graph.", "stacks.*.network.", "stacks.*.runs.", "stacks.*.fit.")
"""Parts whose own entries are not laws apart."""


def optional(part: type[Part], prefix: str = "") -> Iterator[str]:
    """Yield the entries that a device file may leave out, by path with ``*`` for a name."""
    for name, entry in part.model_fields.items():
        path = f"{prefix}{name}" + (".*" if name in NAMED and not prefix else "")
        inner = list(parts_of(entry.annotation))
        if not entry.is_required() and not (inner and path.endswith(".memory")):
            yield path
        for below in inner:
            yield from optional(below, f"{path}.")


def parts_of(annotation: typing.Any) -> Iterator[type[Part]]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from parts_of(argument)


def test_every_law_of_the_schema_is_switched_on_here():
    found = {path for path in optional(SocSpec) if not path.startswith(OF_SOME)}
    inside = {path for path in found if any(path.startswith(f"{name}.") for name in NO_LAWS)}
    assert found - inside == {*LAWS, *NO_LAWS}


@pytest.mark.parametrize("name", ["dimensity_9500", "apple_a19_pro", "ideal_85gbps_50tflops"])
def test_they_are_on(name):
    known = dict(leaves(device_with_every_law(name)))
    for path in LAWS:
        ending = path.split(".*.")[-1]
        assert any(key == path or key.endswith(ending) or ending in key for key in known), path
    assert load_soc(name) != device_with_every_law(name)


@pytest.mark.parametrize("number", [*range(8), 10, 34])
def test_engines_agree(number):
    """In the last two what runs changes between two readings of the mean power."""
    asked = random_scenarios.scenario(number)
    soc, scenario = device_with_every_law(asked["device"]), Scenario.from_mapping(asked)
    auto, event = (simulate(scenario, soc=soc, engine=engine) for engine in ("auto", "event"))
    assert auto["fits"] == event["fits"]
    for mine, theirs in zip(auto.groups, event.groups, strict=True):
        np.testing.assert_allclose(mine.ends_s, theirs.ends_s, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("number", [1, 2, 5, 11])
def test_draws_are_runs_of_their_own(number):
    asked = random_scenarios.scenario(number)
    soc = device_with_every_law(asked["device"])
    result = simulate(Scenario.from_mapping(asked), soc=soc)
    values = draw(result.soc, result.stack, 2, number)
    assert any("prompt_graph" in path for path in values)
    together = variant_metrics(result, values)
    for index in range(2):
        chosen = {path: float(column[index]) for path, column in values.items()}
        alone = simulate(result.scenario, soc=result.soc.with_values(chosen))
        for metric, expected in alone.summary().as_dict().items():
            value = np.nan if expected is None else float(expected)
            found = together[metric][index]
            assert found == pytest.approx(value, rel=1e-9, nan_ok=True), (index, metric)


@pytest.mark.parametrize("number", range(6))
def test_rows_of_a_sweep_are_runs_of_their_own(number, folder):
    """In one pass where graphs share their weights, one by one where they change in every turn."""
    base = random_scenarios.plain(number)
    soc = device_with_every_law(base["device"])
    if number % 2:
        stacks = {f"stacks.{name}.prompt_graph": None for name in soc.stacks}
        soc = soc.with_overrides(stacks)
    path = folder / f"swept_{number}.yaml"
    path.write_text(soc.to_yaml(), encoding="utf-8")
    turn = "session.turns.0."
    axes = {f"{turn}prompt_tokens": (90, 481), f"{turn}output_tokens": (1, 2, 37)}
    spec = SweepSpec(base={**base, "device": str(path)}, axes=axes)
    rows = evaluate(spec, 0, spec.points)
    for values, row in zip(spec.rows(0, spec.points), rows, strict=True):
        assert row["error"] is None
        alone = simulate(Scenario.from_mapping(spec.mapping(values)))
        for metric, expected in alone.metrics().items():
            value = np.nan if expected is None else float(expected)
            found = np.nan if row[metric] is None else float(row[metric])
            assert found == pytest.approx(value, rel=1e-9, nan_ok=True), (values, metric)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("devices")


@pytest.mark.parametrize("name", RELATIONS)
def test_relations_hold(name, folder):
    asked = drawn(100 + list(RELATIONS).index(name))
    device = file_with_every_law(asked["device"], folder)
    assert RELATIONS[name]({**asked, "device": device}) != "breaks"
