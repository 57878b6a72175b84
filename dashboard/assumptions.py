"""Every number of the device: where it comes from, and how far its range moves a reply."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dashboard.choices import Choices
from dashboard.own import place
from dashboard.runs import device, parameter_swings
from dashboard.what_ifs import what_if_text, what_if_values
from hw_models.soc import load_soc
from hw_models.units import format_quantity

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("assumed", "fitted", "derived", "measured", "standard", "datasheet")
"""How a number came to be known, the least certain first."""


def table(choices: Choices) -> pd.DataFrame:
    """Return a row per parameter of the device; those that matter to this run first.

    ``reply_moves_s`` is the distance between the reply with the parameter at its low and at its
    high value [s], and ``rank`` counts by it; both are empty where its range cannot change the
    times of this run.
    """
    import pandas as pd

    soc = device(choices)
    swing = {item.path: item.width for item in parameter_swings(choices)}
    rows = [
        {
            "parameter": path,
            "value": format_quantity(item.value, item.unit),
            "low": format_quantity(item.low, item.unit),
            "high": format_quantity(item.high, item.unit),
            "kind": item.kind,
            "reply_moves_s": swing.get(path),
            "source": soc.sources[item.source].title,
            "link": soc.sources[item.source].url,
            "note": item.note,
        }
        for path, item in soc.parameters().items()
    ]
    frame = pd.DataFrame(rows).astype({"reply_moves_s": float})
    frame = frame.sort_values("reply_moves_s", ascending=False, kind="stable", ignore_index=True)
    frame.insert(
        0, "rank", frame["reply_moves_s"].rank(ascending=False, method="first").astype("Int64")
    )
    return frame


def found(parameters: pd.DataFrame, text: str, kinds: list[str]) -> pd.DataFrame:
    """Return the parameters that hold ``text`` in their path, note or source, of some kinds."""
    words = parameters["parameter"] + " " + parameters["note"] + " " + parameters["source"]
    chosen = words.str.contains(text, case=False, regex=False)
    return parameters[chosen & parameters["kind"].isin(kinds)] if kinds else parameters[chosen]


def with_what_if(choices: Choices, path: str, value: float) -> str:
    """Return the what-if text with one parameter set; at the device's own value it is dropped."""
    values = what_if_values(choices.what_if) | {path: value}
    if value == load_soc(place(choices.device)).parameters()[path].value:
        del values[path]
    return what_if_text(values)
