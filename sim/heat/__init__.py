"""Temperatures, leakage and throttling over a run."""
