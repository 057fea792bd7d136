#!/usr/bin/env python3
"""Transcribes a file with whisper.cpp, greedily and without fallback, and prints JSON as faster_whisper_peer.py."""

import argparse
import json
import time

STARTED = time.perf_counter()

import soundfile  # noqa: E402
from pywhispercpp.model import Model  # noqa: E402


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("file", help="16 kHz mono WAV")
    arguments.add_argument("--model", required=True, help="ggml file")
    arguments.add_argument("--threads", type=int, default=2)
    arguments = arguments.parse_args()

    # None: the library's log goes nowhere, for this stdout is the result.
    model = Model(
        arguments.model, redirect_whispercpp_logs_to=None, n_threads=arguments.threads, print_progress=False,
        print_realtime=False, greedy={"best_of": 1}, temperature=0.0, temperature_inc=0.0, language="auto",
    )  # fmt: skip
    loaded = time.perf_counter()
    samples, _ = soundfile.read(arguments.file, dtype="float32")
    # Times are in hundredths of a second.
    segments = [{"start": s.t0 / 100, "end": s.t1 / 100, "text": s.text} for s in model.transcribe(samples)]
    result = {
        "language": "",
        "duration": len(samples) / 16_000,
        "text": " ".join(s["text"].strip() for s in segments),
        "segments": segments,
        "load_seconds": loaded - STARTED,
        "transcribe_seconds": time.perf_counter() - loaded,
    }
    print(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    main()
