"""What a run was asked, as text for people: model, device, turns, formats, conditions."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from sim.planning import formats
from sim.reports.conditions import unusual
from sim.results import Result
from sim.summary import Summary
from sim.wording import visual_noun


def show_question(console: Console, result: Result, summary: Summary) -> None:
    """Print what was asked, in which formats, and what is unusual around the phone."""
    _question(console, result, summary)
    console.print(_stored(result))
    if around := unusual(result.scenario):
        text = ", ".join(around)
        console.print(f"{text[0].upper()}{text[1:]}.")


def _question(console: Console, result: Result, summary: Summary) -> None:
    """Print what was asked in the turns that were served, images as if all were of one size."""
    if (network := result.scenario.network) is not None:
        console.print(
            f"[bold]{escape(result.program.model)}[/bold] on "
            f"[bold]{escape(result.soc.name)}[/bold], stack {result.stack}: "
            f"{network.calls} inference{'s' * (network.calls != 1)}, "
            f"{summary.flops / network.calls / 2e9:.3g} GMAC each."
        )
        return
    served = (turn.index for turn in result.turns if turn.start_s is not None)
    turns = [result.session.turns[index] for index in served] or result.session.turns
    images = [size for turn in turns for size in turn.images_px]
    every = sum(len(turn.images_px) for turn in result.session.turns)
    visual = round(summary.visual_tokens * len(images) / every) if every else 0
    asked = f"{len(images)} image{'s' * (len(images) != 1)}" if images else "no image"
    console.print(
        f"[bold]{escape(result.program.model)}[/bold] on [bold]{escape(result.soc.name)}[/bold], "
        f"stack {result.stack}: {asked} ({visual} {visual_noun(result.program)}), "
        f"{sum(turn.prompt_tokens for turn in turns)} prompt tokens, "
        f"{sum(turn.output_tokens for turn in turns)} output tokens."
    )


def _stored(result: Result) -> str:
    """Return the formats of weights, cache and activations: those given, else the stack's.

    Of the weights those of the layers come first, then what differs from them.
    """
    held = formats(result.scenario, result.soc, result.soc.stack(result.stack))
    body = held.weights.format_for("body").id
    told = [f"Weights {body}"]
    if result.scenario.network is None:
        parts = [("LM head", "lm_head"), ("embedding", "embedding")]
        if any(group.phase == "vision" for group in result.program.groups):
            parts.append(("encoder", "vision"))
        others = {name: held.weights.format_for(part).id for name, part in parts}
        told += [f"{name} {one}" for name, one in others.items() if one != body]
        told.append(f"cache {held.kv.id}")
    return f"{', '.join([*told, f'activations {held.activations}'])}."
