"""Compares awaaz with transformers at the true shape of XLS-R-300M: hidden states and log-probabilities of a CTC head.

    cargo build --release --bin awaaz --example ctc_logits
    parity.py --target target/release --model FOLDER AUDIO

The weights are random, of unit gain, so that values stay as large as those of a trained network. FOLDER is made when it is not
there (1.2 GB). The reference is transformers in double precision; its own error in f32 is told beside awaaz's. AUDIO is of
16 kHz and one channel.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import torch
from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

sys.path.append(str(Path(__file__).resolve().parents[2] / "tests" / "reference"))
from wav2vec2 import PRE, random_network  # noqa: E402

SHAPE = dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096, layerdrop=0.0)
LAYERS = [0, 1, 12, 24]


def prepare(folder: Path) -> None:
    network = random_network(Wav2Vec2ForCTC, dict(**SHAPE, **PRE), 0).float()
    network.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)
    special = ["<pad>", "<s>", "</s>", "<unk>", "|"]
    letters = [chr(ord("a") + i) for i in range(network.config.vocab_size - len(special))]
    vocabulary = {token: number for number, token in enumerate(special + letters)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))


def reference(folder: Path, audio: Path, dtype: torch.dtype) -> dict[str, np.ndarray]:
    samples, rate = soundfile.read(audio, dtype="float32")
    extractor = Wav2Vec2FeatureExtractor.from_pretrained(folder)
    values = extractor(samples, sampling_rate=rate, return_tensors="pt").input_values.to(dtype)
    network = Wav2Vec2ForCTC.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()
    with torch.inference_mode():
        output = network(values, output_hidden_states=True)
        # The last of `hidden_states` is without the final norm since version 5.
        last = network.wav2vec2(values).last_hidden_state
    states = {f"layer {layer}": output.hidden_states[layer][0] for layer in LAYERS[:-1]}
    states[f"layer {LAYERS[-1]}"] = last[0]
    states["log-probabilities"] = torch.log_softmax(output.logits[0], dim=-1)
    return {name: state.double().numpy() for name, state in states.items()}


def own(target: Path, folder: Path, audio: Path) -> dict[str, np.ndarray]:
    found = {}
    with tempfile.TemporaryDirectory() as out:
        for layer in LAYERS:
            command = [target / "awaaz", "embed", audio, "--model", folder, "--layer", str(layer), "--pool", "none"]
            command += ["--precision", "f32", "--no-weight-cache", "--quiet", "--out", f"{out}/{layer}"]
            subprocess.run(command, check=True)
            entry = json.loads(Path(out, str(layer), "embeddings.jsonl").read_text())
            found[f"layer {layer}"] = np.load(Path(out, str(layer), entry["file"]))
        logits = Path(out, "logits.npy")
        subprocess.run([target / "examples" / "ctc_logits", folder, audio, logits], check=True)
        found["log-probabilities"] = np.load(logits)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--target", type=Path, required=True, help="where the programs were built")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("audio", type=Path)
    args = parser.parse_args()
    if not (args.model / "vocab.json").exists():
        prepare(args.model)
    exact = reference(args.model, args.audio, torch.float64)
    single = reference(args.model, args.audio, torch.float32)
    found = own(args.target, args.model, args.audio)
    print("| | frames x values | standard deviation | greatest error, awaaz f32 | greatest error, transformers f32 |")
    print("|---|---|---|---|---|")
    for name, expected in exact.items():
        assert found[name].shape == expected.shape, (name, found[name].shape, expected.shape)
        errors = [np.abs(other[name] - expected).max() for other in (found, single)]
        rows, width = expected.shape
        print(f"| {name} | {rows} x {width} | {expected.std():.2f} | {errors[0]:.1e} | {errors[1]:.1e} |")


if __name__ == "__main__":
    main()
