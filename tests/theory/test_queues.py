"""Closed forms of queues and shared memory: the scheduler and the DRAM server obey them."""

from __future__ import annotations

import cProfile
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from sim import simulate
from sim.engine.bandwidth import DramServer, fair_shares
from sim.engine.conditions import NOMINAL, Conditions, TrafficClass, bus_share
from sim.engine.memory import Memory
from sim.engine.progress import Progress
from sim.engine.scheduler import Scheduler, TurnRun
from workloads.program import Setup
from workloads.scenario import Scenario
from workloads.session import Session

GB = 1e9


class Server:
    """An engine on which every step takes the same time."""

    def __init__(self, step_s: float) -> None:
        self.now_s, self.step_s = 0.0, step_s

    def idle(self, until_s: float) -> None:
        self.now_s = until_s

    def run(self, progress: Progress, until_s: float, beside: Progress | None = None) -> None:
        while not progress.is_done and self.now_s < until_s:
            start_s, self.now_s = self.now_s, self.now_s + self.step_s
            progress.add(np.array([start_s]), np.array([self.now_s]), NOMINAL)


class Work:
    """As much of a step group as the scheduler looks at."""

    activation_bytes, phase, turn = 0.0, "decode", 0
    cache_bytes: Mapping[str, float] = {}
    setup = Setup()

    def __init__(self, steps: int) -> None:
        self.steps = steps


def served(session: Session, step_s: float, steps: int = 1) -> list[TurnRun]:
    turns = [
        TurnRun(
            index,
            turn.client,
            session.priority(turn.client),
            [Progress(Work(steps), lambda: (Work(steps), lambda _: 0.0))],  # type: ignore[arg-type]
        )
        for index, turn in enumerate(session.turns)
    ]
    Scheduler(session, turns, Server(step_s), Memory({}, 1.0, 0)).run()
    return turns


def poisson(rate: float, count: int, **session: object) -> Session:
    gaps = np.random.default_rng(3).exponential(1.0 / rate, count)
    turns = [{"at_s": float(at_s)} for at_s in np.cumsum(gaps)]
    return Session.model_validate({"turns": turns, **session})


@pytest.mark.parametrize("load", [0.3, 0.7])
def test_md1_response_is_that_of_pollaczek_khinchine(load):
    turns = served(poisson(load, 20_000), step_s=1.0)
    response_s = np.mean([turn.end_s - turn.arrived_s for turn in turns])
    assert response_s == pytest.approx(1.0 + load / (2 * (1 - load)), rel=0.05)


@pytest.mark.parametrize("load", [0.5, 2.0])
def test_a_loss_system_loses_what_erlang_says(load):
    session = poisson(load, 20_000, queue={"limit": 0, "when_full": "reject"})
    lost = sum(turn.outcome == "rejected" for turn in served(session, step_s=1.0))
    assert lost / 20_000 == pytest.approx(load / (1 + load), rel=0.05)


@pytest.mark.parametrize("when_full", ["reject", "drop_oldest"])
def test_an_overloaded_bounded_queue_loses_no_turn_in_the_accounting(when_full):
    session = poisson(3.0, 3000, queue={"limit": 5, "when_full": when_full}, until_s=600.0)
    turns = served(session, step_s=1.0)
    counts = Counter(turn.outcome for turn in turns)
    assert sum(counts.values()) == len(turns) == 3000
    assert set(counts) <= {"done", "rejected", "dropped", "unserved", "not_asked"}
    assert counts["done"] == pytest.approx(600, abs=6)
    assert counts["rejected" if when_full == "reject" else "dropped"] > 1000
    waits = [turn.start_s - turn.arrived_s for turn in turns if turn.outcome == "done"]
    assert max(waits) <= 6.0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 20), st.integers(0, 2)), min_size=1, max_size=15),
    st.sampled_from(["step", "turn"]),
)
def test_work_is_conserved_whatever_the_order(arrivals, preemption):
    turns = [{"at_s": at_s, "client": f"c{priority}"} for at_s, priority in arrivals]
    clients = {f"c{p}": {"priority": p, "turns": [{}]} for p in range(3)}
    session = Session.model_construct(
        turns=Session.model_validate({"turns": turns}).turns,
        clients=Session.model_validate({"clients": clients}).clients,
        queue=Session.model_validate({"turns": [{}], "queue": {"preemption": preemption}}).queue,
        until_s=None,
    )
    done = served(session, step_s=0.5, steps=4)
    assert all(turn.outcome == "done" for turn in done)
    assert sum(turn.groups[0].done for turn in done) == 4 * len(arrivals)
    busy_until_s = 0.0  # a work-conserving server is busy at the same times in every order
    for turn in sorted(done, key=lambda turn: turn.arrived_s):
        busy_until_s = max(busy_until_s, turn.arrived_s) + 2.0
    assert max(turn.end_s for turn in done) == pytest.approx(busy_until_s)


def test_a_higher_priority_waits_for_one_step_at_most():
    session = Session.model_validate(
        {
            "clients": {
                "long": {"priority": 1, "turns": [{}]},
                "short": {"priority": 0, "turns": [{"at_s": 2.2}]},
            }
        }
    )
    listed = session.model_copy(
        update={
            "turns": tuple(
                c.turns[0].model_copy(update={"client": n}) for n, c in session.clients.items()
            )
        }
    )
    long, short = served(listed, step_s=1.0, steps=10)
    assert (short.start_s, short.end_s, long.end_s) == (3.0, 13.0, 20.0)


@given(
    st.floats(0.01, 1.0),
    st.sampled_from(list(TrafficClass)),
    st.lists(st.floats(0.0, 0.2), min_size=4, max_size=4),
    st.sampled_from([0.0, 0.1, 1.0]),
)
def test_the_closed_form_share_is_that_of_the_server(limit, traffic_class, demands, queueing):
    env = simpy.Environment()
    server = DramServer(env)
    server.set_conditions(Conditions(demands=tuple(demands), queueing=queueing))
    env.run(server.transfer(GB, limit * GB, GB, traffic_class))
    share = bus_share(np.array(limit), traffic_class, tuple(demands), queueing)
    assert env.now == pytest.approx(1.0 / float(share), rel=1e-9)


def test_one_engine_cannot_saturate_the_memory_but_two_nearly_do():
    """HeteroLLM (arXiv 2501.14794): 40 to 45 of 68 GB/s for one engine, 61.9 for two."""
    one, bus = 43 * GB, 61.9 * GB
    assert sum(fair_shares([one / bus], 1.0)) * bus == pytest.approx(43 * GB)
    assert sum(fair_shares([one / bus, one / bus], 1.0)) * bus == pytest.approx(61.9 * GB)


def test_a_prioritised_npu_hardly_notices_a_foreground_that_suffers():
    """SERENO (OSDI'26): the NPU loses 1 to 2 %, the foreground stutters."""
    npu, gpu, bus = 51 * GB, 45 * GB, 76 * GB
    quiet = Conditions(demands=(0.016, 0.0, 0.0, 0.0))
    alone, beside = (
        float(bus_share(np.array(npu / bus), TrafficClass.NPU, d))
        for d in ((0.0,) * 4, quiet.demands)
    )
    assert beside == alone
    frame = (0.016, npu / bus, 0.0, 0.0)
    stretched = (gpu / bus) / float(bus_share(np.array(gpu / bus), TrafficClass.GPU, frame))
    assert stretched > 1.5


def calls_of(turns: int) -> int:
    """Return how many functions are called for so many turns that all wait from the start."""
    one = {"prompt_tokens": 8, "output_tokens": 2, "fresh": True}
    asked = {
        "device": "dimensity_9500",
        "model": "smollm2-135m",
        "session": {"turns": [one] * turns},
    }
    scenario = Scenario.from_mapping(asked)
    simulate(scenario)  # what is loaded once
    profile = cProfile.Profile()
    profile.runcall(simulate, scenario)
    return sum(entry.callcount for entry in profile.getstats())


def test_a_queue_twice_as_long_takes_twice_the_work():
    assert calls_of(800) < 2.2 * calls_of(400)
