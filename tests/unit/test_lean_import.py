"""What a capture needs of PyTorch and transformers is imported without what it does not need."""

import subprocess
import sys

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

pytestmark = [pytest.mark.torch, pytest.mark.long]

CHECK = """
import sys
from workloads.models.seams import register
register()
print("scipy.optimize" in sys.modules)
import torch
from transformers.loss.loss_for_object_detection import linear_sum_assignment
print(linear_sum_assignment([[4.0, 1.0], [2.0, 5.0]])[1].tolist())
from scipy.optimize import nnls
print(nnls.__module__.split(".")[0], "scipy.optimize" in sys.modules)
"""


def test_a_capture_does_not_load_optimisers_and_a_loss_still_finds_them():
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["False", "[1, 0]", "scipy True"]
