"""The two reports that most tests read."""

from __future__ import annotations

import pytest
import torch

from gqlib.evaluation.report import Report, ReportFigures
from gqlib.metrics import evaluate
from tests.evaluation.report.samples import make, normal


@pytest.fixture(scope="session")
def full() -> Report:
    return make(warnings=("fake: 3 images are JPEG files",), extractor="digits", resize="none")


@pytest.fixture(scope="session")
def bad() -> Report:
    """All four failures at once."""
    train = normal(2, 800)
    copies = train[train[:, 0] > 0.5][:160]
    fake = torch.cat([copies, 50 + normal(4, 40)])
    e = evaluate(
        normal(0, 400),
        fake,
        train=train,
        holdout=normal(3, 400),
        real_labels=[0, 1] * 200,
        fake_labels=[0] * 160 + [1] * 40,
        confidence=0.95,
    )
    return make(e, figures=ReportFigures())
