"""The two reports that most tests read."""

from __future__ import annotations

import pytest

from gqlib.metrics import evaluate
from gqlib.report import Material, Report
from tests.report.samples import make, normal


@pytest.fixture(scope="session")
def full() -> Report:
    return make(warnings=("fake: 3 images are JPEG files",), extractor="digits", resize="none")


@pytest.fixture(scope="session")
def bad() -> Report:
    """All four failures at once."""
    train = normal(2, 400)
    copies = train[train[:, 0] > 0.3].repeat(2, 1)[:200]
    copies[160:] = 50 + copies[160:] / 100
    e = evaluate(
        normal(0, 400),
        copies,
        train=train,
        holdout=normal(3, 400),
        real_labels=[0, 1] * 200,
        fake_labels=[0] * 200,
        confidence=0.95,
    )
    return make(e, material=Material())
