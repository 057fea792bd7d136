#!/usr/bin/env python3
"""eGeMAPS v02 of openSMILE, for tests/egemaps.rs and for comparisons over any files.

    pip install -r tests/reference/requirements.txt
    egemaps.py fixture                  writes tests/fixtures/egemaps/expected.json: clips of audio-fixtures
    egemaps.py values FILE...           prints CSV as examples/egemaps.rs does; files at 16 kHz, mono
    egemaps.py compare OURS THEIRS      prints the correlation of every parameter of two such CSVs
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
CLIPS = ["librivox-0870", "librivox-0880", "espeak-ur", "noise"]


def reference(files):
    import opensmile

    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.Functionals,
    )
    assert len(smile.feature_names) == 88
    yield ["file", *smile.feature_names]
    for file in files:
        yield [file, *map(float, smile.process_file(str(file)).to_numpy()[0])]


def fixture():
    names, *rows = reference(ROOT / "audio-fixtures" / clip / "audio.flac" for clip in CLIPS)
    clips = {clip: [float(f"{value:.6g}") for value in row[1:]] for clip, row in zip(CLIPS, rows)}
    out = ROOT / "tests" / "fixtures" / "egemaps" / "expected.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"names": names[1:], "clips": clips}) + "\n")


def values(*files):
    csv.writer(sys.stdout).writerows(reference(files))


def compare(ours, theirs):
    names, *rows = csv.reader(Path(ours).open())
    others = {row[0]: row[1:] for row in csv.reader(Path(theirs).open())}
    pairs = np.array([[row[1:], others[row[0]]] for row in rows], dtype=np.float64)
    print(f"{len(rows)} files")
    for i, name in enumerate(names[1:]):
        x, y = pairs[:, 0, i], pairs[:, 1, i]
        print(f"{name:44} {np.corrcoef(x, y)[0, 1]:8.5f} {np.median(np.abs(x - y)):10.2e} {np.std(y):10.2e}")


{"fixture": fixture, "values": values, "compare": compare}[sys.argv[1]](*sys.argv[2:])
