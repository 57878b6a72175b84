"""The Network page: the numbers of the command line, in the units of its cards."""

from __future__ import annotations

import shlex

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard import networks, state
from dashboard.choices import Choices
from sim.explore.uncertainty import sampled_metrics
from sim.verdicts import DRAWS
from tests.unit.test_dashboard_pages import APP
from workloads.scenario import load_scenario

pytestmark = pytest.mark.usefixtures("packages_read_once")


@pytest.mark.parametrize(
    ("asked", "argument"),
    [
        (networks.Asked(Choices()), "model=resnet50"),
        (
            networks.Asked(
                Choices(device="snapdragon_8_elite", stack="qnn_dlc", ambient_c=35.0),
                "vit-b-16-224",
                "w8",
                5,
            ),
            "environment.ambient_c=35.0",
        ),
    ],
)
def test_the_command_line_asks_the_same(asked, argument):
    words = shlex.split(networks.command_line(asked))
    given = [word for word in words[2:] if word != "--set"]
    assert argument in given
    assert networks.run(asked).scenario == load_scenario(None, given)


def test_cards_show_milliseconds_and_millijoules_with_the_ranges_of_the_draws():
    asked = networks.Asked(Choices())
    result = networks.run(asked)
    drawn = networks._drawn(asked)
    time, energy, peak, _ = networks.cards(result, drawn)
    assert time.value == f"{1e3 * result['inference_s']:.2f} ms"
    assert energy.value == f"{1e3 * result['energy_per_inference_j']:.1f} mJ"
    assert peak.value == f"{result['peak_dram_bytes'] / 2**30:.2f} GiB"
    column = sampled_metrics(result, DRAWS)["inference_s"]
    low, high = 1e3 * np.percentile(column, [10.0, 90.0])
    assert time.range == f"80 % range {low:.2f} to {high:.2f}"
    assert networks.cards(result, None)[0].range == "80 % range: computing"


def test_the_page_shows_the_network_of_its_link(monkeypatch):
    monkeypatch.setattr(state, "PATIENCE_S", 0.0)
    app = AppTest.from_file(str(APP), default_timeout=60)
    app.query_params["network"] = "bert-base-384"
    app.query_params["network_calls"] = "3"
    app.run().switch_page("app_pages/network.py").run()
    assert not app.exception
    asked = networks.Asked(Choices(), "bert-base-384", calls=3)
    assert app.metric[0].value == networks.cards(networks.run(asked), None)[0].value
    assert not app.warning or "This link" not in app.warning[0].value


def test_a_network_that_does_not_fit_says_so():
    asked = networks.Asked(Choices(app_budget_gib=0.05))
    result = networks.run(asked)
    assert not result.fits
    assert networks.cards(result, None)[0].value == "–"
