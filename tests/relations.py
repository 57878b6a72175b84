"""Relations between two answers, on scenarios drawn at random: ``make relations``.

A relation needs no right value: a faster memory never makes a reply longer, whatever the reply.
Each is asked of ``--rounds`` scenarios. It holds, or an exception that docs/metrics.md explains
accounts for what was seen (a larger chunk ran more padding, fewer bits took more arithmetic), or it
breaks.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hw_models.soc import load_soc
from sim.results import Result
from tests.every_law import file_with_every_law, with_every_law
from tests.ladder import Ladder, Outcome, ran
from tests.random_questions import Asked, drafting, drawn
from tests.relation_exceptions import (
    PEAK,
    ROUNDING,
    TPOT,
    TTFT,
    is_finer,
    ran_more,
    switched_less,
    took_more_arithmetic,
)

ENGINES = 0.01
"""How far both engines may be apart where rates change on the way."""


def reply_s(result: Result) -> float:
    """Return the seconds of the whole reply [s]."""
    return result.makespan_s


def _sees(asked: Asked) -> bool:
    return "images_px" in asked["session"]["turns"][0]


TURN = "session.turns.0."
ADAPTED = {"deployment.lora": {"rank": 16, "adapters": ["a"]}, f"{TURN}adapter": "a"}


def more_budget_changes_nothing(asked: Asked) -> Outcome:
    """A budget that suffices may be larger."""
    runs = (ran(asked, {"environment.app_budget_bytes": size}) for size in ("8 GB", "16 GB"))
    return _same(*map(reply_s, runs))


def spilling_is_slower_with_less(asked: Asked) -> Outcome:
    """Weights that do not fit are read from flash; the more fit, the sooner the reply is there."""
    needed = ran(asked)["peak_dram_bytes"]
    budgets = [int(needed * share) for share in (0.7, 0.8, 0.9)]
    spill = {"environment.over_budget": "spill"}
    ladder = Ladder(
        "environment.app_budget_bytes", tuple(budgets), falls=("reply_s",), always=spill
    )
    return ladder(asked)


def keeping_all_is_not_evicting(asked: Asked) -> Outcome:
    """Policies that may keep everything then do; `h2o` and `tova` cap the cache at the prompt."""
    plain = ran(asked, {"deployment.kv_cache.eviction": {"policy": "none"}})
    for policy in ("okv", "snapkv"):
        kept = ran(asked, {"deployment.kv_cache.eviction": {"policy": policy, "keep": 1.0}})
        if kept["kv_tokens_final"] != plain["kv_tokens_final"]:
            return "breaks"
    return "holds"


def three_fresh_turns_are_three(asked: Asked) -> Outcome:
    """Three turns that begin anew do three times the work; drafts of each are drawn anew."""
    turn = {**asked["session"]["turns"][0], "fresh": True}
    one, three = (ran({**asked, "session": {"turns": [turn] * count}}) for count in (1, 3))
    if _close(three["flops"], 3.0 * one["flops"]):
        return "holds"
    return "explained" if "speculation" in asked["deployment"] else "breaks"


def every_step_reads_the_weights(asked: Asked) -> Outcome:
    """No run reads less from memory than the weights of its decode steps."""
    result = ran(asked)
    least = result["weight_bytes_per_step"] * result["decode_steps"]
    return "holds" if result["dram_read_bytes"] >= least * (1.0 - ROUNDING) else "breaks"


def an_adapter_costs(asked: Asked) -> Outcome:
    """Neither time nor memory is gained by an adapter."""
    plain, adapted = ran(asked), ran(asked, ADAPTED)
    names = ("time_per_output_token_s", "peak_dram_bytes")
    gained = (adapted[name] < plain[name] * (1.0 - ROUNDING) for name in names)
    return "breaks" if any(gained) else "holds"


def order_and_repetition_do_not_matter(asked: Asked) -> Outcome:
    """The same question, its keys in another order, has the same answer."""
    turned = {name: asked[name] for name in reversed(list(asked))}
    one, other = ran(asked), ran(turned)
    same = one.fingerprint == other.fingerprint and one.metrics() == other.metrics()
    return "holds" if same else "breaks"


def both_engines_agree(asked: Asked) -> Outcome:
    """Max-plus alone lets a change of rates wait for the next step: not exact, but near."""
    found = [reply_s(ran(asked, engine=name)) for name in ("maxplus", "auto")]
    return "holds" if abs(found[0] / found[1] - 1.0) <= ENGINES else "breaks"


def a_cold_start_comes_before(asked: Asked) -> Outcome:
    """A cold start is a time of its own; the reply after it is that of a warm one."""
    warm, cold = (ran(asked, {"environment.start": name}) for name in ("warm", "cold"))
    return _same(reply_s(warm), reply_s(cold))


def twice_the_rates_halve_the_time(asked: Asked) -> Outcome:
    """All rates doubled and all overheads halved, everything takes half as long."""
    soc = load_soc(asked["device"])
    factors = {
        path: 2.0 if item.unit.endswith("/s") or item.unit == "Hz" else 0.5
        for path, item in soc.parameters().items()
        if path.startswith(("dram.", "units.", "stacks.", "host."))
        if item.unit.endswith("/s") or item.unit in ("Hz", "s")
    }
    values = {path: soc.parameters()[path].value * factor for path, factor in factors.items()}
    cold = {"environment.ambient_c": -20.0}
    return _same(
        reply_s(ran(asked, cold)), 2.0 * reply_s(ran(asked, cold, device=soc.with_values(values)))
    )


def engines_agree_with_every_law_on(asked: Asked) -> Outcome:
    """Events and max-plus are one meaning, with laws that no shipped device has on, too."""
    turn = {**asked["session"]["turns"][0], "output_tokens": 4}
    turn["prompt_tokens"] = min(300, turn["prompt_tokens"])
    short = {**asked, "session": {"turns": [turn]}, "environment": {"ambient_c": -20.0}}
    device = with_every_law(load_soc(asked["device"]))
    return _same(*(reply_s(ran(short, device=device, engine=name)) for name in ("event", "auto")))


def system_cache(capacity: str) -> dict[str, Any]:
    """Return a cache before the DRAM that weights pass by [B]."""
    rates = {"rate": "150 GB/s", "energy": "1 pJ/bit"}
    return {"capacity": capacity, "others": 0.2, "streamed": 0.0, **rates}


def _same(one: float, other: float) -> Outcome:
    return "holds" if _close(one, other) else "breaks"


def _close(one: float, other: float) -> bool:
    return abs(one - other) <= ROUNDING * max(abs(one), abs(other))


BODY, EVICTION = "deployment.weights.body", "deployment.kv_cache.eviction"
ALL_BITS = ("w2", "w3", "w4", "w8", "w16")
RELATIONS: dict[str, Callable[[Asked], Outcome]] = {
    "a faster memory is not slower": Ladder(
        "device:dram.rate", (3e9, 6e9, 9e9), falls=("reply_s",)
    ),
    "a more efficient memory is not slower": Ladder(
        "device:dram.efficiency.read_only", (0.75, 0.85, 0.97), falls=("reply_s",)
    ),
    "more budget than needed changes nothing": more_budget_changes_nothing,
    "spilling less is not slower": spilling_is_slower_with_less,
    "more bits do not decode faster": Ladder(
        BODY, ALL_BITS, rises=(TPOT,), explained=took_more_arithmetic
    ),
    "more bits need more memory": Ladder(BODY, ALL_BITS, rises=(PEAK,)),
    "more bits do not bring the first token sooner": Ladder(
        BODY, ALL_BITS, rises=(TTFT,), explained=took_more_arithmetic
    ),
    "a longer prompt does not bring the first token sooner": Ladder(
        f"{TURN}prompt_tokens",
        (1, 100, 128, 129, 256, 300, 1000, 2000),
        rises=(TTFT,),
        explained=is_finer,
    ),
    "a longer prompt does not decode faster": Ladder(
        f"{TURN}prompt_tokens", (1, 100, 500, 1000, 4000), rises=(TPOT,), explained=switched_less
    ),
    "a longer reply takes more time and energy": Ladder(
        f"{TURN}output_tokens", (1, 2, 8, 33, 128), rises=("reply_s", "energy_j")
    ),
    "more images are not faster": Ladder(
        f"{TURN}images_px",
        tuple([[448, 448]] * count for count in (0, 1, 2, 5)),
        rises=(TTFT,),
        applies=_sees,
    ),
    "a larger image is not faster": Ladder(
        f"{TURN}images_px",
        tuple([[side, side]] for side in (28, 56, 112, 224, 448, 700, 733, 1500, 3000)),
        rises=(TTFT,),
        applies=_sees,
        explained=is_finer,
    ),
    "keeping the whole cache is not evicting": keeping_all_is_not_evicting,
    "keeping less does not decode slower": Ladder(
        EVICTION,
        tuple({"policy": "okv", "keep": keep} for keep in (0.05, 0.2, 0.5, 0.8, 1.0)),
        rises=(TPOT,),
        explained=switched_less,
    ),
    "better drafts are not slower": Ladder(
        "deployment.speculation",
        tuple(drafting(alpha) for alpha in (0.05, 0.3, 0.6, 0.9, 0.99)),
        rises=("tokens_per_s",),
    ),
    "more bits of the cache do not decode faster": Ladder(
        "deployment.kv_cache.dtype",
        ("int4", "int8", "int16"),
        rises=(TPOT,),
        explained=took_more_arithmetic,
    ),
    "warmer air does not sustain more": Ladder(
        "environment.ambient_c", (0, 15, 25, 35, 45, 55), falls=("sustained_tokens_per_s",)
    ),
    "warmer air makes no cooler phone": Ladder(
        "environment.ambient_c", (0, 15, 25, 35, 45), rises=("max_skin_c",)
    ),
    "a higher clock is not slower": Ladder(
        "environment.clock_fraction", (0.3, 0.5, 0.8, 1.0), falls=(TTFT, "reply_s")
    ),
    "three fresh turns do three times the work": three_fresh_turns_are_three,
    "every step reads the weights": every_step_reads_the_weights,
    "an adapter costs": an_adapter_costs,
    "a higher rank is not faster": Ladder(
        "deployment.lora",
        tuple({"rank": rank, "adapters": ["a"]} for rank in (1, 8, 64, 256)),
        rises=(TPOT,),
        always={f"{TURN}adapter": "a"},
    ),
    "more adapters need more memory": Ladder(
        "deployment.lora",
        tuple({"rank": 8, "adapters": [f"a{i}" for i in range(count)]} for count in (1, 2, 5)),
        rises=(PEAK,),
        always={f"{TURN}adapter": "a0"},
    ),
    "order and repetition do not matter": order_and_repetition_do_not_matter,
    "both engines agree": both_engines_agree,
    "fewer layers are not slower": Ladder(
        "deployment.pruning", tuple({"layers": count} for count in (10, 4, 1, 0)), rises=(TPOT,)
    ),
    "a larger chunk is not slower": Ladder(
        "deployment.prefill_chunk_tokens",
        (32, 64, 128, 256, 512, 1024),
        falls=(TTFT,),
        explained=ran_more,
    ),
    "a larger cache needs more memory": Ladder(
        "deployment.kv_cache.capacity_tokens", (8192, 16384, 32768), rises=(PEAK,)
    ),
    "a cold start comes before": a_cold_start_comes_before,
    "other apps do not help": Ladder(
        "environment.background", ("idle", "scrolling"), rises=("reply_s",)
    ),
    "a game helps no more": Ladder("environment.background", ("idle", "game"), rises=("reply_s",)),
    "twice the rates halve the time": twice_the_rates_halve_the_time,
    "the engines agree with every law on": engines_agree_with_every_law_on,
    "exponentials that take longer are not faster": Ladder(
        "device:units.{unit}.vector.exponential", (1, 5, 25), rises=("reply_s", "energy_j")
    ),
    "a slower ramp is not faster": Ladder(
        "device:units.{unit}.ramp_bytes", ("0 B", "16 KiB", "1 MiB"), rises=("reply_s",)
    ),
    "waiting for the bus is not faster": Ladder(
        "device:dram.queueing",
        (0.0, 0.3, 1.0),
        rises=("reply_s",),
        always={"environment.background": "game"},
    ),
    "a larger system cache is not slower": Ladder(
        "device:dram.system_cache",
        tuple(system_cache(capacity) for capacity in ("0 B", "10 MB", "64 MB", "8 GB")),
        falls=("reply_s", "dram_read_bytes"),
    ),
    "logits of all rows are not faster": Ladder(
        "device:stacks.{stack}.whole_head", (False, True), rises=(TTFT, "reply_s", "energy_j")
    ),
    "more of a product on vector lanes is not slower": Ladder(
        "device:stacks.{stack}.vector_products", (0.1, 1, 4, 16), falls=(TTFT, "reply_s")
    ),
    "a prompt in the draft is not faster": Ladder(
        "deployment.speculation",
        tuple({**drafting(0.6), "prefills": prefills} for prefills in (False, True)),
        rises=(TTFT, "reply_s", "energy_j"),
    ),
    "more rows of a drafted tree are not faster": Ladder(
        "deployment.speculation",
        tuple({**drafting(0.6), "tree_nodes": 32, "top_k": rows} for rows in (1, 4, 16)),
        rises=(TPOT,),
    ),
}


def outcomes(
    name: str, numbers: range, every_law: Path | None = None
) -> tuple[Counter[str], list[int]]:
    """Return how often each outcome was seen, and the numbers of the scenarios that break it.

    With a folder for their files, devices have every optional law on.
    """
    seen: Counter[str] = Counter()
    broken = []
    for number in numbers:
        asked = drawn(number)
        if every_law is not None:
            asked["device"] = file_with_every_law(asked["device"], every_law)
        outcome = RELATIONS[name](asked)
        seen[outcome] += 1
        if outcome == "breaks":
            broken.append(number)
    return seen, broken


def main() -> None:
    """Print a line per relation; exit code 1 where one breaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--first", type=int, default=0, help="number of the first scenario")
    parser.add_argument("--relation", choices=RELATIONS, action="append")
    parser.add_argument("--every-law", type=Path, metavar="FOLDER", help="with every law on")
    options = parser.parse_args()
    failed = False
    for name in options.relation or RELATIONS:
        seen, broken = outcomes(
            name, range(options.first, options.first + options.rounds), options.every_law
        )
        told = ", ".join(f"{count} {outcome}" for outcome, count in seen.most_common())
        print(f"{name}: {told}{f'; scenarios {broken[:8]}' if broken else ''}", flush=True)
        failed |= bool(broken)
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
