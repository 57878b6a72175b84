"""Which device a chip's name in a log stands for: SoC names, part numbers, core and GPU names.

A name may fit several devices: ``Qualcomm Oryon`` is in two phones and two laptops. A file is then
no proof of one device, yet proof against all others. Not told apart: speed bins of one part.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from hw_models.soc import list_socs

_PARTS: Final = {
    r"sm8350|snapdragon 888|adreno\D{0,6}660": ("snapdragon_888",),
    r"sm8450|adreno\D{0,6}730": ("snapdragon_8_gen_1", "snapdragon_8_plus_gen_1"),
    r"sm8475": ("snapdragon_8_plus_gen_1",),
    r"sm8550|qcs8550|adreno\D{0,6}740": ("snapdragon_8_gen_2",),
    r"sm8635|adreno\D{0,6}735": ("snapdragon_8s_gen_3",),
    r"sm8650|adreno\D{0,6}750": ("snapdragon_8_gen_3",),
    r"sm8750|adreno\D{0,6}830": ("snapdragon_8_elite",),
    r"sm8850|adreno\D{0,6}840": ("snapdragon_8_elite_gen_5",),
    r"sm7550": ("snapdragon_7_gen_3",),
    r"sm7475": ("snapdragon_7_plus_gen_2",),
    r"x1e[- ]?\d|adreno\D{0,6}x1": ("snapdragon_x_elite",),
    r"x2e[- ]?\d|adreno\D{0,6}x2": ("snapdragon_x2_elite",),
    r"oryon": (
        *("snapdragon_8_elite", "snapdragon_8_elite_gen_5"),
        *("snapdragon_x_elite", "snapdragon_x2_elite"),
    ),
    r"mt6983": ("dimensity_9000", "dimensity_9000_plus"),
    r"mt6897": ("dimensity_8300",),
    r"mt6899": ("dimensity_8400",),
    r"mt6985": ("dimensity_9200",),
    r"mt6989": ("dimensity_9300", "dimensity_9300_plus"),
    r"mt6991": ("dimensity_9400",),
    r"mt6993": ("dimensity_9500",),
    r"mt8391|genio[ -]?720": ("genio_720",),
    r"s5e9945": ("exynos_2400",),
    r"s5e9955": ("exynos_2500",),
    r"gs101": ("tensor_g1",),
    r"zuma\b|\bgs301": ("tensor_g3",),
    r"zumapro|zuma pro": ("tensor_g4",),
    r"\bkirin 9000\b(?!e)": ("kirin_9000",),
    r"rk3588": ("rk3588",),
    r"rk3576": ("rk3576",),
    r"bcm2711": ("bcm2711",),
    r"bcm2712": ("bcm2712",),
}
_FAMILY: Final = re.compile(
    r"\b(snapdragon|dimensity|mediatek|exynos|tensor|apple|kirin|adreno|mali|immortalis|oryon"
    r"|rk35\d\d|bcm27\d\d|intel|amd|ryzen|epyc|nvidia|geforce|rtx)\b",
    re.IGNORECASE,
)

_OTHER: Final = r"(?:plus|pro|max|ultra)_|gen_\d"
"""What makes another product of a name: a 9400+ is no 9400."""


@cache
def devices_of(text: str) -> frozenset[str] | None:
    """Return the devices a chip's name may be; empty: none of ours; none: it names no chip.

    >>> sorted(devices_of("SM8750"))
    ['snapdragon_8_elite']
    >>> "tensor_g1" in devices_of("Google Tensor"), devices_of("AArch64 Processor rev 1")
    (True, None)
    """
    lowered = _plain(text)
    exact = _exact(lowered)
    if exact:
        return exact
    match = _FAMILY.search(lowered)
    if not match:
        return None
    return frozenset(n for n in list_socs() if n.startswith(f"{match[1]}_") and _whole(lowered))


@cache
def device_of(text: str) -> str:
    """Return the one device a chip's name stands for, or "": a family alone stands for none.

    >>> device_of("Qualcomm Snapdragon 8 Elite"), device_of("Google Tensor")
    ('snapdragon_8_elite', '')
    >>> device_of("Dimensity 9400+"), device_of("Apple M4 Max"), device_of("Apple M4 Pro")
    ('', 'apple_m4_max', '')
    """
    found = sorted(_exact(_plain(text)))
    return found[0] if len(found) == 1 else ""


def _plain(text: str) -> str:
    return " ".join(re.sub(r"\(r\)|\(tm\)|[®™]", " ", text.lower()).split())


def _exact(text: str) -> frozenset[str]:
    """Return the devices that a product name or a part number spells out."""
    parts = (ids for pattern, ids in _PARTS.items() if re.search(pattern, text))
    return frozenset(_named(text)) or frozenset(next(parts, ()))


def _named(text: str) -> set[str]:
    """Return the id that a product name spells out: the longest one that fits."""
    key = f"_{re.sub(r'[^a-z0-9+]+', '_', text).replace('+', '_plus')}_"
    found = [name for name in _known() if re.search(f"_{name}_(?!{_OTHER})", key)]
    longest = max(map(len, found), default=0)
    return {name for name in found if len(name) == longest}


def _whole(text: str) -> bool:
    """Whether a text gives a family alone: with a number it is a chip that we do not hold."""
    return not re.search(r"\d", text)


@cache
def _known() -> tuple[str, ...]:
    """Return the ids of devices, ours and those that only contradict."""
    listed = {name for ids in _PARTS.values() for name in ids}
    return tuple(sorted(listed | set(list_socs())))
