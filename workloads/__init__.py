"""Demand: what must be computed, in operations and bytes. No seconds anywhere."""
