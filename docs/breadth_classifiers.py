"""Which image classifiers of ``transformers`` become one graph: every type, class defaults.

python docs/breadth_classifiers.py            writes docs/models_breadth_classifiers.md
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Final

PAGE: Final = Path(__file__).parent / "models_breadth_classifiers.md"
LONGEST_REASON: Final = 200
HEAD: Final = """# Which image classifiers can be captured

Written by `python docs/breadth_classifiers.py`; not edited by hand.

{seen} of the {types} image classifiers of transformers {version} become one graph at the defaults
of their class, on the input their configuration says, else on an image of 224x224.

"""


def attempt(model_type: str) -> dict[str, Any]:
    """Return what came of capturing a type."""
    from workloads.errors import WorkloadError
    from workloads.models.encoders import capture_default
    from workloads.networks import network_macs

    started_s = time.process_time()
    try:
        trace = capture_default(model_type)
    except WorkloadError as error:
        return {"type": model_type, "reason": " ".join(str(error).split())}
    return {
        "type": model_type,
        "parameters": trace.total_parameters,
        "macs": network_macs(trace),
        "operators": sum(repeat for repeat, _ in trace.phases["network"].operators()),
        "seconds": time.process_time() - started_s,
    }


def page(rows: list[dict[str, Any]], version: str) -> str:
    """Return the page of what was found."""
    seen = [row for row in rows if "reason" not in row]
    lines = ["| type | parameters | GMAC | operators | seconds |", "|---|--:|--:|--:|--:|"]
    lines += [
        f"| {r['type']} | {r['parameters']:,} | {r['macs'] / 1e9:.3f} | {r['operators']:,} "
        f"| {r['seconds']:.1f} |"
        for r in seen
    ]
    lines += ["", "| type | why not |", "|---|---|"]
    lines += [f"| {r['type']} | {_cell(r['reason'])} |" for r in rows if "reason" in r]
    head = HEAD.format(seen=len(seen), types=len(rows), version=version)
    return head + "\n".join(lines) + "\n"


def _cell(reason: str) -> str:
    short = reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]}..."
    return short.replace("|", "/")


def main() -> None:
    """Try every type, and write the page."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES as NAMES,
    )

    from workloads.models.from_transformers import VERSION

    rows = []
    for model_type in sorted(NAMES):
        rows.append(attempt(model_type))
        print(model_type, rows[-1].get("reason", ""), flush=True)
    PAGE.write_text(page(rows, VERSION))


if __name__ == "__main__":
    main()
