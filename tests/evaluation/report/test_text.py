"""The report on a terminal."""

from __future__ import annotations

import itertools
import re

from gqlib.evaluation.report import Report
from tests.evaluation.report.samples import make


def test_text_says_verdicts_first_then_numbers(full: Report, bad: Report) -> None:
    text = bad.text(80)
    for first, second in itertools.pairwise(
        ("[!] Mode collapse: found", "95 % interval", "Recall  ", "Copying test", "Warnings")
    ):
        assert text.index(first) < text.index(second)
    assert "400 / 200" in text
    assert "- Fake: 3 images are JPEG files." in full.text()
    tested = full.text()
    assert "photos (60 samples)" in tested


def test_table_is_a_table_where_it_fits(full: Report) -> None:
    wide = full.text(90).splitlines()
    assert any(re.match(r"Recall +0\.\d+ +0\.\d+ to [01][.\d]* +0\.\d+ +60 / 60$", x) for x in wide)
    narrow = " ".join(full.text(30).split())
    assert re.search(r"Recall: 0\.\d+ \(95 % interval 0\.\d+ to [01][.\d]*, expected", narrow)


def test_shares_stay_on_one_line(full: Report) -> None:
    for width in range(24, 100):
        assert not any(line.lstrip().startswith("%") for line in full.text(width).splitlines())


def test_long_names_are_broken() -> None:
    text = make(real="x" * 300, warnings=("y" * 300,)).text(50)
    assert max(map(len, text.splitlines())) <= 50


def test_colour_changes_no_word(full: Report) -> None:
    coloured = full.text(80, colour=True)
    assert "\x1b[1m" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == full.text(80)
