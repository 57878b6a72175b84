"""The metrics that people measure, the phases whose time makes them, and where rows ship."""

from pathlib import Path
from typing import Final

from workloads.trace import NETWORK

ROOT: Final = Path(__file__).parents[2] / "validation_data"
"""Folder of the shipped exhibits."""
METRICS: Final = (
    "prefill_tokens_per_s",
    "tokens_per_s",
    "time_to_first_token_s",
    "vision_encode_s",
    "peak_dram_bytes",
    "power_w",
    "energy_j_per_token",
    "inference_s",
)
TIMED_PHASES: Final = {
    "tokens_per_s": ("decode",),
    "prefill_tokens_per_s": ("prefill",),
    "time_to_first_token_s": ("vision", "prefill"),
    "vision_encode_s": ("vision",),
    "inference_s": (NETWORK,),
}
"""The phases whose time makes each metric that can be fitted."""
