"""Fits the calibration of GE2E's scores: that of cosines, and that of scores set against strangers.

    awaaz embed COHORT/ --model ge2e --out cohort       a sound each of many strangers
    awaaz embed CORPUS/ --model ge2e --out trials       sounds whose names begin with the speaker: 367-130732-0001.flac
    python ge2e_calibration.py cohort trials [trials of another corpus ...]

Sounds of one corpus are compared with one another. Pieces of one file (name-N.wav) are where their speaker has no other file.
Speakers of the cohort have no part in the trials against strangers.

Needs numpy and scipy. The log-likelihood ratio is `scale * score + length * ln(seconds of the shorter) + offset`, where trials
of one speaker and of two count the same in sum, as `Calibration::fit` of src/speaker/calibration.rs has it.
"""
import json
import os
import re
import sys

import numpy as np
from scipy.optimize import minimize


def read(folder):
    rows = []
    for line in open(os.path.join(folder, "embeddings.jsonl")):
        row = json.loads(line)
        name = os.path.basename(row["source"])
        vector = np.load(os.path.join(folder, row["file"])).ravel().astype(float)
        # A piece of a file (name-N.wav) is compared with none of the same file.
        file = re.sub(r"-\d+\.wav$", "", name)
        rows.append((re.split(r"[-_]", name)[0], file, row["end"] - row["start"], vector / np.linalg.norm(vector)))
    return rows


def fit(score, length, same):
    weight = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    features = np.stack([score, length, np.ones_like(score)], 1)
    sign = np.where(same, 1.0, -1.0)

    def loss(theta):
        margin = sign * (features @ theta)
        gradient = features.T @ (-weight * sign / (1 + np.exp(margin)))
        return (weight * np.logaddexp(0, -margin)).sum(), gradient

    return minimize(loss, np.zeros(3), jac=True, method="BFGS", options={"maxiter": 2000}).x


def eer(score, same):
    order = np.argsort(score)
    miss = np.cumsum(same[order]) / same.sum()
    false = 1 - np.cumsum(~same[order]) / (~same).sum()
    at = np.argmin(np.abs(miss - false))
    return (miss[at] + false[at]) / 2


def report(name, score, length, same):
    theta = fit(score, length, same)
    ratio = theta[0] * score + theta[1] * length + theta[2]
    wrong = 0.5 * ((ratio < 0)[same].mean() + (ratio >= 0)[~same].mean())
    loss = 0.5 * (np.logaddexp(0, -ratio)[same].mean() + np.logaddexp(0, ratio)[~same].mean()) / np.log(2)
    print(f"{name}: scale {theta[0]:.3f} length {theta[1]:.3f} offset {theta[2]:.3f}; EER {100 * eer(score, same):.2f} %, "
          f"wrong at 0.5 {100 * wrong:.2f} %, Cllr {loss:.3f}; {same.sum()} trials of one speaker, {(~same).sum()} of two")


cohort, corpora = read(sys.argv[1]), [read(folder) for folder in sys.argv[2:]]
known = {row[0] for row in cohort}
strangers = np.stack([row[3] for row in cohort])
every = []
for trials in corpora:
    vectors = np.stack([row[3] for row in trials])
    speaker, file = (np.array([row[i] for row in trials]) for i in (0, 1))
    seconds = np.array([row[2] for row in trials])
    alone = np.array([len(set(file[speaker == name])) == 1 for name in speaker])
    nearest = np.sort(vectors @ strangers.T, 1)[:, ::-1][:, :200]
    mean, deviation = nearest.mean(1), np.maximum(nearest.std(1), 1e-3)
    a, b = np.triu_indices(len(trials), 1)
    keep = (file[a] != file[b]) | alone[a]
    a, b = a[keep], b[keep]
    score = (vectors[a] * vectors[b]).sum(1)
    normal = 0.5 * ((score - mean[a]) / deviation[a] + (score - mean[b]) / deviation[b])
    length = np.log(np.clip(np.minimum(seconds[a], seconds[b]), 0.5, 10))
    is_new = np.array([name not in known for name in speaker])
    every.append((score, normal, length, speaker[a] == speaker[b], is_new[a] & is_new[b]))
score, normal, length, same, new = (np.concatenate(column) for column in zip(*every))
report("cosine", score, length, same)
report("cosine, of those below", score[new], length[new], same[new])
report("against strangers", normal[new], length[new], same[new])
