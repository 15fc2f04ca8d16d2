"""The network as an ONNX file, which many programs run on many devices."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from s2hand.train.export.network import INPUTS, OUTPUTS, FlatNetwork, draw_crops

_LARGEST_BATCH = 1 << 20  # more than fits anywhere; older versions of torch want a bound
_ERRORS_ONLY = 3  # of onnxruntime's levels


def require_onnx() -> None:
    """Raise ValueError where a package is missing that writing and checking need."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"ONNX needs the package {error.name}, which is not installed: pip install onnx onnxscript onnxruntime"
        ) from error


def write_onnx(network: FlatNetwork, size: int, path: Path, metadata: Mapping[str, str]) -> None:
    """Write the network for crops of `size` pixels, any number at a time; `metadata` become the file's properties."""
    import onnx

    model = _translate(network, size)
    _forget_sources(model.graph)
    for described, texts in ((model.graph.input, INPUTS), (model.graph.output, OUTPUTS)):
        for value in described:
            value.doc_string = texts[value.name]
    onnx.helper.set_model_props(model, dict(metadata))
    path.write_bytes(model.SerializeToString())


def run_onnx(path: Path) -> Callable[[Tensor, Tensor], list[Tensor]]:
    """Return what onnxruntime computes with the file, on the CPU: images and K to the tensors of `OUTPUTS`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(images: Tensor, K: Tensor) -> list[Tensor]:
        found = session.run(list(OUTPUTS), {"images": images.numpy(), "K": K.numpy()})
        return [torch.from_numpy(array) for array in found]

    return run


def _translate(network: FlatNetwork, size: int) -> Any:
    batch = torch.export.Dim("batch", max=_LARGEST_BATCH)
    with warnings.catch_warnings(), torch.no_grad():
        # Said of every name that two inputs share.
        warnings.filterwarnings("ignore", "# The axis name: batch will not be used", UserWarning)
        # torch 2.11's, of its own code.
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
        program = torch.onnx.export(
            network,
            draw_crops(2, size),
            dynamo=True,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_shapes=({0: batch}, {0: batch}),
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def _forget_sources(graph: Any) -> None:
    """Remove, for each operation, the lines of code that it came from, with this machine's paths."""
    for part in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del part.metadata_props[:]
