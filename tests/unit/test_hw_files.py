"""Device files: strict YAML, and `extends:`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import workloads.files
from hw_models.errors import HardwareError
from hw_models.files import is_path, merge, parse_yaml, read_device
from hw_models.soc import load_soc
from workloads.errors import WorkloadError

leaves = st.dictionaries(st.sampled_from("xyz"), st.integers())
trees = st.dictionaries(st.sampled_from("ab"), leaves)


@pytest.fixture
def write(tmp_path):
    def write_file(name, text):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


@given(trees, trees, trees)
def test_merging_is_associative_and_empty_changes_nothing(a, b, c):
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, {}) == merge({}, a) == a


def test_a_parameter_is_replaced_whole_so_that_no_old_range_survives():
    base = {"rate": {"value": "1 GB/s", "low": "0.5 GB/s", "high": "2 GB/s"}}
    assert merge(base, {"rate": {"value": "3 GB/s"}}) == {"rate": {"value": "3 GB/s"}}


def test_a_key_given_twice_is_refused_with_its_line():
    with pytest.raises(
        HardwareError, match=r"b must be given once per mapping. Got two near line 2"
    ):
        parse_yaml("a:\n  b: 1\n  b: 2\n")


@pytest.mark.parametrize(
    "text", ["a: [", "- 1", "", "just text", "!!python/object/apply:os.system ['true']", "a: !x 1"]
)
def test_only_a_plain_mapping_is_a_device_file(text):
    with pytest.raises(HardwareError, match="the file must be "):
        parse_yaml(text)


@pytest.mark.parametrize(
    "number", ["9" * 301, "0x" + "f" * 290, "0100", "12:30:45", "1_000", "true"]
)
def test_what_is_no_plain_decimal_number_is_no_quantity(write, number):
    one = f"{{value: {number}, kind: standard, source: ideal}}"
    device = write("a.yaml", f"extends: ideal_85gbps_50tflops\nid: a\ndram: {{channels: {one}}}")
    with pytest.raises(HardwareError, match=r"a\.yaml: dram.channels must be a "):
        load_soc(device)


def test_a_whole_number_that_no_float_holds_is_refused():
    with pytest.raises(WorkloadError, match="at most 300 digits"):
        workloads.files.parse_yaml(f"a: 1\nb: {'9' * 301}", "scenario")


def test_control_characters_are_refused(write):
    with pytest.raises(
        HardwareError, match=r"must be text without control characters. Got 'R\\x1b\[31m' in line 2"
    ):
        read_device(write("a.yaml", 'extends: dimensity_9500\nname: "R\\e[31m"'))


def test_extends_joins_files_in_order_and_the_file_itself_wins(write):
    write("one.yaml", "a: 1\nb: 1\nc: 1")
    write("two.yaml", "b: 2\nc: 2")
    child = write("child.yaml", "extends: [one.yaml, two.yaml]\nc: 3")
    assert read_device(child) == {"a": "1", "b": "2", "c": "3"}


def test_a_packaged_device_may_be_extended(write):
    child = write("mine.yaml", "extends: dimensity_9500\nid: mine")
    assert read_device(child) == read_device("dimensity_9500") | {"id": "mine"}


def test_a_circle_of_extends_is_refused(write):
    write("a.yaml", "extends: b.yaml")
    b = write("b.yaml", "extends: a.yaml")
    with pytest.raises(HardwareError, match="extends must not lead back to its own file"):
        read_device(b)


def test_a_circle_is_refused_however_its_path_is_written(tmp_path, write):
    again = write("again.yaml", f"extends: ../{tmp_path.name}/again.yaml")
    with pytest.raises(HardwareError, match="extends must not lead back to its own file"):
        read_device(again)


def test_a_value_that_holds_itself_is_refused(write):
    write("base.yaml", "a: &a {b: *a}")
    child = write("child.yaml", "extends: base.yaml\na: &a {b: *a}")
    with pytest.raises(HardwareError, match=r"child\.yaml: a value must not hold itself. Got \*a"):
        read_device(child)


@pytest.mark.parametrize("extends", ["true", "{a: b}", "[[a]]"])
def test_extends_must_be_names(write, extends):
    with pytest.raises(HardwareError, match="extends must be an id, a path or a list of them"):
        read_device(write("bad.yaml", f"extends: {extends}"))


def test_a_fault_in_a_file_names_the_file(write):
    with pytest.raises(
        HardwareError, match=r"^broken\.yaml: the file must be YAML\. Got: .* in line \d"
    ):
        read_device(write("broken.yaml", "a: ["))


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(HardwareError, match="the file must be UTF-8 text"):
        read_device(path)


def test_unknown_devices_are_answered_with_the_nearest():
    with pytest.raises(
        HardwareError, match=r"Got 'dimensity_950'. Did you mean 'dimensity_9500'\?"
    ):
        load_soc("dimensity_950")
    with pytest.raises(HardwareError, match=r"device file must exist. Got 'nowhere/x.yaml'"):
        read_device("nowhere/x.yaml")


@pytest.mark.parametrize(("name", "path"), [("a.yaml", True), ("d/a", True), ("a_1", False)])
def test_paths_are_told_from_ids(name, path):
    assert is_path(name) is path


MULTIPLYING = "a0: &a0 [x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("[" * 100_000 + "]" * 100_000, "nested at most 64 deep"),
        ("\n".join(" " * (4 * depth) + "a:" for depth in range(80)), "nested at most 64 deep"),
        (MULTIPLYING, "must stand for at most"),
    ],
    ids=["flow", "block", "multiplying aliases"],
)
def test_texts_that_would_overflow_or_multiply_are_refused(text, rule):
    with pytest.raises(HardwareError, match=rule):
        parse_yaml(text)
