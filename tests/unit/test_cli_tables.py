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
