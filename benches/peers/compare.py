#!/usr/bin/env python3
"""Times awaaz, faster-whisper and whisper.cpp on the same audio with the same weights, and scores what they heard.

Each measurement is a process of its own, timed from its start to its end, as a user sees it. Systems take turns on a
file (A B C, A B C, ...), so that a machine that slows down slows all of them. Prints a Markdown table; transcripts and
every figure go to the folder given with --out.

Start-up is the same measurement on a second of silence: process, imports, weights, and nothing to decode.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import jiwer
import numpy as np
import soundfile
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

HERE = Path(__file__).resolve().parent
NORMALIZERS = {"en": EnglishTextNormalizer()}
PLAIN = BasicTextNormalizer()


@dataclass
class Run:
    """What one process took and said."""

    wall_seconds: float
    cpu_seconds: float
    peak_megabytes: float
    output: dict


def systems(awaaz: str, model: str, ggml: str, threads: int) -> dict[str, list[str]]:
    """Command of each system, to which the file is added."""
    alike = ["--threads", str(threads), "--model"]
    ours = [awaaz, "transcribe", "--quiet", "--format", "json", "--temperature", "0", *alike, model]
    peer = [sys.executable, str(HERE / "faster_whisper_peer.py"), *alike, model]
    return {
        "awaaz f32": ours,
        "awaaz f32, no VAD": [*ours, "--no-vad"],
        "faster-whisper f32": peer,
        "faster-whisper f32 batched": [*peer, "--batched"],
        "faster-whisper int8": [*peer, "--compute-type", "int8"],
        "faster-whisper int8 batched": [*peer, "--compute-type", "int8", "--batched"],
        "whisper.cpp f16": [sys.executable, str(HERE / "whisper_cpp_peer.py"), *alike, ggml],
    }


def measure(command: list[str], threads: int) -> Run:
    """Runs a command to its end."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    # Little is written to stderr, so stdout can be read to its end first.
    output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{errors.decode()}")
    # Linux counts in kilobytes, macOS in bytes.
    megabytes = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3 / 1.024)
    return Run(wall, usage.ru_utime + usage.ru_stime, megabytes, json.loads(output))


def words(text: str, language: str) -> str:
    """Text without case, punctuation and spelling variants."""
    return NORMALIZERS.get(language, PLAIN)(text).strip()


def word_errors(reference: str, heard: str, language: str) -> float:
    """Share of the reference's words that are wrong, in percent."""
    return 100 * jiwer.wer(words(reference, language), words(heard, language) or " ")


def machine() -> str:
    """Processor and cores."""
    try:
        names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
        name = names[0]
    except (OSError, IndexError):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} logical cores, {time.strftime('%Y-%m-%d')}"


def table(results: list[dict]) -> str:
    lines = [
        "| file | system | wall, s (range) | times real time | CPU, s | peak memory, MB | word error, % | words unlike awaaz's, % | language |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in results:
        speed = r["seconds"] / r["wall_seconds"]
        error = "" if r["word_error"] is None else f"{r['word_error']:.1f}"
        unlike = "" if r["unlike_ours"] is None else f"{r['unlike_ours']:.1f}"
        lines.append(
            f"| {r['file']} | {r['system']} | {r['wall_seconds']:.2f} ({r['wall_range'][0]:.2f}-{r['wall_range'][1]:.2f}) "
            f"| {speed:.1f} | {r['cpu_seconds']:.1f} | {r['peak_megabytes']:.0f} | {error} | {unlike} | {r['language']} |"
        )
    return "\n".join(lines)


def compare(entry: dict, audio: Path, commands: dict[str, list[str]], rounds: int, threads: int, out: Path) -> list[dict]:
    """Figures of every system on one file."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            run = measure([*command, str(audio)], threads)
            runs[name].append(run)
            print(f"{audio.stem}, round {number + 1}, {name}: {run.wall_seconds:.2f} s", file=sys.stderr)
    ours = next((runs[name][0].output["text"] for name in runs if name.startswith("awaaz")), None)
    results = []
    for name, series in runs.items():
        output = series[0].output
        walls = [run.wall_seconds for run in series]
        transcript = out / "transcripts" / audio.stem / f"{name.replace(' ', '-')}.json"
        transcript.parent.mkdir(parents=True, exist_ok=True)
        transcript.write_text(json.dumps(output, ensure_ascii=False, indent=1))
        language = entry["language"]
        results.append({
            "file": audio.stem,
            "system": name,
            "seconds": entry["seconds"],
            "wall_seconds": statistics.median(walls),
            "wall_range": [min(walls), max(walls)],
            "cpu_seconds": statistics.median(run.cpu_seconds for run in series),
            "peak_megabytes": statistics.median(run.peak_megabytes for run in series),
            "load_seconds": output.get("load_seconds"),
            "word_error": word_errors(entry["text"], output["text"], language) if entry["text"] else None,
            "unlike_ours": word_errors(ours, output["text"], language) if ours else None,
            "language": output.get("language", ""),
            "same_text_each_round": all(run.output["text"] == output["text"] for run in series),
        })  # fmt: skip
    return results


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--audio", type=Path, required=True, help="folder that prepare.py made")
    arguments.add_argument("--model", required=True, help="folder of Whisper in CTranslate2's format")
    arguments.add_argument("--ggml", required=True, help="the same weights, written by to_ggml.py")
    arguments.add_argument("--awaaz", default="target/release/awaaz")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--rounds", type=int, default=5, help="for the files of the set speed; others run once")
    arguments.add_argument("--only", default="", help="systems whose name contains this")
    arguments.add_argument("--files", default="", help="files whose name contains this")
    arguments.add_argument("--out", type=Path, required=True)
    arguments = arguments.parse_args()

    commands = systems(arguments.awaaz, arguments.model, arguments.ggml, arguments.threads)
    commands = {name: command for name, command in commands.items() if arguments.only in name}
    arguments.out.mkdir(parents=True, exist_ok=True)
    silence = arguments.out / "start-up.wav"
    soundfile.write(silence, np.zeros(16_000, np.float32), 16_000)

    entries = [{"path": silence, "set": "speed", "seconds": 1.0, "language": "en", "text": ""}]
    entries += map(json.loads, open(arguments.audio / "manifest.jsonl", encoding="utf-8"))
    results = []
    for entry in entries:
        audio = arguments.audio / entry["path"]
        if arguments.files not in audio.stem:
            continue
        rounds = arguments.rounds if entry["set"] == "speed" else 1
        results += compare(entry, audio, commands, rounds, arguments.threads, arguments.out)
        report = {"machine": machine(), "threads": arguments.threads, "rounds": arguments.rounds, "results": results}
        (arguments.out / "results.json").write_text(json.dumps(report, ensure_ascii=False, indent=1))
    text = f"{machine()}; {arguments.threads} threads; medians of {arguments.rounds}\n\n{table(results)}\n"
    (arguments.out / "table.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
