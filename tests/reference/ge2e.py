#!/usr/bin/env python3
"""Makes tests/fixtures/speaker/ge2e: what Resemblyzer computes, with its own weights and with small random ones.

`reference.safetensors` has the vectors of the weights that the package carries, for clips of audio-fixtures: `CLIP` whole,
`CLIP.short` of its first second, `CLIP.quiet` of the clip at a hundredth of its volume. `small.pt` is a small network of
random weights in the layout of `pretrained.pt`, and `small.safetensors` its vectors of noise, of so many samples as their
names say. Volume is brought up as Resemblyzer does it; silences are not cut out.

    pip install -r tests/reference/requirements.txt
    pip install --no-deps Resemblyzer==0.1.4
    python tests/reference/ge2e.py
"""

import sys
import types
from pathlib import Path

import numpy as np
import scipy.ndimage
import soundfile
import torch
from safetensors.numpy import save_file

from wav2vec2 import sound

# Only the cutting of silences, which plays no part, needs these; the second has another name in newer versions.
sys.modules["webrtcvad"] = types.ModuleType("webrtcvad")
sys.modules["scipy.ndimage.morphology"] = scipy.ndimage

from resemblyzer import VoiceEncoder, audio, voice_encoder  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "fixtures" / "speaker" / "ge2e"
CLIPS = ["librivox-0870", "librivox-0890", "librivox-0930"]


def embed(encoder: VoiceEncoder, samples: np.ndarray) -> np.ndarray:
    raised = audio.normalize_volume(samples.astype(np.float64), audio.audio_norm_target_dBFS, increase_only=True)
    return encoder.embed_utterance(raised.astype(np.float32)).astype(np.float32)


def clips() -> None:
    encoder = VoiceEncoder("cpu", verbose=False)
    vectors = {}
    for clip in CLIPS:
        samples, rate = soundfile.read(ROOT.parent / "audio-fixtures" / clip / "audio.flac", dtype="float32")
        assert rate == 16000
        vectors[clip] = embed(encoder, samples)
        vectors[f"{clip}.short"] = embed(encoder, samples[:16000])
        vectors[f"{clip}.quiet"] = embed(encoder, samples * np.float32(0.01))
        print(clip, len(samples), vectors[clip] @ vectors[f"{clip}.short"], vectors[clip] @ vectors[CLIPS[0]])
    save_file(vectors, FIXTURES / "reference.safetensors")


def small() -> None:
    voice_encoder.model_hidden_size, voice_encoder.model_embedding_size, voice_encoder.model_num_layers = 12, 10, 2
    random = torch.Generator().manual_seed(1)
    file = FIXTURES / "small.pt"
    state = {}
    for layer, inputs in enumerate([40, 12]):
        for name, shape in [("weight_ih", (48, inputs)), ("weight_hh", (48, 12)), ("bias_ih", (48,)), ("bias_hh", (48,))]:
            state[f"lstm.{name}_l{layer}"] = torch.randn(shape, generator=random) * 0.5
    state["linear.weight"] = torch.randn(10, 12, generator=random)
    state["linear.bias"] = torch.rand(10, generator=random) * 0.5
    state |= {"similarity_weight": torch.ones(1), "similarity_bias": torch.zeros(1)}
    state = {name: value.half().float() for name, value in state.items()}
    torch.save({"step": 1, "model_state": state, "optimizer_state": {"state": {}}}, file, _use_new_zipfile_serialization=False)
    encoder = VoiceEncoder("cpu", verbose=False, weights_fpath=file)
    noise = np.tile(sound(), 20)
    lengths = [1, 100, 16000, 25600, 31520, 60000]
    save_file({str(length): embed(encoder, noise[:length]) for length in lengths}, FIXTURES / "small.safetensors")


def main() -> None:
    FIXTURES.mkdir(parents=True, exist_ok=True)
    clips()
    small()


if __name__ == "__main__":
    main()
