"""What is told of an unknown device: the chip of the phone or part that was named, or nothing."""

import pytest

from hw_models.files import device_ids, read_device, read_head
from hw_models.naming import phones, which_device

NO_NAME = "`andesim devices` lists the"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("pixel 9", "Pixel 9: tensor_g4."),
        ("Galaxy S24", "Galaxy S24: exynos_2400 or snapdragon_8_gen_3."),
        ("samsung s24+", "Galaxy S24+: exynos_2400 or snapdragon_8_gen_3."),
        ("s24-ultra", "Galaxy S24 Ultra: snapdragon_8_gen_3."),
        ("oneplus 12", "OnePlus 12: snapdragon_8_gen_3."),
        ("xiaomi_15", "Xiaomi 15: snapdragon_8_elite."),
        ("iphone_16_pro", "iPhone 16 Pro: apple_a18_pro."),
        ("iPhone16", "iPhone 16: apple_a18."),
        ("Google Pixel 7", "Pixel 7: Tensor G2, which is no device here."),
        ("sm8750", "Qualcomm Snapdragon 8 Elite (SM8750, Hexagon v79): snapdragon_8_elite."),
        ("Snapdragon 8+ Gen 1", "Did you mean 'snapdragon_8_plus_gen_1'?"),
        ("dimensity_950", "Did you mean 'dimensity_9500'?"),
        ("dimensity_9501", "Did you mean 'dimensity_9500'?"),
        ("dimensty_9500", "Did you mean 'dimensity_9500'?"),
    ],
)
def test_names_of_phones_and_parts_lead_to_their_chip(asked, told):
    assert which_device(asked) == told


@pytest.mark.parametrize(
    "asked",
    ["iphone_15_mini", "galaxy s21", "tensor_g2", "snapdragon 8 gen 4", "16", ""],
)
def test_nothing_is_offered_that_a_number_contradicts(asked):
    assert which_device(asked).startswith(NO_NAME)


def test_chips_of_phones_are_devices_or_named_as_none():
    known, told = set(device_ids()), {chip for chips in phones().values() for chip in chips}
    assert told - known == {"Exynos 2200", "Exynos 2400e", "Tensor G2", "Apple A19"}


def test_the_head_of_a_device_is_that_of_its_whole_file():
    whole = read_device("tensor_g4")
    assert read_head("tensor_g4") == {key: whole[key] for key in ("name", "describes")}
