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
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from sim.calibration.folds import Residual
from sim.calibration.rows import by_stack, observe
from sim.calibration.shipping import KEPT_AT_PRIORS, exhibit_rows, prior_of, read_residuals
from sim.calibration.two_numbers import TwoNumberLaw, two_number_device
from sim.evidence.exhibits import load_exhibits
from sim.evidence.questions import DECODE
from sim.output import write_text
from sim.validation.exhibits import missed_tolerances, validate_exhibits
from sim.validation.intervals import conformal_factor, needed_residuals
from sim.validation.judging import GROUPS, Judged, Validation, scores
from sim.validation.tables import group_table, metric_table, row_table, share, skipped_table, table

TARGET_DEVICES: Final = ("snapdragon_8_elite", "snapdragon_8_elite_gen_5")
"""Devices whose rows the project's aims are set for."""
MEDIATEK: Final = "dimensity"
"""What the ids of MediaTek devices begin with; their rows are shown apart: few, of mixed origin."""
LARGE_FACTOR: Final = 10.0
"""Errors from this factor on are written as one."""
FIRST_TOKEN: Final = "time_to_first_token_s"
HEAD: Final = """\
# Validation on phones

Written by `python docs/validation.py`; not edited by hand.
`andesim calibrate --exhibits` fits the stacks to the exhibits in role calibration,
`andesim validate` judges them on the exhibits in role validation: networks that the stack was not
fitted to. Roles were fixed before any row was simulated (`validation_data/README.md`), and the form
of the model was chosen by leaving networks out of the calibration rows.

Errors are relative to the measured value. Bias is their signed mean. The 80 % interval comes from
the ranges of the stack's parameters and the spread that networks left out of the calibration rows
showed; the reference interval is a conformal quantile of the errors on those rows. There is no
figure over all metrics.
"""
LIMITS: Final = """\
## What the errors are made of

- *The data*. Two releases of one entry, twelve days apart, are both kept in a role: a simulation of
  a stack cannot agree with both, and what that alone costs is the floor in the table of targets.
  Rows of other phones and teams carry heat, clocks and settings that they do not state.
- *Overheads*. Rows are end to end, so the time per graph call and per step cannot be told apart and
  both keep their priors; where a stack has one calibration network, bandwidth absorbs them.
- *Silicon*. Peak rates of the NPUs are assumptions; only their product with an efficiency is
  fitted. fp16 graphs expand their weights in ways that are in the fitted bandwidth alone.
- *Copies*. The decode errors of `qnn_context_binary` grow with the bytes of the KV cache: a host
  that copies the cache in every step would look like that. Its calibration rows have one cache
  length, so nothing could be fitted, and nothing was added.
- *Memory*. What a process holds besides weights, cache and activations is not simulated.
- *Processors*. Prefill on application cores depends on the phone's cores and threads, which the
  rows do not state; devices without a calibration row inherit the rates of a faster phone.
- *Labels*. The rates of R241 are about a third of what the other rows of its stack imply, and
  close to what the vendor publishes for fp16 graphs; its label is doubtful, so it does not judge.
- *Looks*. The exhibits have been judged three times. Before the second, padding was taken out of
  runtimes that follow the live prompt length, because that is how they work; errors of CPU
  prefill became larger, not smaller. Before the third, two priors whose bounds the calibration
  rows had run into were widened (host overhead of the X Elite, bandwidth of the Tensor G1), and
  ExecuTorch on bf16 became a stack of its own, because calibration rows of one network
  contradicted each other; rows left out of the calibration decided, and whoever decided knew the
  errors of the second look.
- *Not covered*: sustained runs, energy, vision encoders inside a session, speculative decoding.
"""
MEDIATEK_NOTE: Final = """\
These rows support the order of magnitude of one NPU path on one small network, and CPU decoding of
a 7B network. They do not support a bandwidth of the NPU 990 apart from overheads, any prefill rate
or vision rate on it, or a network of several billion parameters: no such row is public. The stack
`neuropilot_public` is not fitted: the same phone and graph with other compiler flags is two orders
of magnitude away from every prior.
"""


def page() -> str:
    """Return the page as Markdown."""
    found, residuals = validate_exhibits(), read_residuals()
    sections = [
        HEAD,
        "## Targets\n\n" + targets(found),
        "## Per metric\n\n" + metric_table(found.by_metric()),
        *(
            f"## Per metric and {kind}\n\n" + group_table(found.by_group(kind), kind)
            for kind in GROUPS
        ),
        "## Against the two-number law\n\n" + two_numbers(found),
        "## Left out of the calibration rows\n\n" + folds(residuals),
        "## MediaTek rows\n\n" + mediatek_rows(found, residuals),
        LIMITS,
        "## Physically impossible rows\n\n" + impossible(found.rows),
        "## Tolerances of the manifests\n\n" + tolerances(found),
        "## Rows\n\n" + row_table(found.rows),
        "## Skipped\n\n" + skipped_table(found),
    ]
    return "\n\n".join(section.rstrip() for section in sections) + "\n"


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


def two_numbers(found: Validation) -> str:
    """Return the decode errors of the simulator and of bytes / bandwidth + overhead."""
    law = two_number_errors(found)
    rows = [row for row in found.rows if row.metric == DECODE and row.run.id in law]
    exhibit_of = _exhibits()
    groups: dict[tuple[str, str, str], list[Judged]] = {}
    for row in rows:
        groups.setdefault((row.stack, "all", "all"), []).append(row)
        if row.device in TARGET_DEVICES:
            key = (row.stack, "the two of the targets", exhibit_of[row.run.id])
            groups.setdefault(key, []).append(row)
    lines = [
        [*name, str(len(own)), f"{scores(own).mape:.1%}", f"{_mean_abs(own, law):.1%}"]
        for name, own in sorted(groups.items())
    ]
    note = "Decode MAPE; both are fitted to the same rows with the same priors."
    header = ["stack", "devices", "exhibit", "rows", "simulator", "two numbers"]
    return note + "\n\n" + table(header, lines)


def two_number_errors(found: Validation) -> Mapping[str, float]:
    """Return the two-number law's error of each decode row of a stack it was fitted to, by id."""
    fitted = {}
    for (device, stack), rows in by_stack(exhibit_rows()[0]).items():
        decode = [row for row in rows if row.metric == DECODE]
        if decode:
            fitted[device, stack] = two_number_device(prior_of(device), decode)
    errors = {}
    for row in found.rows:
        soc = fitted.get((row.device, row.stack))
        if row.metric == DECODE and soc is not None:
            law = TwoNumberLaw(observe(row.run, DECODE, soc))
            errors[row.run.id] = law.simulated(soc) / row.measured - 1.0
    return errors


def _mean_abs(rows: Sequence[Judged], law: Mapping[str, float]) -> float:
    return float(np.mean([abs(law[row.run.id]) for row in rows]))


def folds(residuals: Iterable[Residual]) -> str:
    """Return what leaving a network or a device out of the calibration rows gives."""
    groups: dict[tuple[str, str, str], list[float]] = {}
    for item in residuals:
        groups.setdefault((item.fold, item.metric, item.unit), []).append(item.log_error)
    lines = []
    for (fold, metric, unit), errors in sorted(groups.items()):
        factor = conformal_factor(errors)
        median = float(np.median(np.abs(np.expm1(errors))))
        cells = [fold, metric, unit, str(len(errors)), f"{median:.1%}"]
        lines.append([*cells, f"{factor:.2f}" if factor else "-"])
    note = (
        "A stack with one calibration network falls back to its priors when that is left out, "
        f"which is what a new stack would get. The reference interval needs {needed_residuals()} "
        "rows; it is the simulated value divided and multiplied by the factor."
    )
    header = ["left out", "metric", "unit", "rows", "median error", "80 % factor"]
    return note + "\n\n" + table(header, lines)


def mediatek_rows(found: Validation, residuals: Iterable[Residual]) -> str:
    """Return the rows of MediaTek devices, those of calibration as simulated at the priors."""
    at_priors = [
        [item.id, item.device, item.stack, item.model, item.metric, _error(item)]
        for item in residuals
        if item.fold == "network" and item.device.startswith(MEDIATEK)
    ]
    header = ["row", "device", "stack", "model", "metric", "error at the priors"]
    kept = [
        f"`{stack}` of `{device}` ships with its priors: {reason}"
        for (device, stack), reason in KEPT_AT_PRIORS.items()
    ]
    parts = [
        "Role validation:",
        row_table(row for row in found.rows if row.device.startswith(MEDIATEK)),
        "Role calibration, no row fitted:",
        table(header, at_priors),
        MEDIATEK_NOTE.rstrip(),
        *kept,
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
