"""Real behaviour of eviction and speculation, run in PyTorch on a small model and recorded.

``python -m workloads.behaviour`` makes the recordings again. The simulator replays them; this
package is not needed for that.
"""
