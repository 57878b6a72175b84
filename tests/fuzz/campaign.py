"""Run a campaign: ``python -m tests.fuzz.campaign --seconds 60`` mutates files for every reader.

It prints a line per reader and each finding once with the bytes that cause it. A finding is any
exception but the package's own refusals, more than 20 s of processor time, or memory beyond 4 GiB.
"""

from __future__ import annotations

import argparse
import resource
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from random import Random

from tests.fuzz.mutations import mutated
from tests.fuzz.readers import READERS, REFUSALS, Reader

HANG_S = 20
MEMORY_BYTES = 4 * 2**30


class Hang(Exception):
    """A read takes more than `HANG_S` of processor time."""


def _hang(*_: object) -> None:
    raise Hang(f"longer than {HANG_S} s")


def attempt(reader: Reader, path: Path, raw: bytes) -> str:
    """Read the bytes as a file; return ``read``, ``refused`` or what the finding is called."""
    path.write_bytes(raw)
    signal.setitimer(signal.ITIMER_PROF, HANG_S)
    try:
        reader.read(path)
    except REFUSALS as error:
        return "refused" if str(error).strip() else "empty message"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error!s:.80} at {frame.filename}:{frame.lineno}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return "read"


def campaign(name: str, seconds: float, seed: int) -> int:
    """Mutate files for one reader; return the number of findings."""
    reader, random = READERS[name], Random(f"{seed} {name}")
    seeds, found, counts = reader.seeds(), set[str](), {"read": 0, "refused": 0}
    until = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"file{reader.suffix}")
        while time.monotonic() < until:
            raw = mutated(random.choice(seeds), random)
            outcome = attempt(reader, path, raw)
            if outcome in counts:
                counts[outcome] += 1
            elif (place := outcome.rpartition(" at ")[2]) not in found:
                found.add(place)
                print(f"FINDING {name}: {outcome}\n    {raw[:600]!r}")
    print(f"{name}: {counts['read']} read, {counts['refused']} refused, {len(found)} findings")
    return len(found)


def main() -> int:
    """Run the campaign; exit code 1 where there is a finding."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="per reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reader", choices=READERS, action="append")
    options = parser.parse_args()
    signal.signal(signal.SIGPROF, _hang)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    names = options.reader or list(READERS)
    return 1 if sum([campaign(name, options.seconds, options.seed) for name in names]) else 0


if __name__ == "__main__":
    sys.exit(main())
