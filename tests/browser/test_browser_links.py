"""Links that someone tampered with: what is wrong is named, and nothing else happens."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.browser.conftest import rested

pytestmark = [pytest.mark.browser, pytest.mark.long]

SCRIPT, IMAGE = "<script>window.taken=1</script>", "<img src=x onerror='window.taken=1'>"
SMALL = "model=smollm2-135m&images=0&output_tokens=9"
LINKS = {
    f"/?body={quote(SCRIPT)}": "body) must be a known option",
    f"/?model={quote(IMAGE)}": "model) must be a known option",
    f"/?what_if={quote(IMAGE)}": "must be the dotted path of an entry of the device",
    "/?keep=NaN": "keep) must be a finite number",
    "/?ambient_c=inf": "ambient_c) must be a finite number",
    "/?prompt_tokens=1e99": "prompt_tokens) must be a whole number",
    f"/?what_if={'x' * 6000}": "what_if) must be text of at most 4000 characters",
    "/?baseline=body%3Dw99": "baseline: Body (body) must be a known option",
    "/?what_if=dram.rate%3D0": "dram.rate",
    "/?device=__class__": "device) must be a known option",
    "/?stack=..%2F..%2Fetc%2Fpasswd": "stack) must be a known option",
    "/?body_bits=99": "body_bits) must be less than or equal to 16",
    "/?images=-1": "images) must be greater than or equal to 0",
    f"/?{quote(SCRIPT)}=1": "is not a known choice",
    # and new ones
    "/?what_if=nonsense": "what_if) must be written path=value",
    "/?what_if=dram%3D1%3B+dram.rate%3D2": "what_if) must be written path=value",
    "/?prompt_tokens=64&prompt_tokens=x": "prompt_tokens) must be a whole number",
    "/?device=phone%4000000000": "device) must be a known option",
    f"/?baseline={quote(quote(SCRIPT))}%3D1": "baseline: ",
    "/?solve_for=everything": "solve_for must be what this page offers",
    "/?fan_axis=%F0%9F%92%A5": "fan_axis must be what this page offers",
    f"/timeline?{SMALL}&view=nan,inf": "view must be two numbers of seconds",
    f"/timeline?{SMALL}&view=0,1e999": "view must be two numbers of seconds",
    f"/timeline?{SMALL}&phase=nonsense": "phase must be what this page offers",
    f"/tradeoffs?{SMALL}&sweep_axes=nonsense": "sweep_axes must be what this page offers",
    f"/validate?{SMALL}&judged=x%4000000000": "measured file of this link is not held here",
    f"/validate?{SMALL}&exhibit=nonsense": "exhibit must be what this page offers",
    f"/network?{SMALL}&network={quote(IMAGE)}": "network must be what this page offers",
    f"/network?{SMALL}&network_calls=-5": "network_calls must be what this page offers",
    f"/evidence?{SMALL}&evidence_metric=__dict__": "evidence_metric must be what this page offers",
}


@pytest.mark.parametrize(
    ("link", "said"), LINKS.items(), ids=[str(place) for place in range(len(LINKS))]
)
def test_what_is_wrong_in_a_link_is_named_and_harms_nothing(opened, link, said):
    page = opened(link)
    page.get_by_test_id("stMain").get_by_text(said).first.wait_for()
    rested(page)
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_text("Traceback").count() == 0
    assert page.evaluate("window.taken") is None
