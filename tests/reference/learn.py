#!/usr/bin/env python3
"""Makes tests/fixtures/learn/expected.json: what scikit-learn learns from small problems of random numbers.

Each problem has features (in single precision), labels and groups; coefficients of `LogisticRegression`; of `SVC`, linear
and Gaussian, the decision values, the predictions with ties broken, and of each pair of classes the dual problem's value,
the number of support vectors and, of the first rows, the decision values of the exact machine; and the folds of
`StratifiedGroupKFold`.

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
# Rows whose exact decision values are kept.
SHOWN = 8


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


def kernel(options: dict, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a @ b.T if options["kernel"] == "linear" else rbf_kernel(a, b, gamma=options["gamma"])


def pair(features: np.ndarray, signs: np.ndarray, bounds: np.ndarray, options: dict, shown: np.ndarray) -> dict:
    model = SVC(**options, tol=TOLERANCE).fit(features, -signs, sample_weight=bounds / options["C"])
    factors = np.zeros(len(signs))
    factors[model.support_] = np.abs(model.dual_coef_[0])
    signed = factors * signs
    objective = signed @ kernel(options, features, features) @ signed / 2 - factors.sum()
    weights, intercept = exact(kernel(options, features, features), signs, bounds, factors)
    decisions = kernel(options, shown, features) @ weights + intercept
    return {"objective": objective, "support_vectors": len(model.support_), "decisions": decisions.tolist()}


def exact(kernels: np.ndarray, signs: np.ndarray, bounds: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, float]:
    """The machine of the same support vectors without libsvm's rounding, which keeps kernels in single precision.

    Free vectors lie on the margin and signed factors sum to zero: as many linear equations as there are unknowns.
    """
    bounded = factors >= bounds * (1 - 1e-7)
    free = np.flatnonzero((factors > bounds * 1e-7) & ~bounded)
    weights = np.where(bounded, bounds * signs, 0.0)
    equations = np.zeros((len(free) + 1, len(free) + 1))
    equations[:-1, :-1] = kernels[np.ix_(free, free)]
    equations[:-1, -1] = equations[-1, :-1] = 1
    solved = np.linalg.solve(equations, np.append(signs[free] - kernels[free] @ weights, -weights.sum()))
    weights[free] = solved[:-1]
    margins = signs * (kernels @ weights + solved[-1])
    factors = weights * signs
    inside = (factors >= -1e-9).all() and (factors <= bounds + 1e-9).all()
    outside = (margins[factors == 0] >= 1 - 1e-9).all() and (margins[bounded] <= 1 + 1e-9).all()
    assert inside and outside, "the support vectors are not those of the optimum"
    return weights, solved[-1]


def svm(features: np.ndarray, labels: np.ndarray) -> list[dict]:
    features = features.astype(np.float64)
    classes = np.unique(labels)
    found = []
    for name, gamma in [("linear", 1.0), ("rbf", 0.2), ("rbf", "scale")]:
        for c, balanced in [(0.1, False), (1.0, True), (10.0, True)]:
            scale = 1 / (features.shape[1] * features.var())
            options = {"kernel": name, "C": c, "gamma": scale if gamma == "scale" else gamma}
            values = compute_class_weight("balanced", classes=classes, y=labels) if balanced else np.ones(len(classes))
            weights = dict(zip(classes.tolist(), values.tolist()))
            model = SVC(**options, class_weight=weights, tol=TOLERANCE, break_ties=len(classes) > 2).fit(features, labels)
            pairs = []
            for i, first in enumerate(classes):
                for second in classes[i + 1 :]:
                    rows = (labels == first) | (labels == second)
                    signs = np.where(labels[rows] == first, 1.0, -1.0)
                    bounds = c * np.array([weights[int(label)] for label in labels[rows]])
                    pairs.append(pair(features[rows], signs, bounds, options, features[:SHOWN]))
            decisions = model.decision_function(features)
            found.append(
                {
                    "kernel": "scale" if gamma == "scale" else name,
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
