"""Sizes that a configuration leaves open and that follow from others it gives."""

# mypy: disable-error-code="no-any-return, no-untyped-call"

from __future__ import annotations

from typing import Any

from torch import nn


def fill_open_sizes(text: Any) -> bool:
    """Give a text part the sizes it leaves open that follow from others; say whether it had any.

    Keys and values have as many heads as queries, and heads share the width. Most classes do so
    themselves; a few need it said.
    """
    hidden, heads = getattr(text, "hidden_size", None), getattr(text, "num_attention_heads", None)
    if not hidden or not heads:
        return False
    follows = {"num_key_value_heads": heads, "head_dim": hidden // heads}
    was_open = {key: size for key, size in follows.items() if getattr(text, key, 0) is None}
    for key, size in was_open.items():
        setattr(text, key, size)
    return bool(was_open)


def fit_rotary(model: nn.Module, text: Any) -> bool:
    """Let queries be as wide as the sections of a rotary table need; say whether they were not.

    Defaults of some classes leave open what every released configuration gives: the size of a
    head, or the part of it that is turned.
    """
    for module in model.modules():
        sections, table = getattr(module, "mrope_section", None), getattr(module, "inv_freq", None)
        if sections and table is not None and sum(sections) != table.numel():
            rotated, given = 2 * sum(sections), text.rope_parameters
            part = given.get("partial_rotary_factor")
            width = getattr(text, "head_dim", None)
            if part is None and width and width > rotated:
                text.rope_parameters = {**given, "partial_rotary_factor": rotated / width}
            else:
                text.head_dim = int(rotated / (part or 1))
            return True
    return False
