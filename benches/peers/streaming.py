#!/usr/bin/env python3
"""Live transcription beside whisper.cpp's way: how late words are shown, and how many are wrong.

whisper.cpp's `stream` example hears a window again at a fixed step and prints what it makes of it. The same is done here
with the package `pywhispercpp`: every --step seconds of sound the last --length seconds are transcribed, and when a window
is full its text stands and another begins. Sound is not waited for: a step's sound is there when it would have been
captured or when the step before is done, whichever is later, and takes as long as it takes. That is what real time
would give, without the waiting.

awaaz is judged by its own events, which `awaaz bench latency FILE --events EVENTS` has written in real time.

A word counts as shown when the text shown, aligned with the reference, first has it. Reference words and their times are
those of `awaaz transcribe --word-times --format json`; errors are against the known text.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import jiwer
import soundfile
from whisper_normalizer.english import EnglishTextNormalizer

RATE = 16_000
NORMALIZE = EnglishTextNormalizer()


def plain(word: str) -> str:
    return "".join(c for c in word.lower() if c.isalnum())


def reference_words(transcript: Path) -> list[tuple[str, float]]:
    """Words and where they end, in seconds."""
    words = json.loads(transcript.read_text())["words"]
    return [(plain(word["word"]), word["end"]) for word in words if plain(word["word"])]


def common(a: list[str], b: list[str]) -> list[int]:
    """Which of `a` are in a longest common subsequence with `b`."""
    lengths = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in reversed(range(len(a))):
        for j in reversed(range(len(b))):
            same = a[i] == b[j]
            lengths[i][j] = lengths[i + 1][j + 1] + 1 if same else max(lengths[i + 1][j], lengths[i][j + 1])
    i = j = 0
    found = []
    while i < len(a) and j < len(b):
        if a[i] == b[j]:
            found.append(i)
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1
    return found


def delays(reference: list[tuple[str, float]], shown: list[tuple[float, float, float, str]]) -> list[float]:
    """Seconds from each word's end to when it was first shown; words that never were are left out.

    `shown` are texts: when, and the stretch of sound that each is of.
    """
    first: dict[int, float] = {}
    for at, start, end, text in sorted(shown):
        near = [i for i, (_, word_end) in enumerate(reference) if start - 0.5 <= word_end <= end + 0.5]
        words = [plain(word) for word in text.split()]
        for i in common([reference[i][0] for i in near], [word for word in words if word]):
            first.setdefault(near[i], at)
    return [at - reference[i][1] for i, at in first.items()]


def of_awaaz(events: Path, limit: float) -> tuple[list, str, float]:
    """What awaaz showed, its final text, and its share of the time."""
    shown, finals, load = [], [], 0.0
    for line in events.read_text().splitlines():
        event = json.loads(line)
        if event["type"] == "stream_start":
            shown, finals = [], []
        if event["type"] == "stream_end":
            load = event["compute"]["report"]["load"]
        if event["t1"] > limit or event["type"] not in ("partial", "final"):
            continue
        if event["type"] == "partial":
            text, heard = f"{event['stable']} {event['unstable']}", event["t1"]
        else:
            text, heard = event["text"], event["t1"]
            finals.append(text)
        # Latency counts from the last spoken sample; without padding, that is where a final's last word ends.
        if event["type"] == "final" and event["words"]:
            heard = event["t1"] - 0.2
        shown.append((heard + event["compute"]["latency"], event["t0"], event["t1"], text))
    return shown, " ".join(finals), load


def of_whisper_cpp(audio, model: str, threads: int, step: float, length: float) -> tuple[list, str, float]:
    """The same of whisper.cpp."""
    from pywhispercpp.model import Model

    whisper = Model(model, n_threads=threads, print_progress=False, print_realtime=False, redirect_whispercpp_logs_to=None)
    options = {"language": "en", "no_context": True, "single_segment": True, "temperature_inc": 0.0}
    whisper.transcribe(audio[:RATE], **options)
    shown, standing = [], []
    clock = busy = start = 0.0
    position = step
    total = len(audio) / RATE
    while position <= total + step:
        heard = min(position, total)
        began = time.perf_counter()
        segments = whisper.transcribe(audio[int(start * RATE) : int(heard * RATE)], **options)
        took = time.perf_counter() - began
        clock = max(clock, heard) + took
        busy += took
        text = " ".join(segment.text for segment in segments)
        shown.append((clock, start, heard, text))
        if heard - start >= length - 1e-6 or heard >= total:
            standing.append(text)
            start = heard
        if heard >= total:
            break
        # What came in the meantime is heard with the next step.
        position = max(position + step, min(clock, total))
        position = min(position, start + length)
    return shown, " ".join(standing), busy / max(clock, total)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--audio", type=Path, required=True, help="16 kHz WAV file")
    arguments.add_argument("--transcript", type=Path, required=True, help="awaaz's JSON of it, with word times")
    arguments.add_argument("--reference", type=Path, help="the text that is spoken; used where --limit is not given")
    arguments.add_argument("--events", type=Path, required=True, help="events that awaaz wrote in real time")
    arguments.add_argument("--ggml", required=True, help="the same weights, written by to_ggml.py")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--step", type=float, default=3.0)
    arguments.add_argument("--length", type=float, default=10.0)
    arguments.add_argument("--limit", type=float, default=float("inf"), help="seconds of sound")
    arguments = arguments.parse_args()

    audio, rate = soundfile.read(arguments.audio, dtype="float32")
    assert rate == RATE, "the file must be sampled at 16 kHz"
    limit = min(arguments.limit, len(audio) / RATE)
    audio = audio[: int(limit * RATE)]
    reference = [word for word in reference_words(arguments.transcript) if word[1] <= limit]
    known = " ".join(word for word, _ in reference)
    if arguments.reference and arguments.limit == float("inf"):
        known = arguments.reference.read_text()

    results = {
        "awaaz": of_awaaz(arguments.events, limit),
        f"whisper.cpp, step {arguments.step:g} s": of_whisper_cpp(
            audio, arguments.ggml, arguments.threads, arguments.step, arguments.length
        ),
    }
    print("| | word delay p50, s | p95, s | words shown, % | word error, % | at work, % |\n|---|---|---|---|---|---|")
    for name, (shown, text, load) in results.items():
        found = sorted(delays(reference, shown))
        error = 100 * jiwer.wer(NORMALIZE(known), NORMALIZE(text) or " ")
        p95 = found[int(0.95 * (len(found) - 1))]
        share = 100 * len(found) / len(reference)
        print(f"| {name} | {statistics.median(found):.2f} | {p95:.2f} | {share:.1f} | {error:.1f} | {100 * load:.0f} |")


if __name__ == "__main__":
    main()
