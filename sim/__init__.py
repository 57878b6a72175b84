"""MEETING: demand and supply meet here, and only here runs a clock.

>>> from sim import load_scenario, simulate
>>> result = simulate(load_scenario())
>>> result.summary().fits
True
"""

from sim.results import Result
from sim.simulation import simulate
from workloads.scenario import Scenario, load_scenario

__all__ = ["Result", "Scenario", "load_scenario", "simulate"]
