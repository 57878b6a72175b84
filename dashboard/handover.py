"""What is handed upward: the report of `andesim report`, asked with the choices of the sidebar.

The page previews it; sections can be left out. A pinned baseline reaches it as the scenario that
`andesim report --baseline` takes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from dashboard import own
from dashboard.choices import Choices
from dashboard.links import BASELINE_FILE, overrides, query
from dashboard.runs import targets
from sim.cli.dashboarding import FIRST_PORT, HOST
from sim.reports.document import STEPS, report_steps
from sim.reports.files import write_report
from sim.reports.page import Page
from sim.reports.question import Question, command_line
from sim.verdicts import DRAWS
from workloads.scenario import Scenario

ADDRESS: Final = f"http://{HOST}:{FIRST_PORT}/"
"""Where `andesim dashboard` serves if the port is free, for who asks outside of a page."""


def writing(
    choices: Choices, address: str = ADDRESS, baseline: Choices | None = None
) -> tuple[Iterator[Any], int]:
    """Return the steps of writing a report, the report last, and how many there are."""
    return _writing(choices, address, baseline), STEPS + 1


def _writing(choices: Choices, address: str, baseline: Choices | None) -> Iterator[Any]:
    """Yield what is done next in words, and last everything the report says, ready for JSON."""
    asked = targets(choices)
    given, beside = overrides(choices), Path(BASELINE_FILE) if baseline else None
    question = Question(
        scenario=Scenario.from_mapping(choices.mapping()),
        targets=asked,
        draws=DRAWS,
        command=command_line(None, asked, DRAWS, seed=0, overrides=given, baseline=beside),
        link=address + "?" + query(choices, baseline),
        baseline=Scenario.from_mapping(baseline.mapping()) if baseline else None,
    )
    found: Any = None
    for found in report_steps(question):
        if isinstance(found, str):
            yield found
    yield _without_folder(found)


@lru_cache(maxsize=8)
def document(choices: Choices, baseline: Choices | None = None) -> dict[str, Any]:
    """Return everything the report says, ready for JSON."""
    *_, found = _writing(choices, ADDRESS, baseline)
    assert isinstance(found, dict)  # steps before the last are words
    return found


def shortened(whole: Page, titles: Collection[str]) -> Page:
    """Return a report with only the sections of some titles."""
    kept = tuple(section for section in whole.sections if section.title in titles)
    return replace(whole, sections=kept)


def file(found: dict[str, Any], shown: Page, ending: str) -> bytes:
    """Return the report as a file of an ending: ``.html``, ``.pdf``, ``.md`` or ``.json``.

    JSON holds all sections. Raises SimError for a PDF without WeasyPrint.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"report{ending}"
        write_report(path, shown, found)
        return path.read_bytes()


def _without_folder(found: dict[str, Any]) -> dict[str, Any]:
    """Return a report that names files of one's own alone, so that its bytes hang on no folder."""
    plain: dict[str, Any] = json.loads(own.without_folder(json.dumps(found)))
    return plain
