"""Calibrate a device to measured runs of this machine, and judge it on other runs."""
