#!/usr/bin/env python3
"""Fills the third column of tests/fixtures/romanize/sentences.tsv: what uroman makes of each sentence.

    pip install uroman==1.3.1.1
    python tests/reference/romanize.py

Or of any other file of that form, for AWAAZ_ROMANIZE_SENTENCES: python tests/reference/romanize.py FILE
"""

import sys
from pathlib import Path

from uroman import Uroman

SENTENCES = Path(__file__).resolve().parents[1] / "fixtures" / "romanize" / "sentences.tsv"

# uroman takes codes of ISO 639-3.
LANGUAGES = dict(
    ar="ara", bg="bul", bn="ben", el="ell", fa="fas", gu="guj", he="heb", hi="hin", hy="hye", ja="jpn", ka="kat",
    kn="kan", ko="kor", ml="mal", mr="mar", ne="nep", pa="pan", ru="rus", ta="tam", te="tel", uk="ukr", ur="urd",
    zh="zho",
)  # fmt: skip
LANGUAGES["or"] = "ori"


def main():
    sentences = Path(sys.argv[1]) if len(sys.argv) > 1 else SENTENCES
    uroman = Uroman()
    lines = []
    for line in sentences.read_text(encoding="utf-8").splitlines():
        language, text = line.split("\t")[:2]
        latin = uroman.romanize_string(text, lcode=LANGUAGES.get(language, language))
        lines.append(f"{language}\t{text}\t{latin}\n")
    sentences.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
