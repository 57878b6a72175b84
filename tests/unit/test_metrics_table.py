"""A metric is one line of a table; a user's own reaches everything that lists metrics."""

import pytest

from dashboard import tradeoffs
from dashboard.charts.tradeoff import directed
from dashboard.choices import Choices
from dashboard.runs import run
from sim import load_scenario, simulate
from sim.errors import SimError
from sim.explore.designs import SweepSpec
from sim.explore.sweep_rows import evaluate
from sim.explore.targets import Target, parse_targets
from sim.explore.uncertainty import uncertainty
from sim.metrics import METRICS, metric
from sim.reports.document import report_document
from sim.reports.page import markdown
from sim.reports.question import Question
from sim.reports.sections import sizing_page
from sim.wording import label, shown

SMALL = ["model=smollm2-135m", "session={turns: [{prompt_tokens: 64, output_tokens: 8}]}"]
NAME = "decode_j_per_token"


@pytest.fixture
def own():
    @metric(unit="J/token", words="energy per decoded token", better="lower")
    def decode_j_per_token(facts):
        return facts.decode.dynamic_j / facts.decode.committed_tokens

    yield
    METRICS.pop(NAME)


@pytest.fixture(scope="module")
def result():
    return simulate(load_scenario(None, SMALL))


def test_a_result_gives_each_metric_and_its_unit_by_name(result):
    assert result["tokens_per_s"] == result.summary().tokens_per_s
    assert result.unit("tokens_per_s") == "tokens/s"
    assert result.metrics() == result.summary().as_dict()


def test_an_unknown_metric_names_the_nearest(result):
    with pytest.raises(SimError, match="Did you mean 'tokens_per_s'"):
        result["token_per_s"]


@pytest.mark.usefixtures("own")
def test_an_own_metric_is_what_its_formula_says(result):
    joules = sum(part.sum() for part in result.dynamic_j[-1])
    assert result[NAME] == pytest.approx(joules / 7, rel=1e-12)
    assert result.metrics()[NAME] == result[NAME]


@pytest.mark.usefixtures("own")
def test_an_own_metric_reaches_draws_sweeps_targets_and_words(result):
    assert uncertainty(result, 4)[NAME]["p10"] > 0.0
    axis = "session.turns.0.prompt_tokens"
    base = result.scenario.model_dump(mode="json", exclude_defaults=True)
    rows = evaluate(SweepSpec(base=base, axes={axis: (64, 200)}), 0, 2)
    assert rows[0][NAME] == pytest.approx(result[NAME], rel=1e-9)
    assert rows[1][NAME] != rows[0][NAME]
    assert Target.parse(f"{NAME}<1").is_met(result[NAME])
    assert label(NAME) == "energy per decoded token"
    assert shown(NAME, 0.25).text == "0.250 J/token"


@pytest.mark.usefixtures("own")
def test_an_own_metric_reaches_the_report_that_asks_for_it():
    question = Question(load_scenario(None, SMALL), parse_targets([f"{NAME}<1"]), draws=0)
    document = report_document(question)
    assert [item["metric"] for item in document["sensitivities"]] == [NAME]
    assert "energy per decoded token" in markdown(sizing_page(document))


@pytest.mark.usefixtures("own")
def test_an_own_metric_is_traded_on_the_dashboard():
    name = "energy per decoded token [J/token]"
    assert tradeoffs.judged_by()[name] == -1.0
    choices = Choices()
    row = tradeoffs.row_of(choices, run(choices))
    assert row[name] == run(choices)[NAME]
    assert directed(name) == f"{name}, less is better"


def test_a_formula_that_fails_says_what_is_known(result):
    @metric(unit="s", words="nonsense")
    def nonsense(facts):
        return facts.decoding

    try:
        with pytest.raises(SimError, match=r"nonsense must give a number .* Known facts: vision"):
            result["nonsense"]
    finally:
        METRICS.pop("nonsense")


def test_a_metric_that_ships_keeps_its_formula():
    def energy_j(facts):
        return 0.0 * facts.makespan_s

    with pytest.raises(SimError, match="a name of its own"):
        metric(unit="J", words="nothing")(energy_j)


def test_a_metric_states_its_unit():
    with pytest.raises(SimError, match="must state unit and words"):
        metric(unit="", words="nothing")(test_a_metric_states_its_unit)
