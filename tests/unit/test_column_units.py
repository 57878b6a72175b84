"""The unit in a column's name is converted to ours, said, or refused; never ignored."""

from __future__ import annotations

import pytest

from sim.errors import SimError
from sim.evidence.column_units import own_reading, reading
from sim.evidence.importers.own_csv import column_mapping, sniff
from sim.evidence.measured import parse_measured


@pytest.mark.parametrize(
    ("theirs", "ours", "number", "value"),
    [
        ("TTFT (ms)", "time_to_first_token_s", 1310.0, 1.31),
        ("TTFT [us]", "time_to_first_token_s", 1310.0, 1.31e-3),
        ("TTFT (µs)", "time_to_first_token_s", 1310.0, 1.31e-3),
        ("ttft_ms_p50", "time_to_first_token_s", 1310.0, 1.31),
        ("TTFT_MS", "time_to_first_token_s", 1310.0, 1.31),
        ("TTFT seconds", "time_to_first_token_s", 1.31, 1.31),
        ("TTFT (min)", "time_to_first_token_s", 2.0, 120.0),
        ("RAM (MB)", "peak_dram_bytes", 1450.0, 1.45e9),
        ("RAM (KB)", "peak_dram_bytes", 1450.0, 1.45e6),
        ("RAM (kB)", "peak_dram_bytes", 1450.0, 1.45e6),
        ("peak RSS GiB", "peak_dram_bytes", 1.5, 1.5 * 2**30),
        ("RAM, MiB", "peak_dram_bytes", 10.0, 10 * 2**20),
        ("RAM (KiB)", "peak_dram_bytes", 10.0, 10240.0),
        ("Power [mW]", "power_w", 5500.0, 5.5),
        ("Energy (mJ)", "energy_j_per_token", 450.0, 0.45),
        ("Energy (mJ/token)", "energy_j_per_token", 450.0, 0.45),
        ("tok/J", "energy_j_per_token", 2.0, 0.5),
        ("Decode (ms/token)", "tokens_per_s", 80.0, 12.5),
        ("TG (tok/s)", "tokens_per_s", 12.5, 12.5),
        ("TG t/s", "tokens_per_s", 12.5, 12.5),
        ("Phone B", "tokens_per_s", 12.5, 12.5),
        ("Decode (tokens/min)", "tokens_per_s", 750.0, 12.5),
    ],
)
def test_a_number_is_in_our_unit(theirs, ours, number, value):
    read = reading(theirs, ours)
    assert read.value(number) == pytest.approx(value, rel=1e-12)
    assert bool(read.said) == (read.value(number) != pytest.approx(number))


@pytest.mark.parametrize(
    ("theirs", "ours", "got"),
    [
        ("RAM (MB)", "time_to_first_token_s", "in MB, which cannot become the s of"),
        ("TPOT (ms)", "tokens_per_s", "in ms, which cannot become the tokens/s of"),
        ("Power (mA)", "power_w", "in mA, which cannot become the W of"),
    ],
)
def test_a_unit_that_cannot_become_ours_is_one_sentence(theirs, ours, got):
    with pytest.raises(SimError, match=got) as caught:
        parse_measured(f'id,"{theirs}"\na,1\n', mapping={theirs: ours})
    assert len(str(caught.value).splitlines()) == 1


def test_min_is_a_statistic_beside_others():
    read = reading("TTFT (min)", "time_to_first_token_s", ("TTFT (min)", "TTFT (max)"))
    assert (read.value(2.0), read.said != "") == (2.0, True)


def test_own_names_with_another_unit_are_read_and_say_so():
    names = "time_to_first_token_ms,peak_dram_mb,power_mw,energy_mj_per_token,prefill_ms_per_token"
    assert sniff(f"{names}\n1,2,3,4,5\n")
    run = parse_measured(f"{names}\n1310,1450,5500,450,4\n")[0]
    assert run.metrics == pytest.approx(
        {
            "time_to_first_token_s": 1.31,
            "peak_dram_bytes": 1.45e9,
            "power_w": 5.5,
            "energy_j_per_token": 0.45,
            "prefill_tokens_per_s": 250.0,
        }
    )
    assert "'power_mw' is in mw: converted to the W of power_w." in run.warnings[2]
    assert own_reading("prefill_ms").fault.endswith("the tokens/s of prefill_tokens_per_s.")


def test_a_rate_of_no_time_is_a_fault_of_its_row():
    with pytest.raises(SimError, match="above 0, since its inverse is read"):
        parse_measured("ms_per_token\n0\n")


def test_the_same_metric_in_two_units_is_given_twice():
    with pytest.raises(SimError, match="'power_w' must be given once"):
        parse_measured("power_w,power_mw\n1,1000\n")


def test_a_misspelt_column_is_told_the_unit_of_ours():
    with pytest.raises(SimError, match=r"Did you mean 'time_to_first_token_s'\? It is in s\."):
        parse_measured("time_to_first_tokn_ms\n1310\n")


def test_a_column_without_a_unit_is_renamed_to_ours_in_its_unit():
    mapping = column_mapping(["TTFT=time_to_first_token_ms", "RAM=peak_dram_mib"])
    run = parse_measured("TTFT,RAM\n1310,2\n", mapping=mapping)[0]
    assert run.metrics == pytest.approx({"time_to_first_token_s": 1.31, "peak_dram_bytes": 2**21})
    assert "'time_to_first_token_ms' is in ms" in run.warnings[0]
