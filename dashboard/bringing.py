"""What happens to a file that is brought: it is checked by simulating with it, then it is chosen.

device    load_soc        then the sidebar's device
model     the trace of a config.json or a GGUF header, then the sidebar's model
network   the config.json of an encoder or the trace of a network, for the Network page
scenario  what the sidebar can hold of it; the rest is named
measured  goes to the Validate page
bundle    each file in it
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dashboard import networks, own
from dashboard.choices import BY_BITS, GIB, STACK_DEFAULT, WEIGHT_CLASSES, Choices
from dashboard.runs import run
from dashboard.what_ifs import held, what_if_text
from hw_models.soc import load_soc
from sim.assumed import assumed
from sim.errors import SimError
from sim.explore.comparison import entries
from workloads.catalogue import is_of_words
from workloads.eviction_policies import EVICTION_POLICIES
from workloads.files import parse_yaml
from workloads.scenario import Scenario

BPW = "bpw"


class Taken(NamedTuple):
    """What a file became: a sentence, the choices with it, and what of it was left out."""

    said: str
    choices: Choices
    left_out: tuple[str, ...] = ()
    measured: own.Brought | None = None
    network: own.Brought | None = None


def take(content: bytes, name: str, choices: Choices) -> list[Taken]:
    """Return what a file becomes, one entry for each file of a bundle.

    Raises what the readers raise, with the file's own name in the message.
    """
    item = own.bring(content, name)
    if item.kind == "bundle":
        found: list[Taken] = []
        members = sorted(own.unpacked(content), key=lambda pair: pair[0] == "scenario.yaml")
        for inside, text in members:  # the scenario last: it names the others
            found += take(text, inside, found[-1].choices if found else choices)
        return found
    return [_TAKERS[item.kind](item, choices)]


def _device(item: own.Brought, choices: Choices) -> Taken:
    soc = load_soc(str(item.path))
    changed = choices.changed(device=item.id, stack=STACK_DEFAULT, what_if="")
    run(changed)
    stacks = ", ".join(soc.stacks)
    return Taken(f"The device **{soc.name}** with the stacks {stacks}.", changed)


def _model(item: own.Brought, choices: Choices) -> Taken:
    changed = choices.changed(model=item.id)
    if is_of_words(item.path):
        changed = changed.changed(images=0)
    result = run(changed)
    weights = result.summary().weight_bytes_per_step / 1e9
    return Taken(f"A model whose decode step reads {weights:.2f} GB of weights here.", changed)


def _network(item: own.Brought, choices: Choices) -> Taken:
    call_s = networks.run(networks.Asked(choices, item.id)).summary().inference_s
    took = "does not fit here" if call_s is None else f"takes {1e3 * call_s:.2f} ms a call here"
    return Taken(f"A network that {took}.", choices, network=item)


def _scenario(item: own.Brought, choices: Choices) -> Taken:
    mapping = parse_yaml(item.content.decode("utf-8", errors="replace"), item.path.name)
    if not isinstance(mapping, dict):
        raise SimError(f"{item.path.name} must be a mapping. Got {type(mapping).__name__}.")
    mapping = {**mapping, **_brought(mapping)}
    asked = Scenario.from_mapping(mapping)
    if asked.network is not None:
        raise SimError(
            f"{item.path.name} must ask a language model here. It asks a single network. Remedy: "
            f"choose {asked.model} on the Network page, or andesim simulate {item.path.name}."
        )
    changed = choices_of(asked, mapping)
    theirs, ours = entries(asked), entries(Scenario.from_mapping(changed.mapping()))
    left_out = tuple(path for path in theirs if path not in ours or ours[path] != theirs[path])
    run(changed)
    return Taken("A scenario; the sidebar holds it now.", changed, left_out)


def _measured(item: own.Brought, choices: Choices) -> Taken:
    return Taken("Measurements: the Validate page judges them.", choices, measured=item)


_TAKERS = {
    "device": _device,
    "model": _model,
    "network": _network,
    "scenario": _scenario,
    "measured": _measured,
}


def _brought(mapping: Mapping[str, Any]) -> dict[str, str]:
    """Return the entries of a scenario that name a file brought before it, as its path."""
    found = {}
    for key in ("device", "model"):
        names = {own.kept(name).path.name: name for name in own.ids(key)}
        given = str(mapping.get(key, "")).rpartition("/")[2]
        if given in names:
            found[key] = own.place(names[given])
    return found


def choices_of(asked: Scenario, mapping: Mapping[str, Any]) -> Choices:
    """Return what the sidebar can hold of a scenario."""
    deployment, around = asked.deployment, asked.environment
    turn = asked.session.turns[0]
    plain = asked.model_dump(mode="json", exclude_defaults=True)
    given: dict[str, Any] = {
        "device": _id("device", str(mapping.get("device", asked.device))),
        "model": _id("model", str(mapping.get("model", asked.model))),
        "stack": plain.get("stack") or STACK_DEFAULT,
        "images": len(turn.images_px),
        "prompt_tokens": turn.prompt_tokens,
        "output_tokens": turn.output_tokens,
        "ambient_c": around.ambient_c,
        "background": plain.get("environment", {}).get("background", "idle"),
        "start": around.start,
        "clock_fraction": around.clock_fraction,
        "threads": deployment.threads or 0,
        "adapters": len(deployment.lora.adapters) if deployment.lora is not None else 0,
        "rank": plain.get("deployment", {}).get("lora", {}).get("rank", Choices().rank),
        "what_if": what_if_text(held(assumed(asked, load_soc(asked.device)))),
    }
    if turn.images_px:
        width, height = turn.images_px[0]
        given |= {"image_width_px": width, "image_height_px": height}
    if around.app_budget_bytes:
        given["app_budget_gib"] = round(around.app_budget_bytes / GIB, 6)
    own_parts = plain.get("deployment", {})
    given |= _weights(own_parts.get("weights", {})) | _cache(own_parts.get("kv_cache", {}))
    given |= _speculation(own_parts.get("speculation", {}))
    fields = Choices.model_fields
    good = {name: value for name, value in given.items() if name in fields and _is_text(value)}
    return Choices(**good)


def _is_text(value: Any) -> bool:
    """Return whether a value is one a widget holds, rather than a list or a mapping."""
    return isinstance(value, str | int | float)


def _id(kind: own.Kind, name: str) -> str:
    return next((one for one in own.ids(kind) if own.place(one) == name), name)


def _weights(given: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    formats = given if isinstance(given, dict) else {"body": given}
    for name in WEIGHT_CLASSES:
        text = formats.get(name)
        if isinstance(text, str) and text.startswith(BPW):
            found |= {name: BY_BITS, f"{name}_bits": float(text.removeprefix(BPW))}
        elif isinstance(text, str):
            found[name] = text
    return found


def _cache(given: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "dtype" in given:
        found["kv_dtype"] = given["dtype"]
    if "capacity_tokens" in given:
        found["context_tokens"] = given["capacity_tokens"]
    eviction = given.get("eviction", {})
    if eviction.get("policy") in EVICTION_POLICIES.known():
        found["eviction"] = eviction["policy"]
        if "keep" in eviction:
            found["keep"] = eviction["keep"]
    return found


def _speculation(given: Mapping[str, Any]) -> dict[str, Any]:
    alpha = (given.get("acceptance") or {}).get("alpha")
    if not given.get("method") or alpha is None:
        return {}
    return {"speculation": given["method"], "depth": given.get("depth"), "acceptance": alpha}
