"""What an answer rests on, as sections: assumptions, evidence, how to repeat it, the appendix."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from sim.reports.page import Block, Cell, Code, Paragraph, Section, Table
from sim.wording import Number, ends, label, shown

CODE_COLUMNS: Final = 72  # of a printed page
METRIC_HEADER: Final = ("metric", "simulated", "80 % interval")

Document = Mapping[str, Any]


def interval(metric: str, found: tuple[float, float] | None) -> Cell:
    """Return both ends, or a dash where there is no interval or nothing uncertain in it."""
    if not found or found[0] == found[1]:
        return "-"
    low, high = ends(metric, *found)
    return low, " to ", high


def assumptions(document: Document) -> Section:
    """Return the kinds of number behind the run, and the storage formats."""
    kinds = Counter(item["kind"] for item in document["assumptions"])
    counted = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
    text = (
        f"The device numbers behind this run by kind: {counted}. Each is listed with its range and "
        "source in the appendix. Claims of vendors and papers are never inputs."
    )
    rows = tuple(
        (item["part"], item["format"], *_bits_and_source(item)) for item in document["formats"]
    )
    header = ("stored", "format", "bits each", "kind", "source")
    return Section("Assumptions", (Paragraph((text,)), Table(header, rows)))


def _bits_and_source(item: Document) -> tuple[Cell, Cell, Cell]:
    return shown("bits", item["bits"]), item["kind"] or "-", item["source"]


def validation(document: Document) -> Section:
    """Return the status with the scores behind it."""
    found = document["validation"]
    blocks: list[Block] = [Paragraph((f"{found['status'].capitalize()}. {found['sentence']}",))]
    if found["scores"]:
        scored = tuple(map(_score_row, found["scores"]))
        header = ("measured on", "metric", "rows", "mean error", "bias", "inside 80 % interval")
        blocks.append(Table(header, scored))
    near = tuple(
        (name, item["status"], *_near_row(row))
        for name, item in document["run"]["evidence"].items()
        for row in item["nearest"]
    )
    if near:
        beside = ("of", "status", "nearest rows", "measured", "simulated", "error", "where")
        blocks.append(Table(beside, near))
    return Section("Validation", tuple(blocks))


def _near_row(row: Document) -> tuple[Cell, ...]:
    """Return a measured row near the question: network, both values, their error, and where."""
    values = (shown(row["metric"], row[name]) for name in ("measured", "simulated"))
    weights = row["weights"].replace(";", ", ").replace("=", " ")
    return (f"{row['model']} {weights}", *values, shown("error", row["error"]), row["where"])


def _score_row(item: Document) -> tuple[Cell, ...]:
    return (
        item["where"],
        label(item["metric"]),
        Number(item["n"], str(item["n"])),
        shown("share", item["mape"]),
        shown("share", item["bias"]),
        shown("share", item["inside_interval"]),
    )


def reproduce(document: Document) -> Section:
    """Return what gives the same report again."""
    found = document["reproduce"]
    versions = ", ".join(f"{name} {text}" for name, text in document["run"]["versions"].items())
    text = (
        f"Fingerprint {found['fingerprint']}, seed {found['seed']}, {found['draws']} draws, "
        f"engine {document['run']['engine']}; {versions}."
    )
    link = (Code(found["link"]),) if found["link"] else ()
    blocks = (Code(broken(found["command"])), *link, Paragraph((text,)), Code(found["scenario"]))
    return Section("How to reproduce", blocks)


def broken(command: str) -> str:
    """Return a long command line with an option a line, so that no page breaks one in two.

    >>> print(broken("andesim report scenario.yaml --seed 0"))
    andesim report scenario.yaml --seed 0
    """
    text = command.replace(" --", " \\\n    --")
    is_same = shlex.split(text.replace("\\\n", "")) == shlex.split(command)
    return text if len(command) > CODE_COLUMNS and is_same else command


def all_metrics(document: Document) -> Section:
    """Return every metric of the run."""
    names = [name for name in document["run"]["metrics"] if name != "fits"]
    table = Table(METRIC_HEADER, tuple(metric_row(document, name, name) for name in names))
    return Section("Appendix: every metric", (table,), is_appendix=True)


def metric_row(document: Document, metric: str, name: str) -> tuple[Cell, ...]:
    """Return a metric of the run under a name, with its interval."""
    run = document["run"]
    found = _ends(run.get("intervals", {}).get(metric))
    return name, shown(metric, run["metrics"][metric]), interval(metric, found)


def _ends(interval: Mapping[str, float] | None) -> tuple[float, float] | None:
    return (interval["p10"], interval["p90"]) if interval else None


def parameters(document: Document) -> Section:
    """Return every number of the device behind the run, and the sources."""
    sources = dict.fromkeys(map(_source, document["assumptions"]))
    numbers = {source: str(index) for index, source in enumerate(sources, start=1)}
    rows = tuple(
        (item["path"], item["value"], _range(item), item["kind"], numbers[_source(item)])
        for item in document["assumptions"]
    )
    tables = (
        Table(("number", "value", "range", "kind", "source"), rows),
        Table(("source", "title", "where"), tuple((numbers[one], *one) for one in sources)),
    )
    return Section("Appendix: numbers of the device", tables, is_appendix=True)


def _range(item: Document) -> str:
    low, high = item["low"], item["high"]
    return "-" if low == high else f"{low} to {high}"


def _source(item: Document) -> tuple[str, str]:
    accessed = f", read {item['accessed']}" if item["accessed"] else ""
    return item["source"], f"{item['where'] or 'reasoning stated in the device file'}{accessed}"


def gaps(document: Document) -> Section:
    """Return what each module leaves out."""
    rows = tuple((item["module"], item["text"]) for item in document["not_modelled"])
    table = Table(("module", "leaves out"), rows)
    return Section("Appendix: what is not modelled", (table,), is_appendix=True)
