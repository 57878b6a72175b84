"""What is handed upward: the report of `andesim report`, asked with the choices of the sidebar.

The page previews it; sections can be left out. What-if values reach it as a device file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from dashboard.choices import Choices
from dashboard.links import WHAT_IF_DEVICE, command_line, query
from dashboard.precomputed import SAMPLES
from dashboard.runs import device
from sim.analysis.reports.document import report_document
from sim.analysis.reports.files import write_report
from sim.analysis.reports.page import Page
from sim.analysis.reports.question import Question
from sim.analysis.reports.sections import sizing_page
from sim.analysis.sizing_targets import Target
from workloads.scenario import Scenario

ADDRESS: Final = "http://127.0.0.1:8501/"  # where `andesim dashboard` serves at first


def targets(choices: Choices) -> tuple[Target, ...]:
    """Return the targets of the sidebar as a report judges them."""
    rate = (Target("tokens_per_s", ">=", choices.least_tokens_per_s),)
    first = Target("time_to_first_token_s", "<=", choices.most_first_token_s)
    return (first, *(rate if choices.least_tokens_per_s else ()))


@lru_cache(maxsize=8)
def document(choices: Choices) -> dict[str, Any]:
    """Return everything the report says, ready for JSON."""
    with tempfile.TemporaryDirectory() as folder:
        mapping = choices.mapping()
        if choices.what_if:
            path = Path(folder) / WHAT_IF_DEVICE
            path.write_text(device(choices).to_yaml(), encoding="utf-8")
            mapping["device"] = str(path)
        question = Question(
            scenario=Scenario.from_mapping(mapping),
            targets=targets(choices),
            draws=SAMPLES,
            command=command_line(choices),
            link=ADDRESS + "?" + query(choices),
        )
        return report_document(question)


def page(choices: Choices) -> Page:
    """Return the report with all its sections."""
    return sizing_page(document(choices))


def shortened(whole: Page, titles: Collection[str]) -> Page:
    """Return a report with only the sections of some titles."""
    kept = tuple(section for section in whole.sections if section.title in titles)
    return replace(whole, sections=kept)


def file(choices: Choices, shown: Page, ending: str) -> bytes:
    """Return the report as a file of an ending: ``.html``, ``.pdf``, ``.md`` or ``.json``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"report{ending}"
        write_report(path, shown, document(choices))
        return path.read_bytes()
