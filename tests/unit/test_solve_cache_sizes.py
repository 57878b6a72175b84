"""A limit of memory that a compiled size of the KV cache makes is told, and what lies past it."""

import pytest

from dashboard import limits
from dashboard.choices import Choices
from sim.explore.cache_sizes import next_size
from sim.explore.limits import judge_of, limit_of
from sim.explore.scales import scale_of
from workloads.scenario import load_scenario

BUDGET = ["environment.app_budget_bytes=4294967296", "deployment.kv_cache.dtype=int8"]
SAID = "The cache's next compiled size is 16,384 tokens; a context given by hand, below it, may fit"


def largest_prompt(*given):
    base = load_scenario(None, [*BUDGET, *given])
    limit = limit_of(base, scale_of("prompt", base), "largest", judge_of(()))
    return limit, next_size(base, limit)


def test_the_next_compiled_size_is_told_and_a_context_by_hand_goes_beyond():
    as_needed, said = largest_prompt()
    assert said.startswith(SAID)
    by_hand, nothing = largest_prompt("deployment.kv_cache.capacity_tokens=15896")
    assert by_hand.best.value > as_needed.best.value
    assert nothing == ""


def test_a_stack_whose_cache_grows_has_no_compiled_size_to_tell():
    limit, said = largest_prompt("device=snapdragon_8_elite", "stack=llamacpp_cpu")
    assert limit.binding == "memory"
    assert said == ""


@pytest.mark.parametrize(("budget_gib", "is_told"), [(4.0, True), (0.0, False)])
def test_the_dashboard_and_the_command_line_tell_it_alike(andesim, budget_gib, is_told):
    choices = Choices(kv_dtype="int8", app_budget_gib=budget_gib)
    assert (SAID in limits.found(choices, "prompt", by_memory=True).said) == is_told
    if is_told:
        given = [part for text in BUDGET for part in ("--set", text)]
        assert SAID in " ".join(andesim("solve", "--largest", "prompt", *given).out.split())
