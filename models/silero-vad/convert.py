"""Writes silero_vad_16k.safetensors from the ONNX file of the Python package: pip install onnx safetensors numpy

    convert.py silero_vad/data/silero_vad_16k_op15.onnx silero_vad_16k.safetensors

The safetensors file inside silero-vad 6.2.3 holds other weights than its ONNX and TorchScript files and gives other
probabilities, so it is not used. The tensor names are those of its `tinygrad_model.py`.
"""

import sys

import onnx
from onnx import numpy_helper
from safetensors.numpy import save_file

NAMES = {
    "stft_conv.weight": "stft.forward_basis_buffer",
    **{f"conv{n + 1}.{part}": f"encoder.{n}.reparam_conv.{part}" for n in range(4) for part in ("weight", "bias")},
    **{f"lstm_cell.{part}": f"decoder.rnn.{part}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")},
    "final_conv.weight": "decoder.decoder.2.weight",
    "final_conv.bias": "decoder.decoder.2.bias",
}

source, target = sys.argv[1:]
tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(source).graph.initializer}
save_file({name: tensors[f"model.{origin}"] for name, origin in NAMES.items()}, target)
