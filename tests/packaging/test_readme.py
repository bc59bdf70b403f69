"""The README's example prints what it says, and its links and commands are right."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from gqlib.grading.preprocessors import publication
from tests.packaging.tree import ROOT, copy_tree, git_repository, run

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_example_prints_what_it_says(tmp_path: Path) -> None:
    match = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", README, re.DOTALL)
    assert match
    assert run(sys.executable, "-c", match[1], cwd=tmp_path) == match[2]


def test_every_lesson_has_its_badge() -> None:
    repository, ref = publication(ROOT / "pyproject.toml")
    owner = repository.removeprefix("https://github.com/")
    linked = re.findall(r"colab\.research\.google\.com/github/(\S+?)\)", README)
    lessons = sorted((ROOT / "lessons").glob("*/*.ipynb"))
    wanted = [f"{owner}/blob/{ref}/{path.relative_to(ROOT).as_posix()}" for path in lessons]
    assert linked == wanted


def test_two_commands_and_a_picture_come_first() -> None:
    assert README.index("make lab") < README.index("make test") < README.index("![Lesson")
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_commands_that_keep_solutions_private(tmp_path: Path) -> None:
    """The README's shell lines, with a local clone in place of the published one."""
    (tmp_path / "origin").mkdir()
    origin = git_repository(copy_tree(tmp_path / "origin"))
    block = re.search(r"```sh\n(  git clone.*?)```", README, re.DOTALL)
    assert block
    repository, _ = publication(ROOT / "pyproject.toml")
    script = block[1].replace(repository, str(origin))
    author = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org"}
    committer = {k.replace("AUTHOR", "COMMITTER"): v for k, v in author.items()}
    run("sh", "-ec", script, cwd=tmp_path, **author, **committer)
    students = tmp_path / "students"
    assert (students / "lessons").is_dir()
    assert (students / "gqlib" / "checks.py").exists()
    assert not (students / "solutions").exists()
    assert "BEGIN SOLUTION" not in "".join(
        path.read_text(encoding="utf-8") for path in students.rglob("*.ipynb")
    )
