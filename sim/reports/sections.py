"""A sizing report as sections of paragraphs, tables, charts and code.

HTML and Markdown are both made of these. Every number comes from the report's JSON document; only
text is made here. What the answer rests on stands in `sim.reports.basis`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sim.charts.data import first_token_chart, memory_chart, swing_chart
from sim.charts.shapes import LayerChart
from sim.engine.memory import PHASES
from sim.explore.sizing import changing
from sim.reports import basis
from sim.reports.baseline import baseline_section
from sim.reports.document import SMALLEST_SHARE
from sim.reports.evidence import CALLED
from sim.reports.page import (
    Block,
    Cell,
    Page,
    Paragraph,
    Section,
    Table,
    Text,
    charts,
)
from sim.wording import PASSES, Number, held_name, label, shown, told
from workloads.trace import NETWORK

Document = Mapping[str, Any]
SIGNS: Final = {"<": "<", "<=": "≤", ">": ">", ">=": "≥"}


def sizing_page(document: Document) -> Page:
    """Return the page of a sizing report."""
    asked, verdict = document["question"], document["verdict"]
    return Page(
        title=f"{asked['model']} on {asked['device']}",
        subtitle=_subtitle(asked, document["run"]["versions"]["andesim"]),
        verdict=verdict["word"],
        sentence=verdict["sentence"],
        status=CALLED[document["validation"]["status"]],
        sections=tuple(
            section
            for section in (
                _notes(document),
                _targets(document),
                _recommendation(document, document["verdict"]["minutes"]),
                baseline_section(document),
                _memory(document),
                _first_token(document),
                _sustained(document),
                _sensitivities(document),
                basis.assumptions(document),
                basis.validation(document),
                basis.reproduce(document),
                basis.all_metrics(document),
                basis.parameters(document),
                basis.gaps(document),
            )
            if section.blocks
        ),
    )


def _subtitle(asked: Document, version: str) -> str:
    if asked["calls"]:
        calls = f"{asked['calls']} inference{'s' * (asked['calls'] != 1)}"
        return f"Stack {asked['stack']}; {calls}; andesim {version}"
    images = f"{asked['images']} image{'s' * (asked['images'] != 1)}"
    turns = f"{asked['turns']} turn{'s' * (asked['turns'] != 1)}"
    return (
        f"Stack {asked['stack']}; {turns}: {images} "
        f"({asked['visual_tokens']} {asked['visual_noun']}), "
        f"{asked['prompt_tokens']} prompt tokens, {asked['output_tokens']} output tokens; "
        f"{', '.join(asked['conditions'])}; andesim {version}"
    )


def _notes(document: Document) -> Section:
    said = [*document["differences"], *document["run"]["warnings"]]
    return Section("Before these numbers are used", tuple(Paragraph((text,)) for text in said))


def _targets(document: Document) -> Section:
    found, draws = document["verdict"], document["reproduce"]["draws"]
    minute = f"minute {found['minutes']}"
    rows = tuple(map(_target_row, document["targets"]))
    header = ("metric", "target", "simulated", "80 % interval", "met by", minute, "met by then")
    rule = (
        "Met by: share of the draws of the device that meet the target. PASS from 90 % on, FAIL "
        "up to 10 %, MARGINAL between"
        if draws
        else "Judged on the run alone: no draws were asked for (--uncertainty)"
    )
    later = (
        f"; THROTTLES where less than 90 % still meet it in {minute} of decoding without a pause."
    )
    text = (
        "All targets at once are met by ",
        shown("share", found["probability"]),
        " at first, by ",
        shown("share", found["probability_sustained"]),
        f" in {minute}. {rule}{later}",
    )
    table = Table((*header, "margin", "verdict"), rows)
    return Section("Targets", (table, Paragraph(text)))


def _target_row(item: Document) -> tuple[Cell, ...]:
    metric = item["metric"]
    limit = shown(metric, item["limit"])
    return (
        "peak DRAM in the app budget" if item["is_budget"] else label(metric),
        Number(limit.value, f"{SIGNS[item['sign']]} {limit.text}"),
        shown(metric, item["value"]),
        basis.interval(metric, item["interval"]),
        shown("share", item["probability"]),
        shown(metric, item["value_sustained"]),
        shown("share", item["probability_sustained"]),
        shown("share", item["slack"]),
        item["verdict"],
    )


def _recommendation(document: Document, minutes: int) -> Section:
    found = document["recommendation"]
    if found is None:
        return Section("Recommended configuration", ())
    searched = "All" if found["exact"] else "A search over"
    text = f"{searched} {found['evaluated']} settings were simulated; {found['meeting']} meet "
    blocked = f" In the way: {', '.join(found['blocking'])}." if found["blocking"] else ""
    verdict = "every target." if found["meets"] else f"every target.{blocked} The closest:"
    others = tuple(
        Paragraph((f"Asked otherwise it {PASSES}: {told(remedy)}",))
        for remedy in document["remedies"]
    )
    blocks: tuple[Block, ...] = (
        Paragraph((text + verdict,)),
        _settings_table(found["rows"], found["meets"], minutes),
        *(
            (Paragraph((f"Why, from the scenario as asked: {why}.",)),)
            if (why := found["why"])
            else ()
        ),
        *others,
        Paragraph(
            (
                "Chosen for the fewest concessions, then the most slack. What a format, a smaller "
                "image or a shorter cache costs in answer quality is not modelled.",
            )
        ),
    )
    return Section("Recommended configuration", blocks)


def _settings_table(rows: list[Document], meets: bool, minutes: int) -> Table:
    first = "recommended" if meets else "closest"
    names = (first, "runner-up", "second runner-up")[: len(rows)]
    lines: list[tuple[Cell, ...]] = [
        (_knob(path), *(_setting(row["settings"][path]) for row in rows))
        for path in rows[0]["settings"]
    ]
    lines += [
        (label(metric), *(shown(metric, row["metrics"][metric]) for row in rows))
        for metric in rows[0]["metrics"]
    ]
    lines += [
        (
            f"{label(metric)} in minute {minutes}",
            *(shown(metric, row["later"][metric]) for row in rows),
        )
        for metric in changing(rows)
    ]
    if rows[0]["share_of_draws"] is not None:
        met, still = "share_of_draws", "share_of_draws_sustained"
        lines += [
            (
                "draws of the device that meet every target",
                *(shown("share", row[met]) for row in rows),
            ),
            (f"and also in minute {minutes}", *(shown("share", row[still]) for row in rows)),
        ]
    return Table(("", *names), tuple(lines))


def _knob(path: str) -> str:
    return path.removeprefix("deployment.")


def _setting(value: Any) -> str:
    """Return a knob's value as text.

    >>> _setting("w4"), _setting({"policy": "okv", "keep": 0.5})
    ('w4', 'okv, keep 0.5')
    """
    if isinstance(value, Mapping):
        parts = (f"{name} {part}" for name, part in value.items())
        return ", ".join(parts).removeprefix("policy ")
    return str(value)


def _residency(document: Document) -> LayerChart | None:
    """Return DRAM over time; ``None`` where the run ended at once."""
    found = document["memory"]
    chart = memory_chart(
        [(item["at_s"], item["bytes"]) for item in found["timeline"]],
        found["budget_bytes"],
        found["end_s"],
        cause=found["peak_cause"],
        fits=document["run"]["metrics"]["fits"],
    )
    return chart if chart.lasts else None


def _memory(document: Document) -> Section:
    found = document["memory"]
    rows: list[tuple[Cell, ...]] = [
        (held_name(item["name"]), shown("held_bytes", item["bytes"]), item["formula"])
        for item in found["classes"]
    ]
    left = shown("held_bytes", found["left_bytes"])
    rows += [
        ("total at the peak", shown("held_bytes", found["peak_bytes"]), ""),
        ("app budget", shown("held_bytes", found["budget_bytes"]), found["budget_formula"]),
        ("left of the budget", left, ""),
        ("system and other apps", shown("held_bytes", found["beyond_budget_bytes"]), ""),
    ]
    text = (
        "The peak is reached at ",
        shown("at_s", found["peak_at_s"]),
        f", when {found['peak_cause']} starts.",
    )
    blocks: tuple[Block, ...] = (
        Paragraph(text),
        *charts(_residency(document)),
        Table(("class", "DRAM", "how"), tuple(rows)),
    )
    return Section("Bill of DRAM", blocks)


def _first_token(document: Document) -> Section:
    asked = [
        item["limit"]
        for item in document["targets"]
        if item["metric"] == "time_to_first_token_s" and item["sign"].startswith("<")
    ]
    found = first_token_chart(document["run"]["metrics"], min(asked, default=None))
    figures = charts(found)
    if document["question"]["calls"]:
        return Section("What bounds an inference", (_terms(document, PHASES[NETWORK]),))
    if not figures:
        return Section("First token", ())
    waiting = (" Waiting is for other turns.",) if document["waiting_s"] else ()
    text = Paragraph((*_cold_start(document), *waiting, *_beside(document)))
    terms = _terms(document, "vision encode", "prefill")
    return Section("First token", (*figures, terms, *_turns(document), text))


def _turns(document: Document) -> tuple[Table, ...]:
    """Return a table of the turns of a short session, each with its own first token."""
    rows = tuple(
        (
            f"{turn['turn']} ({turn['client']}, {turn['outcome'].replace('_', ' ')})",
            str(turn["images"]),
            shown("wait_s", turn["wait_s"]),
            shown("first_token_s", turn["first_token_s"]),
            shown("tokens_per_s", turn["tokens_per_s"]),
        )
        for turn in document["run"]["session"]["turns"]
    )
    heads = ("turn", "images", "wait", "own work to the first token", "decode rate")
    return (Table(heads, rows),) if rows else ()


def _cold_start(document: Document) -> tuple[Text, ...]:
    """Return what a cold start takes, and whether the run begins with one."""
    cold = document["run"]["cold_start"]
    read, graphs = (shown("seconds_s", cold[name]) for name in ("read_s", "graph_init_s"))
    said: tuple[Text, ...] = (read, " reading from flash and ", graphs, " opening graphs")
    if cold["prepare_s"]:
        said += (" and ", shown("seconds_s", cold["prepare_s"]), " making weights ready")
    if document["question"]["start"] == "warm":
        return ("On loaded weights; a cold start takes ", *said, " before it.")
    first_s = document["run"]["metrics"]["time_to_first_token_s"]
    opened = shown("seconds_s", sum(cold.values()) + first_s)
    tail = ("; the first token appears ", opened, " after the app was opened.")
    return ("The cold start came before: ", *said, *tail)


def _beside(document: Document) -> tuple[Text, ...]:
    """Return a sentence on prefill that the encoding of images hides, if any is."""
    whole_s = sum(part["seconds"] for part in document["phases"] if part["name"] == "prefill")
    hidden_s = whole_s - (document["run"]["metrics"]["prefill_s"] or 0.0)
    if hidden_s < SMALLEST_SHARE * whole_s or not whole_s:
        return ()
    hidden = shown("seconds_s", hidden_s)
    return (" Prefill ran ", hidden, " beside the encoding of later images, which hides it.")


def _terms(document: Document, *phases: str) -> Table:
    """Return what bounds some phases: their seconds by term, mean per turn."""
    rows = tuple(
        (part["name"], term["name"], *_seconds_and_share(term))
        for part in document["phases"]
        if part["name"] in phases
        for term in part["terms"]
    )
    return Table(("phase", "bound by", "time per turn", "share of the phase"), rows)


def _seconds_and_share(term: Document) -> tuple[Cell, Cell]:
    return shown("seconds_s", term["seconds"]), shown("share", term["share"])


def _sustained(document: Document) -> Section:
    metrics, heat = document["run"]["metrics"], document["heat"]
    if metrics["tokens_per_s"] is None:
        return Section("Sustained run", ())
    throttled = [item["at_s"] for item in heat["readings"] if item["clock"] < 1.0]
    names = ("tokens_per_s", "sustained_tokens_per_s", "mean_power_w", "energy_j", "max_skin_c")
    rows = tuple(basis.metric_row(document, name, label(name)) for name in names)
    text = (
        "The sustained rate is that of the tenth minute of decoding without a pause, from ",
        shown("ambient_c", heat["ambient_c"]),
        " ambient; the governor first slows the clock at a body temperature of ",
        shown("trip_c", heat["trip_c"][0]) if heat["trip_c"] else "none",
        ". Within this run ",
        *(("it did so at ", shown("at_s", throttled[0]), ".") if throttled else ("it never did.",)),
    )
    blocks = (Table(basis.METRIC_HEADER, rows), Paragraph(text), _terms(document, "decode"))
    return Section("Sustained run", blocks)


def _sensitivities(document: Document) -> Section:
    blocks: list[Block] = []
    for entry in document["sensitivities"]:
        blocks += charts(swing_chart(entry["metric"], entry["value"], entry["swings"]))
        rows = tuple(_swing_row(entry["metric"], item) for item in entry["swings"])
        header = (label(entry["metric"]), "value", "at its low", "at its high", "kind")
        if rows:
            blocks.append(Table(header, rows))
    return Section("What the answer hangs on", tuple(blocks))


def _swing_row(metric: str, item: Document) -> tuple[Cell, ...]:
    return (
        item["path"],
        item["value"],
        (f"{item['low']}: ", shown(metric, item["at_low"])),
        (f"{item['high']}: ", shown(metric, item["at_high"])),
        item["kind"],
    )
