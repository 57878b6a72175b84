"""What is done with runs: measured data, calibration, validation, sweeps, sizing, reports."""
