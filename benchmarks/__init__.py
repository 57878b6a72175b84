"""Benchmarks: figures for people, judged by nobody. Run with ``make bench``."""
