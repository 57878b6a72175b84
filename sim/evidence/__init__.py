"""Measured runs: reading, checking, measuring here, and the sets of them that ship.

>>> table = read("tests/fixtures/imports/llama_bench.md")
>>> len(table), table[0].prefill_tokens_per_s
(3, 128.4)
"""

from sim.evidence.corpus_tables import corpus
from sim.evidence.noise import noise_of
from sim.evidence.reading import MeasuredTable, read

__all__ = ["MeasuredTable", "corpus", "noise_of", "read"]
