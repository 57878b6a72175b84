"""How wrong is it?"""

import streamlit as st

from dashboard import comparing, screens, state, uploads
from dashboard.charts import parity

choices = state.current()
left, right = st.columns(2)
dropped = left.file_uploader(
    "Drop a measured file",
    key="measured_file",
    help="llama-bench, PyTorch profiler, Chrome trace, Genie, LiteRT-LM, ExecuTorch, QNN, AI Hub, "
    "or a CSV. It stays on this machine.",
)
mapping = left.text_input(
    "Column mapping of a CSV", key="column_mapping", placeholder="speed=tokens_per_s; name=id"
)
sample = right.selectbox(
    "Or look at measurements that ship", comparing.exhibit_names(), index=None, key="exhibit"
)
if dropped is None and sample is None:
    st.info("No measurement yet. Drop one, or choose one that ships.")
    st.markdown("With llama.cpp on the device, this command writes a file to drop here:")
    st.code(
        "llama-bench -m model.gguf -p 128 -n 128 -r 5 -o json > run.json",
        language=None,
        wrap_lines=True,
    )
    st.caption("A file that names no device is simulated on the sidebar's device and stack.")
    st.stop()

if dropped is not None:
    content = dropped.getvalue()
    runs = screens.made_or_stop(lambda: uploads.read_upload(content, mapping))
else:
    runs = comparing.exhibit_runs(str(sample))
with st.expander(f"What was understood: {len(runs)} runs", expanded=dropped is not None):
    st.dataframe(comparing.understood(runs), hide_index=True)
found = screens.made_or_stop(lambda: comparing.compare(runs, choices))
rows = comparing.table(found)
doubts = comparing.doubts(runs, found)
if doubts:
    with st.expander(f"Doubts about the measurements: {len(doubts)}", expanded=True):
        st.code("\n".join(doubts), language=None, wrap_lines=True)
if found.skipped:
    with st.expander(f"Left out: {len(found.skipped)}", expanded=rows.empty):
        st.dataframe(found.skipped, hide_index=True)
if rows.empty:
    st.warning("Nothing of this file could be simulated; the reasons are above.")
    st.stop()

scores = found.by_metric()
with st.grid(len(scores), min_column_width=200):
    for metric, score in scores.items():
        with st.container(border=True, height="stretch", gap=None):
            st.metric(metric, f"{score.mape:.1%}", help="Mean absolute error (MAPE).")
            inside = "" if score.inside_interval is None else f"{score.inside_interval:.0%} inside"
            st.caption(f"n = {score.n}, bias {score.bias:+.1%}, {inside or 'no'} 80 % interval")
st.caption("Few rows are an indication, no proof. Rows that calibrated a stack do not judge it.")
worst = max(scores, key=lambda metric: scores[metric].mape)
alt = f"{worst} is furthest off: {scores[worst].mape:.0%} on average."
left, right = st.columns(2)
with left:
    screens.chart("Simulated against measured", parity.parity(rows), alt)
with right:
    screens.chart("Errors by metric", parity.residuals(rows), alt)
st.dataframe(rows, hide_index=True)
st.download_button(
    "Table as CSV", rows.to_csv(index=False), "comparison.csv", "text/csv", on_click="ignore"
)
