#!/usr/bin/env python3
"""Makes tests/fixtures/learn/expected.json: what scikit-learn learns from small problems of random numbers.

Each problem has features (in single precision), labels and groups; coefficients of `LogisticRegression`; of `SVC`, linear
and Gaussian, the decision values, the predictions with ties broken, and of each pair of classes the dual problem's value
and the number of support vectors; and the folds of `StratifiedGroupKFold`.

    pip install -r tests/reference/requirements.txt
    python tests/reference/learn.py
"""

import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.svm import SVC
from sklearn.utils.class_weight import compute_class_weight

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures" / "learn"
TOLERANCE = 1e-9


def problem(classes: int, rows: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = np.minimum((random.random(rows) ** 1.5 * classes).astype(int), classes - 1)
    centres = random.normal(size=(classes, width))
    features = (centres[labels] + random.normal(size=(rows, width))).astype(np.float32)
    # Groups are numbered as they first come, which is also the order of their names.
    groups = np.sort(random.integers(0, 12, rows))
    return features, labels, groups


def logistic(features: np.ndarray, labels: np.ndarray) -> list[dict]:
    found = []
    for c in [0.05, 1.0, 20.0]:
        for weights in [None, "balanced"]:
            model = LogisticRegression(C=c, class_weight=weights, tol=1e-10, max_iter=100000)
            model.fit(features.astype(np.float64), labels)
            found.append(
                {"c": c, "balanced": weights is not None, "weights": model.coef_.tolist(), "intercepts": model.intercept_.tolist()}
            )
    return found


def pair(features: np.ndarray, labels: np.ndarray, options: dict, weights: dict) -> dict:
    model = SVC(**options, class_weight=weights, tol=TOLERANCE).fit(features, labels)
    vectors, factors = model.support_vectors_, model.dual_coef_[0]
    kernel = vectors @ vectors.T if options["kernel"] == "linear" else rbf_kernel(vectors, gamma=options["gamma"])
    return {"objective": factors @ kernel @ factors / 2 - np.abs(factors).sum(), "support_vectors": len(vectors)}


def svm(features: np.ndarray, labels: np.ndarray) -> list[dict]:
    features = features.astype(np.float64)
    classes = np.unique(labels)
    found = []
    for kernel, gamma in [("linear", 1.0), ("rbf", 0.2), ("rbf", "scale")]:
        for c, balanced in [(0.1, False), (1.0, True), (10.0, True)]:
            scale = 1 / (features.shape[1] * features.var())
            options = {"kernel": kernel, "C": c, "gamma": scale if gamma == "scale" else gamma}
            values = compute_class_weight("balanced", classes=classes, y=labels) if balanced else np.ones(len(classes))
            weights = dict(zip(classes.tolist(), values.tolist()))
            model = SVC(**options, class_weight=weights, tol=TOLERANCE, break_ties=len(classes) > 2).fit(features, labels)
            pairs = []
            for i, first in enumerate(classes):
                for second in classes[i + 1 :]:
                    rows = (labels == first) | (labels == second)
                    of_pair = {int(label): weights[int(label)] for label in (first, second)}
                    pairs.append(pair(features[rows], labels[rows], options, of_pair))
            decisions = model.decision_function(features)
            found.append(
                {
                    "kernel": "scale" if gamma == "scale" else kernel,
                    "c": c,
                    "balanced": balanced,
                    "decisions": np.round(decisions.reshape(len(features), -1), 7).tolist(),
                    "predictions": model.predict(features).tolist(),
                    "pairs": pairs,
                }
            )
    return found


def folds(features: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> dict:
    return {
        str(count): [test.tolist() for _, test in StratifiedGroupKFold(count).split(features, labels, groups)]
        for count in [2, 3, 5]
    }


def scores(labels: np.ndarray, predictions: list[int]) -> dict:
    uar = balanced_accuracy_score(labels, predictions)
    return {"uar": uar, "macro_f1": f1_score(labels, predictions, average="macro")}


def main() -> None:
    problems = []
    for classes, rows, width in [(2, 60, 4), (3, 70, 3), (4, 80, 5)]:
        features, labels, groups = problem(classes, rows, width, seed=classes)
        machines = svm(features, labels)
        problems.append(
            {
                "classes": classes,
                "width": width,
                "features": features.astype(np.float64).ravel().tolist(),
                "labels": labels.tolist(),
                "groups": groups.tolist(),
                "logistic": logistic(features, labels),
                "svm": machines,
                "folds": folds(features, labels, groups),
                "scores": scores(labels, machines[0]["predictions"]),
            }
        )
    FIXTURES.mkdir(parents=True, exist_ok=True)
    file = FIXTURES / "expected.json"
    file.write_text(json.dumps(problems) + "\n")
    print(file, file.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
