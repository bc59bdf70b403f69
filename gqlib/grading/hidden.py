"""Keeping hidden tests out of feedback pages.

nbgrader shows the autograded notebook to the student: the source of every test cell with its hidden
part, and tracebacks that quote its lines. The functions here return what may be shown.
"""

from __future__ import annotations

import io
import re
import tokenize

from nbformat import NotebookNode, v4

BEGIN, END = "BEGIN HIDDEN TESTS", "END HIDDEN TESTS"
NOTE = "# Hidden checks ran here."
FAILED = "A hidden check failed: the visible checks pass, but on another input the answer is wrong."
REMOVED = "[This output quoted a hidden test and is not shown.]"

#: Shorter fragments of a hidden test are too common to be a leak ("x = 1").
_SHORTEST = 8
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_LINE = re.compile(
    r"(?:Cell In\s*\[\d+\]|<ipython-input[^>]*>|ipykernel_\d+/\d+\.py)\D*?line (\d+)"
)


def split(source: str) -> tuple[str, str]:
    """The visible and the hidden lines of a cell; a note replaces each hidden part."""
    visible: list[str] = []
    hidden: list[str] = []
    inside = False
    for line in source.split("\n"):
        if BEGIN in line:
            inside = True
            visible.append(NOTE)
        elif END in line:
            inside = False
        else:
            (hidden if inside else visible).append(line)
    return "\n".join(visible), "\n".join(hidden)


def fragments(hidden: str, visible: str) -> set[str]:
    """Texts that reveal a hidden test: lines and string literals that no visible test has."""
    found = {line.strip() for line in hidden.split("\n")}
    try:
        for token in tokenize.generate_tokens(io.StringIO(hidden + "\n").readline):
            if token.type == tokenize.STRING:
                found.add(token.string.strip("rbfuRBFU").strip("\"'"))
    except (tokenize.TokenError, IndentationError):
        pass  # an incomplete region: its lines are guarded all the same
    return {text for text in found if len(text) >= _SHORTEST and text not in visible}


def _texts(output: NotebookNode) -> str:
    parts = [str(output.get(key, "")) for key in ("text", "ename", "evalue")]
    parts += [str(line) for line in output.get("traceback", [])]
    parts += [str(value) for value in output.get("data", {}).values()]
    return _ANSI.sub("", "\n".join(parts))


def _squeezed(text: str) -> str:
    return re.sub(r"\s+|\\n", "", text)


def _quotes(output: NotebookNode, secrets: set[str]) -> bool:
    text = _squeezed(_texts(output))
    return any(_squeezed(secret) in text for secret in secrets)


def _error(ename: str, evalue: str) -> NotebookNode:
    line = f"{ename}: {evalue}" if evalue else ename
    error: NotebookNode = v4.new_output("error", ename=ename, evalue=evalue, traceback=[line])
    return error


def _shown(output: NotebookNode, first_hidden: int) -> NotebookNode:
    """An output of a test cell as a student may see it; tracebacks lose the lines they quote."""
    if output.output_type != "error":
        return output
    if output.ename in ("CellTimeoutError", "KeyboardInterrupt"):
        return _error(output.ename, "the cell ran longer than the time limit and was stopped")
    lines = [int(n) for n in _LINE.findall(_ANSI.sub("", "\n".join(output.traceback)))]
    if lines and lines[0] < first_hidden:
        return _error(output.ename, output.evalue)
    return _error("HiddenCheck", FAILED)


def hide(nb: NotebookNode) -> None:
    """Remove every trace of the hidden tests from an autograded notebook, in place."""
    secrets: set[str] = set()
    visible_everywhere = "\n".join(split(cell.source)[0] for cell in nb.cells)
    for cell in nb.cells:
        if BEGIN not in cell.source:
            continue
        first_hidden = 1 + next(
            i for i, line in enumerate(cell.source.split("\n")) if BEGIN in line
        )
        cell.source, hidden = split(cell.source)
        secrets |= fragments(hidden, visible_everywhere)
        if cell.cell_type == "code":
            cell.outputs = [_shown(output, first_hidden) for output in cell.outputs]
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs = [
                v4.new_output("stream", name="stdout", text=REMOVED) if _quotes(o, secrets) else o
                for o in cell.outputs
            ]
