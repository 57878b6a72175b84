"""Measured runs: reading, checking, measuring here, and the sets of them that ship."""
