"""Which language models of ``transformers`` can be captured: every type, at its class's defaults.

    python docs/breadth.py             writes docs/models_breadth.md
    python docs/breadth.py --failed    tries again what failed last time
    python docs/breadth.py --again     tries everything again
    python docs/breadth.py --only gemma2 falcon_h1

A type is a process of its own with a limit on its seconds, two at a time. What was found lies in
``build/breadth``, a file per type, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import multiprocessing.connection
import resource
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

FOLDER: Final = Path("build/breadth")
PAGE: Final = Path(__file__).parent / "models_breadth.md"
LIMIT_S: Final = 60
WORKERS: Final = 2
LONGEST_REASON: Final = 150
HEAD: Final = """# Which language models can be captured

Written by `make breadth`; not edited by hand.

{traced} of the {types} causal language-model types of transformers {version} trace at the defaults
of their class, prefill and decode. A default is rarely a released model: sizes here say that the
class runs, not how large a product is (that is [Models](models.md)). Seconds are of a processor,
for one capture.

"""


@dataclass(frozen=True)
class Attempt:
    """What came of one type.

    Attributes
    ----------
    type
        ``model_type`` of the configuration.
    version
        Of transformers.
    reason
        Why it does not trace; empty where it does.
    seconds
        Processor seconds of the capture [s].
    parameters, decode_flops, cache_bytes, state_bytes
        All parameters; matrix FLOP of one token at 32,768; cache bytes there at 16 bit; state.
    """

    type: str
    version: str
    reason: str = ""
    seconds: float = 0.0
    parameters: int = 0
    decode_flops: int = 0
    cache_bytes: int = 0
    state_bytes: int = 0


def types() -> list[str]:
    """Return the types that have a causal language model, sorted."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


def attempt(model_type: str) -> Attempt:
    """Return what capturing one type at its defaults gives."""
    from transformers import __version__

    from workloads.capture import capture_entry
    from workloads.errors import WorkloadError
    from workloads.flop_check import phase_flops
    from workloads.model_facts import cache_bytes_16bit

    started = time.process_time()
    try:
        trace = capture_entry({"model_type": model_type}, model_type)
    except WorkloadError as error:
        said = str(error).removeprefix(f"{model_type}: ").partition(" Remedy: ")[0]
        return Attempt(model_type, __version__, said)
    except Exception as error:  # a fault of ours, to be seen in the table
        return Attempt(model_type, __version__, f"fault: {type(error).__name__}: {error}")
    return Attempt(
        model_type,
        __version__,
        "",
        time.process_time() - started,
        trace.total_parameters,
        phase_flops(trace.phases["decode"], {"T": 1, "S": 32_768}),
        cache_bytes_16bit(trace, 32_768),
        trace.state_bytes,
    )


def _kept(model_type: str) -> Attempt | None:
    file = FOLDER / f"{model_type}.json"
    return Attempt(**json.loads(file.read_text())) if file.is_file() else None


def _keep(found: Attempt) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{found.type}.json").write_text(json.dumps(asdict(found)) + "\n")


def _warm_up() -> None:
    """Load what every capture needs, once, so that the processes forked from here have it."""
    import torch

    torch.set_num_threads(1)
    attempt("qwen3")


def _child(model_type: str) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S, 2 * LIMIT_S))
    _keep(attempt(model_type))


def run(wanted: Sequence[str], version: str) -> Iterator[Attempt]:
    """Try types in processes of their own, `WORKERS` at a time; yield each when it is done."""
    _warm_up()
    context = multiprocessing.get_context("fork")
    waiting, running = list(wanted), dict[str, BaseProcess]()
    while waiting or running:
        while waiting and len(running) < WORKERS:
            name = waiting.pop(0)
            (FOLDER / f"{name}.json").unlink(missing_ok=True)
            process = context.Process(target=_child, args=(name,), daemon=True)
            process.start()
            running[name] = process
        multiprocessing.connection.wait([process.sentinel for process in running.values()])
        for name, process in list(running.items()):
            if process.is_alive():
                continue
            process.join()
            slow = process.exitcode == -signal.SIGXCPU
            said = f"takes more than {LIMIT_S} s" if slow else f"ended with {process.exitcode}"
            found = _kept(name) or Attempt(name, version, said)
            _keep(found)
            del running[name]
            yield found


def page(found: Sequence[Attempt]) -> str:
    """Return the page: what traces with its figures, what does not with its reason."""
    traced = [item for item in found if not item.reason]
    rows = "".join(
        f"| {item.type} | {item.parameters:,} | {item.decode_flops / 1e9:,.1f} "
        f"| {item.cache_bytes / 2**20:,.0f} | {item.state_bytes / 2**20:,.2f} "
        f"| {item.seconds:.1f} |\n"
        for item in traced
    )
    reasons = "".join(f"| {item.type} | {_cell(item.reason)} |\n" for item in found if item.reason)
    return (
        HEAD.format(traced=len(traced), types=len(found), version=found[0].version)
        + "| type | parameters | decode at 32K [GFLOP] | cache at 32K, 16 bit [MiB] "
        "| state [MiB] | seconds |\n| --- | ---: | ---: | ---: | ---: | ---: |\n"
        + rows
        + "\n## What does not trace, and why\n\n| type | reason |\n| --- | --- |\n"
        + reasons
    )


def _cell(text: str) -> str:
    plain = " ".join(text.replace("|", "/").replace("<", "(").replace(">", ")").split())
    return plain if len(plain) <= LONGEST_REASON else plain[: LONGEST_REASON - 3] + "..."


def main() -> None:
    """Try what was not tried yet, and write the page."""
    from transformers import __version__

    asks = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    asks.add_argument("--again", action="store_true", help="try everything again")
    asks.add_argument("--failed", action="store_true", help="try again what failed")
    asks.add_argument("--only", nargs="+", default=[], help="types to try again")
    given = asks.parse_args()
    kept = {name: _kept(name) for name in types()}
    todo = [
        name
        for name, item in kept.items()
        if item is None
        or item.version != __version__
        or given.again
        or (given.failed and item.reason)
        or name in given.only
    ]
    for item in run([name for name in todo if not given.only or name in given.only], __version__):
        print(f"{item.type:24} {item.reason or f'{item.seconds:.1f} s'}", flush=True)
    found = [item for name in types() if (item := _kept(name)) is not None]
    traced = sum(not item.reason for item in found)
    print(f"{traced} of {len(found)} types that were tried trace")
    if untried := len(types()) - len(found):
        print(f"{PAGE.name} stays as it is: {untried} types are not tried yet.")
        return
    PAGE.write_text(page(found))


if __name__ == "__main__":
    main()
