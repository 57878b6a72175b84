"""The shared DRAM server: priority classes, and processor sharing inside a class.

The server hands out *bus time*. A transfer of a stream that the memory could serve at ``bus``
bytes/s, limited by its unit to ``rate`` bytes/s, asks for the share ``rate / bus`` of the bus.
Higher classes are served first; inside a class the remaining share is divided max-min fairly.
Other apps are standing demands in their classes. Shares are recomputed whenever a transfer arrives
or ends or the conditions change, so rates may change at any instant.

Closed forms it is tested against: n equal transfers each take n times as long (processor sharing);
a higher class is untouched by lower ones; bytes served equal bytes asked.

Where waiting behind others' requests costs time (`Conditions.queueing`), what a transfer asks for
falls below saturation, too (`lengthened`).

Not modelled: bank state; its mean effect is in the efficiency that gives ``bus``.
"""

from __future__ import annotations

from collections.abc import Sequence

import simpy

from sim.engine.conditions import NOMINAL, Conditions, TrafficClass, lengthened

__all__ = ["DramServer", "TrafficClass", "Transfer", "fair_shares"]


class Transfer:
    """One transfer in progress; ``done`` fires when it would end at its present speed.

    ``remaining`` is in bytes, ``bus`` and ``speed`` are in bytes/s. ``share_limit`` is the largest
    share of bus time that the unit can use.
    """

    __slots__ = ("bus", "done", "priority", "remaining", "share_limit", "speed")

    def __init__(
        self, done: simpy.Event, nbytes: float, rate: float, bus: float, priority: int
    ) -> None:
        self.done = done
        self.remaining = nbytes
        self.bus = bus
        self.share_limit = rate / bus
        self.priority = priority
        self.speed = 0.0


def postponed(env: simpy.Environment, event: simpy.Event, delay_s: float | None) -> simpy.Event:
    """Return a new event ``delay_s`` from now [s] and move all who wait for ``event`` over to it.

    SimPy cannot unschedule: the old event still fires, but nobody listens. With ``None`` the new
    event never fires.
    """
    later = env.event() if delay_s is None else env.timeout(delay_s)
    later.callbacks, event.callbacks = event.callbacks, []
    return later


def fair_shares(limits: Sequence[float], capacity: float) -> list[float]:
    """Divide ``capacity`` max-min fairly among demands no larger than ``limits``.

    >>> fair_shares([0.2, 0.9, 0.9], 1.0)
    [0.2, 0.4, 0.4]
    """
    shares = [0.0] * len(limits)
    left = len(limits)
    for index in sorted(range(left), key=limits.__getitem__):
        shares[index] = min(limits[index], capacity / left)
        capacity -= shares[index]
        left -= 1
    return shares


class DramServer:
    """Serves transfers in bus time; one instance per memory.

    Parameters
    ----------
    env
        The simulation clock.

    Attributes
    ----------
    bytes_served
        What was moved until the last change [B].
    """

    def __init__(self, env: simpy.Environment) -> None:
        self.env = env
        self.conditions = NOMINAL
        self.bytes_served = 0.0
        self._active: list[Transfer] = []
        self._settled_s = 0.0
        self._undisturbed = not any(NOMINAL.demands)

    def transfer(self, nbytes: float, rate: float, bus: float, priority: int) -> simpy.Event:
        """Start moving ``nbytes`` [B] and return the event of its end.

        ``rate`` and ``bus`` are in B/s with ``0 < rate <= bus``.
        """
        self._settle()
        item = Transfer(self.env.event(), nbytes, rate, bus, priority)
        item.done.callbacks.append(lambda _: self._finish(item))
        self._active.append(item)
        self._reschedule()
        return item.done

    def set_conditions(self, conditions: Conditions) -> None:
        """Change the clock that units issue at and the demand of other apps, from now on."""
        self._settle()
        self.conditions = conditions
        self._undisturbed = not any(conditions.demands)
        self._reschedule()

    def _settle(self) -> None:
        """Book what was moved since the last change, at the speeds until now."""
        elapsed = self.env.now - self._settled_s
        self._settled_s = self.env.now
        if elapsed > 0.0:
            for item in self._active:
                item.remaining -= item.speed * elapsed
                self.bytes_served += item.speed * elapsed

    def _allocate(self) -> None:
        """Give every transfer its speed, class by class."""
        left, clock = 1.0, self.conditions.clock
        if self._undisturbed and len(self._active) == 1:
            only = self._active[0]
            only.speed = min(clock * only.share_limit, left) * only.bus
            return
        waiting = len(self._active)
        for priority, demand in enumerate(self.conditions.demands):
            peers = [item for item in self._active if item.priority == priority]
            limits = [clock * item.share_limit for item in peers]
            if self.conditions.queueing:
                limits = self._waiting(limits, demand, left, priority)
            shares = fair_shares([*limits, demand], left)
            for item, share in zip(peers, shares, strict=False):
                item.speed = share * item.bus
            left = max(0.0, left - sum(shares))
            waiting -= len(peers)
            if not waiting:
                return

    def _waiting(
        self, limits: Sequence[float], demand: float, left: float, priority: int
    ) -> list[float]:
        """Return the limits of transfers of a class that wait behind each other and others."""
        clock, demands, queueing = (
            self.conditions.clock,
            self.conditions.demands,
            self.conditions.queueing,
        )
        later = (clock * item.share_limit for item in self._active if item.priority > priority)
        behind = sum(demands[priority + 1 :]) + sum(later)
        rivals = len(limits) - 1 + (demand > 0.0)
        asked = sum(limits) + demand
        return [
            limit / lengthened(left, asked - limit, rivals, behind, queueing) for limit in limits
        ]

    def _reschedule(self) -> None:
        """Recompute all speeds, and the end of each transfer whose speed has changed."""
        before = [item.speed for item in self._active]
        self._allocate()
        for item, speed in zip(self._active, before, strict=True):
            if item.speed != speed:
                left_s = max(0.0, item.remaining / item.speed) if item.speed else None
                item.done = postponed(self.env, item.done, left_s)

    def _finish(self, transfer: Transfer) -> None:
        self._settle()
        self.bytes_served += transfer.remaining
        self._active.remove(transfer)
        if self._active:
            self._reschedule()
