"""A student's way through a lesson: open it, fail Validate, answer, run everything, pass Validate."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.lab import ARTEFACTS, Lab, Lesson, answers, fill, grade_ids

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@dataclasses.dataclass(frozen=True)
class Case:
    """A lesson, the exercise that is typed in the page, and the name of a slider in it if any."""

    name: str
    typed: str
    slider: str | None = None

    def __str__(self) -> str:
        return self.name[:2]


CASES = [
    Case("02_error_measures", typed="mse", slider="distance of the modes"),
]


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(scope="module")
def worked(case: Case, lab: Lab) -> Iterator[Lesson]:
    """A copy of the lesson with all its answers, one of them typed in the page, and run."""
    path = _copy(lab, case.name, "answered")
    given = answers(case.name)
    typed = given.pop(case.typed)
    fill(path, given)
    lesson = lab.open(path)
    number = grade_ids(lesson.saved())[case.typed]
    lesson.write(number, typed)
    lesson.shoot(f"{case}-typed")
    lesson.run_all()
    yield lesson
    lesson.close()


def test_a_blank_lesson_opens_and_fails_validate(case: Case, lab: Lab) -> None:
    lesson = lab.open(_copy(lab, case.name, "blank"))
    lesson.shoot(f"{case}-opened")
    said = lesson.validate()
    lesson.shoot(f"{case}-blank-validated")
    assert "The following cell failed" in said
    assert "NotImplementedError" in said
    lesson.close()


def test_all_cells_run_and_every_figure_has_a_text(case: Case, worked: Lesson) -> None:
    worked.save()
    cells = [cell for cell in worked.saved()["cells"] if cell["cell_type"] == "code"]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert [o["evalue"] for o in outputs if o["output_type"] == "error"] == []
    assert ["".join(o["text"]) for o in outputs if o.get("name") == "stderr"] == []
    assert all(cell["execution_count"] for cell in cells)
    # No figure fell back to the course's own function.
    assert not [o for o in outputs if "".join(o.get("text", "")).startswith("Note: ")]
    figures = 0
    for number, cell in enumerate(worked.saved()["cells"]):
        made = [o for o in cell.get("outputs", []) if "<img" in _html(o)]
        if made:
            images = worked.cell(number).locator(".jp-OutputArea img")
            images.first.wait_for()
            worked.shoot(f"{case}-figure-{number}")
            figures += len(made)
            if not any(_is_widget(o) for o in made):
                for image in images.all():
                    assert len(image.get_attribute("alt") or "") > 20
                    assert image.evaluate("image => image.complete && image.naturalWidth > 0")
    assert figures >= 3


def test_a_slider_redraws_its_picture(case: Case, worked: Lesson) -> None:
    if case.slider is None:
        pytest.skip("this lesson has no slider")
    number = next(
        number
        for number, cell in enumerate(worked.saved()["cells"])
        if any(map(_is_widget, cell.get("outputs", []))) and case.slider in "".join(cell["source"])
    )
    cell = worked.cell(number)
    picture = cell.locator(".jp-OutputArea .widget-image, .jp-OutputArea .jupyter-widgets img")
    picture.first.wait_for()
    shown = cell.locator(".widget-readout").inner_text()
    before = _pixels(worked, picture.first)
    handle = cell.locator(".noUi-handle")
    handle.focus()
    worked.page.keyboard.press("ArrowRight")
    readout = cell.locator(".widget-readout")
    readout.filter(has_not_text=shown).wait_for()
    worked.page.wait_for_function(
        "([image, before]) => image.complete && image.src !== before",
        arg=[picture.first.element_handle(), before],
    )
    worked.shoot(f"{case}-slider")


def test_the_answered_lesson_passes_validate(case: Case, worked: Lesson) -> None:
    said = worked.validate()
    worked.shoot(f"{case}-answered-validated")
    assert "Success! Your notebook passes all the tests." in said
    worked.page.get_by_role("button", name="Ok").click()
    # The page asked this machine for everything but the badge, and no script stopped.
    assert worked.errors == []


def _copy(lab: Lab, name: str, suffix: str) -> Path:
    """A copy of a lesson in a folder of its own, so that no test sees the work of another."""
    target = lab.course / suffix / name / f"{name}.ipynb"
    target.parent.mkdir(parents=True)
    shutil.copy(lab.course / "lessons" / name / target.name, target)
    return target


def _html(output: dict) -> str:
    return "".join(output.get("data", {}).get("text/html", ""))


def _is_widget(output: dict) -> bool:
    return "application/vnd.jupyter.widget-view+json" in output.get("data", {})


def _pixels(lesson: Lesson, picture) -> str:
    return picture.get_attribute("src")
