"""Contention below saturation: a transfer waits behind others' requests, in both engines alike."""

from __future__ import annotations

import numpy as np
import pytest
import simpy

from hw_models.dram import waiting
from hw_models.soc import load_soc
from sim import Result, simulate
from sim.breakdown import WAITING, phase_terms
from sim.engine.bandwidth import DramServer
from sim.engine.conditions import Conditions, TrafficClass, bus_share

PHONE = load_soc("dimensity_9500")
PATH = "dram.queueing"
GB = 1e9


def ran(queueing: float | None, profile: str = "video_call", **options: object) -> Result:
    device = PHONE if queueing is None else PHONE.with_overrides({PATH: queueing})
    asked = {
        "device": PHONE.id,
        "model": "qwen3-0.6b",
        "session": {"turns": [{"prompt_tokens": 128, "output_tokens": 32}]},
        "environment": {"background": profile},
    }
    return simulate(asked, device=device, **options)


def test_waiting_is_that_of_requests_of_one_length_without_classes():
    """Pollaczek-Khinchine: W / S = load / (2 (1 - load)) where all are of one class."""
    for load in (0.1, 0.5, 0.9):
        assert float(waiting(0.0, load, 0.0)) == pytest.approx(load / 2 / (1 - load), rel=1e-12)


def test_waiting_is_that_of_a_queue_with_priorities():
    """Requests of one length arriving at random, served one by one, the first class first."""
    random, count, load = np.random.default_rng(3), 100_000, (0.3, 0.4)
    instants = [np.cumsum(random.exponential(1.0 / share, count)) for share in load]
    waits: tuple[list[float], list[float]] = [], []
    now, taken = 0.0, [0, 0]
    while max(taken) < count:
        asked = [index for index in (0, 1) if instants[index][taken[index]] <= now]
        if not asked:
            now = min(instants[index][taken[index]] for index in (0, 1))
            continue
        waits[asked[0]].append(now - instants[asked[0]][taken[asked[0]]])
        taken[asked[0]] += 1
        now += 1.0
    first, second = (np.mean(found) for found in waits)
    assert first == pytest.approx(float(waiting(0.0, load[0], load[1])), rel=0.03)
    assert second == pytest.approx(float(waiting(load[0], load[1], 0.0)), rel=0.05)


def test_a_share_falls_below_saturation_and_never_below_what_the_law_says():
    demands = (0.1, 0.0, 0.2, 0.0)
    share = float(bus_share(np.array(0.4), TrafficClass.NPU, demands, 0.5))
    assert share == pytest.approx(0.4 / (1 + 0.5 * 0.3 / 2 / (0.9 * 0.9)), rel=1e-12)
    assert float(bus_share(np.array(0.4), TrafficClass.NPU, demands)) == 0.4


def test_two_transfers_wait_behind_each_other():
    """Both ask for 0.3 of the bus: each takes 1 + q 0.3 / 2 / 0.7 times as long."""
    env = simpy.Environment()
    server = DramServer(env)
    server.set_conditions(Conditions(queueing=0.5))
    done = [server.transfer(GB, 0.3 * GB, GB, TrafficClass.GPU) for _ in range(2)]
    env.run(env.all_of(done))
    assert env.now == pytest.approx((1 + 0.5 * 0.3 / 2 / 0.7) / 0.3, rel=1e-9)


@pytest.mark.parametrize("profile", ["video_call", "game"])
def test_the_engines_agree(profile):
    one, other = (ran(0.4, profile, engine=name) for name in ("event", "maxplus"))
    for metric in ("prefill_s", "decode_s", "energy_j"):
        assert one[metric] == pytest.approx(other[metric], rel=1e-9)


def test_more_queueing_is_never_faster_and_none_is_the_answer_without_the_law():
    seconds = [ran(queueing)["decode_s"] for queueing in (None, 0.0, 0.1, 0.5, 1.0)]
    assert seconds[1] == pytest.approx(seconds[0], rel=1e-9)
    assert seconds == sorted(seconds)
    assert seconds[-1] > seconds[0]


def test_it_costs_nothing_where_no_other_app_runs():
    assert ran(1.0, "idle").makespan_s == pytest.approx(ran(None, "idle").makespan_s, rel=1e-9)


def test_what_bounds_decode_names_the_wait():
    plain, law = ran(None), ran(0.5)
    found = {term.name: term.seconds for term in phase_terms(law, "decode")}
    assert found[WAITING] == pytest.approx(law["decode_s"] - plain["decode_s"], rel=0.1)
    assert WAITING not in {term.name for term in phase_terms(plain, "decode")}


def test_a_class_that_is_served_first_waits_less():
    demands = (0.02, 0.0, 0.25, 0.0)
    first, last = (
        float(bus_share(np.array(0.6), one, demands, 0.1))
        for one in (TrafficClass.NPU, TrafficClass.CPU)
    )
    assert last < first < 0.6
