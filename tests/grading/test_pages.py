"""What a hostile notebook puts into a page does nothing; what an honest one shows is shown."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbconvert.exporters import HTMLExporter
from nbformat import v4
from nbgrader.converters import GenerateFeedback
from traitlets.config import Config

from gqlib.grading import pages
from tests.grading import hostile_pages

ROOT = Path(__file__).resolve().parents[2]
#: Tags that templates of pages themselves have.
_TEMPLATE = {"html", "head", "body", "title", "meta", "style", "script", "link"}


def page(nb: nbformat.NotebookNode, template: str, safe: bool = True) -> str:
    """As the formgrader ("formgrade") or the feedback make it."""
    config = Config()
    if safe:
        pages.use(config)
    theirs = GenerateFeedback().config.HTMLExporter  # where nbgrader's versions keep what they need
    config.HTMLExporter.template_name = template
    config.HTMLExporter.extra_template_basedirs = theirs.extra_template_basedirs
    config.HTMLExporter.extra_template_paths = theirs.extra_template_paths
    about = {"notebook": "x", "score": 0, "max_score": 1, "late_penalty": 0}
    resources = {"nbgrader": about, "index": 0, "total": 1, "base_url": "", "notebook_id": "x"}
    text, _ = HTMLExporter(config=config).from_notebook_node(nb, resources=resources)
    return str(text)


def hostile() -> nbformat.NotebookNode:
    outputs = [
        v4.new_output(
            "display_data", data=data, metadata={k: {"width": '1"><script>'} for k in data}
        )
        for data in hostile_pages.OUTPUTS.values()
    ]
    nb = v4.new_notebook(cells=[v4.new_code_cell("1", outputs=outputs)])
    hostile_pages.spoil(nb)
    return nb


def active(text: str) -> list[str]:
    """What would act in the part of the page that shows the notebook."""
    found = []
    content = BeautifulSoup(text, "html.parser").find(id="notebook-container")
    assert content is not None
    for tag in content.find_all(True):
        if tag.name in ("script", "iframe", "object", "embed", "form", "style", "svg", "base"):
            found.append(tag.name)
        for name, value in tag.attrs.items():
            value = "".join(value) if isinstance(value, list) else value
            squeezed = "".join(str(value).split()).lower()
            is_fetched = name == "src" and not squeezed.startswith("data:image/")
            is_styled = name == "id" or "btn" in squeezed
            inside = tag.find_parent(class_=re.compile("text_cell_render|output_(html|markdown)"))
            if inside and (is_fetched or is_styled):
                found.append(f"{tag.name} {name}={value}")
            if name.startswith("on") or "javascript:" in squeezed or "data:text" in squeezed:
                found.append(f"{tag.name} {name}={value}")
    return found


@pytest.mark.parametrize("template", ["feedback", "formgrade"])
def test_nothing_acts(template: str) -> None:
    without = hostile()
    del without.metadata["widgets"], without.cells[0].outputs[9:]  # nbconvert stops at the others
    assert len(active(page(without, template, safe=False))) > 5, "the test can see what acts"
    text = page(hostile(), template)
    assert active(text) == []
    soup = BeautifulSoup(text, "html.parser")
    title = soup.find("title")
    assert title is None or "script" not in str(title)
    assert all("hits" not in script.text for script in soup.find_all("script"))


@pytest.mark.parametrize("template", ["feedback", "formgrade"])
def test_what_is_written_is_shown(template: str) -> None:
    soup = BeautifulSoup(page(hostile(), template), "html.parser")
    text = soup.get_text()
    assert "$a<b$" in text
    assert "<script>shown</script>" in text
    assert soup.find("strong", string="bold") is not None
    assert [cell.get_text() for cell in soup.find_all("td")] == ["1", "2"]


def test_pictures_and_tables_are_shown() -> None:
    png = "iVBORw0KGgo="
    table = "<table class='dataframe'><thead><tr><th>a</th></tr></thead><tr><td>1</td></tr></table>"
    outputs = [
        v4.new_output("display_data", data={"image/png": png, "text/plain": "<Figure>"}),
        v4.new_output("execute_result", data={"text/html": table, "text/plain": "a"}),
        v4.new_output("stream", text="<printed>"),
    ]
    attachment = v4.new_markdown_cell("![mine](attachment:a.png)")
    attachment.attachments = {"a.png": {"image/png": png}}
    nb = v4.new_notebook(cells=[v4.new_code_cell("1 < 2", outputs=outputs), attachment])
    soup = BeautifulSoup(page(nb, "feedback"), "html.parser")
    assert [image["src"] for image in soup.find_all("img")] == [f"data:image/png;base64,{png}"] * 2
    assert soup.find("th", string="a") is not None
    assert "<printed>" in soup.get_text()
    assert "1 < 2" in soup.get_text()


def test_the_lessons_prose_loses_nothing() -> None:
    for path in sorted(ROOT.glob("lessons/*/*.ipynb"))[1::3]:
        nb = nbformat.read(path, as_version=4)
        made = [
            BeautifulSoup(page(copy.deepcopy(nb), "formgrade", safe), "html.parser")
            for safe in (False, True)
        ]
        before, after = ("".join(soup.get_text().split()) for soup in made)
        assert after == before, path.name
