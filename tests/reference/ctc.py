#!/usr/bin/env python3
"""Makes tests/fixtures/ctc: logits as a network with a CTC head gives them, and what references spell of them.

The logits are made of the sentences below: tokens for one to three frames, blanks between them, noise, and confusions
of one letter with another, with the blank, and of ends of words. Greedy texts and frames of words are those of
Wav2Vec2CTCTokenizer in Hugging Face transformers, beam search that of pyctcdecode without a language model: with its
own settings, and with wider ones. What it drops is missing from its scores, so there is also the exact logarithm of the
probability of its text, by the forward algorithm over all paths that spell it.

pyctcdecode 0.5.0 wants numpy before 2, so this needs an environment of its own:

    pip install pyctcdecode==0.5.0 safetensors==0.8.0 transformers==5.23.0 'numpy<2'
    python tests/reference/ctc.py
"""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
from pyctcdecode import build_ctcdecoder
from safetensors.numpy import save_file
from transformers import Wav2Vec2CTCTokenizer

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "ctc"
SENTENCES = [
    ("latin-1", "the rain has stopped and all the little streets shine"),
    ("latin-2", "we shall need a bigger boat she said and looked away"),
    ("latin-3", "good books keep well"),
    ("latin-4", "it is too soon to tell whether the bees will come back"),
    ("devanagari-1", "बारिश रुक गई और सारी गलियाँ चमक रही हैं"),
    ("devanagari-2", "मुझे कल सुबह जल्दी उठना है"),
    ("devanagari-3", "यह रास्ता नदी तक जाता है"),
    ("arabic-1", "بارش رک گئی اور ساری گلیاں چمک رہی ہیں"),
    ("arabic-2", "مجھے کل صبح جلدی اٹھنا ہے"),
    ("arabic-3", "یہ راستہ دریا تک جاتا ہے"),
    ("tamil-1", "மழை நின்றுவிட்டது தெருக்கள் எல்லாம் மின்னுகின்றன"),
    ("telugu-1", "వర్షం ఆగింది వీధులన్నీ మెరుస్తున్నాయి"),
    ("bengali-1", "বৃষ্টি থেমে গেছে আর সব গলি চকচক করছে"),
    ("gujarati-1", "વરસાદ અટકી ગયો અને બધી ગલીઓ ચમકી રહી છે"),
    ("kannada-1", "ಮಳೆ ನಿಂತಿದೆ ಬೀದಿಗಳೆಲ್ಲ ಹೊಳೆಯುತ್ತಿವೆ"),
    ("malayalam-1", "മഴ നിന്നു തെരുവുകളെല്ലാം തിളങ്ങുന്നു"),
    ("gurmukhi-1", "ਮੀਂਹ ਰੁਕ ਗਿਆ ਤੇ ਸਾਰੀਆਂ ਗਲੀਆਂ ਚਮਕ ਰਹੀਆਂ ਹਨ"),
    ("odia-1", "ବର୍ଷା ଥମିଗଲା ଆଉ ସବୁ ଗଳି ଚମକୁଛି"),
]
BLANK, DELIMITER = 0, 1


def alphabet(script: str) -> list[str]:
    letters = sorted({c for name, text in SENTENCES if name.startswith(script) for c in text} - {" "})
    return ["<pad>", "|", *letters]


def simulate(text: str, tokens: list[str], random: np.random.Generator) -> np.ndarray:
    """Logits, `[frames, tokens]`."""
    path = [BLANK] * int(random.integers(2, 5))
    for symbol in text:
        token = tokens.index("|" if symbol == " " else symbol)
        # Between two that are alike there is a blank, though not always a clear one.
        if random.random() < 0.5 or path[-1] == token:
            path += [BLANK] * int(random.integers(1, 3))
        path += [token] * int(random.choice([1, 1, 2, 3]))
    path += [BLANK, DELIMITER, BLANK]
    frames = []
    for token in path:
        frame = random.normal(0.0, 1.0, len(tokens))
        frame[token] = random.uniform(7.0, 12.0)
        if random.random() < 0.25:
            rival = random.choice([BLANK, DELIMITER, int(random.integers(2, len(tokens)))])
            if rival != token:
                frame[rival] = frame[token] + random.normal(-0.3, 0.7)
        frames.append(frame)
    return np.array(frames, dtype=np.float16)


def words_of(logits: np.ndarray, tokenizer: Wav2Vec2CTCTokenizer) -> dict:
    found = tokenizer.decode(logits.argmax(axis=1), output_word_offsets=True)
    words = [[word["word"], int(word["start_offset"]), int(word["end_offset"])] for word in found["word_offsets"]]
    return {"text": found["text"], "words": words}


def exact_score(text: str, logits: np.ndarray, tokens: list[str]) -> float:
    """The probability of all paths of `text`; a delimiter where no word has begun says nothing."""
    probabilities = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    # States of one symbol each, and from which states one comes to them, so that a path goes through in one way.
    # Around words there may be any number of delimiters and blanks; between words, one delimiter at least.
    symbols, before = [], []

    def add(symbol: int, states: list[int]) -> int:
        symbols.append(symbol)
        before.append([*states, len(symbols) - 1])
        return len(symbols) - 1

    def silence(states: list[int]) -> list[int]:
        blank = add(BLANK, states)
        delimiter = add(DELIMITER, [*states, blank])
        before[blank].append(delimiter)
        return [blank, delimiter]

    first = silence([])
    ends = first
    for index, word in enumerate(text.split()):
        if index > 0:
            blank = add(BLANK, ends)
            delimiter = add(DELIMITER, [*ends, blank])
            after = add(BLANK, [delimiter])
            before[delimiter].append(after)
            ends = [delimiter, after]
        letters = [tokens.index(letter) for letter in word]
        for place, letter in enumerate(letters):
            last = symbols[ends[0]] if place > 0 else None
            blank = add(BLANK, ends) if place > 0 else None
            direct = [] if letter == last else ends
            ends = [add(letter, direct if blank is None else [*direct, blank])]
            if index == 0 and place == 0:
                first = [*first, ends[0]]
    ends = [*ends, *silence(ends)]
    scores = np.full(len(symbols), -np.inf)
    for frame, row in enumerate(probabilities):
        if frame == 0:
            following = np.full(len(symbols), -np.inf)
            following[first] = 0.0
        else:
            following = np.array([np.logaddexp.reduce(scores[states]) for states in before])
        scores = following + row[symbols]
    return float(np.logaddexp.reduce(scores[ends]))


def main() -> None:
    shutil.rmtree(FIXTURES, ignore_errors=True)
    FIXTURES.mkdir(parents=True)
    random = np.random.default_rng(7)
    stored, expected = {}, {}
    for name, sentence in SENTENCES:
        tokens = alphabet(name.split("-")[0])
        stored[name] = simulate(sentence, tokens, random)
        logits = stored[name].astype(np.float64)
        with tempfile.TemporaryDirectory() as folder:
            vocabulary = Path(folder) / "vocab.json"
            vocabulary.write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
            tokenizer = Wav2Vec2CTCTokenizer(str(vocabulary), bos_token=None, eos_token=None, unk_token="<pad>")
        decoder = build_ctcdecoder(list(tokens))
        beam = decoder.decode_beams(logits)[0]
        expected[name] = {
            "sentence": sentence,
            "tokens": tokens,
            "greedy": words_of(logits, tokenizer),
            "beam": {"text": beam[0], "score": round(float(beam[-1]), 5)},
            "exact": round(exact_score(beam[0], logits, tokens), 5),
        }
        print(name, stored[name].shape, "greedy is", expected[name]["greedy"]["text"])
        print("   beam", expected[name]["beam"], "exact", expected[name]["exact"])
    save_file(stored, FIXTURES / "logits.safetensors")
    (FIXTURES / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
