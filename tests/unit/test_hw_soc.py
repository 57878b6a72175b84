"""SocSpec: look up, override, draw samples, write, and what a faulty file is told."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.errors import HardwareError
from hw_models.provenance import Parameter, Source
from hw_models.soc import catalogue, load_soc

SPEC = load_soc("dimensity_9500")
PARAMETERS = SPEC.parameters()


def plain():
    return yaml.safe_load(load_soc("ideal_85gbps_50tflops").to_yaml())


def faults_of(tmp_path, data):
    path = tmp_path / "device.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(HardwareError) as error:
        load_soc(path)
    return [fault.removeprefix("device.yaml: ") for fault in error.value.faults]


def test_the_peak_bandwidth_is_channels_times_width_times_rate():
    assert SPEC.dram.peak_bytes_per_s == 4 * 16 * 10.667e9 / 8
    assert load_soc("ideal_85gbps_50tflops").dram.peak_bytes_per_s == 85.3e9


def test_parameters_are_found_by_the_path_of_their_attributes():
    assert PARAMETERS["dram.rate"] is SPEC.dram.rate
    assert PARAMETERS["units.npu.matrix.rates.a16w4"] is SPEC.units["npu"].matrix.rates["a16w4"]
    assert PARAMETERS["thermal.governor.trip_c.1"] is SPEC.thermal.governor.trip_c[1]


def test_a_stack_is_found_by_name_or_by_default():
    assert SPEC.stack() is SPEC.stacks["neuropilot"] is SPEC.stack("neuropilot")
    with pytest.raises(HardwareError, match=r"Got 'neuropilto'. Did you mean 'neuropilot'\?"):
        SPEC.stack("neuropilto")


def test_specs_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        SPEC.name = "other"
    with pytest.raises(AttributeError):
        SPEC.dram.rate.value = 1.0


@settings(max_examples=25)
@given(st.data())
def test_samples_move_the_named_parameters_what_follows_them_and_nothing_else(data):
    paths = data.draw(st.lists(st.sampled_from(sorted(PARAMETERS)), unique=True, max_size=8))
    values = {}
    for path in paths:
        values[path] = data.draw(st.floats(PARAMETERS[path].low, PARAMETERS[path].high))
    moved = SPEC.with_values(values).parameters()
    for path, parameter in PARAMETERS.items():
        if path in values:
            assert moved[path] == parameter.moved_to(values[path])
        elif parameter.follows and f"{path.rpartition('.')[0]}.{parameter.follows.of}" in values:
            lead = moved[f"{path.rpartition('.')[0]}.{parameter.follows.of}"]
            assert moved[path].value == pytest.approx(parameter.follows.value(lead.value))
        else:
            assert moved[path] is parameter


def test_an_override_is_marked_as_one():
    spec = SPEC.with_overrides({"dram.rate": "9.6 GT/s", "stacks.neuropilot.causal_skip": True})
    rate = spec.dram.rate
    assert (rate.value, rate.low, rate.high) == (9.6e9, 9.6e9, 9.6e9)
    assert (rate.kind, rate.source) == ("assumed", "override")
    assert spec.stacks["neuropilot"].causal_skip is True
    assert SPEC.dram.rate.kind == "datasheet"


@pytest.mark.parametrize("value", [9.6e9, "9.6 GT/s", "9600 MT/s", 9600000000])
def test_an_override_is_a_bare_si_number_or_text_with_a_unit(value):
    assert SPEC.with_overrides({"dram.rate": value}).dram.rate.value == 9.6e9


def test_nullable_and_listed_entries_can_be_overridden():
    stack = SPEC.with_overrides(
        {
            "stacks.neuropilot.prefill_chunk_tokens": None,
            "stacks.neuropilot.cache_buckets_tokens": [100, 200],
            "thermal.governor.trip_c.0": 38.0,
        }
    )
    neuropilot = stack.stacks["neuropilot"]
    assert neuropilot.prefill_chunk_tokens is None
    assert [size.value for size in neuropilot.cache_buckets_tokens] == [100, 200]
    assert stack.thermal.governor.trip_c[0].value == 38
    again = stack.with_overrides({"stacks.neuropilot.prefill_chunk_tokens": 64})
    assert again.stacks["neuropilot"].prefill_chunk_tokens.value == 64


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"dram.rat": 1}, "Got 'dram.rat'. Did you mean 'dram.rate'?"),
        ({"dram": 1}, "override dram must be the dotted path of an entry of the device"),
        ({"dram.app_fraction": 1.4}, "dram.app_fraction must be a number above 0 and at most 1."),
        ({"dram.rate": "3 GB/s"}, "dram.rate must be a quantity in T/s. Got '3 GB/s'."),
        ({"dram.rate": None}, "dram.rate must be a mapping"),
        ({"dram.channels": 2.5}, "dram.channels must be a whole number"),
        ({"units.npu.buffer.operand_bytes": 0}, "must be a number of at least 1 B"),
        ({"units.npu.buffer.operand_count": 1e9}, "of at least 1 and at most 64. Got 1000000000.0"),
        ({"flash.latency_s": float("nan")}, "flash.latency_s must be a quantity in s. Got nan."),
        ({"default_stack": "genie"}, "default_stack must be one of the stacks. Got 'genie'."),
        ({"stacks.neuropilot.unit": "tpu"}, "stacks.neuropilot.unit must be 'npu', 'gpu' or"),
        ({"thermal.governor.trip_c.1": 30}, "thermal.governor.trip_c must have ascending values."),
        ({"thermal.governor.trip_c": ["40 C"]}, "must have as many trip_c as clock_fraction,"),
        (
            {"thermal.governor.trip_c": [], "thermal.governor.clock_fraction": []},
            "must have as many trip_c as clock_fraction, at least one. Got 0 and 0.",
        ),
    ],
)
def test_impossible_overrides_are_refused(overrides, message):
    with pytest.raises(HardwareError) as error:
        SPEC.with_overrides(overrides)
    assert message in str(error.value)


def test_a_sample_of_an_unknown_parameter_is_refused():
    with pytest.raises(HardwareError, match=r"Did you mean 'dram.rate'\?"):
        SPEC.with_values({"dram.rat": 1.0})


def test_fitted_parameters_bring_their_source_and_survive_a_file(tmp_path):
    fitted = Parameter(0.5, "fraction", "fitted", "runs", 0.4, 0.6, "12 runs")
    path = "stacks.neuropilot.bandwidth_fraction"
    spec = SPEC.with_parameters({path: fitted}, {"runs": Source("My measurements")})
    file = tmp_path / "fitted.yaml"
    file.write_text(spec.to_yaml())
    assert load_soc(file) == spec
    assert load_soc(file).parameters()[path] == fitted


def test_fitted_parameters_keep_the_rules():
    path = "stacks.neuropilot.bandwidth_fraction"
    unsourced = Parameter(1.5, "fraction", "fitted", "runs", 1.5, 1.5)
    with pytest.raises(HardwareError) as error:
        SPEC.with_parameters({path: unsourced}, {})
    assert [fault.split(". Got")[0] for fault in error.value.faults] == [
        f"{path} must cite a source listed under sources",
        f"{path} must be a number above 0 and at most 1",
        f"{path} low must be a number above 0 and at most 1",
        f"{path} high must be a number above 0 and at most 1",
    ]


def test_keys_that_are_numbers_are_told_like_any_other(tmp_path):
    data = plain()
    data["sources"][2024] = {"title": "a year"}
    data["dram"]["rate"]["source"] = "idael"
    data[3] = 4
    faults = faults_of(tmp_path, data)
    assert "3 is not a known key." in faults
    assert any("Got 'idael'. Did you mean 'ideal'?" in fault for fault in faults)


def test_a_device_without_units_is_refused_in_words(tmp_path):
    (fault,) = faults_of(tmp_path, plain() | {"units": {}})
    assert fault.startswith("units must have at least 1 item")


def test_all_faults_of_a_file_are_told_at_once(tmp_path):
    data = plain()
    data["dram"]["rate"]["source"] = "idael"
    data["dram"]["chanels"] = data["dram"].pop("channels")
    data["flash"]["latency_s"]["value"] = "5 GB"
    data["stacks"]["ideal"]["unit"] = "tpu"
    del data["host"]
    assert sorted(faults_of(tmp_path, data)) == [
        "dram.chanels is not a known key. Did you mean 'channels'?",
        "dram.channels must be given.",
        "dram.rate must cite a source listed under sources. Got 'idael'. Did you mean 'ideal'?",
        "flash.latency_s must be a quantity in s. Got '5 GB'. Known: ms, ns, ps, s, us, µs.",
        "host must be given.",
        "stacks.ideal.unit must be 'npu', 'gpu' or 'cpu'. Got 'tpu'.",
    ]


def test_every_precision_needs_its_energy(tmp_path):
    data = plain()
    del data["power"]["energy_per_flop"]["a16w4"]
    del data["power"]["energy_per_flop"]["vector"]
    (fault,) = faults_of(tmp_path, data)
    assert fault.endswith("must cover every precision of the units. Got none for a16w4, vector.")


def test_a_misspelt_precision_is_refused(tmp_path):
    data = plain()
    data["units"]["npu"]["matrix"]["rates"]["w4a16"] = data["dram"]["rate"]
    faults = faults_of(tmp_path, data)
    assert any("w4a16" in fault and "must match pattern" in fault for fault in faults)


def test_lists_of_values_need_ranges_of_their_length(tmp_path):
    data = plain()
    data["thermal"]["governor"]["trip_c"] = {
        "value": ["40 C", "41 C", "42 C", "43 C"],
        "low": ["39 C"],
        "high": ["44 C"],
        "kind": "assumed",
        "source": "ideal",
    }
    (fault,) = faults_of(tmp_path, data)
    assert fault.startswith("thermal.governor.trip_c must have a list as value, and lists of")


def test_sources_admit_no_unknown_key(tmp_path):
    data = plain()
    data["sources"]["ideal"]["titel"] = "x"
    (fault,) = faults_of(tmp_path, data)
    assert fault.startswith("sources.ideal.titel is not a known key")


def test_the_catalogue_is_plain_data_with_provenance():
    entries = {entry["id"]: entry for entry in catalogue()}
    entry = entries["dimensity_9500"]
    assert entry["stacks"][:2] == ["neuropilot", "neuropilot_public"]
    rate = entry["parameters"]["dram.rate"]
    assert rate["value"] == rate["low"] == rate["high"] == 10.667e9
    assert (rate["unit"], rate["kind"]) == ("T/s", "datasheet")
    assert "mediatek.com" in rate["source"]


def test_a_device_whose_name_is_a_number_is_refused(tmp_path):
    file = tmp_path / "five.yaml"
    file.write_text("extends: dimensity_9500\nid: five\nname: 5\n")
    with pytest.raises(HardwareError, match=r"name must be words\. Got '5', a number\."):
        load_soc(file)
