"""Tensor sizes as affine forms of a few named sizes.

A captured tensor shape is not ``(128, 2560)`` but ``(T, 2560)``: each dimension is
``c + a*T + b*S + ...`` with rational coefficients, so one trace serves every sequence length.

Not modelled: products of names and data-dependent sizes. Capture refuses a model that has them.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from workloads.errors import WorkloadError

Size: TypeAlias = int | npt.NDArray[Any]

_NUMBER = r"\d{1,18}"
_TERM = re.compile(
    rf"([+-])(?:(?:({_NUMBER})\*)?([A-Za-z_]\w*)|({_NUMBER}))(?:/({_NUMBER}))?", re.ASCII
)
_OPERATOR = re.compile(r"\s*([-+*/])\s*")


@dataclass(frozen=True)
class Extent:
    """An affine form ``constant + sum(coefficient * name)``.

    Arguments:
        constant: the part that depends on nothing.
        terms: (name, coefficient) pairs, sorted by name, no coefficient zero.

    >>> extent = Extent.parse("3*N/4 + 1")
    >>> extent.at({"N": 8})
    7
    """

    constant: Fraction
    terms: tuple[tuple[str, Fraction], ...] = ()

    @classmethod
    def of(cls, constant: Fraction | int, **coefficients: Fraction | int) -> Extent:
        """Return the form with these coefficients.

        >>> str(Extent.of(1, T=2))
        '2*T+1'
        """
        terms = sorted((name, Fraction(c)) for name, c in coefficients.items() if c)
        return cls(Fraction(constant), tuple(terms))

    @staticmethod
    def parse(text: str) -> Extent:
        """Read ``2560``, ``T``, ``N/4``, ``2*T+S-1``: sums of ``[k*]name[/q]`` and ``k[/q]``.

        Raises `WorkloadError` for any other text.
        """
        return _parse(text)

    def __str__(self) -> str:
        """Return the text that `parse` reads back; the names first, in alphabetical order."""
        parts = [_term_text(coefficient, name) for name, coefficient in self.terms]
        if self.constant or not parts:
            parts.append(_term_text(self.constant, ""))
        return "".join(parts).removeprefix("+")

    @functools.cached_property
    def _integers(self) -> tuple[int, int, tuple[tuple[str, int], ...]]:
        """The denominator, and the numerators of the constant and of the terms over it."""
        denominator = math.lcm(self.constant.denominator, *(c.denominator for _, c in self.terms))
        terms = tuple((name, int(c * denominator)) for name, c in self.terms)
        return denominator, int(self.constant * denominator), terms

    def at(self, sizes: Mapping[str, Size]) -> Size:
        """Return the size at ``sizes``: an int, or an int64 array where a size is an array.

        Raises `WorkloadError` where a name is not given or the size would not be whole.

        >>> Extent.parse("T+S").at({"T": 1, "S": np.array([10, 11])})
        array([11, 12])
        """
        denominator, total, terms = self._integers
        value: Size = total
        for name, numerator in terms:
            if name not in sizes:
                raise WorkloadError(f"size {name!r} must be given to evaluate '{self}'.")
            value = value + numerator * sizes[name]
        if denominator == 1:
            return value
        if np.any(value % denominator):
            raise WorkloadError(f"'{self}' must be a whole number. Got {dict(sizes)}.")
        return value // denominator


@functools.lru_cache(maxsize=4096)
def _parse(text: str) -> Extent:
    compact = _OPERATOR.sub(r"\1", text.strip())
    signed = compact if compact[:1] in "+-" else f"+{compact}"
    matches = list(_TERM.finditer(signed))
    if not matches or "".join(match.group() for match in matches) != signed:
        raise WorkloadError(f"an extent must be a sum such as '2*T+N/4+1'. Got {text!r}.")
    constant, coefficients = Fraction(0), dict[str, Fraction]()
    for match in matches:
        sign, factor, name, number, divisor = match.groups()
        if divisor is not None and int(divisor) == 0:
            raise WorkloadError(f"an extent must not divide by zero. Got {text!r}.")
        value = Fraction(int(f"{sign}{factor or number or 1}"), int(divisor or 1))
        if name:
            coefficients[name] = coefficients.get(name, Fraction(0)) + value
        else:
            constant += value
    return Extent.of(constant, **coefficients)


def _term_text(coefficient: Fraction, name: str) -> str:
    sign = "-" if coefficient < 0 else "+"
    factor = str(abs(coefficient.numerator))
    if name:
        factor = name if factor == "1" else f"{factor}*{name}"
    divisor = "" if coefficient.denominator == 1 else f"/{coefficient.denominator}"
    return f"{sign}{factor}{divisor}"
