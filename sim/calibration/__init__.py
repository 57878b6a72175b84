"""Fitting stacks of phones and of this machine to measured runs."""
