"""A sample of `tests.relations`: every relation on one scenario; `make relations` asks 500 each."""

import pytest

from tests.random_questions import drawn
from tests.relations import RELATIONS

NUMBERS = dict(zip(RELATIONS, range(len(RELATIONS)), strict=True))


@pytest.mark.parametrize("name", RELATIONS)
def test_a_relation_between_two_answers_holds(name):
    assert RELATIONS[name](drawn(NUMBERS[name])) != "breaks"
