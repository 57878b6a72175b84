"""Documentation pages of the corpus, written by one command and compared by a test.

    python docs/corpus.py

writes ``corpus.md`` (coverage, bounds, noise, pictures), ``reference/corpus.md`` (the data
dictionary) and the pictures. Nothing is simulated.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from hw_models.soc import list_socs
from sim.evidence.corpus_noise import FEWEST, RELATIONS
from sim.evidence.corpus_pictures import Axis, Line, grid, panels, scatter
from sim.evidence.corpus_tables import (
    FOLDER,
    HELD_BY,
    IMPOSSIBLE,
    KINDS,
    NOT_HELD,
    ROLES,
    corpus,
    dictionary,
)

SIZES: Final = ((0.0, "below 1B"), (1.0, "1 to 2B"), (2.5, "3 to 4B"), (5.0, "7B and more"))
"""Classes of network size by their least billions of parameters."""
SHOWN: Final = (30, 22)
"""Devices and stacks in the coverage grid, the commonest."""

BEYOND: Final = "beyond_assumed_rate"
CHIP: Final = "a bandwidth of its chip"
FEW: Final = 4
"""Rows below which a reason is one of the other things."""
MENTIONED: Final = 12
"""Networks and chips that the page names; of the rest it says how many."""

HEAD: Final = """# The corpus: published measurements

Written by `python docs/corpus.py`; not edited by hand.

{rows} published figures of language models, vision-language models and single networks on {devices}
chips, with energy and series over time, in five tables that pandas reads alone:

```python
import sim.evidence

table = sim.evidence.corpus("language")
print(table[["device", "stack", "model", "weights", "tokens_per_s"]].head())
```

The [data dictionary](reference/corpus.md) explains each column; `validation_data/README.md` has the
rule that gives every row its role, what is counted once, and what must not be looked for. Roles
were frozen before any of these rows was simulated. Code that fits sees `role="calibration"` only.
"""


def coverage_page() -> str:
    """Return the page: counts, coverage, bounds, noise, pictures."""
    tables = {kind: corpus(kind) for kind in KINDS}
    language = tables["language"]
    devices = {name for table in tables.values() for name in table["device"]} - {""}
    parts = [
        HEAD.format(rows=sum(len(table) for table in tables.values()), devices=len(devices)),
        "## Rows by kind and role\n\n" + _roles(tables),
        "## Coverage\n\n![Rows by device and stack](images/corpus_coverage.svg)\n\n"
        "Rows of language models; a cell is the darker, the more of four size classes it holds. "
        f"{len(devices & set(list_socs()))} of the chips have a device file.\n\n"
        + _sizes(language),
        "## Physics first\n\n" + _bounds(tables),
        "## Noise: what repeats say\n\n" + _noise(),
        "## Pictures\n\nCalibration rows only, before any model of ours. In a panel the rows of "
        "one stack are blue and all others grey; dashed are constant rates.\n\n" + _pictures(),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def dictionary_page() -> str:
    """Return the data dictionary as a page."""
    lines = [
        "# Columns of the corpus",
        "",
        "Written by `python docs/corpus.py`; not edited by hand. The same table "
        "is `validation_data/corpus/columns.csv`. Text is empty, and a number is missing, where the"
        " source does not say it. A count is a whole number. Derived columns follow below.",
        "",
        "| column | type | unit | tables | meaning |",
        "|---|---|---|---|---|",
        *("| `{}` | {} | {} | {} | {} |".format(*row) for row in _words()),
        "",
        "## Derived columns",
        "",
        "Computed from our traces by `python -m sim.evidence.corpus_derived`; nothing is priced.",
        "",
        "| column | unit | meaning |",
        "|---|---|---|",
        *(f"| `{name}` | {unit} | {meaning} |" for name, unit, meaning in DERIVED),
    ]
    return "\n".join(lines) + "\n"


DERIVED: Final = tuple(
    tuple(row)
    for row in pd.read_csv(FOLDER / "derived_columns.csv", keep_default_na=False).to_numpy()
)
"""Name, unit and meaning of each derived column."""


def pictures() -> dict[str, str]:
    """Return the pictures by file name."""
    fits = {kind: corpus(kind, role="calibration") for kind in KINDS}
    language, energy = fits["language"], fits["energy"]
    decode = language.assign(step_s=1.0 / language["tokens_per_s"])
    prompt = pd.to_numeric(language["prompt_tokens"]).astype("float64")
    seconds = (prompt / language["prefill_tokens_per_s"]).fillna(language["time_to_first_token_s"])
    encoders = pd.concat(
        [
            fits["network"].assign(call_s=fits["network"]["inference_s"]),
            fits["vision_language"].assign(call_s=fits["vision_language"]["vision_encode_s"]),
        ]
    )
    return {
        "corpus_coverage.svg": _coverage(corpus("language")),
        "corpus_decode.svg": panels(
            decode,
            Axis("decode_bytes_per_step", "bytes of a step [B]"),
            Axis("step_s", "seconds a token [s]"),
            "stack",
            "Decode against bytes per step, by stack",
            [Line(rate * 1e9, f"{rate} GB/s") for rate in (10, 85)],
        ),
        "corpus_prefill.svg": panels(
            language.assign(prefill_s=seconds),
            Axis("prefill_flops", "arithmetic of the prompt [FLOP]"),
            Axis("prefill_s", "seconds of the prompt [s]"),
            "stack",
            "Prefill against FLOP, by stack",
            [Line(rate * 1e12, f"{rate} TFLOP/s") for rate in (0.1, 10)],
        ),
        "corpus_encoders.svg": scatter(
            encoders,
            Axis("patches", "patches of the image"),
            Axis("call_s", "seconds a call [s]"),
            "model",
            "Encoder time against patches, by network",
        ),
        "corpus_energy.svg": scatter(
            energy,
            Axis("tokens_per_s", "rate of decode [tokens/s]"),
            Axis("energy_j_per_token", "energy of a token [J/token]"),
            "device",
            "Energy of a token against rate, by chip",
        ),
    }


def _roles(tables: dict[str, pd.DataFrame]) -> str:
    lines = [
        "| table | rows | " + " | ".join(ROLES) + " | impossible |",
        "|---|---|---|---|---|---|",
    ]
    for kind, table in tables.items():
        counts = table["role"].value_counts().reindex(ROLES, fill_value=0)
        broken = int((table[IMPOSSIBLE] != "").sum())
        lines.append(f"| {kind} | {len(table)} | {' | '.join(map(str, counts))} | {broken} |")
    return "\n".join(lines)


def _size(model: pd.Series) -> pd.Series:
    billions = model.str.extract(r"(\d+(?:\.\d+)?)b\b")[0].astype("float64")
    millions = model.str.extract(r"(\d+)m\b")[0].astype("float64") / 1000.0
    size = billions.fillna(millions)
    named = pd.Series("", model.index)
    for least, name in SIZES:
        named = named.where(~(size >= least), name)
    return named


def _coverage(language: pd.DataFrame) -> str:
    rows = language[(language["device"] != "") & (language["stack"] != "")]
    rows = rows.assign(size=_size(rows["model"]))
    devices = rows["device"].value_counts().index[: SHOWN[0]]
    stacks = rows["stack"].value_counts().index[: SHOWN[1]]
    by = rows.groupby(["device", "stack"])
    counts = by.size().unstack(fill_value=0).reindex(index=devices, columns=stacks, fill_value=0)
    depth = by["size"].nunique().unstack(fill_value=0)
    return grid(
        counts,
        depth.reindex(index=devices, columns=stacks, fill_value=0),
        "Rows of language models by device and stack",
        len(SIZES),
    )


def _sizes(language: pd.DataFrame) -> str:
    rows = language[language["unit"] != ""].assign(size=_size(language["model"]))
    names = [name for _, name in SIZES]
    counts = rows.groupby(["unit", "size"]).size().unstack(fill_value=0)
    counts = counts.reindex(columns=names, fill_value=0)
    lines = ["| unit | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    lines += [f"| {unit} | {' | '.join(map(str, row))} |" for unit, *row in counts.itertuples()]
    return "\n".join(lines)


def _bounds(tables: dict[str, pd.DataFrame]) -> str:
    parts = [
        "Each row is held against the roofline of its own device. What it must move, counted from "
        "our traces or from published parameters, cannot move faster than the peak bandwidth; a "
        "row that would need more is excluded by this rule, with the bound it breaks, and neither "
        "fits nor judges. Where a source leaves something open, the row is held by what is certain "
        "all the same: weights of unknown format by the fewest bits of any, a prompt of unknown "
        "length by one token, a first token with an image by the decoder's weights, a network that "
        "fits a cache by its products. Where nothing is certain, `not_held` says what would have "
        "to be known.",
        _held(tables),
        _broken(tables),
        _beyond(tables),
        _not_held(tables),
    ]
    return "\n\n".join(parts)


def _held(tables: dict[str, pd.DataFrame]) -> str:
    lines = ["| table | rows | held | impossible | held by | not held for want of |"]
    lines.append("|---|---|---|---|---|---|")
    for kind, table in tables.items():
        held = table[table[HELD_BY] != ""]
        broken = int((table[IMPOSSIBLE] != "").sum())
        wanted = table[table[HELD_BY] == ""][NOT_HELD].replace(
            r"^the bandwidth of .*", CHIP, regex=True
        )
        lines.append(
            f"| {kind} | {len(table)} | {len(held)} | {broken} | {_counted(held[HELD_BY])} "
            f"| {_counted(wanted)} |"
        )
    return "\n".join(lines)


def _counted(said: pd.Series) -> str:
    counts = said.value_counts()
    named = counts[counts >= FEW]
    rest = [f"other things ({counts.sum() - named.sum()})"] if len(named) < len(counts) else []
    return "; ".join([*(f"{text} ({count})" for text, count in named.items()), *rest])


def _broken(tables: dict[str, pd.DataFrame]) -> str:
    lines = ["| row | device | bound |", "|---|---|---|"]
    for table in tables.values():
        broken = table[table[IMPOSSIBLE] != ""].drop_duplicates("id")
        lines += [
            f"| {row} | {device} | {bound} |"
            for row, device, bound in zip(
                broken["id"], broken["device"], broken[IMPOSSIBLE], strict=True
            )
        ]
    return "\n".join(lines) if len(lines) > 2 else "No row breaks its bound."


def _beyond(tables: dict[str, pd.DataFrame]) -> str:
    beyond = pd.concat([t for t in tables.values() if BEYOND in t]).drop_duplicates("id")
    beyond = beyond[beyond[BEYOND].fillna("") != ""]
    return (
        f"{len(beyond)} rows multiply faster than their device file assumes "
        f"({_named(beyond['device'].value_counts()) or 'none'}): a note on those files, whose "
        f"rates nobody publishes, and no fault of the rows (`{BEYOND}`)."
    )


def _not_held(tables: dict[str, pd.DataFrame]) -> str:
    """Return the networks that the catalogue lacks and the chips without a bandwidth."""
    rows = pd.concat(list(tables.values())).drop_duplicates("id")
    lacking = rows[rows[NOT_HELD].str.contains("catalogue")]["counts_as"].value_counts()
    chips = rows[rows[NOT_HELD].str.startswith("the bandwidth")]["device"].value_counts()
    return (
        f"Networks that the catalogue lacks: {_named(lacking)}. Chips of which no page with a "
        f"bandwidth was found: {_named(chips)}."
    )


def _named(counts: pd.Series) -> str:
    shown = [f"{name} ({count})" for name, count in counts.head(MENTIONED).items()]
    rest = f", and {len(counts) - MENTIONED} more" if len(counts) > MENTIONED else ""
    return ", ".join(shown) + rest


def _noise() -> str:
    own = pd.read_csv(FOLDER / "noise.csv")
    known = own[own["spread"].notna()]
    lines = [
        "Two rows ask one question if device, stack, network, format and sizes agree. `spread` is "
        "the standard deviation of one figure's logarithm, with its 80 % interval; calibration "
        "rows only, written by `python -m sim.evidence.corpus_noise` to "
        "`validation_data/corpus/noise.csv`. Rows whose notes name different settings, and figures "
        "that a later release carries over to the last digit, are no repeats.",
        "",
        "| table | metric | unit | relation | questions | median difference | 90 % | spread |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {kind} | {metric} | {unit} | {relation} | {questions} | {median:.1%} | {most:.1%} "
            f"| {spread:.3f} ({low:.3f} to {high:.3f}) |"
            for kind, metric, unit, relation, questions, median, most, spread, low, high in (
                known.to_numpy()
            )
        ),
        "",
        f"Fewer than {FEWEST} questions repeat of the rest, and no spread is given: "
        f"{_too_few(own)}.",
        "",
        "`sim.evidence.noise_of` reads the table for code that fits and judges:",
        "",
        "```pycon",
        ">>> from sim.evidence import noise_of",
        '>>> decode = noise_of("language", "tokens_per_s", relation="other release")',
        ">>> decode.spread_low <= decode.spread <= decode.spread_high",
        "True",
        '>>> noise_of("language", "tokens_per_s", relation="other person") is None',
        "True",
        "",
        "```",
        "",
        "What AI Hub's releases say of its own figures, over many more of them than stand here "
        "(`noise_ai_hub.csv`): the same graph timed again, a graph exported anew, which is another "
        "program, and language models republished.",
        "",
        "| relation | group | figures | median, % | 75 % | 90 % | 95 % |",
        "|---|---|---|---|---|---|---|",
        *("| " + " | ".join(row) + " |" for row in _hub_noise()),
    ]
    return "\n".join(lines)


def _too_few(own: pd.DataFrame) -> str:
    """Return what too few questions repeat of, by relation, over all units."""
    few = own[own["spread"].isna() & (own["unit"] == "any")]
    named = few["metric"] + " (" + few["kind"] + ", " + few["questions"].astype("str") + ")"
    return "; ".join(
        f"{relation}: {', '.join(named[few['relation'] == relation])}" for relation in RELATIONS
    )


def _hub_noise() -> list[list[str]]:
    hub = pd.read_csv(FOLDER / "noise_ai_hub.csv", dtype="str", keep_default_na=False)
    shown = hub["group"].str.match("all|kind|runtime|decode|first")
    return [[str(cell) for cell in row] for row in hub[shown].to_numpy()]


def _pictures() -> str:
    return "\n\n".join(
        f"![{text}](images/{name})"
        for name, text in (
            ("corpus_decode.svg", "Decode against bytes per step, a panel a stack"),
            ("corpus_prefill.svg", "Prefill against FLOP, a panel a stack"),
            ("corpus_encoders.svg", "Encoder time against patches, by network"),
            ("corpus_energy.svg", "J/token against rate, by chip"),
        )
    )


def _words() -> list[tuple[str, ...]]:
    return [tuple(str(cell) for cell in row) for row in dictionary().itertuples(index=False)]


if __name__ == "__main__":
    DOCS = Path(__file__).parent
    (DOCS / "corpus.md").write_text(coverage_page(), encoding="utf-8")
    (DOCS / "reference" / "corpus.md").write_text(dictionary_page(), encoding="utf-8")
    for NAME, TEXT in pictures().items():
        (DOCS / "images" / NAME).write_text(TEXT, encoding="utf-8")
