"""What is handed upward: the report of `andesim report`, asked with the choices of the sidebar.

The page previews it; sections can be left out. What-if values reach it as a device file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from dashboard.choices import Choices
from dashboard.links import WHAT_IF_DEVICE, overrides, query
from dashboard.runs import device, targets
from sim import simulate
from sim.cli.dashboarding import FIRST_PORT, HOST
from sim.reports.document import STEPS, report_steps
from sim.reports.files import write_report
from sim.reports.page import Page
from sim.reports.question import Question, command_line
from sim.verdicts import DRAWS
from workloads.scenario import Scenario

ADDRESS: Final = f"http://{HOST}:{FIRST_PORT}/"
"""Where `andesim dashboard` serves if the port is free, for who asks outside of a page."""


def writing(choices: Choices, address: str = ADDRESS) -> tuple[Iterator[Any], int]:
    """Return the steps of writing a report, the report last, and how many there are."""
    return _writing(choices, address), STEPS + 1


def _writing(choices: Choices, address: str) -> Iterator[Any]:
    """Yield what is done next in words, and last everything the report says, ready for JSON."""
    with tempfile.TemporaryDirectory() as folder:
        mapping, path = choices.mapping(), Path(folder) / WHAT_IF_DEVICE
        if choices.what_if:
            path.write_text(device(choices).to_yaml(), encoding="utf-8")
            mapping["device"] = str(path)
        question = Question(
            scenario=Scenario.from_mapping(mapping),
            targets=targets(choices),
            draws=DRAWS,
            command=command_line(
                None, targets(choices), DRAWS, seed=0, overrides=overrides(choices)
            ),
            link=address + "?" + query(choices),
        )
        found: Any = None
        for found in report_steps(question):
            if isinstance(found, str):
                yield found
    yield _without_folder(found, choices, str(path)) if choices.what_if else found


@lru_cache(maxsize=8)
def document(choices: Choices) -> dict[str, Any]:
    """Return everything the report says, ready for JSON."""
    *_, found = _writing(choices, ADDRESS)
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


def _without_folder(found: dict[str, Any], choices: Choices, path: str) -> dict[str, Any]:
    """Return a report that names the device file alone, so that its bytes hang on no folder."""
    scenario = Scenario.from_mapping(choices.mapping() | {"device": WHAT_IF_DEVICE})
    same = {"fingerprint": simulate(scenario, soc=device(choices)).fingerprint}
    text = found["reproduce"]["scenario"].replace(path, WHAT_IF_DEVICE)
    reproduce = found["reproduce"] | same | {"scenario": text}
    return found | {"run": found["run"] | same, "reproduce": reproduce}
