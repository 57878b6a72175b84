"""What about my phone and my model?"""

from functools import partial

import streamlit as st

from dashboard import bringing, own, screens, state, templates
from dashboard.links import scenario_yaml

choices = state.current()
st.markdown(
    "Drop or paste a **device** YAML, a fitted **stack**, a Hugging Face **config.json**, a "
    "**GGUF** file or its first megabytes, a **network** (the config of an encoder, or a trace), a "
    "**scenario** YAML, a **measured** file, or a **bundle** saved here. They stay on this machine."
)
st.download_button(
    "A device file to start from",
    templates.device_template(choices.device),
    templates.FILE,
    "application/yaml",
    on_click="ignore",
    icon=":material/download:",
    help="The sidebar's device as a short YAML file: change its numbers and drop it here.",
)
left, right = st.columns(2)
dropped = left.file_uploader("Drop files", accept_multiple_files=True, key="own_files")
with right.form("paste", border=False):
    pasted = st.text_area("Or paste text", height=110, key="own_text", placeholder="extends: …")
    st.form_submit_button("Take it")
files = [(item.name, item.getvalue()) for item in dropped or ()]
if pasted.strip():
    files.append(("pasted", pasted.encode()))

for number, (name, content) in enumerate(files):
    read = screens.made_or_none_saying(
        partial(bringing.take, content, name, choices), f"{name} cannot be used."
    )
    for index, taken in enumerate(read or ()):
        with st.container(border=True):
            text, action = st.columns([5, 1], vertical_alignment="center")
            text.markdown(f"**{name}**: {taken.said}")
            if taken.left_out:
                text.caption(f"Not held by the sidebar, left out: {', '.join(taken.left_out)}.")
            if taken.measured is not None:
                action.page_link(
                    "app_pages/validate.py",
                    label="**Judge them**",
                    query_params={own.JUDGED: taken.measured.id},
                )
            elif taken.network is not None:
                state.mine(taken.network.id)
                action.page_link(
                    "app_pages/network.py",
                    label="**Ask it**",
                    query_params={"network": taken.network.id},
                )
            else:
                state.mine(taken.choices.device, taken.choices.model)
                action.button(
                    "Use it",
                    key=f"use_{number}_{index}",
                    on_click=state.apply,
                    args=(taken.choices.model_dump(),),
                    type="primary",
                    width="stretch",
                )

mine = state.mine()
with st.container(border=True):
    screens.heading("Yours in this session")
    if mine:
        rows = [{"id": name, "what": own.WORDS[own.kept(name).kind]} for name in mine]
        st.dataframe(rows, hide_index=True)
    else:
        st.markdown(
            "Nothing yet. What you use stands in the sidebar's lists of devices and models."
        )
    st.download_button(
        "Save a bundle",
        partial(own.bundle, list(mine), scenario_yaml(choices), state.link()),
        "question.andesim.zip",
        "application/zip",
        on_click="ignore",
        help="Your files, the scenario and the link in one ZIP; drop it here to go on elsewhere.",
    )
    st.caption(
        "A link names your files by digest and works while this dashboard runs; a bundle carries "
        "them to another machine."
    )
