#!/usr/bin/env python3
"""Gathers real speech with known text and writes it as 16 kHz mono WAV files with a manifest.

    python benches/peers/prepare.py FOLDER

The sources are Debian packages (`apt-get download`, unpacked and not installed, so no rights are needed) and a Python
package; together about 85 MB. Nothing is downloaded twice and the same packages give the same files.

manifest.jsonl has a line for each file: path (in FOLDER), set, seconds, language, text (what is said).
"""

import argparse
import gzip
import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import soundfile
import soxr

RATE = 16_000
GAP_SECONDS = 0.5
MAIN_SECONDS = 600
LANGUAGE_SECONDS = 120
FIXTURES = Path(__file__).resolve().parents[2] / "audio-fixtures"

TWO_CITIES_PACKAGE = "moonshine-voice==0.1.5"
TWO_CITIES_SHA256 = "f3348494d77cb74a02862f5e685ed09faf3e75832c5cc5c80703282c2cd8b52e"
TWO_CITIES_TEXT = """It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of
foolishness, it was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season
of Darkness, it was the spring of hope, it was the winter of despair, we had everything before us, we had nothing before
us, we were all going direct to Heaven, we were all going direct the other way - in short, the period was so far like
the present period, that some of its noisiest authorities insisted on its being received, for good or for evil, in the
superlative degree of comparison only."""

PROMPTS = {
    "en": "en_US_f_Allison",
    "es": "es_MX_f_Allison",
    "fr": "fr_CA_f_June",
    "it": "it_IT_m_Carlo",
    "ru": "ru_RU_f_IvrvoiceRU",
}

Clip = tuple[np.ndarray, str]


def read(file: Path) -> np.ndarray:
    """A mono file at 16 kHz, f32."""
    samples, rate = soundfile.read(file, dtype="float32")
    return soxr.resample(samples, rate, RATE, quality="VHQ")


def debian(package: str, downloads: Path) -> Path:
    """The folder in which a Debian package is unpacked."""
    unpacked = downloads / package
    if not unpacked.exists():
        for old in downloads.glob(f"{package}_*.deb"):
            old.unlink()
        subprocess.run(["apt-get", "download", "-q", package], cwd=downloads, check=True, stdout=sys.stderr)
        (archive,) = downloads.glob(f"{package}_*.deb")
        partial = downloads / f"{package}.partial"
        subprocess.run(["dpkg-deb", "-x", archive, partial], check=True)
        partial.rename(unpacked)
        archive.unlink()
    return unpacked


def librivox() -> list[Clip]:
    """The English sentences among the project's own fixtures."""
    folders = sorted(FIXTURES.glob("librivox-*"))
    return [(read(folder / "audio.flac"), (folder / "text.txt").read_text().strip()) for folder in folders]


def two_cities(downloads: Path) -> Clip:
    """The opening of A Tale of Two Cities."""
    wave = downloads / "two_cities.wav"
    if not wave.exists():
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:",
             "--platform", "manylinux_2_34_x86_64", "-d", downloads, TWO_CITIES_PACKAGE],
            check=True, stdout=sys.stderr,
        )  # fmt: skip
        (wheel,) = downloads.glob("moonshine_voice-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read("moonshine_voice/assets/two_cities.wav")
        if hashlib.sha256(data).hexdigest() != TWO_CITIES_SHA256:
            raise SystemExit(f"{wheel}: two_cities.wav is not the recording that was measured")
        wave.write_bytes(data)
        wheel.unlink()
    return read(wave), " ".join(TWO_CITIES_TEXT.split())


def prompts(language: str, downloads: Path) -> list[Clip]:
    """Sentences that a telephone exchange says (8 kHz), in an order without order but always the same.

    Digits, letters, tones and what is shorter than five words are left out.
    """
    texts = debian(f"asterisk-core-sounds-{language}", downloads)
    sounds = debian(f"asterisk-core-sounds-{language}-wav", downloads)
    listing = next(texts.rglob(f"core-sounds-{language}.txt.gz"))
    chosen = []
    for line in gzip.decompress(listing.read_bytes()).decode("utf-8-sig").splitlines():
        name, _, text = line.strip().partition(":")
        file = sounds / "usr/share/asterisk/sounds" / PROMPTS[language] / f"{name}.wav"
        is_sentence = len(text.split()) >= 5 and not re.search(r"[\[<]", text)
        if not name.startswith(";") and "/" not in name and is_sentence and file.exists():
            chosen.append((hashlib.sha256(name.encode()).digest(), file, text.strip()))
    return [(read(file), text) for _, file, text in sorted(chosen)]


def russian_reading(downloads: Path, most: int | None = 60) -> list[Clip]:
    """Sentences read by one Russian speaker, with stress marks taken from the text."""
    voice = debian("festvox-ru", downloads) / "usr/share/festival/voices/russian/msu_ru_nsh_clunits"
    lines = (voice / "etc/txt.done.data").read_text(encoding="utf-8").splitlines()
    found = (re.match(r'\( *(\S+) +"(.*)" *\)', line) for line in lines)
    return [(read(voice / "wav" / f"{m[1]}.wav"), m[2].replace("+", "")) for m in found if m][:most]


def joined(clips: list[Clip], seconds: float) -> Clip:
    """Clips one after another with silence between them, as many as fit."""
    gap = np.zeros(int(GAP_SECONDS * RATE), np.float32)
    pieces, texts, total = [], [], 0
    for samples, text in clips:
        if total + len(samples) + len(gap) > seconds * RATE:
            break
        pieces += [samples, gap]
        texts.append(text)
        total += len(samples) + len(gap)
    return np.concatenate(pieces), " ".join(texts)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    folder = arguments.parse_args().folder
    downloads = folder / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)

    sentences, opening = librivox(), two_cities(downloads)
    files = {
        "sentence": ("speed", "en", sentences[0]),
        "two_cities": ("speed", "en", opening),
        "english": ("speed", "en", joined([*sentences, opening, *prompts("en", downloads)], MAIN_SECONDS)),
        "reading_ru": ("languages", "ru", joined(russian_reading(downloads), LANGUAGE_SECONDS)),
    }
    for language in ["es", "fr", "it", "ru"]:
        files[f"prompts_{language}"] = ("languages", language, joined(prompts(language, downloads), LANGUAGE_SECONDS))

    with open(folder / "manifest.jsonl", "w", encoding="utf-8") as manifest:
        for name, (set_name, language, (samples, text)) in files.items():
            soundfile.write(folder / f"{name}.wav", samples, RATE, subtype="PCM_16")
            entry = {"path": f"{name}.wav", "set": set_name, "seconds": round(len(samples) / RATE, 3),
                     "language": language, "text": text}  # fmt: skip
            manifest.write(json.dumps(entry, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
