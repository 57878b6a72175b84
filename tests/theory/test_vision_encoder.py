"""The vision encoder: order, merging and positions."""

import pytest

torch = pytest.importorskip("torch")

from workloads.models.andesvl import VisionPhase, build  # noqa: E402
from workloads.models.config import DecoderConfig, ModelConfig, VisionConfig  # noqa: E402
from workloads.models.vision import Projector, VisionEncoder, by_cell  # noqa: E402

pytestmark = pytest.mark.torch


def encoder(family="aimv2"):
    torch.manual_seed(1)
    config = VisionConfig(family, 2, 32, 48, 2, 4, 64, 1e-6)
    return VisionEncoder(config).double().requires_grad_(False)


@pytest.mark.parametrize("family", ["aimv2", "siglip2"])
def test_the_order_of_patches_changes_nothing_but_the_order(family):
    model = encoder(family)
    grid = model.grid(4, 6)
    patches = torch.randn(24, 3, 4, 4, dtype=torch.float64)
    order = torch.randperm(24)
    shuffled = type(grid)(grid.position[order], grid.cos[order], grid.sin[order])
    torch.testing.assert_close(model(patches[order], shuffled), model(patches, grid)[order])


def test_every_patch_sees_every_other():
    model = encoder()
    grid = model.grid(4, 4)
    patches = torch.randn(16, 3, 4, 4, dtype=torch.float64)
    changed = patches.clone()
    changed[-1] += 1
    moved = (model(changed, grid) - model(patches, grid)).abs().amax(dim=-1)
    assert bool((moved > 1e-9).all())


def test_patch_embedding_is_the_convolution():
    model = encoder()
    image = torch.randn(1, 3, 8, 12, dtype=torch.float64)
    convolved = torch.nn.Conv2d.forward(model.patch_embed, image)[0].flatten(1).T
    patches = image[0].unfold(1, 4, 4).unfold(2, 4, 4).permute(1, 2, 0, 3, 4).reshape(6, 3, 4, 4)
    torch.testing.assert_close(model.patch_embed(patches), convolved)


def test_cells_hold_neighbours():
    rows, columns = 4, 6
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)).view(rows, columns, 2)
    cells = by_cell(places, 2).view(-1, 4, 2)
    assert len({tuple(place) for cell in cells.tolist() for place in cell}) == rows * columns
    for cell in cells:
        assert (cell.amax(dim=0) - cell.amin(dim=0)).tolist() == [1, 1]


def test_the_position_table_at_its_own_size_is_itself():
    model = encoder()
    table = by_cell(model.position.view(8, 8, 32), 2)
    torch.testing.assert_close(model.grid(8, 8).position, table, rtol=1e-5, atol=1e-6)


def test_rotary_angles_tell_rows_from_columns():
    grid = encoder().grid(2, 4)
    angles = torch.cat((grid.cos, grid.sin), dim=-1)
    assert len({tuple(row) for row in angles.tolist()}) == 8


def test_four_patches_become_one_token():
    vision = VisionConfig("aimv2", 1, 32, 48, 2, 4, 64, 1e-6)
    assert Projector(vision, 24)(torch.randn(24, 32)).shape == (6, 24)
    decoder = DecoderConfig(1, 24, 32, 2, 1, 12, 11, True, 1e4, 1e-6)
    model = build(ModelConfig("test", decoder, vision), device="cpu", dtype=torch.float32)
    phase = VisionPhase(model, model.vision.grid(4, 6))
    assert phase(torch.randn(24, 3, 4, 4)).shape == (6, 24)
