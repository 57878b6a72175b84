"""A measured run -> the scenarios that ask the simulator the same questions.

Prefill, first token and vision are asked with the prompt the row names, behind the tokens that were
in the cache before it. Decode, and with it memory and power, is asked at the context the row names,
since tools that time a generation at some depth fill the cache first::

    prefill: turn(depth, 1), turn(prompt, 1)        decode: turn(context - output, output)

or with depth and prompt where the row names no context. Only the last turn is what was measured. A
stack with static graphs reads all of the named context in every step, whatever is live. One graph
of a language model is one call of all its layers: a decode step where its prompt is one token, else
a prefill call of that many; the host's work of a step is not in it.

Device, stack, model and weights are what ran: a row that leaves one open is no question, and
`CannotSimulate` names the option that settles it. A rate without its sizes is asked at
`PROMPT_TOKENS` and `OUTPUT_TOKENS`; activations, cache format, threads and release that a row
leaves open are the stack's own. `assumptions` says all of it.

Not modelled: the state a phone was in before the row (heat, clocks, other programs); memory maps,
which matter to the first run only; kernels of one release of a runtime.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

from pydantic import ValidationError

from hw_models.errors import HardwareError
from hw_models.files import is_path
from hw_models.naming import which_device
from hw_models.soc import SocSpec, list_socs, load_soc
from sim.errors import SimError
from sim.evidence.measured import MeasuredRun
from workloads.catalogue import get_entry, trace_for
from workloads.compression import WeightMap
from workloads.deployment import LARGEST_CHUNK
from workloads.errors import WorkloadError, did_you_mean
from workloads.explain import sentences
from workloads.models.entry import is_model_path
from workloads.scenario import Scenario
from workloads.trace import NETWORK

PROMPT_TOKENS: Final = 128
"""Prompt of a row that names none."""
OUTPUT_TOKENS: Final = 128
"""Reply of a row that names none."""
DECODE: Final = "tokens_per_s"
"""The metric that is asked at the row's context."""
INFERENCE: Final = "inference_s"
"""The metric of one call of a network."""
SIZED: Final = ("time_to_first_token_s", "vision_encode_s")
"""Times that mean nothing without the sizes they were taken at."""
RUNTIMES: Final = {"ollama": "llamacpp", "sweep": "llamacpp"}
"""The runtime inside a tool, where its format does not begin with the name."""
FUSION: Final = {"on": "attention", "off": "elementwise"}
"""What flash attention decides: whether scores stay on chip or pass through memory."""


class CannotSimulate(SimError):
    """A row asks for something that the simulator does not hold; the message is the reason."""


def device_of_run(run: MeasuredRun, soc: SocSpec | None = None) -> SocSpec:
    """Return the device a run is simulated on: the given one, else the one the row names.

    Raises `CannotSimulate` where there is none.
    """
    if soc is not None:
        return soc
    if not run.device:
        raise CannotSimulate("The row must name a device. Got none; give one with --device.")
    try:
        return load_soc(run.device)
    except HardwareError as error:
        faults = [_why_no_device(run.device, error), *faults_of_names(run, _nearest(run.device))]
        raise CannotSimulate(" ".join(faults)) from None


def _why_no_device(name: str, error: HardwareError) -> str:
    """Return the faults of a device file that is there, else the nearest id."""
    if is_path(name) or name in list_socs():
        return " ".join(str(error).split())
    return f"no device file describes {name!r}. {which_device(name)}"


def _nearest(name: str) -> SocSpec | None:
    """Return the device that a name nearly is, if there is one."""
    near = None if is_path(name) else re.search(r"^Did you mean '(\w+)'", which_device(name))
    return load_soc(near[1]) if near else None


def faults_of_names(run: MeasuredRun, soc: SocSpec | None) -> list[str]:
    """Return a sentence per name of a run that stands for nothing: stack, model, weights.

    Parameters
    ----------
    soc
        The device, or the one that is probably meant; stacks are not looked at without one.
    """
    stack = "" if not run.stack or soc is None else _stack_fault(run.stack, soc)
    said = (stack, _model_fault(run.model), _weights_fault(run.weights))
    return [text for text in said if text]


def _stack_fault(stack: str, soc: SocSpec) -> str:
    if stack in soc.stacks:
        return ""
    return f"device {soc.id} has no stack {stack!r}. {did_you_mean(stack, soc.stacks)}"


def _model_fault(model: str) -> str:
    """Return why an id is none of the catalogue's; a file is looked at when it is asked for."""
    return "" if not model or is_model_path(model) else _id_fault(model)


@cache
def _id_fault(model: str) -> str:
    try:
        get_entry(model)
    except WorkloadError as error:
        return " ".join(str(error).split())
    return ""


@cache
def _weights_fault(weights: str) -> str:
    try:
        WeightMap.model_validate(weights or {})
    except ValidationError as error:
        return " ".join(f"weights.{text}" for text in sentences(error))
    return ""


def stack_of_run(run: MeasuredRun, soc: SocSpec) -> str:
    """Return the stack a run ran on, or raise `CannotSimulate` where ``soc`` lacks it."""
    if fault := _stack_fault(run.stack, soc):
        raise CannotSimulate(fault)
    return run.stack


def scenario_of_run(run: MeasuredRun, metric: str, soc: SocSpec) -> Scenario:
    """Return the scenario that yields ``metric`` of ``run`` on ``soc``, or raise `CannotSimulate`.

    >>> ran = {"stack": "neuropilot", "model": "qwen3-0.6b", "weights": "w4"}
    >>> run = MeasuredRun(id="a", context_tokens=1024, tokens_per_s=50.0, **ran)
    >>> scenario = scenario_of_run(run, "tokens_per_s", load_soc("dimensity_9500"))
    >>> scenario.session.turns[0].prompt_tokens
    896
    """
    wrong = faults_of_names(run, soc)
    is_network = bool(run.model) and not wrong and _is_network(run.model)
    graph = [] if wrong else _open_graph(run, metric, is_network)
    if faults := [*_open_fields(run, soc), *wrong, *graph]:
        raise CannotSimulate(" ".join(faults))
    stack = stack_of_run(run, soc)
    if is_network:
        return _network(run, soc, stack)
    if metric == INFERENCE:
        run, metric = _of_one_graph(run)
    if metric in SIZED and run.prompt_tokens is None and not run.image_px:
        raise CannotSimulate(
            f"{metric} must come with prompt_tokens. Got none; give them with --prompt-tokens."
        )
    deployment: dict[str, Any] = {
        "kv_cache": _kv_cache(run, soc, stack),
        "weights": run.weights,
        "activations": run.activations or None,
        "prefill_chunk_tokens": run.ubatch_tokens and min(run.ubatch_tokens, LARGEST_CHUNK),
        "fusion": FUSION.get(run.flash_attention),
    }
    wanted = {
        "device": soc.id,
        "stack": stack,
        "model": run.model,
        "deployment": deployment,
        "session": {"turns": _turns(run, metric)},
    }
    return _asked(wanted)


def _is_network(model: str) -> bool:
    try:
        return NETWORK in trace_for(model).phases
    except WorkloadError as error:
        raise CannotSimulate(" ".join(str(error).split())) from None


def graph_phase(run: MeasuredRun) -> str:
    """Return the phase that one graph of a language model is a call of."""
    return "decode" if run.prompt_tokens == 1 else "prefill"


def _open_graph(run: MeasuredRun, metric: str, is_network: bool) -> list[str]:
    """Return what leaves the phase of a language model's graph open."""
    if metric != INFERENCE or is_network or not run.model or run.prompt_tokens:
        return []
    return [
        f"{run.model} is a language model, and the profile does not say which phase its graph is: "
        f"no prompt_tokens; give them with --prompt-tokens, 1 for a decode step."
    ]


def _of_one_graph(run: MeasuredRun) -> tuple[MeasuredRun, str]:
    """Return a graph's call as the run, and the metric, that ask for one step of its phase."""
    if graph_phase(run) == "decode":
        return run.model_copy(update={"output_tokens": 2}), DECODE  # the second token is the step
    return run.model_copy(update={"ubatch_tokens": run.prompt_tokens}), "prefill_tokens_per_s"


def _network(run: MeasuredRun, soc: SocSpec, stack: str) -> Scenario:
    """Return the scenario of one call of a network, formats as the row says."""
    wanted = {
        "device": soc.id,
        "stack": stack,
        "model": run.model,
        "deployment": {"weights": run.weights, "activations": run.activations or None},
        "network": {"calls": 1},
    }
    return _asked(wanted)


def _asked(wanted: dict[str, Any]) -> Scenario:
    try:
        return Scenario.from_mapping(wanted, "row")
    except WorkloadError as error:
        raise CannotSimulate(" ".join(str(error).split())) from None


def assumptions(run: MeasuredRun, metric: str) -> tuple[str, ...]:
    """Return what is taken for granted where a run is judged on ``metric``, in sentences."""
    if metric == INFERENCE:
        open_formats = [name for name in ("activations", "release") if not getattr(run, name)]
        said = [f"{', '.join(open_formats)}: the stack's default."] if open_formats else []
        return (*said, *_of_graph(run))
    said = []
    placed = run.context_tokens is not None or (metric == DECODE and run.depth_tokens is not None)
    if run.prompt_tokens is None and not run.image_px and not placed:
        said.append(f"prompt_tokens is empty: judged at {PROMPT_TOKENS}.")
    if metric == DECODE and run.output_tokens is None:
        said.append(f"output_tokens is empty: judged at {OUTPUT_TOKENS}.")
    open_fields = [
        name for name in ("activations", "kv_dtype", "threads", "release") if not getattr(run, name)
    ]
    if open_fields:
        said.append(f"{', '.join(open_fields)}: the stack's default.")
    return tuple(said)


def _of_graph(run: MeasuredRun) -> list[str]:
    """Return what is taken for granted of one graph, if it is a language model's."""
    if not run.prompt_tokens or _is_network(run.model):
        return []
    said = ["the graph is taken as all layers of the model, without the host's work of a step."]
    if run.context_tokens is None:
        said.append("context_tokens is empty: judged with what the call needs.")
    return said


def _open_fields(run: MeasuredRun, soc: SocSpec) -> list[str]:
    """Return a sentence per needed field that the row leaves open, with the option that settles."""
    said = []
    if not run.stack:
        seen = f"{run.backend!r} settles none" if run.backend else "Got none"
        said.append(
            f"The row must name a stack. {seen}; give one with --stack, of {_stacks(run, soc)}."
        )
    if not run.model:
        seen = f"{run.model_name!r} settles none" if run.model_name else "Got none"
        said.append(f"The row must name a model. {seen}; give one with --model.")
    if not run.weights:
        said.append("The row must name the weights' format. Got none; give one with --weights.")
    return said


def _stacks(run: MeasuredRun, soc: SocSpec) -> str:
    """Return the stacks that a row may have run on: those of its tool's runtime, if there are any.

    >>> _stacks(MeasuredRun(id="a", source_format="litert-lm"), load_soc("snapdragon_8_elite"))
    'litert_npu, litert_cpu, litert_gpu'
    """
    tool = re.split(r"[^a-z]", run.source_format)[0]
    runtime = RUNTIMES.get(tool, tool)
    own = [name for name in soc.stacks if runtime and name.startswith(runtime)]
    return ", ".join(own or soc.stacks)


def _kv_cache(run: MeasuredRun, soc: SocSpec, stack: str) -> dict[str, Any]:
    keys, values = run.kv_dtype, run.kv_value_dtype or run.kv_dtype
    cache: dict[str, Any] = {"dtype": keys if keys == values else f"{keys}+{values}"}
    chosen = soc.stack(stack)
    if run.context_tokens and (chosen.cache_buckets_tokens or chosen.reads_allocated_cache):
        cache["buckets"] = [run.context_tokens]
    return {name: value for name, value in cache.items() if value}


def _turns(run: MeasuredRun, metric: str) -> list[dict[str, Any]]:
    """Return what fills the cache, if anything, and the turn that was measured."""
    prompt = PROMPT_TOKENS if run.prompt_tokens is None else run.prompt_tokens
    depth = run.depth_tokens or 0
    asked = {"images_px": run.image_px, "prompt_tokens": prompt, "output_tokens": 1}
    if metric != DECODE:
        return [*([{"prompt_tokens": depth, "output_tokens": 1}] if depth else []), asked]
    output = max(2, run.output_tokens or OUTPUT_TOKENS)
    if run.context_tokens is not None and not run.image_px:
        prompt = max(1, run.context_tokens - output)
    elif depth:
        prompt = depth + (run.prompt_tokens or 0)
    return [asked | {"prompt_tokens": prompt, "output_tokens": output}]
