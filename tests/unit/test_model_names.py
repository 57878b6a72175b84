"""What a model of a file is called, and that a run is the same wherever the file lies."""

from dataclasses import replace

from hw_models.soc import load_soc
from sim.fingerprint import fingerprint
from workloads.catalogue import load_trace
from workloads.models.entry import called
from workloads.scenario import load_scenario
from workloads.trace_file import save_trace


def test_a_config_is_called_by_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert called("config.json") == called("./config.json") == called(".") == tmp_path.name
    assert called("my_llama/config.json") == called("my_llama/") == "my_llama"
    assert called("/config.json") == "config.json"
    assert called("runs/other.json") == "other.json"


def test_a_fingerprint_is_of_the_content_of_a_models_file(tmp_path):
    found = set()
    for name in ("one", "two"):
        path = tmp_path / f"{name}.json"
        save_trace(replace(load_trace("qwen3-0.6b"), model=name), path)
        asked = load_scenario(None, [f"model={path}", "session.turns.0.images_px=[]"])
        found.add(fingerprint(asked, load_soc("dimensity_9500"), 0))
    assert len(found) == 1
