"""Which of the corpus' networks ship, and which stack of ours ran them: rows become questions.

A name maps only where architecture and input are the catalogue's; a pipeline of several graphs maps
by its component. Runtimes that a device file does not hold map to the nearest that it does, and
`is_own` says which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sim.evidence.corpus_tables import corpus
from sim.evidence.measured import MeasuredRun
from workloads.errors import WorkloadError
from workloads.weight_formats import get_format

NETWORKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "albert-base-v2-hf": "albert-base-384",
        "bert-base-uncased-hf": "bert-base-384",
        "clip-vit-b-16": "clip-vit-b-16",
        "convnext-t": "convnext-t",
        "convnextv2-b": "convnextv2-b",
        "densenet121": "densenet121",
        "depth-anything": "depth-anything-s",
        "detr-resnet50": "detr-resnet50-480",
        "distil-bert-base-uncased-hf": "distilbert-base-384",
        "efficientnet-b0": "efficientnet-b0",
        "electra-bert-base-discrim-google": "electra-base-384",
        "googlenet": "googlenet",
        "inception-v3": "inception-v3-224",
        "mobile-bert-uncased-google": "mobilebert-384",
        "mobilenet-v2": "mobilenet-v2",
        "mobilenet-v3-l": "mobilenet-v3-l",
        "mobilenet-v3-s": "mobilenet-v3-s",
        "mobilenetv2-1.0": "mobilenet-v2",
        "mobilenetv2-12": "mobilenet-v2",
        "opus-mt-en-es": "opus-mt-en-es-encoder",
        "opus-mt-en-zh": "opus-mt-en-es-encoder",
        "opus-mt-es-en": "opus-mt-en-es-encoder",
        "owl-vit": "owl-vit-b-32",
        "regnet": "regnet-x-3.2gf",
        "resnet18": "resnet18",
        "resnet50": "resnet50",
        "resnet101": "resnet101",
        "segformer-base": "segformer-b0-512",
        "squeezenet": "squeezenet",
        "swin-b-224": "swin-b-224",
        "swin-s-224": "swin-s-224",
        "swin-t-224": "swin-t-224",
        "swinv2-b-256": "swinv2-b-256",
        "vgg16": "vgg16",
        "vit-b-16": "vit-b-16-224",
        "whisper-base-encoder": "whisper-base-encoder",
        "whisper-large-v3-turbo-encoder": "whisper-large-v3-turbo-encoder",
        "whisper-small-encoder": "whisper-small-encoder",
        "whisper-tiny-encoder": "whisper-tiny-encoder",
        "yamnet": "yamnet",
        "yolov5m": "yolov5m",
        "yolov5n": "yolov5n",
        "yolov5s": "yolov5s",
        "yolov8-det": "yolov8n",
        "yolov8m": "yolov8m",
        "yolov8n": "yolov8n",
        "yolov8s": "yolov8s",
    }
)
"""The corpus' name of a network to the catalogue's; the same graph at the same input."""
ENCODERS: Final = ("encoder", "Encoder")
"""How components that encode are named, in pipelines of which only the encoder ships."""
PIPELINES: Final = ("opus-mt", "whisper")
NEAREST_STACKS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "qnn_context_binary": ("qnn_context_binary", "qnn_graph"),
        "precompiled_qnn_onnx_npu": ("precompiled_qnn_onnx_npu", "qnn_context_binary"),
        "qnn_dlc": ("qnn_dlc", "qnn_graph"),
        "onnx_npu": ("onnx_npu", "qnn_graph"),
        "tflite_npu": ("tflite_npu", "qnn_graph"),
        "rknpu_npu": ("rknpu_npu",),
        "coreml_npu": ("coreml_npu",),
        "neuron_npu": ("neuron_npu", "neuropilot_public"),
        "tflite_cpu": ("tflite_cpu", "litert_cpu"),
        "tflite_gpu": ("tflite_gpu", "litert_gpu"),
        "onnx_cpu": ("onnx_cpu", "litert_cpu"),
    }
)
"""The corpus' stack to ours, the same first, then what is nearest to it."""
WEIGHTS: Final[Mapping[str, str]] = MappingProxyType({"f16": "w16", "w8": "w8", "w4": "w4"})


@dataclass(frozen=True)
class NetworkRow:
    """A row of the corpus as a question to the simulator.

    Attributes
    ----------
    run
        Device, stack of ours, network, formats and the measured time.
    corpus_stack, unit
        As the corpus says.
    """

    run: MeasuredRun
    corpus_stack: str
    unit: str

    @property
    def is_own(self) -> bool:
        """Whether the stack that ran is one of the device's own, not only the nearest to it."""
        return self.run.stack == self.corpus_stack


def network_rows(stacks_of: Mapping[str, frozenset[str]], role: str) -> Iterator[NetworkRow]:
    """Yield the corpus' rows of a role whose network, device and stack we have.

    Parameters
    ----------
    stacks_of
        Device id to the stacks of its file.
    """
    for row in corpus("network", role).itertuples():
        found = _row(row, stacks_of)
        if found is not None:
            yield found


def network_id(model: str, component: str) -> str:
    """Return the catalogue id of a corpus' network, "" where none is the same graph.

    >>> network_id("opus-mt-en-es", "OpusMTEncoder"), network_id("opus-mt-en-es", "decoder")
    ('opus-mt-en-es-encoder', '')
    """
    if model.startswith(PIPELINES) and component and not component.endswith(ENCODERS):
        return ""
    return NETWORKS.get(model, "")


def _row(row: Any, stacks_of: Mapping[str, frozenset[str]]) -> NetworkRow | None:
    known = stacks_of.get(row.device, frozenset())
    stack = next((name for name in NEAREST_STACKS.get(row.stack, ()) if name in known), None)
    network, weights = network_id(row.model, row.component), _weights(row.weights)
    if stack is None or not network or not weights:
        return None
    run = MeasuredRun(
        id=row.id,
        device=row.device,
        stack=stack,
        model=network,
        weights=weights,
        activations=row.activations,
        inference_s=row.inference_s,
        role=row.role,
    )
    return NetworkRow(run, row.stack, row.unit)


def _weights(name: str) -> str:
    try:
        return get_format(WEIGHTS.get(name, name)).id
    except WorkloadError:
        return ""
