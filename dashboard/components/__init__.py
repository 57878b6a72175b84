"""Parts of pages that Streamlit cannot draw: HTML, styles and scripts that lie in this folder.

Nothing is fetched from elsewhere; what they draw comes as data from Python.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

HERE = Path(__file__).parent


def part(name: str) -> Any:
    """Return a component of this folder, ready to be mounted with ``data`` and a ``key``."""
    html, css, js = (
        (HERE / f"{name}.{ending}").read_text(encoding="utf-8") for ending in ("html", "css", "js")
    )
    return st.components.v2.component(f"andesim_{name}", html=html, css=css, js=js)
