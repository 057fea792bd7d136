#!/usr/bin/env python3
"""Transcribes a file with faster-whisper, greedily and without fallback, and prints JSON in the shape of
`awaaz transcribe --format json`, with the seconds that loading and transcribing took."""

import argparse
import json
import time

STARTED = time.perf_counter()

from faster_whisper import BatchedInferencePipeline, WhisperModel  # noqa: E402


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("file")
    arguments.add_argument("--model", required=True, help="folder in CTranslate2's format")
    arguments.add_argument("--compute-type", default="float32")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--batched", action="store_true", help="find speech first and decode eight chunks at once")
    arguments = arguments.parse_args()

    model = WhisperModel(arguments.model, "cpu", compute_type=arguments.compute_type, cpu_threads=arguments.threads)
    loaded = time.perf_counter()
    if arguments.batched:
        segments, info = BatchedInferencePipeline(model).transcribe(
            arguments.file, beam_size=1, temperature=0, batch_size=8, vad_filter=True
        )
    else:
        segments, info = model.transcribe(arguments.file, beam_size=1, temperature=0)
    segments = [{"start": s.start, "end": s.end, "text": s.text} for s in segments]
    result = {
        "language": info.language,
        "duration": info.duration,
        "text": " ".join(s["text"].strip() for s in segments),
        "segments": segments,
        "load_seconds": loaded - STARTED,
        "transcribe_seconds": time.perf_counter() - loaded,
    }
    print(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    main()
