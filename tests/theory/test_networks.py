"""The networks that ship: published parameters and operations, and what stacks answer."""

from __future__ import annotations

import pytest

import sim
from hw_models.soc import list_socs, load_soc
from workloads.networks import (
    FOLDER,
    network_entry,
    network_ids,
    network_macs,
    regenerate_networks,
    shipped_network,
)
from workloads.trace_file import load_trace
from workloads.trace_manifest import changed_traces


def answer(device: str, stack: str, network: str) -> tuple[float | None, str]:
    """Return the seconds of a call, or why a stack has none."""
    try:
        run = sim.simulate({"device": device, "stack": stack, "model": network, "network": {}})
    except ValueError as error:
        return None, str(error)
    return run["inference_s"], "must fit in memory" if run["inference_s"] is None else ""


CONVOLUTIONAL = [name for name in network_ids() if "module" in network_entry(name)]


@pytest.mark.parametrize("network", network_ids())
def test_parameters_and_operations_are_the_published_ones(network: str) -> None:
    entry, trace = network_entry(network), shipped_network(network)
    assert trace.total_parameters == entry.get("parameters", trace.total_parameters)
    if "macs" in entry:
        assert network_macs(trace) / 1e9 == pytest.approx(entry["macs"], abs=6e-4)


def test_more_than_ten_convolutional_networks_have_published_operations() -> None:
    published = [
        name for name in CONVOLUTIONAL if {"macs", "parameters"} <= set(network_entry(name))
    ]
    assert len(published) >= 10


def test_the_shipped_traces_are_those_of_the_manifest() -> None:
    assert changed_traces(FOLDER) == []
    assert sorted(file.stem for file in FOLDER.glob("*.json") if file.stem != "manifest") == (
        network_ids()
    )


def test_a_capture_now_gives_the_shipped_trace(tmp_path) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("torch")
    names = ["squeezenet", "distilbert-base-384"]
    regenerate_networks(tmp_path, names)
    for name in names:
        assert load_trace(tmp_path / f"{name}.json").phases == shipped_network(name).phases


@pytest.mark.long
@pytest.mark.parametrize("device", list_socs())
def test_every_stack_answers_every_network_or_says_why_not(device: str) -> None:
    silent = [
        (stack, network)
        for stack in load_soc(device).stacks
        for network in network_ids()
        for seconds, reason in [answer(device, stack, network)]
        if not (seconds or 0.0) > 0 and "must" not in reason
    ]
    assert silent == []


@pytest.mark.parametrize("device", list_socs()[::6])
def test_stacks_answer_networks_or_say_why_not(device: str) -> None:
    soc = load_soc(device)
    for place, stack in enumerate(list(soc.stacks)[::3]):
        network = network_ids()[(7 * place + len(device)) % len(network_ids())]
        seconds, reason = answer(device, stack, network)
        assert (seconds or 0.0) > 0 or "must" in reason
