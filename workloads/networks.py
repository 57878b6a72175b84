"""The networks that ship: encoders and convolutional networks, each one graph with one input size.

An entry (`workloads.models.encoders`) gives the configuration or the module, the input, and what is
published of it: parameters and multiply-accumulates. Their traces ship, so simulating needs no
PyTorch.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from workloads.files import read_yaml
from workloads.models.encoder_types import is_network
from workloads.models.entry import digest
from workloads.operators import cost
from workloads.shipped_ids import NETWORK_TRACES as FOLDER
from workloads.shipped_ids import network_ids
from workloads.trace import NETWORK, Trace
from workloads.trace_file import load_trace, save_trace

FILE = Path(__file__).parent / "models" / "networks" / "catalogue.yaml"
COUNTED = ("attention", "conv", "linear", "matmul")
"""Kinds whose multiply-accumulates published counts hold."""


@dataclass(frozen=True)
class NetworkCard:
    """What the catalogue says of one network.

    Arguments:
        id: the name scenarios use.
        parameters: all, from the trace.
        macs: multiply-accumulates of one inference, from the trace.
        input: shapes of its input.
        source: where the definition was read.
    """

    id: str
    parameters: int
    macs: int
    input: str
    source: str


def network_entry(network: str) -> dict[str, Any]:
    """Return the entry of a shipped network."""
    found: dict[str, Any] = dict(_entries()[network])
    return found


@cache
def _entries() -> Mapping[str, Any]:
    found: Mapping[str, Any] = read_yaml(FILE)
    return found


@cache
def shipped_network(network: str) -> Trace:
    """Return the trace of a shipped network."""
    return load_trace(FOLDER / f"{network}.json")


def list_networks() -> list[NetworkCard]:
    """Return a card for every shipped network."""
    return [_card(network) for network in network_ids()]


def _card(network: str) -> NetworkCard:
    entry, trace = _entries()[network], shipped_network(network)
    return NetworkCard(
        id=network,
        parameters=trace.total_parameters,
        macs=network_macs(trace),
        input=input_text(entry),
        source=entry["sources"][0],
    )


def input_text(entry: Mapping[str, Any]) -> str:
    """Return the shapes of an entry's input as text."""
    given = entry["input"]
    if isinstance(given, Mapping):
        return ", ".join(str(text) for text in given.values())
    return ", ".join(map(str, given)) if isinstance(given, list) else str(given)


def network_macs(trace: Trace) -> int:
    """Return the multiply-accumulates of one inference: convolutions, products, attention."""
    total = sum(
        repeat * int(cost(operator, {}).matmul_flops)
        for repeat, operator in trace.phases[NETWORK].operators()
        if operator.kind in COUNTED
    )
    return total // 2


def same_network(entry: Mapping[str, Any]) -> Trace | None:
    """Return the shipped trace of a network of the same content; none where there is none."""
    wanted = digest(entry)
    for network in network_ids() if is_network(entry) else ():
        trace = shipped_network(network)
        if trace.config_digest == wanted:
            return trace
    return None


def regenerate_networks(
    directory: str | os.PathLike[str] = FOLDER, networks: Iterable[str] | None = None
) -> None:
    """Capture shipped networks into a folder, with a manifest of what made them."""
    from workloads.models.encoders import capture_network
    from workloads.trace_manifest import write_manifest

    for network in networks or network_ids():
        save_trace(
            capture_network(network_entry(network), network), Path(directory) / f"{network}.json"
        )
    write_manifest(directory)
