#!/usr/bin/env python3
"""Makes tests/fixtures/speaker/xvector: small networks with a head for x-vectors, and what the reference computes with them.

The reference is Hugging Face transformers in double precision, on noise that is brought to mean 0 and variance 1. Weights are
random, as in wav2vec2.py. `reference.safetensors` has vectors (`embeddings`) of noise of so many samples as their names say.

    pip install -r tests/reference/requirements.txt
    python tests/reference/xvector.py
"""

import copy
import json
from pathlib import Path

import numpy as np
import torch
import transformers as hf
from safetensors.numpy import save_file

from wav2vec2 import POST, SMALL, random_network, sound

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "speaker" / "xvector"
HEAD = dict(tdnn_dim=[12, 12, 12, 12, 20], xvector_output_dim=9, num_conv_pos_embeddings=16)
NETWORKS = [
    ("wavlm", hf.WavLMForXVector, dict(SMALL, **POST, **HEAD, num_buckets=12, max_bucket_distance=14)),
    ("wav2vec2-weighted", hf.Wav2Vec2ForXVector, dict(SMALL, **POST, **HEAD, use_weighted_layer_sum=True)),
]
LENGTHS = [5200, 12000, 40000]


def main() -> None:
    for seed, (name, kind, settings) in enumerate(NETWORKS):
        folder = FIXTURES / name
        folder.mkdir(parents=True, exist_ok=True)
        network = random_network(kind, settings, 40 + seed)
        state = {key: value.half().numpy() for key, value in network.state_dict().items()}
        unused = ("masked_spec_embed", "classifier", "objective")
        state = {key: value for key, value in state.items() if not any(part in key for part in unused)}
        save_file(state, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(network.config.to_dict(), indent=1, default=str) + "\n")
        exact, vectors = copy.deepcopy(network).double(), {}
        for length in LENGTHS:
            samples = np.tile(sound(), 20)[:length].astype(np.float64)
            samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
            with torch.no_grad():
                vectors[str(length)] = exact(torch.from_numpy(samples)[None]).embeddings[0].float().numpy()
        save_file(vectors, folder / "reference.safetensors")
        print(name, vectors[str(LENGTHS[-1])])


if __name__ == "__main__":
    main()
