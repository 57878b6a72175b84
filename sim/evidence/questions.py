"""A measured run -> the scenarios that ask the simulator the same questions.

Prefill, first token and vision are asked with the prompt the row names. Decode, and with it memory
and power, is asked at the context the row names, since tools that time a generation at some depth
fill the cache first::

    prefill: turn(prompt, 1)        decode: turn(context - output, output)

or with the prompt where the row names no context or holds images. A stack with static graphs reads
all of the named context in every step, whatever is live. Cells that are empty mean what
`PROMPT_TOKENS` and `OUTPUT_TOKENS` say; formats that the row leaves open are the stack's defaults.

Not modelled: the state a phone was in before the row (heat, clocks, other programs).
"""

from __future__ import annotations

from typing import Any, Final

from hw_models.errors import HardwareError
from hw_models.files import is_path
from hw_models.soc import SocSpec, list_socs, load_soc
from sim.errors import SimError
from sim.evidence.measured import MeasuredRun
from workloads.catalogue import trace_for
from workloads.errors import WorkloadError, did_you_mean
from workloads.scenario import Scenario

PROMPT_TOKENS: Final = 128
"""Prompt of a row that names none."""
OUTPUT_TOKENS: Final = 128
"""Reply of a row that names none."""
DECODE: Final = "tokens_per_s"
"""The metric that is asked at the row's context."""
UNITS: Final = ("npu", "gpu", "cpu")


class CannotSimulate(SimError):
    """A row asks for something that the simulator does not hold; the message is the reason."""


def device_of_run(run: MeasuredRun, soc: SocSpec | None = None) -> SocSpec:
    """Return the device a run is simulated on: the given one, else the one the row names.

    Raises `CannotSimulate` where there is none.
    """
    if soc is not None:
        return soc
    if not run.device:
        raise CannotSimulate("the row must name a device. Got none; give one with --device.")
    try:
        return load_soc(run.device)
    except HardwareError as error:
        raise CannotSimulate(_why_no_device(run.device, error)) from None


def _why_no_device(name: str, error: HardwareError) -> str:
    """Return the faults of a device file that is there, else the nearest id."""
    if is_path(name) or name in list_socs():
        return " ".join(str(error).split())
    return f"no device file describes {name!r}. {did_you_mean(name, list_socs())}"


def stack_of_run(run: MeasuredRun, soc: SocSpec) -> str:
    """Return the stack a run is simulated on: the one it names, else one of its backend's unit.

    A run that names neither takes the device's default stack. Of the stacks of a unit the default
    comes first, then those fitted to measurements, in the order of the device file. Raises
    `CannotSimulate` where the device has none.
    """
    if run.stack and run.stack not in soc.stacks:
        hint = did_you_mean(run.stack, soc.stacks)
        raise CannotSimulate(f"device {soc.id} has no stack {run.stack!r}. {hint}")
    return run.stack or _stack_of_unit(run.backend, soc)


def _stack_of_unit(backend: str, soc: SocSpec) -> str:
    """Return the stack of the unit that a backend such as "GPU (OpenCL)" begins with."""
    unit = next(iter(backend.lower().split()), "")
    if unit not in UNITS:
        return soc.default_stack
    own = [name for name, stack in soc.stacks.items() if stack.unit == unit]
    if soc.default_stack in own:
        return soc.default_stack
    if own:
        return next((name for name in own if soc.stacks[name].fit), own[0])
    raise CannotSimulate(f"device {soc.id} has no stack on its {unit}.")


def scenario_of_run(run: MeasuredRun, metric: str, soc: SocSpec) -> Scenario:
    """Return the scenario that yields ``metric`` of ``run`` on ``soc``, or raise `CannotSimulate`.

    >>> run = MeasuredRun(id="a", model="qwen3-0.6b", context_tokens=1024, tokens_per_s=50.0)
    >>> scenario = scenario_of_run(run, "tokens_per_s", load_soc("dimensity_9500"))
    >>> scenario.session.turns[0].prompt_tokens
    896
    """
    stack = stack_of_run(run, soc)
    if not run.model:
        raise CannotSimulate("the row must name a model. Got none; give one with --model.")
    deployment: dict[str, Any] = {"kv_cache": _kv_cache(run, soc, stack)}
    if run.weights:
        deployment["weights"] = run.weights
    if run.activations:
        deployment["activations"] = run.activations
    wanted = {
        "device": soc.id,
        "stack": stack,
        "model": run.model,
        "deployment": deployment,
        "session": {"turns": [_turn(run, metric)]},
    }
    try:
        trace_for(run.model)
        return Scenario.from_mapping(wanted, "row")
    except WorkloadError as error:
        raise CannotSimulate(" ".join(str(error).split())) from None


def _kv_cache(run: MeasuredRun, soc: SocSpec, stack: str) -> dict[str, Any]:
    cache: dict[str, Any] = {"dtype": run.kv_dtype} if run.kv_dtype else {}
    if run.context_tokens and soc.stack(stack).cache_buckets_tokens:
        cache["buckets"] = [run.context_tokens]
    return cache


def _turn(run: MeasuredRun, metric: str) -> dict[str, Any]:
    prompt = PROMPT_TOKENS if run.prompt_tokens is None else run.prompt_tokens
    output = 1
    if metric == DECODE:
        output = max(2, run.output_tokens or OUTPUT_TOKENS)
        room = (run.context_tokens or 0) - output
        prompt = _decode_prompt(run, prompt, room)
    return {"images_px": run.image_px, "prompt_tokens": prompt, "output_tokens": output}


def _decode_prompt(run: MeasuredRun, prompt: int, room: int) -> int:
    """Return the prompt that leaves the cache at the context the row names after decode."""
    if run.context_tokens is None or run.image_px:
        return prompt
    return max(1, room)
