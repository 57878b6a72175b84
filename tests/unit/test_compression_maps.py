"""Weight maps, format ids and format files: what is accepted, and what the errors say."""

import pytest
from pydantic import ValidationError

from sim import load_scenario, simulate
from workloads.compression import WeightMap, catalogue, get_format, which_mix
from workloads.errors import WorkloadError


def faults(value):
    with pytest.raises(ValidationError) as caught:
        WeightMap.model_validate(value)
    return str(caught.value)


def test_text_and_mapping_say_the_same():
    text = WeightMap.model_validate("body=w4_g128; lm_head=w8")
    assert text == WeightMap(body="w4_g128", lm_head="w8")
    assert WeightMap.model_validate(str(text)) == text
    assert WeightMap.model_validate("q4_0").body == "q4_0"


def test_classes_left_out_take_the_defaults_then_the_body():
    weights = WeightMap.model_validate("body=w4;lm_head=q6_k")
    full = weights.completed(WeightMap(body="w2", lm_head="w8", vision="w16"))
    assert [full.format_for(name).id for name in ("body", "lm_head", "vision", "embedding")] == [
        "w4",
        "q6_k",
        "w16",
        "w4",
    ]


def test_layers_override_the_body_only_where_named():
    weights = WeightMap(body="w4", layers={"0-3": "w8", "35": "w16"})
    found = [weights.format_for("body", layer).id for layer in (0, 3, 4, 35)]
    assert found == ["w8", "w8", "w4", "w16"]
    assert weights.format_for("lm_head").id == "w4"


def test_a_class_without_format_or_body_is_an_error():
    with pytest.raises(WorkloadError, match="must be given"):
        WeightMap(lm_head="w8").format_for("vision")


def test_faulty_maps_are_refused():
    assert "w4_g128" in faults("w4_g12")
    assert "do not overlap" in faults({"layers": {"0-3": "w8", "2": "w4"}})
    assert "number or a range" in faults({"layers": {"3-1": "w8"}})
    assert "once" in faults("body=w4;body=w8")
    assert "once" in faults("")
    assert "heads" in faults({"heads": "w4"})


def test_unknown_names_get_the_nearest():
    with pytest.raises(WorkloadError, match="Did you mean 'q4_k'"):
        get_format("Q4_K")
    with pytest.raises(WorkloadError, match="Did you mean 'lm_head'"):
        WeightMap(body="w4").format_for("lmhead")
    for name in ("bpw0", "bpw99", "sparse00_int4_bitmap", "w4_g100", "w5"):
        with pytest.raises(WorkloadError):
            get_format(name)


def test_catalogue_rows_are_complete_and_sourced():
    for name, stored in catalogue().items():
        row = stored.row()
        assert list(row) == ["id", "traffic_bits", "resident_bits", "file_bits", "source"]
        assert row["id"] == name
        assert row["source"]
        assert get_format(name) == stored


@pytest.mark.parametrize(
    ("name", "bits", "expands"),
    [("w4", 4, False), ("w3", 4, True), ("w8", 8, False), ("q4_0", 8, True), ("bpw1.8", 4, True)],
)
def test_engine_precision_and_expansion(name, bits, expands):
    stored = get_format(name)
    assert (stored.compute_bits, stored.needs_expansion) == (bits, expands)


OWN = """
mine:
  description: five levels and a Huffman code
  formula: "2.6"
  source: our own measurement
  kind: measured
  traffic: {value_bits: 2.6}
  resident: {value_bits: 8}
  compute_bits: 8
  needs_expansion: true
"""


def test_a_format_of_ones_own_is_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(OWN)
    stored = get_format(str(path))
    assert (stored.traffic_bits, stored.resident_bits, stored.file_bits) == (2.6, 8.0, 2.6)
    assert WeightMap(body=str(path)).format_for("body") == stored


def test_all_faults_of_a_file_come_at_once(tmp_path):
    path = tmp_path / "bad.yaml"
    bad = OWN.replace("kind: measured", "kind: guess").replace("formula", "formulae")
    path.write_text(bad + "other: 3\n")
    with pytest.raises(WorkloadError) as caught:
        get_format(str(path))
    text = str(caught.value)
    assert "mine.kind" in text
    assert "Did you mean 'formula'" in text
    assert "other." in text


def test_one_file_holds_one_format_of_ones_own(tmp_path):
    path = tmp_path / "two.yaml"
    path.write_text(OWN + OWN.replace("mine", "yours"))
    with pytest.raises(WorkloadError, match="Got 2"):
        get_format(str(path))


def test_mixes_need_shares_and_a_bounded_search():
    with pytest.raises(WorkloadError, match="positive"):
        which_mix(2, {"body": 0.0}, ["w4"])
    with pytest.raises(WorkloadError, match="at most"):
        which_mix(2, {str(i): 1.0 for i in range(9)}, ["w2", "w3", "w4", "w8", "w16"])


def test_layers_that_the_decoder_lacks_are_told():
    """They would have been left out without a word."""
    for text in ("0-28", "30"):
        given = f"deployment.weights={{body: w4, layers: {{'{text}': w8}}}}"
        with pytest.raises(WorkloadError, match=f"0 to 27.*{text}"):
            simulate(load_scenario(None, ("model=andesvl-0.6b", given)))
