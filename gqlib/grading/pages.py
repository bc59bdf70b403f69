"""Students' notebooks as pages that can be opened without risk.

nbgrader shows a submission as HTML to the instructor (the formgrader) and to the student (the
feedback page). A notebook could put anything there: scripts in written answers and in outputs, or
in metadata that end up in an attribute. In the formgrader these would act with the instructor's
rights. Here only what is known to be harmless reaches a page: text, pictures, formulas, and HTML
tags that do nothing.
"""

from __future__ import annotations

import re
from typing import Any

import nh3
from jinja2 import pass_context
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor

Resources = dict[str, Any]
_TAGS = nh3.ALLOWED_TAGS | {"figure", "figcaption", "input", "section"}
_ATTRIBUTES = {
    "*": {"align", "class", "title"},
    "a": {"href", "name"},
    "img": {"alt", "height", "src", "width"},
    "input": {"checked", "disabled", "type"},  # of task lists
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
#: ``data`` is for pictures.
_SCHEMES = {"http", "https", "mailto", "data"}
_PICTURES = ("image/png", "image/jpeg")
_TEXTS = ("text/plain", "text/latex", "text/markdown")
_PICTURE = re.compile(r"data:image/(png|jpeg|gif);base64,")
#: The only picture of the course that is fetched.
_BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
#: Of highlighted code and of tables; not Bootstrap's, which make buttons.
_COLOURS = re.compile(
    r"highlight|hl-\w+|language-\w+|dataframe|(?!btn|nav|row|tab)[a-z][a-z0-9]{0,2}"
)
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")
_WORD = re.compile(r"[\w:.-]+")
_LANGUAGE = {"name": "python", "pygments_lexer": "ipython3"}


def clean_html(text: str) -> str:
    """HTML without anything that acts: scripts, forms, frames, styles, and links to such."""
    return nh3.clean(
        text,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        attribute_filter=_harmless,
    )


def _harmless(tag: str, attribute: str, value: str) -> str | None:
    """Pictures that need not be fetched, and names of classes that only colour."""
    if attribute == "src":
        return value if value == _BADGE or _PICTURE.match(value) else None
    if attribute == "class":
        return " ".join(word for word in value.split() if _COLOURS.fullmatch(word)) or None
    return None if value.strip().lower().startswith("data:") else value


class CleanPage(NbGraderPreprocessor):  # type: ignore[misc]
    """Remove everything that would act on a page; works on a copy of the notebook."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        clean(nb)
        return nb, resources


def clean(nb: NotebookNode) -> None:
    """Keep only those outputs and metadata of a notebook that pages may show, in place."""
    nb.metadata = NotebookNode(language_info=NotebookNode(_LANGUAGE))
    for cell in nb.cells:
        tags = cell.metadata.get("tags", [])
        kept = [t for t in tags if isinstance(t, str) and _WORD.fullmatch(t)]
        about = cell.metadata.get("nbgrader")
        cell.metadata = NotebookNode(tags=kept)
        if about is not None:
            cell.metadata["nbgrader"] = about
        if "id" in cell and not _WORD.fullmatch(str(cell.id)):
            del cell["id"]
        if cell.cell_type == "raw":
            cell.metadata["raw_mimetype"] = "text/plain"  # not shown
        elif cell.cell_type == "code":
            number = cell.get("execution_count")
            cell.execution_count = number if isinstance(number, int) else None
            cell.outputs = [kept for kept in map(_clean_output, cell.outputs) if kept is not None]


def _clean_output(output: NotebookNode) -> NotebookNode | None:
    if output.output_type not in ("display_data", "execute_result"):
        return output  # plain text, which templates escape
    data = {kind: str(output.data[kind]) for kind in _TEXTS if kind in output.data}
    for kind in _PICTURES:
        if kind in output.data and _BASE64.fullmatch(str(output.data[kind])):
            data[kind] = str(output.data[kind])
    if "text/html" in output.data:
        data["text/html"] = clean_html("".join(output.data["text/html"]))
    output.data, output.metadata = NotebookNode(data), NotebookNode()
    return output if data else None


@pass_context
def markdown2html(context: Any, source: str) -> str:
    """nbconvert's filter of this name, with its result cleaned."""
    attachments = _Attachments(context.get("cell", {}).get("attachments", {}))
    renderer = IPythonRenderer(escape=False, attachments=attachments)
    return clean_html(MarkdownWithMath(renderer=renderer).render(source))


class _Attachments(dict[str, dict[str, str]]):
    """A cell's pictures; a missing or invalid one is empty, since nbconvert would stop at it."""

    def __init__(self, found: Any) -> None:
        for name, kinds in found.items() if isinstance(found, dict) else ():
            kinds = kinds if isinstance(kinds, dict) else {}
            good = {k: v for k, v in kinds.items() if k in _PICTURES and _BASE64.fullmatch(str(v))}
            if good:
                self[name] = good

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> dict[str, str]:
        return {"image/png": ""}


def use(config: Any) -> None:
    """Make every page this way, in the feedback and in the formgrader."""
    config.HTMLExporter.preprocessors = [CleanPage]
    config.HTMLExporter.filters = {"markdown2html": markdown2html}
