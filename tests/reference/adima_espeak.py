"""Makes a small set of made-up speech in ADIMA's layout: espeak-ng reads comments of MACD, in several voices and under noise.

    python adima_espeak.py MACD OUT [--train 100] [--test 30] [--languages Hindi,Tamil,...] [--seed 0]

MACD is the folder of `hindi_test.csv` and so on, where label 0 is abusive. OUT gets `annotations/{Language}_{train,test}.csv`
of filename,label (Yes or No), clips in `SC_audio_{Language}/`, and `SYNTHETIC.txt`, by which `awaaz bench adima` labels every
figure. Nothing is learnt of ADIMA from it: the voices are calm whatever they say. It proves the path from clips to report.

Needs espeak-ng (Debian package `espeak-ng`, 1.51 and 1.52 were used) and NumPy. The same seed and the same espeak-ng give the
same clips. The comments' licence is MACD's, for research; the clips are not to be given out.
"""

import argparse
import csv
import io
import pathlib
import re
import subprocess
import wave

import numpy as np

# ADIMA's name of a language, MACD's, and espeak-ng's. Telugu is MACD's alone.
LANGUAGES = {
    "Hindi": ("hindi", "hi"),
    "Tamil": ("tamil", "ta"),
    "Telugu": ("telugu", "te"),
    "Kannada": ("kannada", "kn"),
    "Malayalam": ("malyalam", "ml"),
}
VOICES = ["", "+f1", "+f2", "+f3", "+f4", "+f5", "+m1", "+m2", "+m3", "+m4", "+m5", "+m6", "+m7"]
WORDS = 10


def comments(path, code):
    """Comments of each label that have letters of a script of their own, without links and signs, in the file's order."""
    found = {"Yes": [], "No": []}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            text = re.sub(r"https?://\S+|@\S+|#", " ", row["text"])
            text = "".join(letter if letter.isalnum() or ord(letter) > 0x900 and ord(letter) < 0xE00 else " " for letter in text)
            words = text.split()[:WORDS]
            if len(words) >= 3 and any(0x900 <= ord(letter) < 0xE00 for letter in "".join(words)):
                found["Yes" if row["label"] == "0" else "No"].append(" ".join(words))
    return found


def spoken(text, voice, pitch, speed):
    """What espeak-ng says, and its rate."""
    command = ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed), "--stdin", "--stdout"]
    data = subprocess.run(command, input=text.encode(), capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(data)) as sound:
        rate = sound.getframerate()
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
    return samples.astype(np.float64), rate


def noisy(samples, snr, colour, random):
    """With noise, white or falling by 3 dB an octave, that is so many dB below."""
    spectrum = np.fft.rfft(random.standard_normal(len(samples)))
    if colour == "pink":
        spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    noise = np.fft.irfft(spectrum, len(samples))
    scale = np.sqrt(np.mean(samples**2) / np.mean(noise**2) / 10 ** (snr / 10))
    mixed = samples + scale * noise
    return np.clip(mixed * min(1.0, 32000 / np.max(np.abs(mixed))), -32768, 32767).astype("<i2")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("macd", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--train", type=int, default=100, help="clips of each label")
    parser.add_argument("--test", type=int, default=30, help="clips of each label")
    parser.add_argument("--languages", default=",".join(LANGUAGES))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    (arguments.out / "annotations").mkdir(parents=True, exist_ok=True)
    for language in arguments.languages.split(","):
        name, code = LANGUAGES[language]
        random = np.random.default_rng([arguments.seed, sum(map(ord, language))])
        clips = arguments.out / f"SC_audio_{language}"
        clips.mkdir(exist_ok=True)
        tables = {"train": [], "test": []}
        for label, texts in comments(arguments.macd / f"{name}_test.csv", code).items():
            wanted = arguments.train + arguments.test
            texts = [texts[at] for at in random.permutation(len(texts))[:wanted]]
            if len(texts) < wanted:
                raise SystemExit(f"{name}: {len(texts)} comments of {label}, {wanted} wanted")
            for at, text in enumerate(texts):
                voice = code + VOICES[random.integers(len(VOICES))]
                samples, rate = spoken(text, voice, random.integers(20, 80), random.integers(140, 220))
                colour = ["white", "pink"][random.integers(2)]
                samples = noisy(samples, random.uniform(8, 30), colour, random)
                file = f"{language.lower()}_{label.lower()}_{at:04}.wav"
                with wave.open(str(clips / file), "wb") as sound:
                    sound.setparams((1, 2, rate, 0, "NONE", ""))
                    sound.writeframes(samples.tobytes())
                tables["train" if at < arguments.train else "test"].append((file, label))
        for part, rows in tables.items():
            with open(arguments.out / "annotations" / f"{language}_{part}.csv", "w", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([("filename", "label"), *sorted(rows)])
    version = subprocess.run(["espeak-ng", "--version"], capture_output=True, text=True).stdout.split("Data")[0].strip()
    (arguments.out / "SYNTHETIC.txt").write_text(
        f"Made-up speech: {version} reads comments of MACD in {len(VOICES)} voices under noise.\n"
    )


if __name__ == "__main__":
    main()
