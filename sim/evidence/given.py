"""Measured files, and what a person adds to what they say.

Logs and profiles seldom name the model, the software stack or the weights. What is given here fills
the rows that leave it open and overrules what an importer only concluded; a row that says something
else keeps its own model and weights, and is refused where another device or stack is asked for. An
option that settles no row is refused, since it would change nothing and nobody would notice.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from hw_models.files import is_path
from hw_models.naming import which_device
from hw_models.soc import list_socs
from sim.errors import SimError
from sim.evidence.column_units import SAID
from sim.evidence.importers.names import model_id, one_name, other_count
from sim.evidence.importers.own_csv import column_mapping
from sim.evidence.importers.processors import devices_of
from sim.evidence.importers.registry import import_measured
from sim.evidence.measured import MeasuredRun, write_measured
from sim.evidence.operator_csv import beside, write_operators
from sim.output import write_text
from workloads.models.entry import is_model_path

ROUNDED: Final = 0.35
"""Assumed: relative difference up to which "1B" may be a model's number of weights."""
_SIZE: Final = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s?[bB]\b")
UNITS: Final = ("cpu", "gpu", "npu")
FILLING: Final = ("model", "stack", "weights", "prompt_tokens")
"""What is given for the rows that leave it open."""

ANSWERED: Final = {
    "model": ("settle a model",),
    "weights": ("settle a weight",),
    "stack": ("settle a stack", "the stack is not in the file"),
}
"""Words of an importer's warning that an option answers."""


class Given(NamedTuple):
    """What a person says of the runs in the files; empty: nothing.

    Attributes
    ----------
    format
        Name of an importer; found from the text if none.
    columns
        CSV columns renamed, each ``theirs=ours``.
    device
        Id or path of the device the runs are simulated on.
    prompt_tokens
        Prompt of the rows that name none; that of a graph, 1 where it is a decode step.
    """

    model: str = ""
    stack: str = ""
    weights: str = ""
    format: str | None = None
    columns: Sequence[str] = ()
    device: str = ""
    prompt_tokens: int | None = None


NOTHING: Final = Given()


def as_options(given: Given) -> str:
    """Return what was given as the command line has it, with a blank before each.

    >>> as_options(Given("qwen3-0.6b", columns=["TG=tokens_per_s"]))
    ' --model qwen3-0.6b --column TG=tokens_per_s'
    """
    options = [
        ("--" + name.replace("_", "-"), getattr(given, name))
        for name in (*FILLING, "format")
        if getattr(given, name) not in ("", None)
    ]
    options += [("--column", pair) for pair in given.columns]
    return "".join(f" {name} {shlex.quote(str(value))}" for name, value in options)


def read_runs(paths: Sequence[Path], given: Given = NOTHING) -> list[MeasuredRun]:
    """Return the runs of the files, the open fields filled.

    Raises SimError for a file no importer reads, an id given twice, and for what fits no row.
    """
    mapping = column_mapping(given.columns)
    runs = [run for path in paths for run in import_measured(path, given.format, mapping)]
    seen: set[str] = set()
    for run in runs:
        if run.id in seen:
            raise SimError(f"id {run.id!r} must be unique over all files. Got it twice.")
        seen.add(run.id)
    return settled(runs, given)


def settled(runs: Sequence[MeasuredRun], given: Given) -> list[MeasuredRun]:
    """Return runs with what the person says; `SimError` where an option fits none of them."""
    given = given._replace(model=as_model(given.model))
    open_models = [run.model_name for run in runs if not run.model and not run.refusal]
    shared = one_name(open_models)
    found = [filled(run, given, shared) for run in runs]
    read = [(run, new) for run, new in zip(runs, found, strict=True) if not run.refusal]
    if given.device and read and all(new.refusal for _, new in read):
        raise SimError("\n".join(dict.fromkeys(new.refusal for _, new in read)))
    for option in FILLING:
        value = getattr(given, option)
        if (
            value not in ("", None)
            and read
            and not any(getattr(new, option) == value for _, new in read)
        ):
            refusals = {new.refusal for _, new in read if new.refusal}
            own = sorted({str(getattr(run, option)) for run, _ in read} - {"", "None"})
            said = f"every row names its own: {', '.join(own)}." if own else " ".join(refusals)
            name = option.replace("_", "-")
            raise SimError(f"--{name} must fill a row that names none. Got {value!r}; {said}")
    return found


def as_model(name: str) -> str:
    """Return the id that a tag of Ollama stands for; any other name as it is.

    >>> as_model("llama3.2:3b"), as_model("qwen3-4b"), as_model("mine.gguf")
    ('llama-3.2-3b', 'qwen3-4b', 'mine.gguf')
    """
    is_tag = ":" in name and not is_model_path(name)  # no id of ours has a colon
    return model_id(name) or name if is_tag else name


def filled(run: MeasuredRun, given: Given, one_model: bool = True) -> MeasuredRun:
    """Return a run whose open fields hold what the person gave, refused where it contradicts.

    Parameters
    ----------
    one_model
        Whether all rows without a model are of one; else nobody knows which is meant.

    >>> filled(MeasuredRun(id="a", stack="genie"), Given("qwen3-4b", "mnn_cpu")).stack
    'genie'
    """
    if run.refusal:
        return run
    update: dict[str, object] = {}
    refusals = [*_device_contradicts(run, given.device)]
    if given.model and not run.model:
        why = _model_contradicts(run, given.model, one_model)
        update |= {} if why else {"model": given.model}
        refusals += [why] if why else []
    if given.weights and not run.weights:
        update["weights"] = given.weights
    if given.prompt_tokens is not None and run.prompt_tokens is None:
        update["prompt_tokens"] = given.prompt_tokens
    if given.stack and _can_be(run, given.stack):
        update["stack"] = given.stack
    if refusals:
        update = {"refusal": " ".join(refusals)}
    else:
        update["warnings"] = tuple(_still_open(run, update))
    return run.model_copy(update=update)


def _still_open(run: MeasuredRun, update: dict[str, object]) -> Iterable[str]:
    """Yield the warnings that what was given does not answer."""
    gone = [words for name, said in ANSWERED.items() if name in update for words in said]
    if {"model", "stack"} <= set(update):
        gone.append("device, stack and model are not in")
    return (text for text in run.warnings if not any(words in text for words in gone))


def _device_contradicts(run: MeasuredRun, device: str) -> Iterable[str]:
    """Yield why a run cannot be judged on a device; a file of one's own is never contradicted."""
    if not device or is_path(device) or device not in list_socs():
        return
    if run.device and not is_path(run.device) and run.device not in list_socs():
        yield (
            f"the row's device {run.device!r:.60} is no device id. {which_device(run.device)} "
            f"Write an id there, or leave the cell empty for --device {device}."
        )
        return
    if run.device and run.device != device:
        yield f"the row ran on {run.device}, which contradicts --device {device}."
        return
    named = devices_of(run.processor) if run.processor else None
    if named is not None and device not in named:
        yield f"the file says {run.processor!r:.60}, which contradicts --device {device}."


def _model_contradicts(run: MeasuredRun, model: str, one_model: bool) -> str:
    if other_count(model, run.model_parameters):
        shown = f"{run.model_name!r:.60}, {run.model_parameters:.3g} weights"
        return f"the file says {shown}, which contradicts --model {model}."
    size = _SIZE.search(run.model_name)
    if size and not run.model_parameters and other_count(model, float(size[1]) * 1e9, ROUNDED):
        return f"the file says {run.model_name!r:.60}, which contradicts --model {model}."
    if not one_model and model_id(run.model_name) != model and not run.model_parameters:
        return f"the file names several models, of which --model {model} can be one; split it."
    return ""


def _can_be(run: MeasuredRun, stack: str) -> bool:
    """Whether a stack can be what ran: the row is open, or only its unit was seen and is this."""
    if not run.stack:
        return True
    if not run.stack_is_inferred:
        return False
    seen, asked = (
        next((u for u in UNITS if name.endswith(f"_{u}")), "npu") for name in (run.stack, stack)
    )
    return seen == asked


def import_to(paths: Sequence[Path], out: Path, given: Given = NOTHING) -> str:
    """Write the runs of files as one CSV and say what was read and what is open."""
    runs = read_runs(paths, given)
    named = runs if not given.device else [_placed(run, given.device) for run in runs]
    operators = sum(len(run.operators) for run in named)
    if operators or beside(out).exists():  # what lies there is read with the runs
        write_text(beside(out), write_operators(named))
    write_text(out, write_measured(named))
    refused = [run for run in named if run.refusal]
    opened = {
        name: sum(1 for run in named if not run.refusal and not getattr(run, name))
        for name in ("device", "stack", "model", "weights")
    }
    counted = "1 row" if len(named) == 1 else f"{len(named)} rows"
    said = [
        f"Written to {out}: {counted} of {', '.join(sorted({r.source_format for r in named}))}."
    ]
    if operators:
        said.append(f"{beside(out)}: {operators} operators, read with it.")
    said += [
        f"{count} {'row leaves' if count == 1 else 'rows leave'} {name} open: --{name}."
        for name, count in opened.items()
        if count
    ]
    texts = dict.fromkeys(text for run in named for text in run.warnings)
    said += [text for text in texts if text.startswith(SAID)]
    said += [f"refused {run.id}: {run.refusal}" for run in refused]
    return "\n".join(said)


def _placed(run: MeasuredRun, device: str) -> MeasuredRun:
    return run if run.device or is_path(device) else run.model_copy(update={"device": device})
