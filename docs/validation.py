"""Write validation.md, the page of the phone exhibits, from the shipped data alone.

    python docs/validation.py

Every figure on the page comes from the run that writes it, so the page can be made again and
compared. Sentences that judge the figures state rules and reasons; they hold no figures of their
own.

The *floor* of some rows is the least error that any model can reach. Rows with the same device,
stack, network, formats, lengths and images are simulated alike, whatever the model. Over the
measured values m of such rows the mean of ``|v / m - 1|`` is piecewise linear in v, so its least
value stands at one of them.

Not modelled: conditions that the rows do not state, such as releases and heat; the floor is their
size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from sim.calibration.folds import Residual, held
from sim.calibration.networks import RESIDUALS as OF_NETWORKS
from sim.calibration.rivals import Rival
from sim.calibration.shipping import read_residuals, read_rivals
from sim.evidence import noise_of
from sim.evidence.corpus_runs import TIMED
from sim.evidence.exhibits import load_exhibits
from sim.evidence.nearest import judged_rows
from sim.evidence.questions import DECODE
from sim.output import write_text
from sim.validation.curves import curves_table
from sim.validation.exhibits import missed_tolerances, validate_exhibits
from sim.validation.intervals import conformal_factor, needed_residuals
from sim.validation.judging import GROUPS, Judged, Validation, scores
from sim.validation.overview import overview_table, questions, stacks_table, swayed_table
from sim.validation.tables import group_table, metric_table, row_table, share, skipped_table, table

TARGET_DEVICES: Final = ("snapdragon_8_elite", "snapdragon_8_elite_gen_5")
"""Devices whose rows the project's aims are set for."""
MEDIATEK: Final = ("dimensity", "genio")
"""What the ids of MediaTek devices begin with; their rows are shown apart: few, of mixed origin."""
LARGE_FACTOR: Final = 10.0
"""Errors from this factor on are written as one."""
MEAN_OF_NORMAL: Final = math.sqrt(2.0 / math.pi)
"""Mean of |x| of a normal distribution of unit spread."""
FIRST_TOKEN: Final = "time_to_first_token_s"
HEAD: Final = """\
# Validation on phones

Written by `python docs/validation.py`; not edited by hand.
`andesim calibrate --exhibits` fits all stacks of all devices together to the corpus' language rows
in role calibration, `andesim validate` judges them on the exhibits in role validation: networks
that the stack was not fitted to. Roles were fixed before any row was simulated
(`validation_data/README.md`), and the form of the model was chosen by leaving networks and devices
out of the calibration rows; every look is counted in [the log of looks](looks.md).

Errors are relative to the measured value. Bias is their signed mean. The 80 % interval comes from
the ranges of the stack's parameters and the spread that networks left out of the calibration rows
showed; the reference interval is a conformal quantile of the errors on those rows. There is no
figure over all metrics.
"""
LIMITS: Final = """\
## What the errors are made of

- *Releases*. Two releases of one entry are both kept in a role: a simulation of a stack cannot
  agree with both, and what that alone costs is the floor in the table of targets. Rows of other
  phones and teams carry heat, clocks and settings that they do not state.
- *Labels*. First tokens of GenieX's llama.cpp are of one chunk in some releases and of the whole
  context in others. The rates of R241 are about a third of what the other rows of its stack imply,
  and close to what the vendor publishes for fp16 graphs; it does not judge.
- *Overheads*. Rows are end to end, so the time per graph call and per step cannot be told apart and
  the former keeps its prior; layers and steps are told apart only where networks of different depth
  were measured.
- *Silicon*. Peak rates of the NPUs are assumptions; only their product with an efficiency is
  fitted. fp16 graphs expand their weights in ways that are in the fitted bandwidth alone.
- *Networks*. Values of one network on one stack err alike on every device: its format, its head or
  its attention differ from what is simulated. The fit expects that, and the spread holds it.
- *Memory*. What a process holds besides weights, cache and activations is not simulated.
- *Processors*. Prefill on application cores depends on the phone's cores and threads, which most
  rows do not state.
- *Not covered*: vision encoders inside a session, speculative decoding.
"""
ENERGY: Final = """\
## Joules per token

Whole phones that decode (`sim.validation.energy`), mean power over mean rate. The laws of power
were written with the rows in role calibration in view, with those in role validation out of it.
`mnn_aecs_cpu` runs on fewer cores than the simulation takes; its rows do not say on which.

"""
MINUTES: Final = """\
## Rates over minutes

The share of the first half minute's rate that is left in the last of about ten minutes, a series
each. How warm a phone was at the start is known as one of three words; a share above one is a phone
that cooled.

"""
CURVES: Final = """\
## Curves of these minutes

The area between measured and replayed curve, as a share of that below the measured one, and the
instant at which each has lost a tenth of its first half minute's rate (`sim.validation.curves`).

"""
SWAYED: Final = """\
Means that one row makes: without it no more than half is left. R004 and R003 are one graph on one
phone, compiled with other flags, 2900 and 19 ms a token; its source calls the slow one a failure of
the compiler. What a compiler fails to place on its unit is not modelled, so the row stays as an
error and in the mean. Its noise in the fit is raised until it lies two deviations out.

"""
MEDIATEK_NOTE: Final = """\
The Genio 720 is the one MediaTek part with a table of networks: it tells bandwidth, work per layer
and cache copies apart, and the phones take them from there, with the ranges of a device that was
not seen. The Dimensity 9500's own two rows are of one small network in 8 bits. No prefill or vision
rate on it, and no network of several billion parameters, is public. `neuropilot_public`: the same
phone and graph with other compiler flags is two orders of magnitude away from every prior.
"""


def page() -> str:
    """Return the page as Markdown."""
    found, residuals = validate_exhibits(), read_residuals()
    shipped = judged_rows()
    asked = questions([*residuals, *read_residuals(OF_NETWORKS)], shipped)
    sections = [
        HEAD,
        "## In a minute\n\n" + overview_table(asked),
        SWAYED + swayed_table(residuals),
        "## Targets\n\n" + targets(found),
        "## What no model can be expected to beat\n\n" + repeats(),
        "## Per metric\n\n" + metric_table(found.by_metric()),
        *(
            f"## Per metric and {kind}\n\n" + group_table(found.by_group(kind), kind)
            for kind in GROUPS
        ),
        ENERGY + stacks_table(shipped, "energy_j_per_token"),
        MINUTES + stacks_table(shipped, "sustained_share"),
        CURVES + curves(),
        "## Against simpler laws\n\n" + against(residuals, read_rivals()),
        "## Left out of the calibration rows\n\n" + folds(residuals),
        "## MediaTek rows\n\n" + mediatek_rows(found, residuals),
        LIMITS,
        "## Physically impossible rows\n\n" + impossible(found.rows),
        "## Tolerances of the manifests\n\n" + tolerances(found),
        "## Rows\n\n" + row_table(found.rows),
        "## Skipped\n\n" + skipped_table(found),
    ]
    return "\n\n".join(section.rstrip() for section in sections) + "\n"


def curves() -> str:
    """Return areas and instants of throttling, series in role calibration apart from others."""
    lines = []
    for role in ("calibration", "validation"):
        for row in curves_table(role).to_dict(orient="records"):
            instants = [
                "never" if math.isinf(at) else f"{at:.0f} s"
                for at in (row["measured_s"], row["replayed_s"])
            ]
            lines.append([role, row["phone"], row["stack"], f"{row['area']:.1%}", *instants])
    header = ["role", "phone", "stack", "area", "measured falls", "replayed falls"]
    return table(header, lines)


def targets(found: Validation) -> str:
    """Return the scores the project set out to reach, per stack and exhibit."""
    exhibit_of = _exhibits()
    groups: dict[tuple[str, str, str], list[Judged]] = {}
    for row in found.rows:
        if row.device in TARGET_DEVICES and row.metric in (DECODE, FIRST_TOKEN):
            for stack, exhibit in ((row.stack, exhibit_of[row.run.id]), ("all", "all")):
                groups.setdefault((row.metric, stack, exhibit), []).append(row)
    lines = []
    for key, rows in sorted(groups.items()):
        own = scores(rows)
        inside = share(own.inside_interval)
        floor = f"{error_floor(rows):.1%}"
        lines.append([*key, str(own.n), f"{own.mape:.1%}", floor, f"{own.bias:+.1%}", inside])
    note = (
        "Snapdragon 8 Elite and 8 Elite Gen 5, networks not in the fit. Aims: decode within 8 %, "
        "first token of one chunk within 20 %, 70 to 90 % of rows inside their 80 % interval. "
        "The floor is the least MAPE any model can reach: some rows repeat one question, in two "
        "releases of one entry, and were answered apart."
    )
    header = ["metric", "stack", "exhibit", "rows", "MAPE", "floor", "bias", "inside 80 % interval"]
    return note + "\n\n" + table(header, lines)


def repeats() -> str:
    """Return how far figures of one question lie apart, and what that costs a perfect model."""
    lines = []
    for metric in TIMED:
        for relation in ("same release", "other release", "other person"):
            known = noise_of("language", metric, relation)
            cells = ["unknown", "unknown"]
            if known is not None:
                low, high = known.spread_low, known.spread_high
                cells = [f"{known.spread:.3f} ({low:.3f} to {high:.3f})"]
                cells.append(f"{MEAN_OF_NORMAL * known.spread:.1%}")
            lines.append([metric, relation, *cells])
    note = (
        "Repeats among the calibration rows of the corpus (`sim.evidence.noise_of`): the spread of "
        "one figure's logarithm, and the mean error of a model that knew every true value. Errors "
        "below it are luck. Another person's repeats are too few to say."
    )
    header = ["metric", "relation", "spread", "least mean error"]
    return note + "\n\n" + table(header, lines)


def least_error(measured: Sequence[float]) -> float:
    """Return the least mean absolute relative error that a single value can have.

    >>> round(least_error([28.03, 23.472]), 4)
    0.0813
    >>> least_error([5.0, 5.0])
    0.0
    """
    return min(sum(abs(v / m - 1.0) for m in measured) / len(measured) for v in measured)


def error_floor(rows: Iterable[Judged]) -> float:
    """Return the least MAPE that any model can reach on rows of one metric."""
    groups: dict[tuple[object, ...], list[float]] = {}
    for row in rows:
        groups.setdefault(_question(row), []).append(row.measured)
    total = sum(len(own) * least_error(own) for own in groups.values())
    return total / sum(map(len, groups.values()))


def _question(row: Judged) -> tuple[object, ...]:
    """Return what a simulation is told of a row."""
    run = row.run
    formats = (run.weights, run.activations, run.kv_dtype, run.kv_value_dtype)
    lengths = (run.context_tokens, run.depth_tokens, run.prompt_tokens, run.output_tokens)
    way = (run.image_px, run.threads, run.ubatch_tokens, run.flash_attention)
    return (row.metric, row.device, row.stack, run.model, *formats, *lengths, *way)


def _exhibits() -> dict[str, str]:
    """Return the exhibit of each published row."""
    return {
        run.id: exhibit.name.partition("/")[0]
        for exhibit in load_exhibits()
        for run in exhibit.runs
    }


def against(residuals: Iterable[Residual], others: Iterable[Rival]) -> str:
    """Return the errors of the simulator and of its rivals on networks that were left out."""
    mine = {
        (item.id, item.device, item.stack, item.metric): item.log_error
        for item in residuals
        if item.fold == "network"
    }
    groups: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for rival in others:
        own = mine.get((rival.id, rival.device, rival.stack, rival.metric))
        if own is not None:
            pair = own, rival.log_error
            groups.setdefault((rival.metric, rival.law), []).append(pair)
            if rival.law != "priors":
                groups.setdefault((f"{rival.metric}, {rival.stack}", rival.law), []).append(pair)
    lines = []
    for (name, law), pairs in sorted(groups.items()):
        errors = np.abs(np.expm1(np.array(pairs)))
        ours, theirs = np.median(errors, axis=0)
        mean, others_mean = np.mean(errors, axis=0)
        cells = [name, law, str(len(pairs)), f"{ours:.1%}", f"{mean:.1%}"]
        lines.append([*cells, f"{theirs:.1%}", f"{others_mean:.1%}"])
    note = (
        "Networks left out of all calibration rows, on phones and stacks with rows of others. Two "
        "numbers: bytes a + b. Three: bytes a + layers b + cache c. Both are fitted per stack of a "
        "device to its other networks. Priors: the simulator before any row."
    )
    header = ["metric", "rival", "rows", "median", "mean", "rival's median", "rival's mean"]
    return note + "\n\n" + table(header, lines)


def folds(residuals: Iterable[Residual]) -> str:
    """Return what leaving a network or a device out of the calibration rows gives."""
    known = list(residuals)
    groups: dict[tuple[str, str, str], list[Residual]] = {}
    for item in known:
        for name in (f"all {item.unit}", item.stack):
            groups.setdefault((item.fold, item.metric, name), []).append(item)
    lines = []
    for (fold, metric, name), rows in sorted(groups.items()):
        errors = [item.log_error for item in rows]
        inside = held(known, rows)
        factor = conformal_factor(errors)
        sizes = np.abs(np.expm1(errors))
        cells = [fold, metric, name, str(len(errors)), f"{np.median(sizes):.1%}"]
        cells += [f"{sizes.mean():.1%}", f"{np.mean(inside):.0%}"]
        lines.append([*cells, f"{factor:.2f}" if factor else "-"])
    note = (
        "A network is left out on every device and stack at once, a device with its stacks. "
        "What is left out is simulated at what the other rows give. The interval is that of the "
        f"parameters and the stack's spread. The reference interval needs {needed_residuals()} "
        "rows; it is the simulated value divided and multiplied by the factor."
    )
    header = [
        "left out",
        "metric",
        "stack",
        "rows",
        "median error",
        "mean",
        "inside 80 %",
        "factor",
    ]
    return note + "\n\n" + table(header, lines)


def mediatek_rows(found: Validation, residuals: Iterable[Residual]) -> str:
    """Return the rows of MediaTek devices; those of calibration with their network left out."""
    left_out = [
        [item.id, item.device, item.stack, item.model, item.metric, _error(item)]
        for item in residuals
        if item.fold == "network" and item.device.startswith(MEDIATEK)
    ]
    header = ["row", "device", "stack", "model", "metric", "error"]
    parts = [
        "Role validation:",
        row_table(row for row in found.rows if row.device.startswith(MEDIATEK)),
        "Role calibration, the row's network left out of the fit:",
        table(header, left_out),
        MEDIATEK_NOTE.rstrip(),
    ]
    return "\n\n".join(parts)


def _error(item: Residual) -> str:
    """Return the relative error, as a factor where it is large."""
    factor = math.exp(item.log_error)
    return f"{factor - 1.0:+.1%}" if factor < LARGE_FACTOR else f"x {factor:.0f}"


def impossible(rows: Iterable[Judged]) -> str:
    """Return the rows that beat the roofline, and why."""
    found = [f"- {row.run.id}: {row.impossible}" for row in rows if row.impossible]
    return "\n".join(found) or "None: no judged row beats the roofline at the device's peaks."


def tolerances(found: Validation) -> str:
    """Return the tolerances that are missed."""
    lines = [f"- {item}" for item in missed_tolerances(found)]
    return "\n".join(lines) or "All are met."


if __name__ == "__main__":
    write_text(Path(__file__).with_suffix(".md"), page())
