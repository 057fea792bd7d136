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
from pathlib import Path

import numpy as np
import soundfile
import torch
from faster_whisper import WhisperModel
from safetensors.numpy import save_file
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration
from whisper_weights import read_weights

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "audio-fixtures" / "librivox-0870" / "audio.flac"
FIXTURE = ROOT / "tests" / "fixtures" / "whisper" / "base.safetensors"
# <|startoftranscript|><|en|><|transcribe|><|notimestamps|>
PROMPT = [50258, 50259, 50359, 50363]
END = 50257
TOP = 20


def load(weights: dict[str, np.ndarray], source_positions: int) -> WhisperForConditionalGeneration:
    """Whisper base with its first encoder positions, in double precision."""
    config = WhisperConfig(
        d_model=512,
        encoder_layers=6,
        decoder_layers=6,
        encoder_attention_heads=8,
        decoder_attention_heads=8,
        encoder_ffn_dim=2048,
        decoder_ffn_dim=2048,
        vocab_size=51865,
        max_source_positions=source_positions,
    )
    network = WhisperForConditionalGeneration(config).double().eval()
    positions = "model.encoder.embed_positions.weight"
    weights = {name: torch.tensor(values, dtype=torch.float64) for name, values in weights.items()}
    weights[positions] = weights[positions][:source_positions]
    weights["proj_out.weight"] = weights["model.decoder.embed_tokens.weight"]
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
    weights = read_weights(model / "model.bin")

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
