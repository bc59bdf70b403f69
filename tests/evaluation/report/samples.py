"""Evaluations and reports to test with: whole, and with each part missing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gqlib.evaluation.report import Report, ReportFigures
from gqlib.metrics import Evaluation, GaussianStatistics, evaluate
from tests import samples

N, D = 60, 4


def normal(seed: int, n: int = N) -> Tensor:
    return samples.normal(n, D, seed, torch.float32)


def images(count: int, channels: int = 1) -> list[Tensor]:
    generator = torch.Generator().manual_seed(count)
    shape = (count, channels, 28, 28)
    return list(torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator))


LABELS = ["cat", "dog", "<b>"] * (N // 3)
EVERYTHING: dict[str, Any] = {
    "train": normal(2),
    "holdout": normal(3),
    "real_labels": LABELS,
    "fake_labels": ["cat"] * N,
    "probabilities": torch.softmax(3 * normal(4), 1),
    "confidence": 0.95,
}
PICTURES = ReportFigures(
    real_images=images(5),
    fake_images=images(4),
    real_features=normal(0),
    fake_features=normal(1),
    neighbours=[(a, b, i / 3) for i, (a, b) in enumerate(itertools.pairwise(images(6)))],
    real_spectrum=torch.arange(1, 22).double(),
    fake_spectrum=torch.arange(2, 23).double(),
    real_labels=LABELS,
)


def evaluation(*leave_out: str, fake: Tensor | None = None, **given: Any) -> Evaluation:
    arguments = {k: v for k, v in EVERYTHING.items() if k not in leave_out} | given
    return evaluate(normal(0), normal(1) if fake is None else fake, **arguments)


def make(e: Evaluation | None = None, **given: Any) -> Report:
    arguments: dict[str, Any] = {"real": "photos", "fake": "made", "figures": PICTURES} | given
    return Report(evaluation=evaluation() if e is None else e, **arguments)


def statistics() -> Evaluation:
    return evaluate(*(GaussianStatistics.from_features(normal(i)) for i in (0, 1)))


def without_n() -> Evaluation:
    fits = [GaussianStatistics.from_features(normal(i)) for i in (0, 1)]
    unknown = GaussianStatistics.from_moments(fits[0].mean, fits[0].cov, None)
    return evaluate(unknown, fits[1])


def zeros() -> Evaluation:
    fake = normal(1)
    fake[3] = 0
    return evaluation(fake=fake)


PARTS: dict[str, Callable[[], Evaluation]] = {
    "everything": evaluation,
    "statistics": statistics,
    "statistics without n": without_n,
    "no intervals": lambda: evaluation("confidence"),
    "no labels": lambda: evaluation("real_labels", "fake_labels"),
    "no training set": lambda: evaluation("train", "holdout"),
    "no held-out set": lambda: evaluation("holdout"),
    "no probabilities": lambda: evaluation("probabilities"),
    "nothing else": lambda: evaluation(*EVERYTHING),
    "too large k": lambda: evaluation(k=N),
    "a zero row": zeros,
}
