"""From choices to a run: the simulator, called as the command line calls it, and remembered.

Runs are immutable and equal for equal choices, so all viewers share them.
"""

from __future__ import annotations

from functools import lru_cache

from dashboard import precomputed
from dashboard.choices import Choices
from dashboard.elsewhere import elsewhere
from dashboard.own import place
from dashboard.what_ifs import what_if_values
from dashboard.workers import Worker
from hw_models.errors import HardwareError
from hw_models.soc import SocSpec, load_soc
from sim import Result, simulate
from sim.breakdown import Term, phase_terms
from sim.errors import SimError
from sim.explore.sensitivity import REPLY, Swing, tornado
from sim.explore.targets import Target
from sim.explore.variants import MetricColumns
from sim.judgements import Verdict
from sim.verdict_words import headline
from sim.verdicts import judge
from workloads.errors import WorkloadError
from workloads.scenario import Scenario

USER_ERRORS = (WorkloadError, HardwareError, SimError)
"""What a person's input can raise; every message names the place and the rule."""
REMEMBERED = 64
"""Runs, terms, swings and draws kept, of each."""
SETTLE_S = 0.05
"""Rest of the controls before draws are made [s]; they are made elsewhere and hold up nothing."""
OUT_OF_MEMORY = "OUT OF MEMORY"


def device(choices: Choices) -> SocSpec:
    """Return the device, with the what-if values; raises for a value it cannot have."""
    soc, values = load_soc(place(choices.device)), what_if_values(choices.what_if)
    return soc.with_overrides(values) if values else soc


def run(choices: Choices) -> Result:
    """Return the run of the choices; equal choices share one."""
    return _run(choices.question())


def decode_terms(choices: Choices) -> list[Term]:
    """Return what the time of decode is made of, largest first."""
    return _terms(choices.question(), "decode")


def parameter_swings(choices: Choices, metric: str = REPLY) -> list[Swing]:
    """Return how far each uncertain parameter moves a metric, widest first."""
    return _swings(choices.question(), metric)


def nominal(choices: Choices, metric: str) -> float:
    """Return a metric of the run, the centre of every swing; 0 where the run lacks it."""
    result = run(choices)
    if metric == REPLY:
        return float(sum((times.ends_s - times.starts_s).sum() for times in result.groups))
    return float(result[metric] or 0.0)


def draws(choices: Choices, viewer: str = "") -> MetricColumns | None:
    """Return the metrics on draws of the device; ``None`` while they are made, empty where none."""
    question = choices.question()
    return precomputed.shipped(_run(question)) or _WORKER.ask(question, viewer)


def targets(choices: Choices) -> tuple[Target, ...]:
    """Return the targets of the sidebar.

    A reply of one token has no decode rate, and a least rate of 0 asks nothing.
    """
    first = Target("time_to_first_token_s", "<=", choices.most_first_token_s)
    rate = Target("tokens_per_s", ">=", choices.least_tokens_per_s)
    return (first, rate) if choices.least_tokens_per_s and choices.output_tokens > 1 else (first,)


def judged(choices: Choices, result: Result, sampled: MetricColumns | None = None) -> Verdict:
    """Return the verdict on a run of the choices, over draws if there are any."""
    return judge(result, targets(choices), sampled)


def word(result: Result, verdict: Verdict) -> str:
    """Return the verdict in a word; that memory ran out is said as such."""
    return verdict.status.value if result.fits else OUT_OF_MEMORY


def spoken(
    choices: Choices, result: Result, sampled: MetricColumns | None = None
) -> tuple[str, str]:
    """Return the verdict in a word, and the sentence with the numbers that goes with it."""
    verdict = judged(choices, result, sampled if result.fits else None)
    numbers = f" {headline(result)}" if result.fits else ""
    return word(result, verdict), f"{verdict.sentence}{numbers}"


def _draws(question: Choices) -> MetricColumns:
    """Return the draws of a question; none where one of them cannot be simulated."""
    try:
        return precomputed.draws(_run(question))
    except USER_ERRORS:
        return {}


def _draws_elsewhere(question: Choices) -> MetricColumns:
    return elsewhere(_draws, question.placed())


_WORKER = Worker(_draws_elsewhere, REMEMBERED, SETTLE_S)


@lru_cache(maxsize=REMEMBERED)
def _run(question: Choices) -> Result:
    return simulate(Scenario.from_mapping(question.mapping()), soc=device(question))


@lru_cache(maxsize=REMEMBERED)
def _terms(question: Choices, phase: str) -> list[Term]:
    return phase_terms(_run(question), phase)


@lru_cache(maxsize=REMEMBERED)
def _swings(question: Choices, metric: str) -> list[Swing]:
    return tornado(_run(question), metric)
