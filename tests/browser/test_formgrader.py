"""An instructor's formgrader, in the JupyterLab that `make lab` starts."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from gqlib.grading import classroom, feedback, submissions
from gqlib.grading.grade import grade
from tests.browser.lab import ARTEFACTS, ROOT, Lab, serve
from tests.grading import hostile_pages
from tests.grading.conftest import TINY, make_course, tiny_solution

pytestmark = [pytest.mark.browser, pytest.mark.slow]
sandboxed = pytest.mark.skipif(shutil.which("bwrap") is None, reason="there is no bubblewrap")


def test_the_formgrader_lists_the_lessons(lab: Lab, tmp_path: Path) -> None:
    course = tmp_path / "course"
    hidden = shutil.ignore_patterns(".ipynb_checkpoints")
    for name in ("lessons", "solutions"):
        shutil.copytree(ROOT / name, course / name, ignore=hidden)
    for name in ("nbgrader_config.py", "pyproject.toml"):
        shutil.copy(ROOT / name, course)
    with serve(course, tmp_path / "server.log") as address:
        page = lab.browser.new_page()
        page.goto(f"{address}/formgrader/manage_assignments")
        names = page.locator("#main-table td.name a")
        names.first.wait_for()
        listed = names.all_inner_texts()
        page.close()
    assert listed == sorted(folder.name for folder in (course / "solutions").iterdir())


@sandboxed
def test_written_answers_are_graded_by_hand(lab: Lab, tmp_path: Path) -> None:
    """Points and a comment typed in the formgrader count, survive a regrade, and are shown."""
    lesson = "02_error_measures"
    nb = classroom.open_course(ROOT, tmp_path, lesson)
    solution = nbformat.read(ROOT / "solutions" / lesson / f"{lesson}.ipynb", as_version=4)
    classroom.hand_in(
        tmp_path, lesson, "ada", submissions.filled(nb, submissions.answers_of(solution))
    )
    (graded,) = grade(tmp_path, lesson)
    assert (graded.score, graded.max_score) == (18, 20)
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as gradebook:
        name = gradebook.find_submission_notebook(lesson, lesson, "ada").id
    with serve(tmp_path, tmp_path / "server.log") as address:
        page = lab.browser.new_page()
        page.goto(f"{address}/formgrader/submissions/{name}/")
        points, comment = page.locator("input#written"), page.locator("textarea#written-comment")
        points.fill("1.5")
        comment.fill("Which way round is the KL?")
        with page.expect_response(lambda reply: "/api/comment/" in reply.url and reply.ok):
            comment.blur()
        points.scroll_into_view_if_needed()
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=ARTEFACTS / "formgrader-written.png")
        page.close()
    (again,) = grade(tmp_path, lesson, force=True)
    assert again.score == 19.5
    assert feedback.write_pages(tmp_path, lesson, ["ada"]) == {}
    shown = (tmp_path / "feedback" / "ada" / lesson / f"{lesson}.html").read_text(encoding="utf-8")
    assert "Which way round is the KL?" in shown
    assert "(Score: 19.5 / 20.0)" in shown


@sandboxed
def test_a_hostile_notebook_does_nothing_to_who_opens_it(lab: Lab, tmp_path: Path) -> None:
    course = make_course(tmp_path, tiny_solution())
    lesson = nbformat.read(course / "lessons" / TINY / f"{TINY}.ipynb", as_version=4)
    nb = submissions.filled(lesson, {"double": hostile_pages.answer()})
    hostile_pages.spoil(nb)
    classroom.hand_in(course, TINY, "mallory", nb)
    (graded,) = grade(course, TINY)
    assert graded.score == 3
    feedback = classroom.feedback(course, TINY)["mallory"]
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        name = gradebook.find_submission_notebook(TINY, TINY, "mallory").id
    with serve(course, tmp_path / "server.log") as address:
        for url in (feedback.as_uri(), f"{address}/formgrader/submissions/{name}/"):
            page = lab.browser.new_page()
            page.goto(url)
            page.get_by_text("A formula").wait_for()
            links = page.eval_on_selector_all(
                "#notebook a", "links => links.map((a) => a.protocol)"
            )
            assert not set(links) & {"javascript:", "data:"}
            page.wait_for_timeout(1000)
            assert page.evaluate("window.hits ?? []") == []
            assert page.get_by_text("shown").count() == 1
            page.close()
