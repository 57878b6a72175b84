"""Run the real PyTorch modules and time them; everything here needs PyTorch.

Seconds measured on this machine leave as plain numbers; what they mean is for `sim.evidence`.
"""
