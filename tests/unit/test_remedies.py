"""Changes that would pass: one by one, two at once, the same for every door."""

import json

import pytest

from dashboard.choices import Choices
from dashboard.remedies import remedies as of_the_dashboard
from sim.asking import asked
from sim.explore.remedies import changes, remedies
from sim.explore.targets import parse_targets
from sim.judgements import Status
from sim.simulation import simulate
from sim.verdicts import judge
from workloads.scenario import with_override

ONE = ("tokens_per_s>25",)
SHORT = ("tokens_per_s>30", "time_to_first_token_s<3")
TWO = ("tokens_per_s>60", "time_to_first_token_s<2")


def again(base, remedy):
    mapping = base.model_dump(mode="json", exclude_defaults=True)
    for path, value in remedy.settings.items():
        mapping = with_override(mapping, path, value)
    return simulate(asked(mapping))


@pytest.mark.parametrize(("texts", "together"), [(ONE, 1), (TWO, 2)])
def test_each_remedy_passes_and_two_changes_come_only_where_one_does_not_suffice(texts, together):
    base, targets = asked(None), parse_targets(texts)
    found = remedies(base, targets)
    assert found
    for remedy in found:
        assert len(remedy.settings) == together
        assert judge(again(base, remedy), targets).status is Status.PASS


def test_a_network_is_offered_what_networks_have():
    base = asked({"model": "mobilenet-v2", "device": "dimensity_9500", "network": {"calls": 1}})
    soc = simulate(base).soc
    touched = {path for change in changes(base, soc) for path in change.settings}
    assert touched <= {"stack", "deployment.weights.body"}


def test_every_door_says_the_same(andesim):
    targets = [part for text in SHORT for part in ("--target", text)]
    told = [
        json.loads(andesim(command, *targets, "--json").out)["remedies"]
        for command in ("simulate", "size")
    ]
    assert told[0] == told[1]
    page = of_the_dashboard(Choices(least_tokens_per_s=30.0, most_first_token_s=3.0))
    assert [one.text for one in page] == [remedy["text"] for remedy in told[0]]
