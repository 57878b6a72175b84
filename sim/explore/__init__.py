"""Many runs: designs, sweeps, draws of devices, sensitivity, sizing, comparison."""
