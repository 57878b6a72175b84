"""What every shipped network costs on each stack of each shipped device, or why it has no answer.

python docs/breadth_networks.py               all of them, about an hour; writes the page
python docs/breadth_networks.py --sample 40   only so many, drawn at random; prints, no page
"""

from __future__ import annotations

import argparse
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from typing import Final

import sim
from hw_models.soc import list_socs, load_soc
from workloads.shipped_ids import network_ids

PAGE: Final = Path(__file__).parent / "models_breadth_networks.md"
HEAD: Final = """# Which networks run where

Written by `make networks`; not edited by hand.

{answered} of {asked} questions have an answer: {networks} networks on {stacks} stacks of {devices}
devices, one call each at the stack's own formats. What a unit does not run falls to the stack's
fallback unit, with the hand-over, and is in the answer: so in {fallen} of them.

| device | stack | networks with an answer | slowest call [ms] |
|---|---|--:|--:|
"""
FELL: Final = "does not run"
"""What an answer's warning says of operators that fell to another unit."""
WORKERS: Final = 2
Question = tuple[str, str, str]
Answer = tuple[float | None, str]


def questions() -> list[Question]:
    """Return every (device, stack, network)."""
    return [
        (device, stack, network)
        for device in list_socs()
        for stack in load_soc(device).stacks
        for network in network_ids()
    ]


def answer(question: Question) -> Answer:
    """Return a call's seconds and what fell to another unit, or None and why there is none."""
    device, stack, network = question
    try:
        run = sim.simulate({"device": device, "stack": stack, "model": network, "network": {}})
    except ValueError as error:
        return None, " ".join(str(error).split())
    seconds = run["inference_s"]
    if seconds is None:
        return None, "it does not fit in memory"
    return seconds, " ".join(line for line in run.warnings if FELL in line)


def page(found: dict[Question, Answer]) -> str:
    """Return the page of what was found."""
    places = sorted({question[:2] for question in found})
    lines = []
    for place in places:
        calls = [answer[0] for question, answer in found.items() if question[:2] == place]
        times = [seconds for seconds in calls if seconds is not None]
        slowest = f"{1e3 * max(times):,.1f}" if times else ""
        lines.append(f"| {place[0]} | {place[1]} | {len(times)} of {len(calls)} | {slowest} |")
    head = HEAD.format(
        answered=sum(seconds is not None for seconds, _ in found.values()),
        asked=len(found),
        fallen=sum(seconds is not None and FELL in said for seconds, said in found.values()),
        networks=len({question[2] for question in found}),
        stacks=len(places),
        devices=len({device for device, _ in places}),
    )
    return head + "\n".join([*lines, "", *_reasons(found)]) + "\n"


def _reasons(found: dict[Question, Answer]) -> list[str]:
    """Return a table of what has no answer: each reason once, with how often and where first."""
    silent = {question: said for question, (seconds, said) in found.items() if seconds is None}
    if not silent:
        return ["No question is without an answer."]
    lines = ["| why there is no answer | questions | for example |", "|---|--:|---|"]
    for said, count in Counter(silent.values()).most_common():
        first = next(question for question, other in silent.items() if other == said)
        lines.append(f"| {said.replace('|', '/')} | {count} | {', '.join(first)} |")
    return lines


def main() -> None:
    """Ask, and write the page, or print it for a sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="ask only so many questions")
    given = parser.parse_args()
    asked = questions()
    if given.sample:
        asked = Random(0).sample(asked, min(given.sample, len(asked)))
    found = {}
    with ProcessPoolExecutor(WORKERS) as pool:
        answers = pool.map(answer, asked, chunksize=len(network_ids()))
        for number, (question, answered) in enumerate(zip(asked, answers, strict=True), 1):
            found[question] = answered
            if number % 1000 == 0:
                print(f"{number} of {len(asked)}", flush=True)
    if given.sample:
        print(page(found))
    else:
        PAGE.write_text(page(found))


if __name__ == "__main__":
    main()
