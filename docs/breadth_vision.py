"""Which vision-language models of ``transformers`` can be captured: every type, class defaults.

    python docs/breadth_vision.py            writes docs/models_breadth_vision.md
    python docs/breadth_vision.py --again    tries everything again
    python docs/breadth_vision.py --only qwen2_vl smolvlm
    python docs/breadth_vision.py --page     writes the page of what was found so far

A type is a process of its own with a limit on its processor seconds, two at a time. What was found
lies in ``build/breadth_vision``, a file per type, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path("build/breadth_vision")
PAGE: Final = Path(__file__).parent / "models_breadth_vision.md"
LIMIT_S: Final = 90
WORKERS: Final = 2
LONGEST_REASON: Final = 160
UNTRIED: Final = "not tried yet"
HEAD: Final = """# Which vision-language models can be captured

Written by `make breadth-vision`; not edited by hand.

{seen} of {tried} tried of the {types} image-text types of transformers {version} can be captured
with their vision tower at the defaults of their class, {text} with their language model alone. A
default is rarely a released model, and some defaults do not fit together: a type that fails here
may work with its released configuration. Where a default leaves the tower out, it is the tower
class's own default; where a default's rotary sections do not fit its heads (four GLM types and
Qwen3-Omni's), the head or the rotary part is the one that fits. Towers of timm (FastVLM, Gemma 3n)
need `pip install '.[timm]'`. Tokens are those of a screenshot of 1080x2400 by the family's image
rule; of `canvas` they are states that cross attention reads.

"""


def defaults(model_type: str) -> dict[str, Any]:
    """Return the configuration of a type's class; a tower left out by it is its class's own."""
    from transformers import AutoConfig

    left_out = getattr(AutoConfig.for_model(model_type), "vision_config", {}) is None
    return {"model_type": model_type} | ({"vision_config": {}} if left_out else {})


def attempt(model_type: str) -> dict[str, Any]:
    """Return what came of capturing a type, in this process."""
    from workloads.capture import capture_entry
    from workloads.encoded_images import encoded_image
    from workloads.models.from_transformers import VERSION

    started_s = time.process_time()
    found: dict[str, Any] = {"type": model_type, "version": VERSION}
    try:
        trace = capture_entry(defaults(model_type), model_type)
    except Exception as error:  # a class may refuse its own defaults in many ways
        return found | {"reason": " ".join(str(error).split()), "text": False}
    found |= {"text": True, "reason": trace.no_images, "vision": trace.parameters.get("vision", 0)}
    if trace.image_rule is not None:
        image = encoded_image(trace, (1080, 2400))
        found |= {"rule": trace.image_rule.KIND, "tokens": image.seen}
    elif not trace.no_images:
        found["reason"] = "the class could not be built with its vision tower"
    return found | {"seconds": time.process_time() - started_s}


def _tried(model_type: str) -> dict[str, Any]:
    file = FOLDER / f"{model_type}.json"
    if not file.is_file():
        child = multiprocessing.get_context("fork").Process(target=_one, args=(model_type,))
        child.start()
        child.join()
        if not file.is_file():
            reason = f"it took more than {LIMIT_S} s or the process ended ({child.exitcode})"
            file.write_text(json.dumps({"type": model_type, "reason": reason, "text": False}))
        print(model_type, flush=True)
    return dict(json.loads(file.read_text()))


def _found(model_type: str) -> dict[str, Any]:
    file = FOLDER / f"{model_type}.json"
    nothing = {"type": model_type, "reason": UNTRIED, "text": False}
    return dict(json.loads(file.read_text())) if file.is_file() else nothing


def _one(model_type: str) -> None:
    used_s = int(time.process_time())
    resource.setrlimit(resource.RLIMIT_CPU, (used_s + LIMIT_S, used_s + LIMIT_S))
    (FOLDER / f"{model_type}.json").write_text(json.dumps(attempt(model_type)))


def page(rows: list[dict[str, Any]]) -> str:
    """Return the page of what was found."""
    seen = [row for row in rows if row.get("rule")]
    head = HEAD.format(
        seen=len(seen),
        types=len(rows),
        tried=sum(row["reason"] != UNTRIED for row in rows),
        text=sum(bool(row["text"]) for row in rows) - len(seen),
        version=next((row["version"] for row in rows if "version" in row), ""),
    )
    lines = [
        "| type | image rule | vision parameters | visual tokens | seconds |",
        "|---|---|--:|--:|--:|",
    ]
    lines += [
        f"| {r['type']} | {r['rule']} | {r['vision']:,} | {r['tokens']:,} | {r['seconds']:.1f} |"
        for r in seen
    ]
    lines += ["", "| type | text alone | why no images |", "|---|---|---|"]
    lines += [
        f"| {r['type']} | {'yes' if r['text'] else 'no'} | {_cell(r['reason'])} |"
        for r in rows
        if not r.get("rule")
    ]
    return head + "\n".join(lines) + "\n"


def _cell(reason: str) -> str:
    reason = reason.partition(" Remedy:")[0]
    short = reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]}..."
    return short.replace("|", "/")


def main() -> None:
    """Try every type that was not tried, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--page", action="store_true", help="write the page of what was found")
    given = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.environ["HF_HUB_OFFLINE"] = "1"
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as NAMES,
    )

    from workloads.models import vision_phases  # loaded once, for every type
    from workloads.models.image_families import FAMILIES

    types = given.only or sorted(NAMES, key=lambda name: (name not in FAMILIES, name))
    print(f"{len(types)} types, {vision_phases.__name__} loaded", flush=True)
    if given.again or given.only:
        for model_type in types:
            (FOLDER / f"{model_type}.json").unlink(missing_ok=True)
    with ThreadPoolExecutor(WORKERS) as pool:
        rows = list(pool.map(_found if given.page else _tried, types))
    if not given.only:
        PAGE.write_text(page(sorted(rows, key=lambda row: str(row["type"]))))


if __name__ == "__main__":
    main()
