"""The summary of a class, as text and as a page: the same words, and names stay text."""

from __future__ import annotations

import re
from html import unescape

import pytest

from gqlib.grading import summary
from gqlib.grading.grade import Submission

HOSTILE = '"><script>alert(1)</script>&amp;'
CLASS = [
    Submission("ada", seconds=1.26, score=18, max_score=18, fresh=True),
    Submission("bo", seconds=2, score=3.5, max_score=18, flags=["replaced math.pi", HOSTILE]),
    Submission(HOSTILE, problem=f"no notebook: {HOSTILE}"),
]


def words(page: str) -> str:
    """The text of a page, each run of white space as one space."""
    body = page[page.index("<body>") :]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_page_says_what_the_text_says() -> None:
    text = summary.as_text("02_errors", CLASS, 6.0)
    page = summary.as_page("02_errors", CLASS, 6.0)
    first = "3 submissions, 2 graded (1 of them now), 1 not; 6 s, 10 a minute"
    centre = "Points of 18 so far (written answers are graded by hand, in the formgrader): "
    for form in (" ".join(text.split()), words(page)):
        assert first in form
        assert f"{centre}median 10.75, mean 10.8" in form
        assert "Seen of tampering" in form
        assert f"replaced math.pi, {HOSTILE}" in form
        assert f"no notebook: {HOSTILE}" in form
    assert "ada 18 1.3" in words(page)
    assert "bo 3.5 2.0" in words(page)
    assert f"{HOSTILE} – 0.0 no notebook" in words(page)


def test_page_is_one_file_in_which_names_stay_text() -> None:
    page = summary.as_page(HOSTILE, CLASS, 1.0)
    assert page.startswith("<!doctype html>")
    assert "<script" not in page
    assert "tr.problem" in page, "its style"
    assert not re.search(r"url\(|@import|<link|\ssrc=", page)
    assert re.findall(r'<tr class="(\w*)">', page) == ["", "seen", "problem"]


def test_bars_are_as_long_as_their_counts() -> None:
    some = [Submission(f"s{i}", score=points, max_score=10) for i, points in enumerate([1, 1, 9])]
    page = summary.as_page("x", some, 1.0)
    bars = re.findall(r'<b>([^<]+)</b><div style="width:([\d.]+)%"><span>(\d+)</span>', page)
    assert [bar for bar in bars if bar[2] != "0"] == [("1–2", "85.0", "2"), ("9–10", "42.5", "1")]


@pytest.mark.parametrize("students", [[], [Submission("x", problem="none")]])
def test_nobody_graded_has_no_points(students: list[Submission]) -> None:
    assert "<h2>Points</h2>" not in summary.as_page("x", students, 0.0)
    assert "median" not in summary.as_text("x", students, 0.0)
