"""Why two runs differ, term by term.

- `changes`: which entries of the scenario and of the device differ.
- `steps`: the first scenario turned into the second one entry at a time, in the order of the file;
  the differences of a metric from step to step add up to the whole difference. What an entry does
  depends on those before it, so the order is part of the answer.
- `terms`: where the seconds of each phase go in both runs, with bytes and FLOPs.

Not modelled: which of two entries that only work together is "the" cause.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sim.breakdown import phase_terms
from sim.explore.operator_pairs import Pair
from sim.explore.sweep_rows import RULE_BREAKS
from sim.results import Result
from sim.simulation import simulate
from sim.wording import change, label, shown
from workloads.scenario import Scenario
from workloads.trace import EVERY_PHASE, NETWORK

MISSING = "(default)"
"""Stands for an entry that one of two scenarios leaves at its default."""


@dataclass(frozen=True, slots=True)
class Change:
    """An entry that differs, by dotted path."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Step:
    """One entry changed on the way from the first scenario to the second.

    Attributes
    ----------
    path
        Dotted path of the entry, or of several that only fit together.
    metrics
        The metrics once this entry and those before it are changed.
    """

    path: str
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TermPair(Pair):
    """One term of a phase in both runs."""

    phase: str


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side."""

    before: Result
    after: Result

    @property
    def metrics(self) -> list[Change]:
        """Metrics that differ."""
        first, second = self.before.metrics(), self.after.metrics()
        return [
            Change(name, first[name], second[name]) for name in first if first[name] != second[name]
        ]

    @property
    def changes(self) -> list[Change]:
        """Entries of the scenarios that differ, in the order of the file."""
        first, second = (entries(run.scenario) for run in (self.before, self.after))
        paths = dict.fromkeys((*first, *second))
        pairs = [Change(p, first.get(p, MISSING), second.get(p, MISSING)) for p in paths]
        return [pair for pair in pairs if pair.before != pair.after]

    @property
    def parameters(self) -> list[Change]:
        """Device parameters that differ; those only one device has are left out."""
        first, second = self.before.soc.parameters(), self.after.soc.parameters()
        return [
            Change(path, item.value, second[path].value)
            for path, item in first.items()
            if path in second and item.value != second[path].value
        ]

    @cached_property
    def steps(self) -> list[Step]:
        """The walk from the first run to the second; those that only fit together are one."""
        reached, found = self.before.scenario.model_dump(mode="json"), []
        target = self.after.scenario.model_dump(mode="json")
        waiting: list[str] = []
        for key in _differing_keys(reached, target):
            _put(reached, key, _at(target, key))
            waiting.append(".".join(key))
            try:
                run = simulate(Scenario.model_validate(reached), seed=self.before.seed)
            except (ValueError, *RULE_BREAKS):
                continue  # half of a pair that only fits together
            found.append(Step(" + ".join(waiting), run.metrics()))
            waiting = []
        return found

    @cached_property
    def terms(self) -> list[TermPair]:
        """Terms of all phases in both runs, largest difference first; they add up to the phases."""
        found = []
        for phase in EVERY_PHASE:
            first, second = (
                {term.name: term for term in phase_terms(run, phase)}
                for run in (self.before, self.after)
            )
            for name in dict.fromkeys((*first, *second)):
                pair = [runs.get(name) for runs in (first, second)]
                seconds = [term.seconds if term else 0.0 for term in pair]
                moved = [term.moved_bytes if term else 0.0 for term in pair]
                (before_s, after_s), (before_bytes, after_bytes) = seconds, moved
                found.append(TermPair(name, before_s, after_s, before_bytes, after_bytes, phase))
        return sorted(found, key=lambda pair: -abs(pair.difference_s))

    def sentence(self) -> str:
        """Return the difference of the first token and of the rate, and the term behind each."""
        first, second = self.before.summary(), self.after.summary()
        parts = []
        for name, phases in (
            ("time_to_first_token_s", ("vision", "prefill")),
            ("time_per_output_token_s", ("decode",)),
            ("inference_s", (NETWORK,)),
        ):
            before, after = getattr(first, name), getattr(second, name)
            if before and after:
                cause = next((pair for pair in self.terms if pair.phase in phases), None)
                why = f", most by {cause.phase} {cause.name}" if cause and before != after else ""
                ends = " -> ".join(shown(name, value).text for value in (before, after))
                parts.append(f"{label(name)} {ends} ({change(before, after)}{why})")
        return "; ".join(parts)


def compare(before: Scenario, after: Scenario, seed: int = 0) -> Comparison:
    """Run two scenarios and return them side by side; raises what `sim.simulate` raises."""
    return Comparison(simulate(before, seed=seed), simulate(after, seed=seed))


def entries(scenario: Scenario) -> dict[str, Any]:
    """Return the entries of a scenario that are not defaults, by dotted path."""
    return dict(_leaves(scenario.model_dump(mode="json", exclude_defaults=True)))


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    items = enumerate(node) if isinstance(node, list) else node.items()
    for name, child in items:
        here = f"{path}.{name}" if path else str(name)
        if isinstance(child, dict | list) and child:
            yield from _leaves(child, here)
        else:
            yield here, child


def _differing_keys(first: Any, second: Any) -> Iterator[tuple[str, ...]]:
    """Yield the places below which two mappings differ, as deep as their keys agree."""
    for name in {**first, **second}:
        both = (first.get(name), second.get(name))
        if both[0] == both[1]:
            continue
        if all(isinstance(node, dict) for node in both) and both[0].keys() == both[1].keys():
            yield from ((name, *rest) for rest in _differing_keys(*both))
        else:
            yield (name,)


def _at(node: Any, key: tuple[str, ...]) -> Any:
    for name in key:
        node = node.get(name)
    return node


def _put(node: Any, key: tuple[str, ...], value: Any) -> None:
    _at(node, key[:-1])[key[-1]] = value
