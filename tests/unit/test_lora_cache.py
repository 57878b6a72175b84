"""The adapter cache against a plain model of least-recently-used, and faulty scenario parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from workloads.errors import WorkloadError
from workloads.lora import AdapterCache, Lora

NAMES = ("ui", "ocr", "qa", "chat")


def test_a_session_of_switches():
    cache = AdapterCache(Lora(adapters=NAMES, resident=2), adapter_bytes=10.0)
    log = []
    for name in ("ui", "ui", "ocr", "ui", "qa", "ocr", None, "ocr"):
        switch = cache.use(name)
        log.append(switch and (switch.flash_bytes, switch.bound_bytes, switch.evicted))
    assert log == [
        (10.0, 10.0, None),
        None,
        (10.0, 10.0, None),
        (0.0, 10.0, None),
        (10.0, 10.0, "ocr"),
        (10.0, 10.0, "ui"),
        (0.0, 10.0, None),
        (0.0, 10.0, None),
    ]
    assert cache.resident == ("qa", "ocr")


@given(st.lists(st.sampled_from(NAMES), max_size=60), st.integers(1, 5))
def test_least_recently_used_leaves_first(uses, slots):
    cache = AdapterCache(Lora(adapters=NAMES, resident=slots), adapter_bytes=1.0)
    recent: list[str] = []
    for name in uses:
        was_resident = name in recent
        switch = cache.use(name)
        recent = [*(other for other in recent if other != name), name][-slots:]
        assert cache.resident == tuple(recent)
        if switch is not None:
            assert (switch.flash_bytes == 0.0) == was_resident


@pytest.mark.parametrize(("modules", "invalid"), [("qkvo", True), ("qo", False), ("v", True)])
def test_the_cache_survives_unless_k_or_v_is_adapted(modules, invalid):
    lora = Lora(adapters=("ui",), modules=tuple(modules))
    assert lora.invalidates_kv == invalid
    assert AdapterCache(lora, 1.0).use("ui").invalidates_kv == invalid


def test_unknown_adapters_get_the_nearest_name():
    with pytest.raises(WorkloadError, match="Did you mean 'chat'"):
        AdapterCache(Lora(adapters=NAMES), 1.0).use("chatt")


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ({"adapters": []}, "at least 1"),
        ({"adapters": ["a", "a"]}, "named once"),
        ({"adapters": ["a"], "modules": ["q", "q"]}, "named once"),
        ({"adapters": ["a"], "modules": ["query"]}, "'q'"),
        ({"adapters": ["a"], "rank": 32, "compiled_rank": 16}, "at least the rank 32"),
        ({"adapters": ["a"], "resident": 0}, "greater than or equal to 1"),
        ({"adapters": ["a"], "ranks": 3}, "ranks"),
    ],
)
def test_faulty_parts_are_refused(part, fault):
    with pytest.raises(ValidationError, match=fault):
        Lora.model_validate(part)
