"""Reading measured files: ``python -m benchmarks.importers`` times 10,000 rows of each form."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sim.evidence.importers import import_measured

ROWS = 10_000
TABLE = (
    "| model | size | params | backend | threads | test | t/s |\n|---|---|---|---|---|---|---|\n"
)


def table() -> str:
    """Return a Markdown table of llama-bench."""
    row = "| llama 1B Q4_0 | 0.72 GiB | 1.24 B | CPU | 6 | tg{} | {:.2f} ± 0.10 |\n"
    return TABLE + "".join(row.format(16 + i, 10 + i / 1000) for i in range(ROWS))


def runs_csv() -> str:
    """Return our own CSV."""
    header = "id,device,stack,model,weights,tokens_per_s\n"
    row = "r{},snapdragon_8_elite,genie,llama-3.2-1b,w4,{}\n"
    return header + "".join(row.format(i, 10 + i / 1000) for i in range(ROWS))


def bench_json() -> str:
    """Return the JSON of llama-bench."""
    shared = {"backends": "CPU", "model_filename": "Llama-3.2-1B-Instruct-Q4_0.gguf"}
    tests = ({"n_prompt": 0, "n_gen": 128, "avg_ts": 10 + i / 1000} for i in range(ROWS))
    return json.dumps([shared | test for test in tests])


def ollama_log() -> str:
    """Return the prints of as many replies."""
    counts = "prompt eval count: 9 token(s)\neval count: 20 token(s)\n"
    reply = f"total duration: 1s\n{counts}eval rate: {{}}.5 tokens/s\n"
    return "".join(reply.format(10 + i) for i in range(ROWS))


FORMS: dict[str, Callable[[], str]] = {
    "llama-bench table": table,
    "llama-bench JSON": bench_json,
    "CSV of measured runs": runs_csv,
    "Ollama print": ollama_log,
}


def main() -> None:
    """Print the CPU seconds that reading each form takes, caches warm."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in FORMS.items():
            path = Path(folder, "file.txt")
            path.write_text(text(), encoding="utf-8")
            import_measured(path)
            started = time.process_time()
            rows = len(import_measured(path))
            print(f"{name}: {rows} rows in {time.process_time() - started:.2f} s of CPU")


if __name__ == "__main__":
    main()
