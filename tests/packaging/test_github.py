"""What GitHub reads: workflows, forms for issues, and the pages that it links."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.packaging.tree import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(
    path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml"
)
PAGES = ("SECURITY.md", "CODE_OF_CONDUCT.md", "RELEASING.md", "CONTRIBUTING.md", "THIRD_PARTY.md")
#: Targets that a page may name, and that a reader finds by `make help`.
TARGETS = set(
    re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
)


class Loader(yaml.SafeLoader):
    """Without YAML 1.1's booleans, which turn the key `on` into True, and without double keys."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"a key is given twice: {keys}"
        return super().construct_mapping(node, deep)


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if not tag.endswith(":bool")]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path: Path) -> dict[str, Any]:
    loaded = yaml.load(path.read_text(encoding="utf-8"), Loader)
    assert isinstance(loaded, dict)
    return loaded


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def commands(workflow: dict[str, Any]) -> list[str]:
    return [step["run"] for step in steps(workflow) if "run" in step]


def test_the_reader_keeps_on_and_refuses_double_keys(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text("on: push\n", encoding="utf-8")
    assert read(path) == {"on": "push"}
    path.write_text("a: 1\na: 2\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="given twice"):
        read(path)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_s_structure(path: Path) -> None:
    workflow = read(path)
    assert workflow.keys() - {"env"} == {"name", "on", "permissions", "concurrency", "jobs"}
    assert workflow["permissions"] == {"contents": "read"}
    assert {"push", "pull_request"} <= workflow["on"].keys()
    assert workflow["on"]["push"] == {"branches": ["main"]}
    assert workflow["concurrency"]["cancel-in-progress"] == "true"
    for job in workflow["jobs"].values():
        assert 1 <= job["timeout-minutes"] <= 90
        assert "permissions" not in job
        first, second, *_ = job["steps"]
        assert first["uses"].startswith("actions/checkout@")
        assert second["uses"].startswith("actions/setup-python@")
        if "strategy" in job:
            assert job["strategy"]["fail-fast"] == "false"
            (values,) = job["strategy"]["matrix"]
            assert f"${{{{ matrix.{values} }}}}" in str(job)
        else:
            assert "${{ matrix." not in str(job)
    for step in steps(workflow):
        assert ("uses" in step) != ("run" in step)
        # A branch could change under us; every minor version by hand would be a chore.
        assert "uses" not in step or re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])


def test_the_same_action_has_the_same_version_everywhere() -> None:
    used = {step["uses"] for path in WORKFLOWS for step in steps(read(path)) if "uses" in step}
    names = [name.partition("@")[0] for name in used]
    assert len(names) == len(set(names)), used


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_make_command_of_a_workflow_exists(path: Path) -> None:
    called = [run.split() for run in commands(read(path)) if "make" in run.split()]
    # The target alone: what it is given would have to be tested, too.
    assert all(len(words) == 2 for words in called), called
    assert {target for _, target in called} <= TARGETS


def test_every_job_of_the_plan_is_there() -> None:
    by_name = {path.stem: read(path) for path in WORKFLOWS}
    made = {run for workflow in by_name.values() for run in commands(workflow)}
    wanted = {"lint", "test", "peers", "test-oldest", "test-colab"}
    assert {f"make {name}" for name in wanted} <= made
    matrix = by_name["tests"]["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
    matrix = by_name["systems"]["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["system"] == ["windows-latest", "macos-latest"]


def test_the_other_systems_leave_out_folders_and_marks_that_exist() -> None:
    (tests,) = [
        run for run in commands(read(GITHUB / "workflows" / "systems.yml")) if "pytest" in run
    ]
    ignored = re.findall(r"--ignore=(\S+)", tests)
    assert {"tests/browser", "tests/grading"} <= set(ignored)
    assert all((ROOT / folder).is_dir() for folder in ignored)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for mark in re.findall(r"not (\w+)", tests):
        assert f'"{mark}: ' in project


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_s_structure(path: Path) -> None:
    form = read(path)
    assert form.keys() == {"name", "description", "labels", "body"}
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids))
    for field in form["body"]:
        assert field["type"] in {"input", "textarea", "dropdown"}
        assert field["attributes"]["label"]
        assert ("options" in field["attributes"]) == (field["type"] == "dropdown")
        options = field["attributes"].get("options", [])
        assert len(options) == len(set(options))
        assert field["validations"] == {"required": "true"}


def test_forms_and_where_else_to_go() -> None:
    assert [path.stem for path in FORMS] == ["bug_report", "lesson", "wrong_metric"]
    names = [read(path)["name"] for path in FORMS]
    assert len(names) == len(set(names))
    config = read(GITHUB / "ISSUE_TEMPLATE" / "config.yml")
    (link,) = config["contact_links"]
    assert link.keys() == {"name", "url", "about"}
    assert link["url"] in (ROOT / "SECURITY.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_links_of_pages(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for link, anchor in re.findall(r"\]\((?!https?:)([^)#]+)(#[^)]+)?\)", text):
        assert (ROOT / link).exists(), link
        if anchor:
            assert anchor in anchors((ROOT / link).read_text(encoding="utf-8"))


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {"#" + re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", [*(ROOT / name for name in PAGES), *GITHUB.rglob("*.*")])
def test_commands_and_addresses_of_pages(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z-]+)", text))
    assert named <= TARGETS, sorted(named - TARGETS)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (repository,) = re.findall(r'^repository = "(\S+)"$', project, re.MULTILINE)
    for address in re.findall(r"https://github\.com/[\w.-]+/[\w.-]+", text):
        assert address in {repository, "https://github.com/containers/bubblewrap"}
