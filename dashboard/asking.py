"""What the Validate page asks of a measured file: which phone ran, under what; and whether to fit.

A file that leaves the device open is never judged on another one in silence.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import bringing, comparing, screens, state
from dashboard.options import options, stacks
from dashboard.own import place
from hw_models.soc import load_soc
from sim.charts.plotly import named
from sim.evidence.given import Given
from sim.evidence.measured import MeasuredRun


def settled_runs(runs: Sequence[MeasuredRun]) -> list[MeasuredRun]:
    """Return the runs with their open fields asked for; the page ends until the phone is known."""
    nowhere = comparing.open_runs(runs, "device")
    device = _device(nowhere) if nowhere else ""
    ran_on = device or next((run.device for run in runs if run.device), "")
    asked = [_asked(name, comparing.open_runs(runs, name), ran_on) for name in ("model", "stack",
             "weights")]  # fmt: skip
    model, stack, weights = asked
    given = Given(model=model, stack=stack, weights=weights, device=device)
    return screens.made_or_stop(
        lambda: comparing.placed(runs, given), title="The file says something else."
    )


def _device(nowhere: Sequence[MeasuredRun]) -> str:
    """Ask which phone ran; one that the chip's name settles alone is proposed."""
    found = comparing.candidates(nowhere)
    chip = comparing.processors(nowhere)
    said = f"The file names the chip {chip!r:.80}" if chip else "The file names no phone"
    device = st.selectbox(
        "Which phone was this?",
        found,
        index=0 if len(found) == 1 else None,
        format_func=lambda name: f"{load_soc(place(name)).name} ({name})",
        key="ran_on",
        placeholder="Choose the phone that ran it",
    )
    if device is None:
        st.warning(
            f"**{said}, so it is not judged yet.** Numbers of one phone say nothing about the "
            f"simulation of another: choose one of {len(found)} that it may be.",
            icon=":material/help:",
        )
        state.end_page()
    return str(device)


def _asked(name: str, open_runs: Sequence[MeasuredRun], device: str) -> str:
    """Ask for a field that some runs leave open; "" leaves it open."""
    if not open_runs:
        return ""
    known = {
        "stack": stacks(device)[1:] if device else (),
        "model": options(device or "dimensity_9500")["model"],
        "weights": options(device or "dimensity_9500")["body"][2:],
    }[name]
    words = {"stack": "Which software ran it?", "model": "Which model was it?",
             "weights": "Which format had its weights?"}  # fmt: skip
    hints = sorted({run.model_name for run in open_runs if run.model_name})
    help_text = f"The file says {', '.join(hints):.120}." if name == "model" and hints else None
    chosen = st.selectbox(words[name], known, index=None, key=f"ran_{name}", help=help_text,
                          placeholder=f"{len(open_runs)} rows leave it open")  # fmt: skip
    return str(chosen) if chosen else ""


def fitted(runs: Sequence[MeasuredRun]) -> comparing.Fitted | None:
    """Offer to fit the stack to the runs; show errors before and after and the file to keep."""
    key = tuple(run.id for run in runs), tuple(run.device + run.stack for run in runs)
    with st.container(border=True):
        text, button = st.columns([5, 1], vertical_alignment="center")
        text.markdown(
            "**Fit this stack** to these rows: its bandwidth, overheads and efficiency move inside "
            "their ranges until it meets them. The fit is judged on the rows it saw."
        )
        if button.button("Fit this stack", key="fit_stack", width="stretch"):
            st.session_state["fitted_for"] = key
        if st.session_state.get("fitted_for") != key:
            return None
        with st.spinner("Fitting", show_time=True):
            found = screens.made_or_none_saying(
                lambda: _fit(runs, str(key)), "These rows cannot be fitted."
            )
        if found is None:
            return None
        rows = [
            {
                "metric": named(metric),
                "error before [%]": 100.0 * score.mape,
                "error after [%]": 100.0 * found.after.by_metric()[metric].mape,
                "rows": score.n,
            }
            for metric, score in found.before.by_metric().items()
            if metric in found.after.by_metric()
        ]
        digits = st.column_config.NumberColumn(format="%.1f")
        columns = dict.fromkeys(("error before [%]", "error after [%]"), digits)
        st.dataframe(rows, hide_index=True, column_config=columns)
        with st.expander("What was fitted"):
            st.code(found.said, language=None, wrap_lines=True)
        keep, use = st.columns(2)
        keep.download_button("Keep the stack (YAML)", found.yaml, "fitted.yaml", "application/yaml",
                             on_click="ignore", width="stretch")  # fmt: skip
        taken = bringing.take(found.yaml.encode(), "fitted", state.current())[0]
        state.mine(taken.choices.device)
        fitted_stack = taken.choices.changed(stack=found.stack)
        use.button("Use it in the sidebar", on_click=state.apply, key="use_fit", width="stretch",
                   args=(fitted_stack.model_dump(),))  # fmt: skip
        return found


@st.cache_data(max_entries=8, show_spinner=False)
def _fit(_runs: Sequence[MeasuredRun], key: str) -> comparing.Fitted:
    return comparing.fit(_runs)
