"""Reads Whisper weights from a CTranslate2 file of version 6 that is not quantised."""

import struct
from pathlib import Path

import numpy as np

LAYER_NAMES = {
    "encoder": {
        "self_attention/layer_norm": "self_attn_layer_norm",
        "self_attention/linear_0": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
        "self_attention/linear_1": "self_attn.out_proj",
        "ffn/layer_norm": "final_layer_norm",
        "ffn/linear_0": "fc1",
        "ffn/linear_1": "fc2",
    }
}
LAYER_NAMES["decoder"] = LAYER_NAMES["encoder"] | {
    "attention/layer_norm": "encoder_attn_layer_norm",
    "attention/linear_0": "encoder_attn.q_proj",
    "attention/linear_1": ["encoder_attn.k_proj", "encoder_attn.v_proj"],
    "attention/linear_2": "encoder_attn.out_proj",
}
OTHER_NAMES = {
    "encoder/conv1": "encoder.conv1",
    "encoder/conv2": "encoder.conv2",
    "encoder/position_encodings": "encoder.embed_positions",
    "encoder/layer_norm": "encoder.layer_norm",
    "decoder/embeddings": "decoder.embed_tokens",
    "decoder/position_encodings": "decoder.embed_positions",
    "decoder/layer_norm": "decoder.layer_norm",
}


def read_variables(path: Path) -> dict[str, np.ndarray]:
    """The variables of a model.bin of version 6."""
    data = path.read_bytes()
    at = 0

    def take(layout: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from("<" + layout, data, at)
        at += struct.calcsize(layout)
        return value

    def text() -> str:
        nonlocal at
        length = take("H")
        value = data[at : at + length - 1].decode()
        at += length
        return value

    types = [np.float32, np.int8, np.int16, np.int32, np.float16]
    version = take("I")
    if version != 6:
        raise SystemExit(f"{path}: version {version} of CTranslate2's format is not read here, only 6")
    text(), take("I")
    variables = {}
    for _ in range(take("I")):
        name = text()
        shape = [take("I") for _ in range(take("B"))]
        kind = types[take("B")]
        size = take("I")
        variables[name] = np.frombuffer(data[at : at + size], kind).reshape(shape)
        at += size
    return variables


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """The weights under Hugging Face's names, fused projections split. The output projection is tied to the token
    embeddings and not listed."""
    parameters = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias", "encodings": "weight"}
    weights = {}
    for variable, values in read_variables(path).items():
        module, _, parameter = variable.rpartition("/")
        if parameter not in parameters:
            continue
        if module in OTHER_NAMES:
            names = [f"model.{OTHER_NAMES[module]}"]
        else:
            stack, layer, part = module.split("/", 2)
            found = LAYER_NAMES[stack][part]
            number = layer.removeprefix("layer_")
            names = [f"model.{stack}.layers.{number}.{name}" for name in ([found] if isinstance(found, str) else found)]
        for name, piece in zip(names, np.split(values, len(names)), strict=True):
            weights[f"{name}.{parameters[parameter]}"] = piece
    return weights
