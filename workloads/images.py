"""From an image's size to visual tokens: the three preprocessors known for AndesVL.

The encoder sees the image at its own aspect ratio on a canvas whose sides are multiples of a cell
(the square that becomes one visual token). Public code has different rules for the canvas, which
give different token counts for the same image, so a rule is always named:

=================  ================================================================================
``ceil``           pads each side up to a whole number of cells
``one_more_cell``  adds a cell to each side even when it is a whole number of cells
``mtk_sdk``        resizes to whole cells within a token budget, on a graph of one fixed size
=================  ================================================================================

Sources: github.com/OPPO-Mente-Lab/AndesVL_Evaluation (``andesvl_vllm_v090``, ``andesui/utils.py``),
github.com/JielongHe/AndesVL1 (``modeling_andesvl.py``), github.com/jstzwjr/mtk_llm_sdk_3.4.2.
Not modelled: the benchmark scripts' ``image_scale`` and ``min_size``, and the host's resizing time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from workloads.errors import WorkloadError, did_you_mean

MAX_SIDE_PX = 4172
CHAT_MAX_SIZE_PX = 733  # default of the published chat code
MTK_MAX_TOKENS = 1280
MIN_TOKENS = 4


@dataclass(frozen=True)
class VisualGrid:
    """What an image becomes.

    Arguments:
        columns, rows: cells of the canvas.
        merge: a cell is ``merge x merge`` patches.
        computed_tokens: tokens the compiled graph computes, the image's own or a fixed number.
    """

    columns: int
    rows: int
    merge: int
    computed_tokens: int

    @property
    def tokens(self) -> int:
        """Visual tokens the language model reads."""
        return self.columns * self.rows

    @property
    def patches(self) -> int:
        """Patches the encoder computes."""
        return self.computed_tokens * self.merge**2


@dataclass(frozen=True)
class _Limits:
    cell: int
    max_size: int
    max_side: int
    min_tokens: int


def visual_tokens(
    width_px: int,
    height_px: int,
    cell_px: int = 28,
    preprocessor: str = "ceil",
    max_size_px: int = CHAT_MAX_SIZE_PX,
    max_side_px: int = MAX_SIDE_PX,
    min_tokens: int = MIN_TOKENS,
    merge: int = 2,
) -> VisualGrid:
    """Return the grid of visual tokens of an image.

    Arguments:
        width_px, height_px: of the image.
        cell_px: side of a cell: 28 for AIMv2 (patch 14), 32 for SigLIP2 (patch 16).
        preprocessor: ``ceil``, ``one_more_cell`` or ``mtk_sdk``.
        max_size_px: the area is at most its square (not used by ``mtk_sdk``).
        max_side_px: longest side (not used by ``mtk_sdk``).
        min_tokens: the area is at least so many cells.
        merge: a cell is ``merge x merge`` patches.

    Raises `WorkloadError` for an unknown preprocessor, and for a size not within its bounds.

    >>> visual_tokens(448, 448).tokens, visual_tokens(448, 448, preprocessor="one_more_cell").tokens
    (256, 289)
    >>> visual_tokens(1080, 2400).patches
    2880
    """
    if preprocessor not in PREPROCESSORS:
        hint = did_you_mean(preprocessor, PREPROCESSORS)
        raise WorkloadError(f"preprocessor must be known. Got {preprocessor!r}. {hint}")
    _check_sizes(width_px=width_px, height_px=height_px, cell_px=cell_px, merge=merge)
    _check_sizes(max_size_px=max_size_px, max_side_px=max_side_px, min_tokens=min_tokens)
    limits = _Limits(cell_px, max_size_px, max_side_px, min_tokens)
    columns, rows = PREPROCESSORS[preprocessor](width_px, height_px, limits)
    computed = MTK_MAX_TOKENS if preprocessor == "mtk_sdk" else columns * rows
    return VisualGrid(columns, rows, merge, computed)


def _check_sizes(**sizes: int) -> None:
    for name, value in sizes.items():
        if not 0 < value < 10**6:
            raise WorkloadError(f"{name} must be above 0 and below 1000000. Got {value!r}.")


def _ceil(width: float, height: float, limits: _Limits) -> tuple[int, int]:
    """Scale into the limits on real-valued sides, then round each side up to whole cells."""
    width, height = _scaled(width, height, min(1.0, limits.max_side / max(width, height)))
    least = limits.min_tokens * limits.cell**2
    if width * height < least:
        width, height = _scaled(width, height, math.sqrt(least / (width * height)))
    if width * height > limits.max_size**2:
        width, height = _scaled(width, height, limits.max_size / math.sqrt(width * height))
    return _whole_cells(width, limits.cell), _whole_cells(height, limits.cell)


def _one_more_cell(width: int, height: int, limits: _Limits) -> tuple[int, int]:
    """Fit the area between the limits on integer sides, then always grow to the next cell."""
    longest = max(width, height)
    if longest > limits.max_side:
        width = max(1, width * limits.max_side // longest)
        height = max(1, height * limits.max_side // longest)
    if width * height > limits.max_size**2:
        width, height = _box(width, height, limits.max_size, limits)
    elif width * height < limits.min_tokens * limits.cell**2:
        size = int(limits.cell * math.sqrt(limits.min_tokens))
        width, height = _box(width, height, size, limits)
    most = max(1, limits.max_side // limits.cell)
    return min(width // limits.cell + 1, most), min(height // limits.cell + 1, most)


def _mtk_sdk(width: int, height: int, limits: _Limits) -> tuple[int, int]:
    """Round each side to whole cells; outside the token budget scale the area into it first.

    The budget is the SDK's; the rounding is assumed to be that of Qwen2-VL, and the size of the
    one compiled graph to be the budget.
    """
    columns, rows = (max(1, round(side / limits.cell)) for side in (width, height))
    area = limits.cell**2
    if columns * rows > MTK_MAX_TOKENS:
        scale = math.sqrt(width * height / (MTK_MAX_TOKENS * area))
        columns, rows = (max(1, int(side / scale / limits.cell)) for side in (width, height))
    elif columns * rows < limits.min_tokens:
        scale = math.sqrt(limits.min_tokens * area / (width * height))
        columns, rows = (_whole_cells(side * scale, limits.cell) for side in (width, height))
    return columns, rows


def _scaled(width: float, height: float, factor: float) -> tuple[float, float]:
    return width * factor, height * factor


def _whole_cells(side: float, cell: int) -> int:
    """Cells that hold ``side``; a rounding error above a whole number adds no cell."""
    return max(1, math.ceil(side / cell - 1e-9))


def _box(width: int, height: int, size: int, limits: _Limits) -> tuple[int, int]:
    """Return integer sides of area ``size**2`` at most, aspect kept."""
    sides = (
        math.floor(math.sqrt(size * size * a / b)) for a, b in ((width, height), (height, width))
    )
    first, second = (min(max(side, limits.cell), limits.max_side) for side in sides)
    return first, second


PREPROCESSORS: Mapping[str, Callable[[int, int, _Limits], tuple[int, int]]] = MappingProxyType(
    {"ceil": _ceil, "one_more_cell": _one_more_cell, "mtk_sdk": _mtk_sdk}
)
