"""Measured runs: reading, checking, measuring here, and the sets of them that ship."""

from sim.evidence.corpus_tables import corpus

__all__ = ["corpus"]
