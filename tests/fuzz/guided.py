"""Coverage-guided fuzzing: ``python -m tests.fuzz.guided scenario -max_total_time=60``.

The first argument is a reader, the rest are libFuzzer's. It needs atheris, which the project does
not: ``pip install atheris`` where it is wanted. A finding ends the run with its traceback.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sim", "hw_models", "workloads", "dashboard"]):
    from tests.fuzz.readers import READERS, REFUSALS


def main() -> None:
    """Fuzz one reader, from its valid files."""
    reader = READERS[sys.argv[1]]
    folder = Path(tempfile.mkdtemp())
    path = folder / f"file{reader.suffix}"
    corpus = folder / "corpus"
    corpus.mkdir()
    for index, raw in enumerate(reader.seeds()):
        (corpus / str(index)).write_bytes(raw)

    def attempt(raw: bytes) -> None:
        path.write_bytes(raw)
        with contextlib.suppress(*REFUSALS):
            reader.read(path)

    atheris.Setup([sys.argv[0], str(corpus), *sys.argv[2:]], attempt)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
