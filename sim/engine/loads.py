"""When other apps change what they ask for: the schedule, with bursts drawn at random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

import numpy as np

from sim.heat.phone import Load
from workloads.background import ActiveTimes, Background, get_background
from workloads.scenario import BackgroundAt


def loads(schedule: Sequence[BackgroundAt], random: np.random.Generator) -> Iterator[Load]:
    """Yield what other apps ask for, from 0 s on, an entry per change in order of time."""
    if schedule[0].at_s > 0.0:
        yield Load(0.0, None)
    for item, following in zip_longest(schedule, schedule[1:]):
        profile = get_background(item.profile)
        end_s = following.at_s if following else np.inf
        if profile is None or profile.bursts is None:
            yield Load(item.at_s, profile)
        else:
            yield from _bursts(profile, profile.bursts, item.at_s, end_s, random)


def is_constant(schedule: Sequence[BackgroundAt]) -> bool:
    """Return whether other apps ask for the same from 0 s on, or never for anything."""
    profiles = [get_background(item.profile) for item in schedule]
    (first, *later), begin_s = profiles, schedule[0].at_s
    return not any(profiles) or not (later or begin_s or (first and first.bursts))


def _bursts(
    profile: Background,
    bursts: ActiveTimes,
    start_s: float,
    end_s: float,
    random: np.random.Generator,
) -> Iterator[Load]:
    """Yield active and resting times in turn, with exponential lengths of the profile's means."""
    means_s = (bursts.active_s.value, bursts.rest_s.value)
    at_s, turn = start_s, 0
    while at_s < end_s:
        yield Load(at_s, None if turn % 2 else profile)
        at_s += random.exponential(means_s[turn % 2])
        turn += 1
