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
import re
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


def systems(awaaz: str, model: str, ggml: list[str], threads: int) -> dict[str, list[str]]:
    """Command of each system, to which the file is added."""
    alike = ["--threads", str(threads), "--model"]
    ours = [awaaz, "transcribe", "--quiet", "--format", "json", "--temperature", "0", *alike, model]
    peer = [sys.executable, str(HERE / "faster_whisper_peer.py"), *alike, model]
    return {
        "awaaz f32": ours,
        "awaaz f32, no VAD": [*ours, "--no-vad"],
        "awaaz int8": [*ours, "--precision", "int8"],
        "awaaz int8, no VAD": [*ours, "--precision", "int8", "--no-vad"],
        "faster-whisper f32": peer,
        "faster-whisper f32 batched": [*peer, "--batched"],
        "faster-whisper int8": [*peer, "--compute-type", "int8"],
        "faster-whisper int8 batched": [*peer, "--compute-type", "int8", "--batched"],
    } | {
        f"whisper.cpp {Path(file).stem.split('-')[-1]}": [sys.executable, str(HERE / "whisper_cpp_peer.py"), *alike, file]
        for file in ggml
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
    """Processor, cores and day."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", cpuinfo.read_text()) if cpuinfo.exists() else None
    name = found[1] if found else platform.machine()
    return f"{name}, {os.cpu_count()} logical cores, {time.strftime('%Y-%m-%d')}"


def table(results: list[dict]) -> str:
    columns = [
        "file", "system", "wall, s (range)", "times real time", "CPU, s", "peak memory, MB", "word error, %",
        "words unlike awaaz's, %", "language",
    ]  # fmt: skip
    rows = [columns, ["---"] * len(columns)]
    for r in results:
        low, high = r["wall_range"]
        rows.append([
            r["file"],
            r["system"],
            f"{r['wall_seconds']:.2f} ({low:.2f}-{high:.2f})",
            f"{r['seconds'] / r['wall_seconds']:.1f}",
            f"{r['cpu_seconds']:.1f}",
            f"{r['peak_megabytes']:.0f}",
            "" if r["word_error"] is None else f"{r['word_error']:.1f}",
            "" if r["unlike_ours"] is None else f"{r['unlike_ours']:.1f}",
            r["language"],
        ])  # fmt: skip
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def take_turns(commands: dict[str, list[str]], audio: Path, rounds: int, threads: int) -> dict[str, list[Run]]:
    """Runs of every system on one file."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            run = measure([*command, str(audio)], threads)
            runs[name].append(run)
            print(f"{audio.stem}, round {number + 1}, {name}: {run.wall_seconds:.2f} s", file=sys.stderr)
    return runs


def figures(entry: dict, system: str, runs: list[Run], ours: str | None) -> dict:
    """What is reported of one system on one file; `ours` is the text that awaaz heard."""
    output, language = runs[0].output, entry["language"]
    walls = [run.wall_seconds for run in runs]
    return {
        "file": Path(entry["path"]).stem,
        "system": system,
        "seconds": entry["seconds"],
        "wall_seconds": statistics.median(walls),
        "wall_range": [min(walls), max(walls)],
        "cpu_seconds": statistics.median(run.cpu_seconds for run in runs),
        "peak_megabytes": statistics.median(run.peak_megabytes for run in runs),
        "load_seconds": output.get("load_seconds"),
        "word_error": word_errors(entry["text"], output["text"], language) if entry["text"] else None,
        "unlike_ours": word_errors(ours, output["text"], language) if ours else None,
        "language": output.get("language", ""),
        "same_text_each_round": all(run.output["text"] == output["text"] for run in runs),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--audio", type=Path, required=True, help="folder that prepare.py made")
    arguments.add_argument("--model", required=True, help="folder of Whisper in CTranslate2's format")
    arguments.add_argument("--ggml", nargs="+", required=True, help="the same weights, by to_ggml.py: NAME-TYPE.bin")
    arguments.add_argument("--awaaz", default="target/release/awaaz")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--rounds", type=int, default=5, help="for the files of the set speed; others run once")
    arguments.add_argument("--only", default="", help="systems whose name this regular expression finds")
    arguments.add_argument("--files", default="", help="files whose name contains this")
    arguments.add_argument("--out", type=Path, required=True)
    arguments = arguments.parse_args()

    commands = systems(arguments.awaaz, arguments.model, arguments.ggml, arguments.threads)
    commands = {name: command for name, command in commands.items() if re.search(arguments.only, name)}
    arguments.out.mkdir(parents=True, exist_ok=True)
    silence = arguments.out / "start-up.wav"
    soundfile.write(silence, np.zeros(16_000, np.float32), 16_000)

    entries = [{"path": silence, "set": "speed", "seconds": 1.0, "language": "en", "text": ""}]
    entries += map(json.loads, (arguments.audio / "manifest.jsonl").read_text(encoding="utf-8").splitlines())
    report = {"machine": machine(), "threads": arguments.threads, "rounds": arguments.rounds, "results": []}
    for entry in entries:
        audio = arguments.audio / entry["path"]
        if arguments.files not in audio.stem:
            continue
        rounds = arguments.rounds if entry["set"] == "speed" else 1
        series = take_turns(commands, audio, rounds, arguments.threads)
        ours = next((runs[0].output["text"] for name, runs in series.items() if name.startswith("awaaz")), None)
        for system, runs in series.items():
            report["results"].append(figures(entry, system, runs, ours))
            transcript = arguments.out / "transcripts" / audio.stem / f"{system.replace(' ', '-')}.json"
            transcript.parent.mkdir(parents=True, exist_ok=True)
            transcript.write_text(json.dumps(runs[0].output, ensure_ascii=False, indent=1))
        # After every file, so that what was measured is kept if the run is stopped.
        (arguments.out / "results.json").write_text(json.dumps(report, ensure_ascii=False, indent=1))
    caption = f"{report['machine']}; {arguments.threads} threads; medians of {arguments.rounds}"
    text = f"{caption}\n\n{table(report['results'])}\n"
    (arguments.out / "table.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
