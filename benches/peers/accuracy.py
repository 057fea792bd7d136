#!/usr/bin/env python3
"""What the numbers that awaaz multiplies in cost in accuracy: word error of transcripts, likeness of hidden states.

    python benches/peers/accuracy.py --awaaz target/release/awaaz --audio FOLDER

Hears about three quarters of an hour of real speech with known text, in five languages, which `prepare.py`'s sources give
and which are written to FOLDER. Prints word error for each precision, and the cosine of each layer's hidden states to
those in f32, frame by frame.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from compare import word_errors
from prepare import RATE, joined, librivox, prompts, russian_reading, two_cities

PRECISIONS = ["f32", "bf16", "int8"]
PART_SECONDS = 600


def gather(folder: Path) -> list[dict]:
    downloads = folder / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    english = [*librivox(), two_cities(downloads), *prompts("en", downloads)]
    parts = {"english": ("en", english), "reading_ru": ("ru", russian_reading(downloads, None))}
    parts |= {f"prompts_{code}": (code, prompts(code, downloads)) for code in ["es", "fr", "it", "ru"]}
    entries = []
    for name, (language, clips) in parts.items():
        samples, text = joined(clips, PART_SECONDS)
        soundfile.write(folder / f"accuracy_{name}.wav", samples, RATE, subtype="PCM_16")
        entries.append({"name": name, "language": language, "text": text, "seconds": len(samples) / RATE})
    return entries


def hear(command: list[str], entry: dict, folder: Path) -> float:
    wave = folder / f"accuracy_{entry['name']}.wav"
    options = ["--quiet", "--format", "json", "--temperature", "0", "--language", entry["language"]]
    done = subprocess.run([*command, *options, wave], capture_output=True, text=True, check=True)
    return word_errors(entry["text"], json.loads(done.stdout)["text"], entry["language"])


def states(awaaz: str, model: str, precision: str, layer: int, wave: Path) -> np.ndarray:
    with tempfile.TemporaryDirectory() as out:
        command = [awaaz, "embed", wave, "--model", model, "--precision", precision, "--layer", str(layer)]
        subprocess.run([*command, "--pool", "none", "--out", out, "--quiet"], check=True, capture_output=True)
        return np.load(next(Path(out).rglob("*.npy")))


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--awaaz", required=True)
    parser.add_argument("--audio", type=Path, required=True)
    parser.add_argument("--model", default="base")
    parser.add_argument("--layers", type=int, default=6, help="how many the encoder has")
    parser.add_argument("--threads", default="2")
    args = parser.parse_args()
    entries = gather(args.audio)

    print("| speech | minutes |" + "".join(f" {precision}, % |" for precision in PRECISIONS))
    print("|---|---|" + "---|" * len(PRECISIONS))
    weighted = np.zeros(len(PRECISIONS))
    for entry in entries:
        row = []
        for precision in PRECISIONS:
            command = [args.awaaz, "transcribe", "--model", args.model, "--precision", precision]
            row.append(hear([*command, "--threads", args.threads], entry, args.audio))
        weighted += np.array(row) * len(entry["text"].split())
        figures = "".join(f" {error:.2f} |" for error in row)
        print(f"| {entry['name']} | {entry['seconds'] / 60:.1f} |{figures}", flush=True)
    words = sum(len(entry["text"].split()) for entry in entries)
    minutes = sum(entry["seconds"] for entry in entries) / 60
    print(f"| all, {words} words | {minutes:.1f} |" + "".join(f" {error / words:.2f} |" for error in weighted))

    print("\n| layer |" + "".join(f" {precision}, mean | {precision}, least |" for precision in PRECISIONS[1:]))
    print("|---|" + "---|---|" * len(PRECISIONS[1:]))
    wave = args.audio / "accuracy_english.wav"
    for layer in range(args.layers + 1):
        exact = states(args.awaaz, args.model, "f32", layer, wave)
        row = ""
        for precision in PRECISIONS[1:]:
            likeness = cosines(exact, states(args.awaaz, args.model, precision, layer, wave))
            row += f" {likeness.mean():.5f} | {likeness.min():.5f} |"
        print(f"| {layer} |{row}", flush=True)


if __name__ == "__main__":
    main()
