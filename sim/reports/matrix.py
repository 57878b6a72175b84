"""Several models on several phones, on one page: the table that a plan is made from.

    base: scenario.yaml          # what is asked; its own device, stack and model do not matter
    phones: [dimensity_9500, {device: snapdragon_8_elite, stack: llamacpp_cpu}]
    models: [andesvl-2b, andesvl-4b]
    targets: ["tokens_per_s>20", "time_to_first_token_s<2"]

Every pair is one run, judged as any run is: by draws of the device, at first and once it is warm. A
pair that cannot be simulated says why and costs no other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError, model_validator

from hw_models.errors import HardwareError
from sim.errors import SimError
from sim.explore.designs import with_base
from sim.explore.parts import Parts, beside, identity_of
from sim.explore.targets import Target
from sim.explore.uncertainty import sampled_metrics
from sim.output import write_text
from sim.packaging import versions
from sim.reports.conditions import conditions
from sim.reports.page import Cell, Code, Page, Paragraph, Section, Table
from sim.simulation import simulate
from sim.verdicts import MINUTES, judge
from sim.wording import label, shown
from workloads.errors import WorkloadError
from workloads.explain import sentences
from workloads.files import read_mapping
from workloads.scenario import DEFAULT, Scenario
from workloads.session import Strict

SCHEMA: Final = "andesim.matrix/1"
ALWAYS: Final = (
    "time_to_first_token_s",
    "tokens_per_s",
    "sustained_tokens_per_s",
    "peak_dram_bytes",
)
CLAIM: Final = "matrix.json"
"""Name of the file that says whose the kept pairs are."""
MOST: Final = 50
"""Most phones, and most models, of one page."""
Document = Mapping[str, Any]


class Phone(Strict):
    """A column: a device and the stack on it, its default one if none."""

    device: str
    stack: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, given: Any) -> Any:
        return {"device": given} if isinstance(given, str) else given

    def __str__(self) -> str:
        """Return device and stack."""
        return self.device if self.stack is None else f"{self.device}, {self.stack}"


class Matrix(Strict):
    """A matrix, complete.

    Attributes
    ----------
    base
        Scenario that every pair starts from: a mapping; in a file also the name of a scenario file
        beside it, or a shipped id.
    targets
        Bounds on metrics, as ``--target`` takes them.
    """

    base: Mapping[str, Any] = DEFAULT
    phones: Annotated[tuple[Phone, ...], Field(min_length=1, max_length=MOST)]
    models: Annotated[tuple[str, ...], Field(min_length=1, max_length=MOST)]
    targets: tuple[str, ...] = ()


def is_matrix(path: Path | None) -> bool:
    """Return whether a file is a matrix: it names phones or models, which no scenario does."""
    if path is None or not os.path.isfile(path):
        return False
    try:
        return not {"phones", "models"}.isdisjoint(read_mapping(path))
    except WorkloadError:
        return False


def read_matrix(path: Path) -> Matrix:
    """Return the matrix of a YAML file; `SimError` with all its faults."""
    try:
        return Matrix.model_validate(with_base(read_mapping(path), path))
    except ValidationError as error:
        faults = "\n  ".join(dict.fromkeys(map(str.lstrip, sentences(error, Matrix))))
        raise SimError(f"{path}:\n  {faults}") from None


def matrix_document(
    matrix: Matrix,
    targets: tuple[Target, ...] = (),
    draws: int = 0,
    minutes: int = MINUTES,
    seed: int = 0,
    command: str = "",
    on_pair: Callable[[int, int], object] = lambda *_: None,
    kept: Path | None = None,
) -> dict[str, Any]:
    """Return every pair's answer as plain data, models in the order of the file, then phones.

    Parameters
    ----------
    targets
        Bounds beside those of the matrix.
    draws
        Draws of each device behind the verdict; 0: the run alone is judged.
    on_pair
        Told how many pairs of all are done.
    kept
        File that the page will become. Pairs that are done lie beside it until it is written, and
        are read again by the same question.
    """
    asked = (*map(Target.parse, matrix.targets), *targets)
    base = Scenario.from_mapping({**matrix.base, "model": matrix.models[0]})
    return {
        "schema": SCHEMA,
        "andesim": versions()["andesim"],
        "conditions": conditions(base),
        "turns": len(base.session.turns),
        "targets": [str(target) for target in asked],
        "metrics": list(dict.fromkeys((*(one.metric for one in asked), *ALWAYS))),
        "draws": draws,
        "minutes": minutes,
        "seed": seed,
        "command": command,
        "phones": [str(phone) for phone in matrix.phones],
        "models": list(matrix.models),
        "cells": list(_cells(matrix, asked, (draws, seed, minutes), on_pair, kept)),
    }


def parts_of(
    matrix: Matrix, asked: tuple[Target, ...], how: tuple[int, int, int], path: Path
) -> Parts:
    """Return where the pairs of a matrix are kept until its page is written to a path."""
    question = repr((matrix.model_dump_json(), list(map(str, asked)), how))
    named = matrix.model_dump(mode="json")
    return Parts(beside(path), identity_of(question, (named,)), CLAIM)


def _cells(
    matrix: Matrix,
    asked: tuple[Target, ...],
    how: tuple[int, int, int],
    on_pair: Callable[[int, int], object],
    kept: Path | None,
) -> Iterator[dict[str, Any]]:
    """Yield the answer of each pair, those that are kept first looked up."""
    pairs = [(model, phone) for model in matrix.models for phone in matrix.phones]
    parts = parts_of(matrix, asked, how, kept) if kept else None
    if parts:
        parts.open()
    on_pair(0, len(pairs))
    for place, (model, phone) in enumerate(pairs):
        file = parts.folder / f"{place:04d}.json" if parts else None
        if file is not None and file.exists():
            cell = json.loads(file.read_text(encoding="utf-8"))
        else:
            cell = _cell(matrix, model, phone, asked, how)
            if file is not None:
                write_text(file, json.dumps(cell))
        on_pair(place + 1, len(pairs))
        yield cell


def _cell(
    matrix: Matrix, model: str, phone: Phone, asked: tuple[Target, ...], how: tuple[int, int, int]
) -> dict[str, Any]:
    """Return the answer of one pair, or why it has none."""
    draws, seed, minutes = how
    pair = {"model": model, "phone": str(phone)}
    given = {key: value for key, value in matrix.base.items() if key != "stack"}
    given |= {"device": phone.device, "model": model}
    if phone.stack is not None:
        given["stack"] = phone.stack
    try:
        result = simulate(Scenario.from_mapping(given), seed=seed)
        judged = judge(
            result, asked, sampled_metrics(result, draws, seed, minutes) if draws else None, minutes
        )
    except (WorkloadError, HardwareError, SimError) as error:
        return {**pair, "error": str(error), "status": None}
    return {
        **pair,
        "error": None,
        "stack": result.stack,
        "status": judged.status.value,
        "probability": judged.probability,
        "probability_sustained": judged.probability_sustained,
        "sentence": judged.sentence,
        "metrics": result.metrics(),
        "fingerprint": result.fingerprint,
        "warnings": list(result.warnings),
    }


def matrix_page(document: Document) -> Page:
    """Return the page of a matrix: the verdicts, a table for each metric, what is in the way."""
    passing = sum(cell["status"] == "PASS" for cell in document["cells"])
    phones, models = document["phones"], document["models"]
    metrics = tuple(_metric_section(document, metric) for metric in document["metrics"])
    return Page(
        title=f"{_counted(len(models), 'model')} on {_counted(len(phones), 'phone')}",
        subtitle=f"{', '.join(document['conditions'])}; andesim {document['andesim']}",
        verdict="",
        sentence=_summary(document, passing),
        status="",
        sections=(
            Section("Verdicts", (_table(document, _status_cell), Paragraph((_rule(document),)))),
            *metrics,
            Section("In the way", tuple(_in_the_way(document))),
            *_warned(document),
            Section("How to reproduce", (Code(document["command"]),)),
        ),
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _summary(document: Document, passing: int) -> str:
    pairs = _counted(len(document["cells"]), "pair")
    if not document["targets"]:
        return f"{passing} of {pairs} fit in memory; no target was asked for."
    return f"{passing} of {pairs} meet {', '.join(document['targets'])}."


def _rule(document: Document) -> str:
    later = f"in minute {document['minutes']} of decoding without a pause"
    if not document["draws"]:
        return f"Each run is judged on the device's own numbers, at first and {later}."
    return (
        f"Shares of {document['draws']} draws of the device that meet every target: at first, and "
        f"also {later}. PASS from 90 % on, FAIL up to 10 %, MARGINAL between, THROTTLES where only "
        "the first holds."
    )


def _table(document: Document, written: Any) -> Table:
    """Return a table of models by phones, each cell written by a function."""
    cells, columns = document["cells"], len(document["phones"])
    rows = tuple(
        (model, *(written(cell) for cell in cells[row * columns : (row + 1) * columns]))
        for row, model in enumerate(document["models"])
    )
    return Table(("model", *document["phones"]), rows)


def _status_cell(cell: Document) -> Cell:
    if cell["status"] is None:
        return "cannot be asked"
    first, later = cell["probability"], cell["probability_sustained"]
    return (f"{cell['status']}, ", shown("share", first), ", ", shown("share", later))


def _metric_section(document: Document, metric: str) -> Section:
    def written(cell: Document) -> Cell:
        return "" if cell["status"] is None else shown(metric, cell["metrics"][metric])

    return Section(label(metric), (_table(document, written),))


def _in_the_way(document: Document) -> Iterator[Paragraph]:
    """Yield what each pair misses that does not pass, and once why others cannot be asked."""
    missed = (cell for cell in document["cells"] if cell["status"] != "PASS")
    yield from _by_pairs((cell, cell["error"] or cell["sentence"]) for cell in missed)


def _warned(document: Document) -> Iterator[Section]:
    """Yield a section of what pairs warn of, where any does."""
    cells = document["cells"]
    said = [(cell, text) for cell in cells for text in cell.get("warnings", ())]
    if said:
        yield Section("Warnings", tuple(_by_pairs(said)))


def _by_pairs(said: Iterable[tuple[Document, str]]) -> Iterator[Paragraph]:
    """Yield each sentence once, behind the pairs that it holds of."""
    told: dict[str, list[str]] = {}
    for cell, text in said:
        told.setdefault(text, []).append(f"{cell['model']} on {cell['phone']}")
    for text, pairs in told.items():
        yield Paragraph((f"{'; '.join(pairs)}: {text}",))
