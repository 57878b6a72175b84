"""Genie profiles: the JSON that ``genie-t2t-run --profile FILE`` writes.

Read by the field names that Qualcomm's own scripts read (github.com/qualcomm/ai-hub-models): each
event of ``components[].events[]`` that holds ``token-generation-rate`` is one query; every value is
an object with ``value`` and ``unit``. Not read: the text a query prints, whose form is not
documented, and the times of creating a dialog.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sim.errors import SimError
from sim.evidence.importers.base import (
    Importer,
    build_run,
    count,
    mapping,
    parse_json,
    positive,
    seconds,
)
from sim.evidence.measured import MeasuredRun

_RATES: Final = {
    "prompt-processing-rate": "prefill_tokens_per_s",
    "token-generation-rate": "tokens_per_s",
}
_COUNTS: Final = {"num-prompt-tokens": "prompt_tokens", "num-generated-tokens": "output_tokens"}
_TTFT: Final = "time-to-first-token"


def sniff(text: str) -> bool:
    """Whether text is a Genie profile."""
    return '"components"' in text and ('"token-generation-rate"' in text or "GenieDialog" in text)


def read(text: str) -> list[MeasuredRun]:
    """Return one run per query of the profile."""
    profile = mapping(parse_json(text), "a Genie profile")
    queries = [event for event in _events(profile) if any(key in event for key in _RATES)]
    if not queries:
        raise SimError("a Genie profile must hold a query with token-generation-rate. Got none.")
    return [_run(index, query) for index, query in enumerate(queries, start=1)]


def _events(profile: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for component in _array(profile, "components"):
        for event in _array(mapping(component, "a component"), "events"):
            yield mapping(event, "an event")


def _array(parent: Mapping[str, Any], key: str) -> list[Any]:
    found = parent.get(key, [])
    if not isinstance(found, list):
        raise SimError(f"{key} must be an array. Got a {type(found).__name__}.")
    return found


def _run(index: int, query: Mapping[str, Any]) -> MeasuredRun:
    fields: dict[str, Any] = {}
    definitions = {}
    for theirs, ours in _RATES.items():
        if theirs in query:
            fields[ours] = positive(mapping(query[theirs], theirs).get("value"), theirs)
            definitions[ours] = f"Genie {theirs}"
    for theirs, ours in _COUNTS.items():
        if theirs in query:
            fields[ours] = count(mapping(query[theirs], theirs).get("value"), theirs)
    if _TTFT in query:
        first = mapping(query[_TTFT], _TTFT)
        fields["time_to_first_token_s"] = seconds(
            first.get("value"), str(first.get("unit", "us")), _TTFT
        )
        definitions["time_to_first_token_s"] = f"Genie {_TTFT}"
    return build_run(
        id=f"query{index}",
        stack="genie",
        backend="NPU",
        source_format="genie",
        definitions=definitions,
        warnings=("device and model are not in the profile.",),
        **fields,
    )


GENIE: Final = Importer("genie", "Genie profile JSON, genie-t2t-run --profile FILE", sniff, read)
