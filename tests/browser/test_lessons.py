"""A student's way through a lesson: open it, fail Validate, answer, run everything, pass Validate.

Pictures of each station are left in ``artefacts/``.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import Lab, Lesson, answers, fill, grade_ids

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@dataclasses.dataclass(frozen=True)
class Case:
    """A lesson, the exercise that is typed in its page, and whether it has a slider."""

    name: str
    typed: str
    slider: bool = False

    def __str__(self) -> str:
        return self.name[:2]


CASES = [
    Case("00_start_here", typed="mean_image", slider=True),
    Case("01_four_failures", typed="assign_modes", slider=True),
    Case("02_error_measures", typed="mse", slider=True),
    Case("03_autoregressive", typed="bits_per_dim"),
    Case("04_vae_theory", typed="kl_to_standard_normal", slider=True),
    Case("05_vae_training", typed="iwae_bound", slider=True),
    Case("06_gan_theory", typed="generator_loss", slider=True),
    Case("07_gan_training", typed="class_histogram", slider=True),
    Case("08_inception_score", typed="marginal", slider=True),
    Case("09_frechet_distance", typed="frechet_1d", slider=True),
    Case("10_fidelity_and_diversity", typed="expected_coverage", slider=True),
    Case("11_memorisation", typed="likelihood_gap", slider=True),
]


#: Validate runs a lesson again, as the tests of grading do: in `make test` for these only.
VALIDATED = {"00", "06"}
validated = pytest.mark.parametrize(
    "case",
    [c if str(c) in VALIDATED else pytest.param(c, marks=pytest.mark.whole) for c in CASES],
    ids=str,
    indirect=True,
)


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    chosen: Case = request.param
    return chosen


@pytest.fixture(scope="module")
def worked(case: Case, lab: Lab) -> Iterator[Lesson]:
    """A copy of the lesson with all its answers, one of them typed in the page; run and saved."""
    given = answers(case.name)
    typed = given.pop(case.typed)
    path = _copy(lab, case.name, "answered")
    fill(path, given)
    lesson = lab.open(path)
    try:
        lesson.write(grade_ids(lesson.saved())[case.typed], typed)
        lesson.shoot(f"{case}-typed")
        lesson.run_all()
        lesson.save()
        yield lesson
    finally:
        lesson.close()  # or a kernel that never came to its end would slow all other tests


@validated
def test_a_blank_lesson_opens_quietly_and_fails_validate(case: Case, lab: Lab) -> None:
    lesson = lab.open(_copy(lab, case.name, "blank"))
    lesson.shoot(f"{case}-opened")
    said = lesson.validate()
    lesson.shoot(f"{case}-blank-validated")
    assert "The following cell failed" in said
    assert "NotImplementedError" in said
    lesson.dismiss()
    # Nothing was announced, and nothing fetched from elsewhere but the title's badge.
    assert lesson.page.locator(".Toastify__toast").count() == 0
    elsewhere = [u for u in lesson.requests if not u.startswith((lab.address, "data:", "blob:"))]
    assert [url for url in elsewhere if not url.endswith("/colab-badge.svg")] == []
    lesson.close()


def test_the_typed_answer_is_saved_as_typed(case: Case, worked: Lesson) -> None:
    cell = worked.saved()["cells"][grade_ids(worked.saved())[case.typed]]
    assert "".join(cell["source"]) == answers(case.name)[case.typed]


def test_all_cells_run_without_an_error(worked: Lesson) -> None:
    cells = [cell for cell in worked.saved()["cells"] if cell["cell_type"] == "code"]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert [o["traceback"] for o in outputs if o["output_type"] == "error"] == []
    assert [o["text"] for o in outputs if o.get("name") == "stderr"] == []
    assert all(cell["execution_count"] for cell in cells)
    # Nor did a figure have to fall back on the course's own function.
    assert [o["text"] for o in outputs if "".join(o.get("text", "")).startswith("Note: ")] == []


def test_every_figure_is_shown_and_has_a_text(case: Case, worked: Lesson) -> None:
    cells = worked.saved()["cells"]
    with_figures = [
        number
        for number, cell in enumerate(cells)
        if any("<img" in _data(output, "text/html") for output in cell.get("outputs", []))
    ]
    assert len(with_figures) >= 3
    for number in with_figures:
        pictures = worked.show_output(number)
        worked.shoot(f"{case}-figure-{number}")
        if not any(map(_is_widget, cells[number]["outputs"])):
            texts = [picture.get_attribute("alt") or "" for picture in pictures.all()]
            assert min(map(len, texts)) > 20, f"cell {number} has figures with the texts {texts}"


def test_a_slider_redraws_its_picture(case: Case, worked: Lesson) -> None:
    cells = worked.saved()["cells"]
    sliders = [n for n, cell in enumerate(cells) if any(map(_is_widget, cell.get("outputs", [])))]
    assert bool(sliders) == case.slider
    for number in sliders:
        picture = worked.show_output(number).first
        source, before = picture.get_attribute("src"), picture.screenshot()
        worked.cell(number).locator(".noUi-handle").focus()
        worked.page.keyboard.press("ArrowRight")
        worked.page.wait_for_function(
            "([image, source]) => image.src !== source && image.complete",
            arg=[picture.element_handle(), source],
        )
        worked.show_output(number)
        worked.shoot(f"{case}-slider-{number}")
        assert picture.screenshot() != before


@validated
def test_the_answered_lesson_passes_validate(case: Case, worked: Lesson) -> None:
    said = worked.validate()
    worked.shoot(f"{case}-answered-validated")
    assert "Success! Your notebook passes all the tests." in said
    worked.dismiss()


def test_nothing_else_was_said(worked: Lesson, lab: Lab) -> None:
    assert worked.errors == []
    # The terminal that a student started this from has nothing else to say.
    printed = lab.log.read_text(encoding="utf-8").splitlines()
    assert [line for line in printed if not line.startswith("JupyterLab is starting")] == []


def _copy(lab: Lab, name: str, folder: str) -> Path:
    """A copy of a lesson in its own folder, so that no test sees the work of another."""
    target = lab.course / folder / name / f"{name}.ipynb"
    target.parent.mkdir(parents=True)
    shutil.copy(lab.course / "lessons" / name / target.name, target)
    return target


def _data(output: dict[str, Any], kind: str) -> str:
    return "".join(output.get("data", {}).get(kind, ""))


def _is_widget(output: dict[str, Any]) -> bool:
    return "application/vnd.jupyter.widget-view+json" in output.get("data", {})
