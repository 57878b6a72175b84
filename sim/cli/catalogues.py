"""The catalogue commands: devices, models and weight formats with their provenance."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import typer

from sim.errors import SimError

Row = dict[str, Any]

STREAMED = ("body", "lm_head")
"""Classes that every decode step reads in full; embedding and vision are not."""

LONGEST_NUMBER = 6
"""Characters of a parameter; longer ones are rounded."""
MIXES = 12
"""Mixes that are listed."""


def device_rows(name: str | None) -> list[Row]:
    """Return the devices as plain data; only ``name``, an id or a device file, if given.

    Raises HardwareError for an id that is not known, and for a file that is at fault.
    """
    from hw_models.soc import catalogue, describe, load_soc

    return catalogue() if name is None else [describe(load_soc(name))]


def model_rows(name: str | None) -> list[Row]:
    """Return the models as plain data; of ``name``, an id or a path, all that its trace says.

    Raises WorkloadError for an id that is not in the catalogue, and for a file that is at fault.
    """
    from workloads.catalogue import list_models
    from workloads.model_facts import describe_model

    if name is None:
        return [asdict(card) for card in list_models()]
    return [asdict(describe_model(name))]


def network_rows() -> list[Row]:
    """Return the networks as plain data."""
    from workloads.networks import list_networks

    return [asdict(card) for card in list_networks()]


def show_model(row: Row) -> None:
    """Print one model, a line per fact."""
    for key, value in row.items():
        if isinstance(value, dict):
            value = ", ".join(f"{name}: {_cell(item)}" for name, item in value.items()) or "none"
        typer.echo(f"{key:26}{_cell(value)}")


def format_rows(name: str | None) -> list[Row]:
    """Return the weight formats as plain data; only ``name``, which a rule may spell, if given."""
    from workloads.weight_formats import catalogue, get_format

    found = catalogue().values() if name is None else [get_format(name)]
    return [{**item.row(), "formula": item.formula} for item in found]


def mix_rows(bits: float, model: str, fixed: Sequence[str]) -> list[Row]:
    """Return the mixes of body and LM head whose mean comes closest, nearest first.

    ``fixed`` holds entries such as ``lm_head=w8``; ``step_bytes`` is what a decode step reads of
    both. Raises SimError for bits out of reach and for other classes.
    """
    from workloads.catalogue import trace_for
    from workloads.compression import which_mix

    if not 0.0 < bits <= 32.0:
        raise SimError(f"--bpw must be above 0 and at most 32. Got {bits:g}.")
    wanted = _fixed_formats(fixed)
    counts = trace_for(model).parameters
    shares = {"body": counts["body"], "lm_head": counts.get("lm_head", counts["embedding"])}
    total = sum(shares.values())
    return [
        {**mix.formats, "bits": mix.bits, "step_bytes": mix.bits * total / 8}
        for mix in which_mix(bits, shares, _real_formats(), wanted, MIXES)
    ]


def _real_formats() -> list[str]:
    """Return one listed format for each number of bits; what-if formats are left out."""
    from workloads.weight_formats import catalogue

    real = [found for found in catalogue().values() if found.kind != "assumed"]
    return list({found.traffic_bits: found.id for found in reversed(real)}.values())


def _fixed_formats(fixed: Sequence[str]) -> dict[str, str]:
    from workloads.weight_formats import get_format

    pairs = {
        name.strip(): text.strip() for name, _, text in (item.partition("=") for item in fixed)
    }
    if not pairs.keys() <= set(STREAMED):
        raise SimError(f"--fix must be body=FORMAT or lm_head=FORMAT. Got {', '.join(fixed)}.")
    return {name: get_format(text).id for name, text in pairs.items()}


def show_mixes(bits: float, model: str, mixes: Sequence[Row]) -> None:
    """Print mixes as a table."""
    shown = [
        {
            "body": mix["body"],
            "lm_head": mix["lm_head"],
            "bits per weight": mix["bits"],
            "MB per step": mix["step_bytes"] / 1e6,
        }
        for mix in mixes
    ]
    show_rows(f"Mixes nearest to {bits:g} bits per weight of body and LM head, {model}", shown)


def scenario_rows() -> list[Row]:
    """Return id, device, model and description of each shipped scenario."""
    from itertools import takewhile

    from workloads.files import read_text
    from workloads.scenario import load_scenario, scenario_file, scenario_ids

    rows = []
    for scenario_id in scenario_ids():
        text, asked = read_text(scenario_file(scenario_id)), load_scenario(scenario_id)
        comment = takewhile(lambda line: line.startswith("#"), text.splitlines())
        about = " ".join(line.lstrip("# ") for line in comment)
        row = {"id": scenario_id, "device": asked.device, "model": asked.model, "about": about}
        rows.append(row)
    return rows


def show_rows(title: str, rows: Sequence[Row], wraps: bool = False) -> None:
    """Print rows as a table with a column per key, sources numbered and listed below it.

    Names in the first column are broken on a narrow screen only if it ``wraps``.
    """
    from sim.cli.tables import Column, make_console, print_table

    columns = []
    for index, (name, value) in enumerate(rows[0].items()):
        is_text = isinstance(value, str | bool)
        columns.append(
            Column(
                name.replace("_", " "),
                is_text and (wraps or index > 0),
                is_text and not wraps and index == 0,
            )
        )
    numbers: dict[str, int] = {}
    cells = []
    for row in rows:
        cited = {**row}
        if "source" in row:
            cited["source"] = f"({numbers.setdefault(row['source'], len(numbers) + 1)})"
        cells.append([_cell(value) for value in cited.values()])
    print_table(make_console(), title, columns, cells)
    for source, number in numbers.items():
        typer.echo(f"({number}) {source}")


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    return str(value)


def show_devices(rows: Sequence[Row], detailed: bool) -> None:
    """Print the devices, or every parameter of each."""
    if not detailed:
        listed = [
            {"id": row["id"], "chip": row["name"], "stacks": len(row["stacks"])} for row in rows
        ]
        show_rows("Devices", listed)
        typer.echo("`andesim devices ID` names the stacks of one, and each number's source.")
        return
    for row in rows:
        parameters = [
            {
                "parameter": path,
                "value": _quantity(item["value"], item["unit"]),
                "range": _range(item),
                "kind": item["kind"],
                "source": item["source"],
            }
            for path, item in row["parameters"].items()
        ]
        show_rows(row["id"], parameters, wraps=True)
        stacks = f"Stacks of {row['name']}: {', '.join(row['stacks'])}"
        typer.echo(textwrap.fill(stacks, shutil.get_terminal_size().columns))


def _quantity(value: float, unit: str) -> str:
    """Return a parameter's value, long numbers with four digits, its unit with a prefix."""
    from hw_models.units import format_quantity

    exact = format_quantity(value, unit)
    is_short = len(exact.partition(" ")[0]) <= LONGEST_NUMBER
    return exact if is_short else format_quantity(float(f"{value:.4g}"), unit)


def _range(item: Row) -> str:
    low, high = (_quantity(item[end], item["unit"]) for end in ("low", "high"))
    if low == high:
        return low
    first, _, unit = low.partition(" ")
    return f"{first if high.endswith(f' {unit}') else low} to {high}"
