"""Numbers and names as they are shown."""

from __future__ import annotations

import math

import pytest

from gqlib.evaluation.report import _numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (1, "1.00"),
        (0.12345, "0.123"),
        (0.0012345, "0.00123"),
        (-0.000012345, "-1.2e-5"),
        (12.345, "12.3"),
        (999.6, "1,000"),
        (12345.6, "12,346"),
        (1.5e9, "1.5e9"),
        (math.inf, "infinite"),
        (-math.inf, "-infinite"),
        (math.nan, "unknown"),
    ],
)
def test_numbers_have_sensible_digits(value: float, text: str) -> None:
    assert _numbers.number(value) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.43, "43 %"),
        (0.043, "4.3 %"),
        (0.05, "5 %"),
        (0.9996, "99.9 %"),
        (0.0001, "below 0.1 %"),
        (1.5, "150 %"),
        (math.nan, "unknown"),
    ],
)
def test_shares_never_round_to_none_or_all(share: float, text: str) -> None:
    assert _numbers.percent(share) == text


def test_signs_of_print() -> None:
    assert _numbers.signs("-1.2e-5") == "−1.2 × 10⁻⁵"
    assert _numbers.signs("1.5e9") == "1.5 × 10⁹"
    assert _numbers.signs("infinite") == "infinite"


def test_names_are_shown_on_one_line() -> None:
    assert _numbers.shown("a\nb\x1b[31m\u202e\udcff é") == r"a\nb\x1b[31m\u202e\udcff é"
