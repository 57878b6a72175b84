"""How wrong is it?"""

import streamlit as st

from dashboard import asking, comparing, own, screens, state, uploads
from dashboard.charts.residuals import residuals
from sim.charts.plotly import named

choices = state.current()
left, right = st.columns(2)
dropped = left.file_uploader(
    "Drop a measured file",
    key="measured_file",
    help="llama-bench, PyTorch profiler, Chrome trace, Genie, LiteRT-LM, ExecuTorch, QNN, AI Hub, "
    "or a CSV. It stays on this machine.",
)
sample = right.selectbox(
    "Or look at measurements that ship",
    comparing.exhibit_names(),
    index=None,
    key="exhibit",
    bind="query-params",
)
mapping = right.text_input(
    "Column mapping of a CSV", key="column_mapping", placeholder="speed=tokens_per_s; name=id"
)
brought = state.judged()
file = (dropped.name, dropped.getvalue()) if dropped is not None else None
if file is None and sample is None and brought is not None:
    file = brought.id, brought.content
if file is None and sample is None and own.JUDGED in st.query_params:
    st.warning("**The measured file of this link is not held here.** Drop it again.")
if file is None and sample is None:
    st.info("**No measurement yet.** Drop one, or look at those that ship.")
    st.button(
        "Judge every measurement that ships",
        type="primary",
        on_click=state.apply,
        args=({"exhibit": comparing.EVERY},),
    )
    st.dataframe(comparing.exhibit_list(), hide_index=True)
    st.markdown("With llama.cpp on the device, this command writes a file to drop here:")
    st.code(
        "llama-bench -m model.gguf -p 128 -n 128 -r 5 -o json > run.json",
        language=None,
        wrap_lines=True,
    )
    st.caption("A file that names no phone waits until you say which one ran.")
    state.end_page()

if file is not None:
    name, content = file
    st.markdown(f"Judged here: **{name}**")
    runs = screens.made_or_stop(
        lambda: uploads.read_upload(content, mapping),
        title=f"{name} cannot be read.",
        remedy="Drop another file, or rename columns of a CSV above. Nothing was kept of it.",
    )
    runs = asking.settled_runs(runs)
else:
    runs = comparing.exhibit_runs(str(sample))
with st.spinner(f"Simulating {len(runs)} runs", show_time=True):
    found = screens.made_or_stop(lambda: comparing.compare(runs))
rows = comparing.table(found)
if not rows.empty:
    verdict, scores = comparing.sentence(found), found.by_metric()
    st.info(f"**{verdict}**", icon=":material/straighten:")
    with st.grid(len(scores), min_column_width=200):
        for metric, score in scores.items():
            with st.container(border=True, height="stretch", gap=None):
                name = named(metric)
                st.metric(name, f"{score.mape:.1%}", help="Mean absolute error (MAPE).")
                for line in comparing.notes(score):
                    st.caption(line)
    before = asking.fitted(runs)
    left, right = st.columns(2)
    with left:
        screens.show(comparing.parity(found if before is None else before.after,
                                      before and before.before))  # fmt: skip
    with right, st.container(border=True):
        kind = st.segmented_control(
            "Errors by",
            list(comparing.KINDS),
            default="phase",
            format_func=lambda name: comparing.KINDS[name],
            key="errors_by",
            required=True,
            bind="query-params",
        )
        screens.plot(residuals(rows, kind), f"Signed errors by {kind}.")
    with st.expander(f"Errors by {comparing.KINDS[kind]} as a table"):
        st.dataframe(comparing.readable(comparing.scores(found, kind)), hide_index=True)

doubts = comparing.doubts(runs, found)
if doubts:
    with st.expander(f"Doubts about the measurements: {len(doubts)}", expanded=True):
        st.code("\n".join(doubts), language=None, wrap_lines=True)
if found.skipped:
    with st.expander(f"Left out: {len(found.skipped)}", expanded=rows.empty):
        st.dataframe(found.skipped, hide_index=True)
with st.expander(f"What was understood: {len(runs)} runs", expanded=file is not None):
    st.dataframe(comparing.understood(runs), hide_index=True)
if rows.empty:
    st.warning("Nothing of this file could be simulated; the reasons are above.")
    state.end_page()

st.dataframe(rows.drop(columns=["context", "weights", "unit"]), hide_index=True)
st.download_button(
    "Table as CSV", rows.to_csv(index=False), "comparison.csv", "text/csv", on_click="ignore"
)
st.caption("Few rows are an indication, no proof. Rows that calibrated a stack do not judge it.")
