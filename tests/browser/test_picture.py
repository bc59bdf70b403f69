"""The picture in the README: lesson 02 in JupyterLab, an exercise above and a figure below."""

from __future__ import annotations

import shutil

import pytest

from tests.browser.lab import ARTEFACTS, Lab, grade_ids

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NAME = "02_error_measures"


def test_the_picture_for_the_readme(lab: Lab) -> None:
    """Take it, into ``artefacts/lesson.png``.

    To renew the README's picture, run ``make test TEST_FLAGS="-k picture_for_the_readme"``, look at
    ``artefacts/lesson.png``, and copy it to ``docs/lesson.png``.
    """
    path = lab.course / "picture" / f"{NAME}.ipynb"
    path.parent.mkdir()
    shutil.copy(lab.course / "lessons" / NAME / path.name, path)
    lesson = lab.open(path, height=846)
    cells = lesson.saved()["cells"]
    numbers = grade_ids(lesson.saved())
    looks = [n for n, cell in enumerate(cells) if "plots.show(" in "".join(cell["source"])]
    before = [n for n in looks if n < numbers["psnr"]]
    figure = next(n for n in looks if n > numbers["psnr"])
    tests = [n for name, n in numbers.items() if name.startswith("test_psnr")]

    lesson.command("application:toggle-left-area")
    for number in sorted((numbers["set-up"], numbers["mse"], *before, numbers["psnr"], figure)):
        lesson.run(number)
    for number in (*tests, figure):
        lesson.collapse(number)
    lesson.save()
    lesson.show_output(figure)
    # The sentence above the exercise comes first.
    lesson.cell(numbers["psnr"]).evaluate("cell => cell.previousElementSibling.scrollIntoView()")
    lesson.shoot("lesson")
    assert (ARTEFACTS / "lesson.png").stat().st_size < 400_000
    lesson.close()
