"""The README's example prints what it says, and its links and commands are right."""

from __future__ import annotations

import csv
import os
import re
import shutil
import sys
from base64 import b64encode
from pathlib import Path

import nbformat
import pytest

from gqlib.grading.preprocessors import publication
from tests.packaging.tree import OFFLINE, ROOT, base_environment, copy_tree, git_repository, run

README = (ROOT / "README.md").read_text(encoding="utf-8")
REPOSITORY, REF = publication(ROOT / "pyproject.toml")
LESSON = "02_error_measures"
#: For the commands that commit, on a machine where git knows nobody.
AUTHOR = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "test"), ("EMAIL", "test@example.org"))
}


def shell(first: str) -> str:
    """The README's block of shell lines that starts with ``first``, without its indentation."""
    found = re.findall(rf"```sh\n( *{first}.*?)```", README, re.DOTALL)
    assert len(found) == 1, f"{len(found)} blocks start with {first}"
    return "\n".join(line.strip() for line in found[0].splitlines())


@pytest.mark.slow
def test_example_prints_what_it_says(tmp_path: Path) -> None:
    match = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", README, re.DOTALL)
    assert match
    assert run(sys.executable, "-c", match[1], cwd=tmp_path) == match[2]


@pytest.mark.slow
def test_evaluate_finds_what_the_picture_shows(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    cache = str(tmp_path / "cache")
    printed = run("sh", "-ec", shell("python -c"), cwd=tmp_path, PATH=path, GQLIB_CACHE=cache)
    for line in (
        "[!] Mode collapse: found",
        "[ ] Noise and artifacts: not found",
        "[-] Memorisation: not tested",
        "[ ] Bias: not found",
    ):
        assert line in printed
    assert (tmp_path / "report.html").stat().st_size > 100_000


def test_every_lesson_has_its_badge() -> None:
    owner = REPOSITORY.removeprefix("https://github.com/")
    linked = re.findall(r"colab\.research\.google\.com/github/(\S+?)\)", README)
    lessons = sorted((ROOT / "lessons").glob("*/*.ipynb"))
    wanted = [
        f"{owner}/blob/{REF}/{path.relative_to(ROOT).as_posix()}"
        for path in lessons
        if path.stem == path.parent.name  # not a reader's own copies
    ]
    assert linked == wanted


def test_every_address_of_the_repository_follows_the_setting() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    for text in (README, project, citation):
        addresses = re.findall(r"https://github\.com/[\w.-]+/[\w.-]+", text)
        assert addresses
        assert set(addresses) == {REPOSITORY}
    assert f"git+{REPOSITORY}@{REF}\n" in README


def test_two_commands_and_a_picture_come_first() -> None:
    assert README.index("make lab") < README.index("make test") < README.index("![Lesson")
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_every_make_command_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE))
    assert {"lab", "test", "lessons", "notebooks", "grade-demo"} <= named
    for name in named:
        assert re.search(f"^{name}:.*##", makefile, re.MULTILINE), name


@pytest.mark.slow
@pytest.mark.nbgrader
def test_commands_of_an_instructor(tmp_path: Path) -> None:
    """Release, autograde, feedback, export, with one student who hands in the empty lesson."""
    course = copy_tree(tmp_path)
    demo, generate, *rest = shell("make grade-demo").splitlines()
    assert demo.startswith("make grade-demo")  # tested in tests/grading
    assert len(rest) == 3
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    run("sh", "-ec", generate, cwd=course, PATH=path)
    shutil.copytree(course / "lessons" / LESSON, course / "submitted" / "alice" / LESSON)
    run("sh", "-ec", "\n".join(rest), cwd=course, PATH=path)
    assert (course / "feedback" / "alice" / LESSON / f"{LESSON}.html").exists()
    with (course / "grades.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["student_id"], float(row["score"]), float(row["max_score"])) == ("alice", 0, 20)


def test_commands_that_keep_solutions_private(tmp_path: Path) -> None:
    """The README's shell lines, with a local clone in place of the published one."""
    (tmp_path / "origin").mkdir()
    origin = git_repository(copy_tree(tmp_path / "origin"))
    clone = shell("git clone").replace(REPOSITORY, str(origin))
    publish = shell(r"mkdir -p \.\./students")
    script = f"{clone}\n{publish}\necho again > new.txt; git add new.txt; git commit -qm more\n"
    run("sh", "-ec", script + publish, cwd=tmp_path, **AUTHOR)
    students = tmp_path / "students"
    listed = run("git", "ls-files", cwd=students).splitlines()
    assert {
        f"lessons/{LESSON}/{LESSON}.ipynb",
        "gqlib/course/checks.py",
        "Makefile",
        "new.txt",
    } <= {*listed}
    assert not [name for name in listed if name.startswith(("solutions/", "tests/"))]
    assert "BEGIN SOLUTION" not in "".join(
        path.read_text(encoding="utf-8") for path in students.rglob("*.ipynb")
    )
    assert run("git", "branch", "--show-current", cwd=students).strip() == REF


@pytest.mark.slow
def test_installing_again_repairs(tmp_path: Path) -> None:
    """Both of the ways that the README names bring a missing file back."""
    (tmp_path / "origin").mkdir()
    origin = git_repository(copy_tree(tmp_path / "origin"))
    weights = Path("gqlib", "features", "digits.npz")
    intact = (origin / weights).read_bytes()

    (origin / weights).unlink()
    assert "`git restore gqlib` brings the file back" in " ".join(README.split())
    run("git", "restore", "gqlib", cwd=origin)
    assert (origin / weights).read_bytes() == intact

    python = base_environment(tmp_path)
    again = shell("pip install --force-reinstall").replace(REPOSITORY, f"file://{origin}")
    pip = f"{python} -m {again}"
    run("sh", "-ec", pip, cwd=tmp_path, **OFFLINE)
    program = "import gqlib.features.digits as d; print(d.WEIGHTS)"
    installed = Path(run(python, "-I", "-c", program, cwd=tmp_path).strip())
    assert installed.is_relative_to(tmp_path)  # never the working tree's own file
    installed.unlink()
    run("sh", "-ec", pip, cwd=tmp_path, **OFFLINE)
    assert installed.read_bytes() == intact


def test_table_and_picture_of_generators_are_those_of_the_lesson() -> None:
    """After a change, copy both from the outputs of lesson 11 again."""
    path = ROOT / "solutions" / "11_memorisation" / "11_memorisation.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    text = (ROOT / "docs" / "generators.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"```\n(.*?)\n```", text, re.DOTALL)
    assert table in [output.get("text", "").rstrip() for output in outputs]
    picture = b64encode((ROOT / "docs" / "generators.png").read_bytes()).decode()
    assert any(picture in output.get("data", {}).get("text/html", "") for output in outputs)
