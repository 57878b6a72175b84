"""What a run stood in, in a few words: air, other apps, adapters, charging, how it started."""

from __future__ import annotations

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
    apps = [item for item in around.schedule if item.profile != "idle"]
    for app in apps:
        later = f" from {app.at_s:g} s" if app.at_s else ""
        found.append(f"beside {app.profile.replace('_', ' ')}{later}")
    if deployed.lora is not None:
        asked = {turn.adapter for turn in scenario.session.turns if turn.adapter is not None}
        found.append(f"adapters {', '.join(sorted(asked)) or 'deployed and unused'}")
    if not isinstance(deployed.speculation, NoSpeculation):
        found.append(f"drafts by {deployed.speculation.method}")
    if around.charging_heat_w:
        found.append(f"charging with {around.charging_heat_w:g} W of heat")
    return found
