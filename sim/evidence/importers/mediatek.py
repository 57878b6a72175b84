"""MediaTek's runners: NeuroPilot's llm_cmdline_tool, and the one in ExecuTorch's examples.

Forms as printed by the tool's own main.cpp, whose source is in public copies (``llm_inference``:
``[Latency]``, ``Prompt Mode: X tok/s``, ``Generative Mode: Y tok/s``; ``[Average Performance among
the given N prompts]`` behind all of them), and by pytorch/executorch,
examples/mediatek/executor_runner/mtk_llama_runner.cpp (``Done analyzing prompt in``, ``Token
generation speed``).

The prompt rate counts whole chunks: the prompt's tokens rounded up to those of one graph call. With
the time of the prompt beside the rate, that padded number is known; the prompt's own number is in
no print but the debug log's, and for a simulation in the same chunks it is the same question. The
mean over prompts is read only where no prompt of the log is. Not judged: decode with Medusa heads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sim.evidence.importers.base import number
from sim.evidence.importers.engine import Format, N, Record, prints
from sim.evidence.importers.records import without_drafts

CHUNK: Final = 128
"""Prompt tokens of a call of MediaTek's graph, where the log does not say."""
_MEAN: Final = re.compile(r"\[Average Performance[^\]]*\]")


def _runs(text: str) -> Iterator[Record]:
    """Yield the runs of a log; the mean behind them only where it stands alone."""
    means = [match.start() for match in _MEAN.finditer(text)]
    parts = [*means, len(text)]
    found = list(prints(text[: parts[0]], LOG))
    ends = [text[start:end] for start, end in zip(means, parts[1:], strict=True)]
    for end in ends:
        behind = list(prints(end, LOG))
        mean, others = behind[:1], behind[1:]
        if not found and mean:
            heads = next(iter(_heads(text[: parts[0]])), {})
            found = [heads | mean[0] | {"warnings": (_OF_SEVERAL,)}]
        yield from found
        found = others
    if not ends:
        yield from found


def _heads(text: str) -> Iterator[Record]:
    """Yield what stands above a mean: model, and counts that a person wrote beside it."""
    found: Record = {}
    for match in LOG.pattern().finditer(text):
        found |= LOG.fields(match)
    yield {name: value for name, value in found.items() if name != "begins"}


_OF_SEVERAL: Final = "the rates are means over the prompts of the log, whose sizes are not stated."


def _padded(record: Record) -> Record:
    """Return a run with its prompt in whole chunks, at the rate of the prompt's own tokens."""
    chunk = int(record.get("chunk") or 0) or CHUNK
    tokens, rate = record.get("prompt_tokens"), record.get("prefill_tokens_per_s")
    seconds = record.pop("prefill_s", None)
    if rate is None and "chunked_rate" in record:
        rate = record["prefill_tokens_per_s"] = record["chunked_rate"]
    if tokens and rate:
        whole = -(-tokens // chunk) * chunk
        record["prefill_tokens_per_s"] = number(rate, "rate") * tokens / whole
    elif rate and seconds:
        whole = number(number(rate, "rate") * number(seconds, "time"), "a padded prompt")
        padded = round(whole / chunk) * chunk
        record["prompt_tokens"] = max(chunk, padded)
        said = f"the prompt rate counts chunks of {chunk}: judged at {max(chunk, padded)} tokens."
        record["warnings"] = (*record.get("warnings", ()), said)
    elif rate:
        record["prompt_tokens"] = chunk
        said = f"the prompt rate counts padded chunks: judged at {chunk} tokens."
        record["warnings"] = (*record.get("warnings", ()), said)
    if record.get("swap_s"):
        record["notes"] = (
            f"going over to the token graph took {number(record['swap_s'], 'swap'):g} s."
        )
    if record.get("accepted"):
        without_drafts(record, f"Medusa heads: {record['accepted']} tokens a step")
    return record


LOG: Final = Format(
    "neuropilot",
    "MediaTek GAI llm_cmdline_tool log",
    marks=(r"(?:Generative|Prompt) [Mm]ode:\s*[\d.]+ ?tok/s",),
    lines=(
        rf"Prompt [Mm]ode:\s*(?P<prefill_tokens_per_s>{N}) ?tok/s",
        rf"Generative [Mm]ode:\s*(?P<tokens_per_s>{N}) ?tok/s",
        rf"Done analyzing prompt in (?P<prefill_s>{N})s\b(?: \((?P<chunked_rate>{N}) tok/s\))?",
        r"Hot swapping to (?P<chunk>[0-9]{2,5})t model",
        r"(?:[Pp]rompt|[Ii]nput) [Tt]okens?(?: [Ll]ength| count)?:?\s+(?P<prompt_tokens>\d+)",
        r"(?:[Gg]enerated|[Oo]utput) [Tt]okens?(?: [Ll]ength| count)?:?\s+(?P<output_tokens>\d+)",
        rf"Hot swapping to \dt model[^\n]*\n[^\n]*Time taken: (?P<swap_s>{N})s",
        rf"Accepted Lengths[^\n]*\n(?:[^\n]*\n)?\s*Average: (?P<accepted>{N})",
        r"(?:llm_cmdline_tool\s+|yaml config: )\S*?"
        r"(?P<model_name>(?:qwen|llama|gemma|phi)[\w.-]+?)(?:[-_]instruct)?\.yaml",
    ),
    begins=r"=+ Processing the \d+-th input"
    r"|(?:[Pp]rompt|[Ii]nput) [Tt]okens?(?: [Ll]ength| count)?:?\s+\d+",
    repeats=True,
    stacks={"": "neuropilot"},
    reads=_runs,
    derive=_padded,
    definitions={
        "prefill_tokens_per_s": "llm_cmdline_tool: prompt tokens in whole chunks / prompt time",
        "tokens_per_s": "llm_cmdline_tool: generated tokens / time of their steps",
    },
)
EXECUTORCH: Final = Format(
    "executorch-mediatek",
    "ExecuTorch examples/mediatek llama runner log",
    marks=(r"Done analyzing prompt in \S+ sec|Token generation speed: \S+ tok/s",),
    lines=(
        rf"Done analyzing prompt in (?P<prefill_s>{N}) sec \((?P<prefill_tokens_per_s>{N}) tok/s\)",
        rf"Token generation speed: (?P<tokens_per_s>{N}) tok/s",
        r"--prompt_token_batch_size[= ](?P<chunk>[0-9]{1,5})",
    ),
    begins=r"Done analyzing prompt in ",
    derive=_padded,
    definitions=LOG.definitions,
)
FORMATS: Final = (LOG, EXECUTORCH)
