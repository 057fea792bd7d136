"""Cases of diarization with the errors that pyannote.metrics counts, for tests/diarization_parity.rs.

    python tests/reference/diarization.py > tests/fixtures/diarization/errors.json

Turns are drawn, times in milliseconds, so that both sides read the same numbers. A collar is given to pyannote.metrics as
the sum of both sides.
"""

import json
import random

from pyannote.core import Annotation, Segment
from pyannote.metrics.diarization import DiarizationErrorRate


def drawn(random, speakers, turns, length, jitter=None):
    """Turns of one speaker never touch or overlap: there pyannote.metrics would count a speaker twice."""
    found = []
    ends = {}
    at = 0
    for _ in range(turns):
        speaker = random.choice(speakers)
        at = max(0, at + random.randint(-1500, 800))
        start = max(at, ends.get(speaker, -100) + 1)
        end = start + random.randint(200, length)
        found.append([speaker, start, end])
        ends[speaker] = end
        at = end
    return found


def told(random, reference, speakers):
    """What a system might make of it: borders moved, turns lost, put in, given to others."""
    found = []
    ends = {}
    for speaker, start, end in reference:
        if random.random() < 0.1:
            continue
        name = random.choice(speakers) if random.random() < 0.2 else "x" + speaker
        start = max(start + random.randint(-400, 400), ends.get(name, -100) + 1, 0)
        end = end + random.randint(-400, 400)
        if end > start:
            found.append([name, start, end])
            ends[name] = end
    return found


def annotation(turns):
    annotation = Annotation()
    for track, (speaker, start, end) in enumerate(turns):
        annotation[Segment(start / 1000, end / 1000), track] = speaker
    return annotation


def main():
    rng = random.Random(7)
    cases = []
    for number in range(16):
        speakers = [chr(ord("a") + k) for k in range(1 + number % 5)]
        reference = drawn(rng, speakers, 4 + 3 * (number % 6), 4000)
        hypothesis = told(rng, reference, ["x" + s for s in speakers] + ["extra"])
        if number == 14:
            hypothesis = []
        if number == 15:
            reference, hypothesis = hypothesis[:1], hypothesis
        scores = []
        for collar in (0, 250):
            for skip in (False, True):
                metric = DiarizationErrorRate(collar=2 * collar / 1000, skip_overlap=skip)
                parts = metric(annotation(reference), annotation(hypothesis), detailed=True)
                scores.append(
                    {
                        "collar": collar,
                        "skip_overlap": skip,
                        "missed": round(parts["missed detection"], 6),
                        "false_alarm": round(parts["false alarm"], 6),
                        "confusion": round(parts["confusion"], 6),
                        "total": round(parts["total"], 6),
                    }
                )
        cases.append({"reference": reference, "hypothesis": hypothesis, "scores": scores})
    print("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]")


if __name__ == "__main__":
    main()
