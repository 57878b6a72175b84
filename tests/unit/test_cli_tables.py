"""Tables keep their numbers at any width."""

from __future__ import annotations

import pytest

from sim.cli.tables import Column, make_console, print_table

COLUMNS = [Column("entry", is_text=True), Column("time to first token"), Column("peak DRAM")]
ROWS = [
    ["deployment.kv_cache.capacity_tokens and more than that", "1.234 s", "12.34 GiB"],
    ["model", "0.567 s", "2.38 GiB"],
]


@pytest.mark.parametrize("width", [200, 80, 60, 40, 20, 10])
def test_no_number_is_broken_at_any_width(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(make_console(), "Title", COLUMNS, ROWS)
    printed = capsys.readouterr().out
    for row in ROWS:
        assert all(cell in printed for cell in row[1:])
    assert "…" not in printed


def test_a_pipe_has_no_width(monkeypatch, capsys):
    monkeypatch.delenv("COLUMNS", raising=False)
    print_table(make_console(), "", COLUMNS, ROWS)
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(ROWS)


@pytest.mark.parametrize("width", ["41", "46", "52", "60"])
def test_names_are_never_broken_and_long_text_wraps(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", width)
    columns = [Column("id", is_name=True), Column("bits of it"), Column("about", is_text=True)]
    rows = [["w2_g16_z16_long", "4.5", "two bits and a scale for every sixteen"]]
    print_table(make_console(), "Formats [all]", columns, rows)
    printed = capsys.readouterr().out
    assert "w2_g16_z16_long" in printed
    assert "Formats [all]" in printed
    assert all(len(line) <= int(width) and line == line.rstrip() for line in printed.splitlines())
    assert all(word in printed for word in rows[0][2].split())


def test_different_scenarios_are_compared_with_all_their_numbers(andesim, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    turns = "session: {turns: [{prompt_tokens: 64, output_tokens: 8}]}\n"
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text(f"device: dimensity_9500\nmodel: qwen3-0.6b\n{turns}")
    second.write_text(
        "device: snapdragon_8_elite\nmodel: smollm2-135m\n"
        f"deployment: {{weights: {{body: w8}}, kv_cache: {{dtype: int8}}}}\n{turns}"
    )
    found = andesim("compare", first, second).out
    row = next(line for line in found.splitlines() if line.startswith("as the first"))
    assert len(row.split()) == 11  # four numbers with their units behind three words
    assert row.endswith("MiB")


def test_parameters_of_a_device_have_prefixes_and_fit_in_80_columns(andesim, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = andesim("devices", "dimensity_9500").out.splitlines()
    rows = [line for line in lines if not line.startswith("(")]
    assert max(map(len, rows)) <= 80
    assert any("10.667 GT/s" in line for line in rows)
    assert any("128 KiB to 2 MiB" in line for line in rows)
