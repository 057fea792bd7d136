#!/usr/bin/env python3
"""Writes Whisper from CTranslate2's format as the ggml file that whisper.cpp reads, in f16 or in q8_0 (int8, a scale for
each 32 weights), so that both hold the same weights. Follows models/convert-h5-to-ggml.py and quantize of whisper.cpp.

    python benches/peers/to_ggml.py "$(awaaz models path base)" ggml-base.bin
"""

import argparse
import json
import re
import struct
import sys
from pathlib import Path

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests" / "reference"))
from whisper_weights import read_weights  # noqa: E402

MAGIC = 0x67676D6C
# The tokens with text; what follows them in the vocabulary are marks, which whisper.cpp numbers itself.
TEXT_TOKENS = 50257
HEAD_DIM = 64
# Numbers of ggml: kinds of tensors, and of whole files (with the version of the quantisation, in thousands).
F32, F16, Q8_0 = 0, 1, 8
FILE_F16, FILE_Q8_0 = 1, 2007
BLOCK = 32
NAMES = [
    (r"^model\.", ""),
    (r"\.layers\.", ".blocks."),
    (r"self_attn_layer_norm", "attn_ln"),
    (r"encoder_attn_layer_norm", "cross_attn_ln"),
    (r"final_layer_norm", "mlp_ln"),
    (r"encoder_attn\.", "cross_attn."),
    (r"self_attn\.", "attn."),
    (r"([qkv])_proj", lambda m: {"q": "query", "k": "key", "v": "value"}[m[1]]),
    (r"out_proj", "out"),
    (r"fc1", "mlp.0"),
    (r"fc2", "mlp.2"),
    (r"^encoder\.layer_norm", "encoder.ln_post"),
    (r"^decoder\.layer_norm", "decoder.ln"),
    (r"embed_positions\.weight", "positional_embedding"),
    (r"embed_tokens", "token_embedding"),
]


def ggml_name(name: str) -> str:
    for pattern, replacement in NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def byte_of_character() -> dict[str, int]:
    """GPT-2's printable stand-ins for bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


def q8_0(values: np.ndarray) -> bytes:
    """Blocks of 32 numbers of a row: their scale in f16, then the integers."""
    blocks = values.astype(np.float32).reshape(-1, BLOCK)
    scales = np.abs(blocks).max(axis=1, keepdims=True) / 127
    integers = np.rint(np.divide(blocks, scales, out=np.zeros_like(blocks), where=scales > 0)).astype(np.int8)
    parts = [scales.astype(np.float16).view(np.uint8), integers.view(np.uint8)]
    return np.concatenate(parts, axis=1).tobytes()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("model", type=Path)
    arguments.add_argument("ggml", type=Path)
    arguments.add_argument("--type", choices=["f16", "q8_0"], default="f16")
    arguments = arguments.parse_args()

    weights = read_weights(arguments.model / "model.bin")
    tokens = json.loads((arguments.model / "vocabulary.json").read_text(encoding="utf-8"))
    width, mels, _ = weights["model.encoder.conv1.weight"].shape

    def layers(stack: str) -> int:
        return sum(re.fullmatch(rf"model\.{stack}\.layers\.\d+\.fc1\.weight", name) is not None for name in weights)

    def positions(stack: str) -> int:
        return len(weights[f"model.{stack}.embed_positions.weight"])

    heads = width // HEAD_DIM
    filters = FeatureExtractor.get_mel_filters(16_000, 400, n_mels=mels).astype(np.float32)
    with open(arguments.ggml, "wb") as out:
        out.write(struct.pack(
            "<12i", MAGIC, len(tokens), positions("encoder"), width, heads, layers("encoder"),
            positions("decoder"), width, heads, layers("decoder"), mels,
            FILE_F16 if arguments.type == "f16" else FILE_Q8_0,
        ))  # fmt: skip
        out.write(struct.pack("<2i", *filters.shape))
        out.write(filters.tobytes())
        byte_of = byte_of_character()
        out.write(struct.pack("<i", TEXT_TOKENS))
        for token in tokens[:TEXT_TOKENS]:
            text = bytes(byte_of[character] for character in token)
            out.write(struct.pack("<i", len(text)) + text)
        for name, values in weights.items():
            name = ggml_name(name)
            if name.endswith("key.bias"):
                continue
            is_half = values.ndim > 1 and "positional" not in name
            if name in ("encoder.conv1.bias", "encoder.conv2.bias"):
                values = values.reshape(-1, 1)
            # As whisper.cpp's own quantize: matrices alone, convolutions stay.
            if is_half and values.ndim == 2 and arguments.type == "q8_0":
                kind, data = Q8_0, q8_0(values)
            elif is_half:
                kind, data = F16, values.astype(np.float16).tobytes()
            else:
                kind, data = F32, values.astype(np.float32).tobytes()
            out.write(struct.pack("<3i", values.ndim, len(name), kind))
            out.write(struct.pack(f"<{values.ndim}i", *reversed(values.shape)))
            out.write(name.encode() + data)


if __name__ == "__main__":
    main()
