"""Measure real runs on this machine: which cases, in which order, and what is written down."""
