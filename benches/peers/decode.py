#!/usr/bin/env python3
"""Tokens a second that decoders of Whisper write, one text at a time, of the same 30 s of sound: awaaz, faster-whisper's
CTranslate2, whisper.cpp. Each measurement is a process of its own; systems take turns.

    python benches/peers/decode.py two_cities.wav --model "$(awaaz models path base)" --ggml ggml-base.bin ggml-base-q8_0.bin

awaaz goes on for a number of tokens, whatever is said. Of CTranslate2 the difference between the whole text and its first
tokens is taken, for it computes keys and values of the sound in the same call. whisper.cpp tells its own times: of each run of
its decoder, without choosing the token.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

FEW, MANY = 20, 220


def ctranslate2_rate(model: str, kind: str, wave: str, threads: int) -> float:
    import ctranslate2
    import soundfile
    from faster_whisper.feature_extractor import FeatureExtractor

    samples, _ = soundfile.read(wave, dtype="float32", frames=30 * 16_000)
    features = FeatureExtractor()(samples)[:, :3000]
    network = ctranslate2.models.Whisper(model, compute_type=kind, intra_threads=threads)
    encoding = network.encode(ctranslate2.StorageView.from_array(features[None].copy()))
    start, english, transcribe, no_times = 50258, 50259, 50359, 50363
    prompt = [[start, english, transcribe, no_times]]

    def generate(most: int) -> tuple[int, float]:
        started = time.perf_counter()
        result = network.generate(encoding, prompt, beam_size=1, max_length=most + len(prompt[0]))
        return len(result[0].sequences_ids[0]), time.perf_counter() - started

    generate(FEW)
    few, many = generate(FEW), generate(MANY)
    if many[0] - few[0] < FEW:
        raise SystemExit(f"the text has {many[0]} tokens alone: choose sound with more speech in its first 30 s")
    return (many[0] - few[0]) / (many[1] - few[1])


def whisper_cpp_rate(model: str, wave: str, threads: int) -> float:
    import soundfile
    import _pywhispercpp as whisper
    from pywhispercpp.model import Model

    network = Model(
        model, n_threads=threads, print_progress=False, print_realtime=False, greedy={"best_of": 1}, temperature=0.0,
        temperature_inc=0.0, language="en",
    )  # fmt: skip
    samples, _ = soundfile.read(wave, dtype="float32", frames=60 * 16_000)
    network.transcribe(samples)
    # It goes to the library's log, which is stderr; whoever started this process reads it.
    whisper.whisper_print_timings(network._ctx)
    return 0.0


def awaaz_rate(awaaz: str, model: str, precision: str, wave: str, threads: int) -> float:
    command = [awaaz, "bench", "decode", wave, "--model", model, "--precision", precision, "--json"]
    command += ["--threads", str(threads), "--steps", str(MANY - FEW)]
    shapes = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["shapes"]
    return next(s["tokens_per_second"] for s in shapes if (s["sequences"], s["tokens"]) == (1, 1))


def in_process(arguments: argparse.Namespace, system: str) -> float:
    """Runs this script for one system, and takes the number it ends with."""
    command = [sys.executable, __file__, arguments.wave, "--one", system, "--model", arguments.model]
    command += ["--threads", str(arguments.threads)]
    environment = os.environ | {"OMP_NUM_THREADS": str(arguments.threads)}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    if run.returncode != 0:
        raise SystemExit(f"{system} failed:\n{run.stderr}")
    if system.startswith("whisper.cpp"):
        # decode time = 12.34 ms / 56 runs ( 0.22 ms per run)
        found = re.search(r"decode time =.*/\s*(\d+) runs \(\s*([\d.]+) ms per run", run.stdout + run.stderr)
        if not found:
            raise SystemExit(f"{system} told no times:\n{run.stderr}")
        return 1000 / float(found[2])
    return float(run.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wave", help="16 kHz mono WAV, 60 s of it are heard at most")
    parser.add_argument("--awaaz", default="target/release/awaaz")
    parser.add_argument("--model", required=True, help="folder of Whisper in CTranslate2's format")
    parser.add_argument("--ggml", nargs="*", default=[], help="files of to_ggml.py")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        name, kind = arguments.one.split("|")
        rate = ctranslate2_rate if name == "faster-whisper" else None
        print(rate(arguments.model, kind, arguments.wave, arguments.threads) if rate else
              whisper_cpp_rate(kind, arguments.wave, arguments.threads))  # fmt: skip
        return

    systems = {f"awaaz {precision}": precision for precision in ("f32", "int8")}
    peers = [f"faster-whisper|{kind}" for kind in ("float32", "int8")] + [f"whisper.cpp|{f}" for f in arguments.ggml]
    rates: dict[str, list[float]] = {}
    for _ in range(arguments.rounds):
        for name, precision in systems.items():
            rate = awaaz_rate(arguments.awaaz, arguments.model, precision, arguments.wave, arguments.threads)
            rates.setdefault(name, []).append(rate)
        for peer in peers:
            rates.setdefault(peer, []).append(in_process(arguments, peer))
    print("| system | tokens/s, median | range |\n|---|---|---|")
    for name, values in rates.items():
        print(f"| {name} | {statistics.median(values):.0f} | {min(values):.0f}-{max(values):.0f} |")


if __name__ == "__main__":
    main()
