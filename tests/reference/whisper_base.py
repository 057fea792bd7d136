#!/usr/bin/env python3
"""Makes tests/fixtures/whisper/base.safetensors: what the reference implementation computes with the trained weights
of Whisper base on a clip of real speech.

The weights come from the model folder of `awaaz models path base` (CTranslate2's format, f16). They are put under
their Hugging Face names into WhisperForConditionalGeneration, which computes in double precision; faster-whisper
decodes the same clip greedily.

    pip install -r tests/reference/requirements.txt
    python tests/reference/whisper_base.py "$(awaaz models path base)"
"""

import argparse
import struct
from pathlib import Path

import numpy as np
import soundfile
import torch
from faster_whisper import WhisperModel
from safetensors.numpy import save_file
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "audio-fixtures" / "librivox-0870" / "audio.flac"
FIXTURE = ROOT / "tests" / "fixtures" / "whisper" / "base.safetensors"
# <|startoftranscript|><|en|><|transcribe|><|notimestamps|>
PROMPT = [50258, 50259, 50359, 50363]
END = 50257
TOP = 20

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


def read_ctranslate2(path: Path) -> dict[str, np.ndarray]:
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


def hugging_face_weights(variables: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """The variables under Hugging Face's names, fused projections split."""
    parameters = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias", "encodings": "weight"}
    weights = {}
    for variable, values in variables.items():
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
        for name, piece in zip(names, np.split(values, len(names))):
            weights[f"{name}.{parameters[parameter]}"] = torch.from_numpy(piece.astype(np.float64))
    weights["proj_out.weight"] = weights["model.decoder.embed_tokens.weight"]
    return weights


def load(weights: dict[str, torch.Tensor], source_positions: int) -> WhisperForConditionalGeneration:
    """Whisper base with its first encoder positions."""
    config = WhisperConfig(
        d_model=512, encoder_layers=6, decoder_layers=6, encoder_attention_heads=8, decoder_attention_heads=8,
        encoder_ffn_dim=2048, decoder_ffn_dim=2048, vocab_size=51865, max_source_positions=source_positions,
    )
    network = WhisperForConditionalGeneration(config).double().eval()
    positions = "model.encoder.embed_positions.weight"
    weights = weights | {positions: weights[positions][:source_positions]}
    missing, unexpected = network.load_state_dict(weights, strict=False)
    # Keys have no bias in Whisper; CTranslate2 stores zeros.
    if missing or any(not name.endswith("k_proj.bias") for name in unexpected):
        raise SystemExit(f"weights do not fit: missing {missing}, unexpected {unexpected}")
    return network


def greedy(network: WhisperForConditionalGeneration, encoding: torch.Tensor) -> list[int]:
    """The most likely token each time, with nothing suppressed, until the end of text."""
    tokens = list(PROMPT)
    while tokens[-1] != END and len(tokens) < 100:
        logits = network(encoder_outputs=(encoding,), decoder_input_ids=torch.tensor([tokens])).logits
        tokens.append(int(logits[0, -1].argmax()))
    return tokens


def main() -> None:
    torch.set_grad_enabled(False)
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("model", type=Path, help="folder of Whisper base in CTranslate2's format")
    model = arguments.parse_args().model

    samples, rate = soundfile.read(CLIP, dtype="float32")
    extractor = WhisperFeatureExtractor(feature_size=80)
    features = extractor(samples, sampling_rate=rate, return_tensors="pt").input_features.double()
    # Whole frames of the encoder that cover the clip.
    short_frames = 2 * -(-len(samples) // 320)
    weights = hugging_face_weights(read_ctranslate2(model / "model.bin"))

    result = {}
    for name, frames in [("short", short_frames), ("full", 3000)]:
        network = load(weights, frames // 2)
        encoding = network.model.encoder(features[:, :, :frames]).last_hidden_state
        tokens = greedy(network, encoding)
        logits = network(encoder_outputs=(encoding,), decoder_input_ids=torch.tensor([tokens[:-1]])).logits[0]
        top = logits.topk(TOP)
        rows = np.arange(0, frames // 2, 30, dtype=np.uint32)
        result |= {
            f"{name}.log_mel": features[0, :, :frames:60].T.float().contiguous().numpy(),
            f"{name}.encoding": encoding[0, rows].float().numpy(),
            f"{name}.encoding_frames": rows,
            f"{name}.tokens": np.array(tokens, dtype=np.uint32),
            f"{name}.top_tokens": top.indices.numpy().astype(np.uint32),
            f"{name}.top_logits": top.values.float().numpy(),
        }

    whisper = WhisperModel(str(model), device="cpu", compute_type="float32")
    segments, _ = whisper.transcribe(samples, language="en", beam_size=1, temperature=0, without_timestamps=True)
    (segment,) = segments
    result["faster_whisper.tokens"] = np.array(segment.tokens, dtype=np.uint32)
    print(segment.text)
    save_file(result, FIXTURE)


if __name__ == "__main__":
    main()
