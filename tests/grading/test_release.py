"""One source, no drift: lessons/ is generated from solutions/, and gives nothing away."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from gqlib.grading import authoring, hidden
from gqlib.grading.classroom import course_copy, nbgrader
from gqlib.grading.preprocessors import publication
from gqlib.grading.release import generate

ROOT = Path(__file__).resolve().parents[2]
SOLUTIONS = sorted((ROOT / "solutions").glob("*/*.ipynb"))
each_solution = pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)


def released(path: Path) -> Path:
    return ROOT / "lessons" / path.parent.name / path.name


@pytest.mark.nbgrader
def test_lessons_are_generated_byte_for_byte(tmp_path: Path) -> None:
    made = generate(ROOT, tmp_path)
    assert [path.name for path in made] == [path.name for path in SOLUTIONS]
    for path in made:
        assert path.read_bytes() == released(path).read_bytes(), f"{path.name}: run `make lessons`"
    kept = sorted(p.relative_to(ROOT / "lessons") for p in (ROOT / "lessons").rglob("*.ipynb"))
    assert kept == sorted(path.relative_to(tmp_path) for path in made)


@each_solution
def test_no_answer_hidden_test_or_mark_scheme_is_left(path: Path) -> None:
    lesson = released(path).read_text(encoding="utf-8")
    assert not re.search("(BEGIN|END) (SOLUTION|HIDDEN|MARK)", lesson)
    text = "\n".join(c.source for c in nbformat.read(released(path), as_version=4).cells)
    squeezed = "".join(text.split())
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.metadata.get("nbgrader", {}).get("grade_id") == "written":
            for sentence in re.findall(r"[^.]{40,}\.", cell.source):
                assert "".join(sentence.split()) not in squeezed
        visible, secret = hidden.split(cell.source)
        for line in hidden.fragments(secret, text):
            assert "".join(line.split()) not in squeezed, line
        answer = re.search("BEGIN SOLUTION\n(.*?)### END SOLUTION", visible, re.DOTALL)
        if answer and cell.cell_type == "code":
            assert "".join(answer[1].split()) not in squeezed
    assert not [c for c in nbformat.read(released(path), as_version=4).cells if c.get("outputs")]


@each_solution
def test_solution_is_in_its_normal_form(path: Path) -> None:
    nb = nbformat.read(path, as_version=4)
    before = nbformat.writes(nb)
    authoring.complete_metadata(nb)
    authoring.strip(nb)
    authoring.check(nb, path)
    assert nbformat.writes(nb) == before, f"{path.name}: run `make notebooks`"
    assert all(c.outputs or c.source for c in nb.cells if c.cell_type == "code")


@each_solution
def test_anatomy(path: Path) -> None:
    """Title and set-up, 18 automatic and 2 written points, hints, questions, checked outputs."""
    cells = nbformat.read(path, as_version=4).cells
    assert "title" in cells[0].metadata.tags
    assert "set-up" in cells[1].metadata.tags
    graded = [c.metadata.nbgrader for c in cells if c.metadata.get("nbgrader", {}).get("grade")]
    assert sum(g.points for g in graded if not g.solution) == 18
    assert [g.points for g in graded if g.solution] == [2]
    exercises = [c for c in cells if c.metadata.get("nbgrader", {}).get("solution")][:-1]
    text = "\n".join(c.source for c in cells)
    assert text.count("<summary>Hint 1") >= len(exercises)
    assert text.count("<summary>Hint 2") >= len(exercises)
    assert text.count("NBVAL_CHECK_OUTPUT") >= 5
    assert "**Think" in text
    assert "GPU" in text
    assert re.findall(r"<details>", text) == ["<details>"] * text.count("</details>")


@each_solution
def test_every_figure_has_alternative_text(path: Path) -> None:
    outputs = [o for c in nbformat.read(path, as_version=4).cells for o in c.get("outputs", [])]
    pages = [o.data.get("text/html", "") for o in outputs if "data" in o]
    figures = [page for page in pages if "<img" in page]
    assert figures
    for page in figures:
        alt = re.match('<img alt="([^"]*)"', page)
        assert alt, page[:80]
        assert len(alt[1]) > 30
    assert not [o for o in outputs if "image/png" in o.get("data", {})]


@pytest.mark.nbgrader
def test_badge_and_set_up_follow_one_setting(tmp_path: Path) -> None:
    course_copy(ROOT, tmp_path, ["02_error_measures"])
    pyproject = tmp_path / "pyproject.toml"
    repository, ref = publication(pyproject)
    text = pyproject.read_text(encoding="utf-8")
    text = text.replace(f'ref = "{ref}"', 'ref = "v9.9"')
    text = text.replace(f'\nrepository = "{repository}"', '\nrepository = "https://github.com/a/b"')
    pyproject.write_text(text, encoding="utf-8")
    nbgrader(tmp_path, "generate_assignment", "02_error_measures")
    name = "02_error_measures"
    lesson = (tmp_path / "lessons" / name / f"{name}.ipynb").read_text(encoding="utf-8")
    assert f"github/a/b/blob/v9.9/lessons/{name}/{name}.ipynb" in lesson
    assert "git+https://github.com/a/b@v9.9" in lesson
    assert repository not in lesson
