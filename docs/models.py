"""The page of models: what each trace of the catalogue says, and what it should say beside it.

    python docs/models.py              writes models.md from the shipped traces
    python docs/models.py --seconds    captures each anew first and writes its seconds (minutes)
    python docs/models.py --missing    only those that have none yet

Without either the seconds that stand in the page are kept.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from workloads import closed_forms
from workloads.catalogue import captured_model, get_entry, model_ids
from workloads.model_facts import cache_bytes_16bit, describe_model
from workloads.models.entry import text_part
from workloads.operators import cost
from workloads.trace import Trace
from workloads.trace_file import load_trace

PAGE: Final = Path(__file__).parent / "models.md"
SEEN: Final = 32_768
"""Tokens that the token of the FLOP column sees, and that the cache column holds."""
HEAD: Final = """# Models

Written by `python docs/models.py`; not edited by hand.

Each row is the trace of a released model, captured from its published configuration (`andesim
models ID` shows the source). A second figure behind a stroke is what it should be: the published
number of parameters, and the closed form of the architecture for the work and the cache, from the
keys of the file alone (`workloads/closed_forms.py`); without one there is no closed form (recurrent
layers, shared or latent caches). Seconds are of a processor, for one capture. Any other model works
by its file: [which types](models_breadth.md). Models that take images have a second table, with
what an image becomes and what its encoder does: [Models that take images](models_vision.md).
Encoders and convolutional networks that ship are asked by themselves (`network: {}`), on each stack
of each device: [which networks run where](models_breadth_networks.md).

"""
COLUMNS: Final = (
    "model",
    "type",
    "parameters / published",
    "active",
    "decode at 32K [GFLOP] / closed form",
    "cache at 32K, 16 bit [MiB] / closed form",
    "state [MiB]",
    "seconds",
)


def text_table(seconds: Mapping[str, str]) -> str:
    """Return the table of language models; ``seconds`` of each capture by model id."""
    rows = [_row(model, seconds.get(model, "")) for model in model_ids()]
    alike = "| --- | --- |" + " ---: |" * (len(COLUMNS) - 2)
    return "\n".join([f"| {' | '.join(COLUMNS)} |", alike, *rows]) + "\n"


def _row(model: str, seconds: str) -> str:
    trace, facts, entry = load_trace(model), describe_model(model), get_entry(model)
    flops, held = decode_flops(trace), cache_bytes_16bit(trace, SEEN)
    expected = _expected(text_part(entry))
    cells = [
        model,
        facts.model_type,
        _pair(f"{trace.total_parameters:,}", f"{entry['parameters']:,}"),
        f"{facts.active_parameters:,}",
        _pair(f"{flops / 1e9:,.4f}", expected and f"{expected[0] / 1e9:,.4f}"),
        _pair(f"{held / 2**20:,.1f}", expected and f"{expected[1] / 2**20:,.1f}"),
        f"{trace.state_bytes / 2**20:,.2f}",
        seconds,
    ]
    return f"| {' | '.join(cells)} |"


def _pair(found: str, expected: str | None) -> str:
    return f"{found} / {expected}" if expected else found


def _expected(part: Mapping[str, Any]) -> tuple[int, int] | None:
    if not closed_forms.attends_plainly(part):
        return None
    return closed_forms.causal_flops(part, 1, SEEN, 1), closed_forms.cache_bytes_16bit(part, SEEN)


def decode_flops(trace: Trace) -> int:
    """Return the matrix FLOP of one token that sees `SEEN`."""
    sizes = {"T": 1, "S": SEEN}
    calls = trace.phases["decode"].operators()
    return int(sum(repeat * cost(operator, sizes).causal_flops for repeat, operator in calls))


def page(seconds: Mapping[str, str]) -> str:
    """Return the whole page."""
    return HEAD + "## Language models\n\n" + text_table(seconds)


def standing_seconds(text: str) -> dict[str, str]:
    """Return the seconds that a page gives, by model id."""
    return dict(re.findall(r"^\| (\S+) \|.*\| ([\d.]+) \|$", text, re.M))


def _measured(models: Sequence[str]) -> dict[str, str]:
    import torch

    torch.set_num_threads(1)
    captured_model("qwen3-0.6b")  # libraries are loaded by the first capture
    seconds = {}
    for model in models:
        started = time.process_time()
        captured_model(model)
        seconds[model] = f"{time.process_time() - started:.1f}"
        print(f"{model:24} {seconds[model]} s", flush=True)
    return seconds


def main() -> None:
    """Write the page."""
    asks = argparse.ArgumentParser(description="write docs/models.md")
    asks.add_argument("--seconds", action="store_true", help="capture every model anew")
    asks.add_argument("--missing", action="store_true", help="capture those without seconds")
    given = asks.parse_args()
    seconds = standing_seconds(PAGE.read_text()) if PAGE.is_file() else {}
    if given.seconds or given.missing:
        asked = [model for model in model_ids() if given.seconds or model not in seconds]
        seconds |= _measured(asked)
    PAGE.write_text(page(seconds))


if __name__ == "__main__":
    main()
