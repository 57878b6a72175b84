"""What a run stood in, in a few words: air, power mode, other apps, adapters, charging, start."""

from __future__ import annotations

from collections.abc import Set

from workloads.deployment import Deployment
from workloads.environment import Environment
from workloads.scenario import Scenario
from workloads.speculation import NoSpeculation


def conditions(scenario: Scenario) -> list[str]:
    """Return what surrounds a scenario, a few words each, for the head of a report.

    >>> from workloads.scenario import load_scenario
    >>> conditions(load_scenario())
    ['25 °C around the phone', 'warm start']
    """
    around, deployed = scenario.environment, scenario.deployment
    found = [f"{around.ambient_c:g} °C around the phone", f"{around.start} start"]
    if around.clock_fraction < 1.0:
        found.append(f"power mode at {around.clock_fraction:.0%} of the clock")
    if deployed.threads is not None:
        found.append(f"{deployed.threads} threads")
    if deployed.clusters is not None:
        found.append(f"on {' and '.join(deployed.clusters)} cores")
    apps = [item for item in around.schedule if item.profile != "idle"]
    for app in apps:
        later = f" from {app.at_s:g} s" if app.at_s else ""
        found.append(f"beside {app.profile.replace('_', ' ')}{later}")
    if deployed.lora is not None:
        asked = {turn.adapter for turn in scenario.session.turns if turn.adapter is not None}
        found.append(_adapters(asked, len(deployed.lora.adapters)))
    if not isinstance(deployed.speculation, NoSpeculation):
        found.append(f"drafts by {deployed.speculation.method}")
    if around.charging_heat_w:
        found.append(f"charging with {around.charging_heat_w:g} W of heat")
    return found


def _adapters(asked: Set[str], held: int) -> str:
    """Return how many adapters are deployed, and which of them turns ask for.

    >>> _adapters({"translate"}, 3), _adapters({"chat"}, 1), _adapters(set(), 2)
    ('adapter translate of 3', 'adapter chat', '2 adapters, none used')
    """
    if not asked:
        return f"{held} adapter{'s'[: held > 1]}, none used"
    of = f" of {held}" if held > len(asked) else ""
    return f"adapter{'s'[: len(asked) > 1]} {', '.join(sorted(asked))}{of}"


def unusual(scenario: Scenario) -> list[str]:
    """Return the conditions that a scenario without any of its own would not have.

    >>> from workloads.scenario import load_scenario
    >>> unusual(load_scenario(None, ("environment.ambient_c=35", "environment.clock_fraction=0.6")))
    ['35 °C around the phone', 'power mode at 60% of the clock']
    """
    plain = {"environment": Environment.usual(), "deployment": Deployment.usual()}
    expected = conditions(scenario.model_copy(update=plain))
    return [text for text in conditions(scenario) if text not in expected]
