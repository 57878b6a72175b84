"""Writing a report: the ending of the file name says as what, and it is written whole or not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from sim.errors import SimError
from sim.output import write_text, write_whole
from sim.reports.page import Page, html, markdown
from workloads.errors import did_you_mean

ENDINGS: Final = (".html", ".pdf", ".md", ".json")
PDF_REMEDY: Final = (
    "Remedy: pip install '.[pdf]' in andesim's folder, with Pango; or write .html and print it."
)
FONT_DATE: Final = "SOURCE_DATE_EPOCH"
"""Environment variable that fontTools, which WeasyPrint embeds fonts with, takes its date from."""
Document = Mapping[str, Any]


def write_report(path: Path, page: Page, document: Document, *, interactive: bool = False) -> None:
    """Write a report as what the ending of the path says.

    Raises SimError for another ending, and where a PDF is asked for without WeasyPrint.
    """
    check_path(path, interactive=interactive)
    if path.suffix == ".pdf":
        write_whole(path, partial(_write_pdf, page))
    elif path.suffix == ".html":
        write_text(path, html(page, interactive=interactive))
    else:
        write_text(path, markdown(page) if path.suffix == ".md" else json_text(document))


def check_path(path: Path, *, interactive: bool = False) -> None:
    """Raise SimError for a path whose ending no report has; cheap, so that it precedes the run."""
    if path.suffix not in ENDINGS:
        hint = did_you_mean(path.suffix, ENDINGS)
        raise SimError(f"-o must end in {', '.join(ENDINGS)}. Got '{path}'. {hint}")
    if interactive and path.suffix != ".html":
        raise SimError(f"--interactive must go with -o FILE.html. Got '{path}'.")


def json_text(document: Document) -> str:
    """Return the document as text."""
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _write_pdf(page: Page, path: Path) -> None:
    """Print the HTML page; without a date, so that the same page gives the same bytes."""
    try:
        weasyprint = import_module("weasyprint")
    except (ImportError, OSError) as error:  # OSError: Pango is not there
        reason = str(error).splitlines()[0]
        raise SimError(f"A PDF must have WeasyPrint. Got: {reason}. {PDF_REMEDY}") from None
    with _undated_fonts():
        weasyprint.HTML(string=html(page), url_fetcher=_no_network).write_pdf(path)


@contextmanager
def _undated_fonts() -> Iterator[None]:
    """Let fontTools date the fonts it embeds by the epoch, and not by the second it runs in."""
    before = os.environ.get(FONT_DATE)
    os.environ[FONT_DATE] = before or "0"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(FONT_DATE, None)


def _no_network(url: str) -> dict[str, Any]:
    raise SimError(f"A report must need no other file. Got {url!r}.")
