"""Measured runs: reading, checking, measuring here, and the sets of them that ship.

>>> import sim
>>> table = sim.evidence.read("tests/fixtures/imports/llama_bench.md")
>>> len(table), table[0].prefill_tokens_per_s
(3, 128.4)

What is named here is loaded when it is first used: every answer names its nearest rows, and needs
none of the readers for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.evidence.corpus_tables import corpus
    from sim.evidence.noise import noise_of
    from sim.evidence.reading import MeasuredTable, read

CONTENTS = {
    "MeasuredTable": "sim.evidence.reading",
    "corpus": "sim.evidence.corpus_tables",
    "noise_of": "sim.evidence.noise",
    "read": "sim.evidence.reading",
}
__all__ = ["MeasuredTable", "corpus", "noise_of", "read"]


def __getattr__(name: str) -> Any:
    """Load what the table of contents names."""
    if name not in CONTENTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(CONTENTS[name]), name)
