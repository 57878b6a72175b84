"""Every packaged device: loads, is sourced, and says how each number is known."""

import pytest

from hw_models.compute import precision_key
from hw_models.soc import list_socs, load_soc

DEVICES = list_socs()

PEAKS_GB_PER_S = {
    "ideal_85gbps_50tflops": 85.3,
    "dimensity_9500": 85.336,
    "dimensity_9400": 85.336,
    "dimensity_9300": 76.8,
    "dimensity_9300_plus": 76.8,
    "dimensity_9000_plus": 60.0,
    "tensor_g1": 44.0,
    "kirin_9000e": 44.0,
    "snapdragon_8_gen_1": 51.2,
    "snapdragon_8_plus_gen_1": 51.2,
    "snapdragon_8s_gen_3": 67.2,
    "snapdragon_8_gen_2": 67.2,
    "snapdragon_8_gen_3": 76.8,
    "snapdragon_8_elite": 84.8,
    "snapdragon_8_elite_gen_5": 84.8,
    "snapdragon_x_elite": 135.168,
    "snapdragon_x2_elite": 228.552,
    "sa8295p": 66.9696,
    "sa8775p": 76.8,
    "apple_a13": 34.128,
    "apple_a15": 34.128,
    "apple_a16": 51.2,
    "apple_a17_pro": 51.2,
    "apple_a18": 60.0,
    "apple_a18_pro": 60.0,
    "apple_m3": 102.4,
    "apple_m5": 153.6,
    "genio_720": 25.6,
    "dimensity_8400": 68.264,
    "dimensity_8300": 68.264,
    "snapdragon_7_gen_3": 25.6,
    "snapdragon_7_plus_gen_2": 25.6,
    "exynos_2400": 68.264,
    "exynos_2500": 76.8,
    "tensor_g3": 68.264,
    "tensor_g4": 68.264,
    "tensor_g5": 68.264,
    "apple_a14": 34.128,
    "apple_a19_pro": 76.8,
    "apple_m4": 120.0,
    "apple_m4_max": 546.112,
    "kirin_9000": 44.0,
    "kirin_990": 34.128,
    "rk3588": 33.792,
    "rk3576": 16.896,
    "bcm2711": 12.8,
    "bcm2712": 17.068,
    "sa7255p": 51.2,
}


def test_the_promised_devices_are_there_and_no_base_file_is_listed():
    assert set(PEAKS_GB_PER_S) == set(DEVICES)


@pytest.mark.parametrize("device", DEVICES)
def test_the_peak_bandwidth_is_that_of_the_memory(device):
    peak = load_soc(device).dram.peak_bytes_per_s
    assert peak == pytest.approx(PEAKS_GB_PER_S[device] * 1e9, rel=1e-12)


@pytest.mark.parametrize("device", DEVICES)
def test_the_id_is_the_name_of_the_file_and_every_number_has_a_titled_source(device):
    spec = load_soc(device)
    assert spec.id == device
    assert spec.describes
    for path, parameter in spec.parameters().items():
        assert spec.sources[parameter.source].title, path


@pytest.mark.parametrize("device", DEVICES)
def test_an_assumed_number_admits_that_it_may_be_wrong(device):
    """Compiled sizes are choices, and the single graph of CPUs and GPUs is what it is."""
    exact = {
        path
        for path, parameter in load_soc(device).parameters().items()
        if parameter.kind == "assumed" and parameter.low == parameter.high
    }
    assert {path for path in exact if "_buckets_" not in path and "graphs_per" not in path} == set()


@pytest.mark.parametrize("device", DEVICES)
def test_every_stack_can_run_its_own_defaults(device):
    spec = load_soc(device)
    for stack in spec.stacks.values():
        rates = spec.units[stack.unit].matrix.rates
        for bits in (1.8, 4, 8, 16):
            assert precision_key(stack.defaults.activations, bits, rates) in rates


@pytest.mark.parametrize("device", DEVICES)
def test_reads_alone_are_the_most_efficient_mix(device):
    efficiency = load_soc(device).dram.efficiency
    assert efficiency.read_only.value >= efficiency.read_80.value >= efficiency.read_50.value


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_written_and_read_again_is_the_same(device, tmp_path):
    path = tmp_path / "copy.yaml"
    path.write_text(load_soc(device).to_yaml(), encoding="utf-8")
    assert load_soc(path) == load_soc(device)


def test_a_rate_measured_on_one_chip_is_measured_on_no_other():
    """Whoever takes it over says so: derived or assumed."""
    found: dict[tuple[str, str], list[str]] = {}
    for device in DEVICES:
        for path, item in load_soc(device).parameters().items():
            is_rate = ".rate" in path or path.endswith("dram_fraction")
            if path.startswith("units.") and is_rate and item.kind == "measured":
                found.setdefault((path, item.source), []).append(device)
    assert found
    assert [names for names in found.values() if len(names) > 1] == [
        # 63 and 48 of 77 GB/s by one benchmark on the phones of two chips
        ["dimensity_9300", "snapdragon_8_gen_3"]
    ]


def test_every_assumption_of_the_default_device_says_its_reason():
    """Each range was looked at once; the note says what it rests on, and no end is unphysical."""
    assumed = {
        path: item
        for path, item in load_soc("dimensity_9500").parameters().items()
        if item.kind == "assumed"
    }
    assert len(assumed) > 150
    assert [path for path, item in assumed.items() if len(item.note.split()) < 2] == []
    npu = {path: item for path, item in assumed.items() if path.startswith("units.npu.")}
    assert npu["units.npu.buffer.operand_count"].low == 2  # no compiler fetches nothing ahead


def test_the_default_device_stands_on_measured_rows_of_its_makers_npus():
    """Bandwidth and work per layer are fitted together with the Genio 720's table of networks."""
    stack = load_soc("dimensity_9500").stacks["neuropilot"]
    fraction, layer_s = stack.bandwidth_fraction, stack.layer_s
    assert {fraction.kind, layer_s.kind} == {"fitted"}
    assert fraction.high / fraction.low > 1.2  # one small network was measured on the phone itself
