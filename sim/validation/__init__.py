"""Judging simulated runs against measured ones that no fit has seen."""
