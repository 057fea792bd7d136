#!/usr/bin/env python3
"""Makes tests/fixtures/abx: features of a few made-up files, the phones in them, and their ABX scores.

The score follows the code of CPC and Libri-light (facebookresearch/CPC_audio, cpc/eval/ABX.py and cpc/eval/ABX/) in plain
loops over triplets and in double precision. No group is so large that tokens would be drawn.

    pip install -r tests/reference/requirements.txt
    python tests/reference/abx.py
"""

import itertools
import json
import math
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "abx"
WIDTH = 11
HOP = 0.01
PHONES, CONTEXTS, SPEAKERS = ["p", "b", "t", "iy"], [("a", "t"), ("SIL", "o"), ("o", "a")], ["anna", "babu", "chen"]


def make() -> tuple[dict[str, np.ndarray], list[tuple]]:
    """Frames around a point of the phone, moved by the context and the speaker."""
    random = np.random.default_rng(5)
    points = {name: random.normal(size=WIDTH) for name in [*PHONES, *SPEAKERS, *map("+".join, CONTEXTS)]}
    files, items = {}, []
    for number, speaker in enumerate(SPEAKERS * 2):
        frames, name = [random.normal(size=(3, WIDTH))], f"talk-{number}"
        for _ in range(16):
            phone, context = PHONES[random.integers(4)], CONTEXTS[random.integers(3)]
            start, length = sum(map(len, frames)), int(random.integers(2, 9))
            centre = points[phone] + 0.7 * points[speaker] + 0.3 * points["+".join(context)]
            frames.append(centre + 1.3 * random.normal(size=(length, WIDTH)))
            edges = start * HOP + random.uniform(0, 0.012), (start + length) * HOP + random.uniform(0, 0.012)
            items.append((name, round(edges[0], 4), round(edges[1], 4), phone, *context, speaker))
        files[name] = np.concatenate(frames).astype(np.float32)
    # A frame of zeros has no direction.
    files["talk-0"][10] = 0
    return files, items


def distance(x: np.ndarray, y: np.ndarray) -> float:
    angles = np.empty((len(x), len(y)))
    for (i, a), (j, b) in itertools.product(enumerate(x), enumerate(y)):
        lengths = np.linalg.norm(a) * np.linalg.norm(b)
        if lengths > 0:
            angles[i, j] = math.acos(np.clip(a @ b / lengths, -1, 1)) / math.pi
        else:
            angles[i, j] = float(np.any(a) or np.any(b))
    cost = np.full((len(x) + 1, len(y) + 1), np.inf)
    cost[0, 0] = 0
    for i, j in itertools.product(range(1, len(x) + 1), range(1, len(y) + 1)):
        cost[i, j] = angles[i - 1, j - 1] + min(cost[i - 1, j - 1], cost[i - 1, j], cost[i, j - 1])
    i, j, length = len(x), len(y), 1
    while (i, j) != (1, 1):
        both, left, up = cost[i - 1, j - 1], cost[i, j - 1], cost[i - 1, j]
        i, j = (i - 1, j - 1) if both <= left and both <= up else (i, j - 1) if left <= up else (i - 1, j)
        length += 1
    return cost[-1, -1] / length


def score(tokens: list[tuple], mode: str) -> float:
    """tokens: phone, context, speaker, frames."""
    distances = {}

    def between(x: int, y: int) -> float:
        if (x, y) not in distances:
            distances[x, y] = distance(tokens[x][3], tokens[y][3])
        return distances[x, y]

    groups = defaultdict(list)
    for index, (phone, context, speaker, _) in enumerate(tokens):
        groups[context, speaker, phone].append(index)
    errors = defaultdict(lambda: defaultdict(list))
    for (context, speaker, phone), a in groups.items():
        for (other_context, other_speaker, other), b in groups.items():
            if other == phone or (other_context, other_speaker) != (context, speaker):
                continue
            for (x_context, x_speaker, x_phone), x in groups.items():
                if (x_context, x_phone) != (context, phone) or (x_speaker == speaker) != (mode == "within"):
                    continue
                right = [
                    (between(i, j) < between(i, k)) + 0.5 * (between(i, j) == between(i, k))
                    for i, j, k in itertools.product(x, a, b)
                    if i != j
                ]
                if right:
                    errors[phone, other][speaker].append(1 - np.mean(right))
    return float(np.mean([np.mean([np.mean(e) for e in speakers.values()]) for speakers in errors.values()]))


def main() -> None:
    files, items = make()
    shutil.rmtree(FIXTURES, ignore_errors=True)
    FIXTURES.mkdir(parents=True)
    save_file(files, FIXTURES / "features.safetensors")
    lines = ["#file onset offset #phone prev-phone next-phone speaker", *(" ".join(map(str, item)) for item in items)]
    (FIXTURES / "phones.item").write_text("\n".join(lines) + "\n")
    tokens = []
    for name, onset, offset, phone, before, after, speaker in items:
        start = max(0, math.ceil(onset / HOP - 0.5))
        end = min(len(files[name]), math.floor(offset / HOP - 0.5))
        if start < end:
            tokens.append((phone, (before, after), speaker, files[name][start:end].astype(float)))
    expected = {"tokens": len(tokens), "within": score(tokens, "within"), "across": score(tokens, "across")}
    (FIXTURES / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
