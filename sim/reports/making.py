"""From what the command line names to a document and its page."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from sim.errors import SimError
from sim.explore.targets import Target
from sim.reports.document import report_document
from sim.reports.matrix import is_matrix, matrix_document, matrix_page, read_matrix
from sim.reports.page import Page
from sim.reports.question import command_line, read_question
from sim.reports.sections import sizing_page
from sim.reports.validation_report import read_validation, validation_page
from sim.verdicts import MINUTES

VALIDATION: Final = "validation.json"


def make_report(
    path: Path | None,
    targets: Sequence[Target] = (),
    draws: int = 0,
    seed: int | None = None,
    overrides: Sequence[str] = (),
    minutes: int = MINUTES,
    on_step: Callable[[str], object] = lambda _: None,
    baseline: Path | None = None,
    on_pair: Callable[[int, int], object] = lambda *_: None,
    kept: Path | None = None,
) -> tuple[dict[str, Any], Page]:
    """Return the document and the page of a scenario, a result or validation folder, or a matrix.

    Parameters
    ----------
    on_step, on_pair
        Told what a report does now, and how many pairs of a matrix are done.
    kept
        File that the page of a matrix will become, beside which pairs are kept; none: nowhere.

    Raises SimError for targets or overrides of a validation, which is not simulated again, and for
    overrides of a matrix, whose base says what is asked.
    """
    if baseline is not None and path is not None and _compares(path):
        raise SimError(f"--baseline must go with a scenario. Got {path}.")
    if path is not None and is_matrix(path):
        if overrides:
            raise SimError(
                f"--set must go with a scenario. Got the matrix {path}. Change its base."
            )
        command = command_line(path, targets, draws, seed or 0, (), minutes)
        found = matrix_document(
            read_matrix(path), tuple(targets), draws, minutes, seed or 0, command, on_pair, kept
        )
        return found, matrix_page(found)
    if path is not None and os.path.isfile(path / VALIDATION):
        if targets or overrides:
            raise SimError(
                f"--target and --set must go with a scenario. Got the validation {path}."
            )
        judged = read_validation(path / VALIDATION)
        return judged, validation_page(judged)
    question = read_question(path, targets, draws, seed, overrides, minutes, baseline)
    document = report_document(question, on_step)
    return document, sizing_page(document)


def _compares(path: Path) -> bool:
    """Return whether a path is a matrix or a validation, which hold comparisons of their own."""
    return is_matrix(path) or os.path.isfile(path / VALIDATION)
