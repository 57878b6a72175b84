"""Visual tokens of the three preprocessors against values worked out from their published rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.errors import WorkloadError
from workloads.images import MTK_MAX_TOKENS, visual_tokens

# width, height, then tokens: max_size 733 (ceil, one_more_cell), max_size 1792 (the same two)
CHECK_VALUES = [
    (20, 20, 4, 9, 4, 9),
    (224, 224, 64, 81, 64, 81),
    (336, 336, 144, 169, 144, 169),
    (448, 448, 256, 289, 256, 289),
    (504, 504, 324, 361, 324, 361),
    (672, 672, 576, 625, 576, 625),
    (733, 733, 729, 729, 729, 729),
    (1024, 1024, 729, 729, 1369, 1369),
    (1080, 1920, 700, 700, 2691, 2691),
    (1080, 2400, 720, 720, 3354, 3354),
    (1240, 2772, 720, 720, 4128, 4128),
    (1792, 1792, 729, 729, 4096, 4225),
    (4096, 3072, 713, 713, 4144, 4144),
]
SIDES = st.integers(1, 9000)
PREPROCESSORS = st.sampled_from(["ceil", "one_more_cell", "mtk_sdk"])


@pytest.mark.parametrize("row", CHECK_VALUES)
def test_check_values(row):
    width, height, *tokens = row
    found = [
        visual_tokens(width, height, preprocessor=preprocessor, max_size_px=max_size).tokens
        for max_size in (733, 1792)
        for preprocessor in ("ceil", "one_more_cell")
    ]
    assert found == tokens


def test_the_larger_cell_of_the_smallest_model():
    assert visual_tokens(448, 448, cell_px=32).tokens == 196
    assert visual_tokens(448, 448, cell_px=32, preprocessor="one_more_cell").tokens == 225


def test_the_least_area_is_a_parameter():
    for min_tokens, tokens in ((64, 81), (4, 16)):
        grid = visual_tokens(100, 100, preprocessor="one_more_cell", min_tokens=min_tokens)
        assert grid.tokens == tokens


def test_screenshot_grid():
    grid = visual_tokens(1080, 2400)
    assert (grid.columns, grid.rows) == (18, 40)
    assert grid.patches == 4 * grid.tokens == 2880


@given(SIDES, SIDES)
def test_the_sdk_stays_in_its_budget_and_computes_all_of_it(width, height):
    grid = visual_tokens(width, height, preprocessor="mtk_sdk")
    assert grid.tokens >= 1
    if max(width, height) < 30 * min(width, height):
        assert grid.tokens <= MTK_MAX_TOKENS
    assert grid.patches == 4 * MTK_MAX_TOKENS


@given(st.integers(1792, 4172))
def test_rounding_errors_add_no_cell(side):
    assert visual_tokens(side, side, max_size_px=1792).tokens == 64 * 64


@given(SIDES, SIDES, PREPROCESSORS)
def test_turning_the_image_turns_the_grid(width, height, preprocessor):
    grid = visual_tokens(width, height, preprocessor=preprocessor)
    turned = visual_tokens(height, width, preprocessor=preprocessor)
    assert (grid.columns, grid.rows) == (turned.rows, turned.columns)


@given(SIDES, SIDES)
def test_one_more_cell_never_gives_fewer_tokens(width, height):
    more = visual_tokens(width, height, preprocessor="one_more_cell", max_side_px=10_000)
    plain = visual_tokens(width, height, preprocessor="ceil", max_side_px=10_000)
    # integer truncation of the scaled side may cost a cell that ceil keeps, never more than one
    assert more.columns >= plain.columns - 1
    assert more.rows >= plain.rows - 1


def test_faults():
    with pytest.raises(WorkloadError, match="Did you mean 'ceil'"):
        visual_tokens(10, 10, preprocessor="ceill")
    for bad in (0, -1, 10**6):
        with pytest.raises(WorkloadError, match="width_px"):
            visual_tokens(bad, 10)
