"""What the browser tests do with JupyterLab, in a student's words: open, answer, run, validate."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

from gqlib.grading import submissions

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

ROOT = Path(__file__).resolve().parents[2]
ARTEFACTS = Path(os.environ.get("GQLIB_ARTEFACTS") or ROOT / "artefacts")

# JupyterLab's own idea of the open notebook, for the conditions that the tests wait on.
_PANEL = "const panel = window.jupyterapp?.shell?.currentWidget;"
_READY = f"""() => {{ {_PANEL}
    return panel?.context?.isReady && panel.sessionContext.session?.kernel?.status === "idle"; }}"""
_SAVED = f"() => {{ {_PANEL} return !panel.context.model.dirty; }}"
_FINISHED = f"""() => {{ {_PANEL}
    const cells = [...panel.content.model.cells].filter(
        (cell) => cell.type === "code" && cell.sharedModel.getSource().trim());
    const failed = cells.some((cell) => cell.outputs.toJSON().some(
        (output) => output.output_type === "error"));
    const idle = panel.sessionContext.session?.kernel?.status === "idle";
    return idle && (failed || cells.every((cell) => cell.executionCount)); }}"""


@dataclass
class Lab:
    """A running JupyterLab.

    Attributes:
        course: The folder it serves.
        address: Where it is served, without a slash at the end.
        browser: A browser to open it in.
        log: The file with all that a student's terminal would show.
    """

    course: Path
    address: str
    browser: Browser
    log: Path

    def open(self, notebook: Path, width: int = 1280, height: int = 900) -> Lesson:
        """Open a notebook of the course in a new page, which starts its kernel."""
        page = self.browser.new_context(viewport={"width": width, "height": height}).new_page()
        lesson = Lesson(page, notebook)
        page.on("pageerror", lambda error: lesson.errors.append(str(error)))
        page.on("request", lambda request: lesson.requests.append(request.url))
        # `reset` opens no notebook of another page.
        path = notebook.relative_to(self.course).as_posix()
        page.goto(f"{self.address}/lab/tree/{path}?reset")
        page.get_by_role("button", name="Validate").wait_for(timeout=60_000)
        page.wait_for_function(_READY, timeout=60_000)
        return lesson


@dataclass
class Lesson:
    """A notebook that is open in a page.

    Attributes:
        page: The page.
        path: The notebook's file.
        errors: The JavaScript errors of the page so far.
        requests: The addresses that the page asked for so far.
    """

    page: Page
    path: Path
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def saved(self) -> dict[str, Any]:
        """The notebook as its file has it."""
        return read(self.path)

    def cell(self, number: int) -> Locator:
        """The page's element of cell ``number``, scrolled into view."""
        self.page.evaluate(
            f"""async (number) => {{ {_PANEL}
                panel.content.activeCellIndex = number;
                panel.content.deselectAll();
                await panel.content.scrollToItem(number, "start"); }}""",
            number,
        )
        cell = self.page.locator(f'.jp-Notebook .jp-Cell[data-windowed-list-index="{number}"]')
        cell.wait_for(state="visible")
        return cell

    def write(self, number: int, source: str) -> None:
        """Replace the contents of a code cell, as a student does who selects all and types."""
        editor = self.cell(number).locator(".cm-content")
        editor.click()
        self.page.keyboard.press("ControlOrMeta+a")
        # Not key by key: the editor would indent the lines, which are indented already.
        self.page.keyboard.insert_text(source)

    def menu(self, name: str, command: str) -> None:
        """Choose the entry of one of JupyterLab's menus that stands for ``command``."""
        self.page.get_by_role("menuitem", name=name, exact=True).click()
        self.page.locator(f'.lm-Menu-item[data-command="{command}"]').click()

    def command(self, name: str) -> None:
        """Carry out a command of JupyterLab's palette."""
        self.page.evaluate("name => window.jupyterapp.commands.execute(name)", name)

    def run(self, number: int, seconds: float = 60) -> None:
        """Run one cell, and wait until it has been run."""
        self.cell(number)
        self.command("notebook:run-cell")
        self.page.wait_for_function(
            f"n => {{ {_PANEL} return panel.content.model.cells.get(n).executionCount; }}",
            arg=number,
            timeout=1000 * seconds,
        )

    def collapse(self, number: int) -> None:
        """Fold the code of a cell away."""
        self.cell(number)
        self.command("notebook:hide-cell-code")

    def run_all(self, seconds: float = 240) -> None:
        """Run all cells, and wait for the last of them, or for the first error."""
        self.menu("Run", "runmenu:run-all")
        self.page.wait_for_function(_FINISHED, timeout=1000 * seconds)

    def save(self) -> None:
        """Save the notebook, and wait until its file has it."""
        self.menu("File", "docmanager:save")
        self.page.wait_for_function(_SAVED)

    def show_output(self, number: int) -> Locator:
        """Scroll to the pictures of cell ``number``, and wait until they are drawn."""
        pictures = self.cell(number).locator(".jp-OutputArea img")
        pictures.first.wait_for()
        for picture in pictures.all():
            picture.scroll_into_view_if_needed()
            self.page.wait_for_function(
                "image => image.complete && image.naturalWidth > 0", arg=picture.element_handle()
            )
        return pictures

    def validate(self, seconds: float = 120) -> str:
        """Press nbgrader's Validate; the text of the dialogue that it opens in the end."""
        self.page.get_by_role("button", name="Validate").click()
        dialogue = self.page.locator(".jp-Dialog")
        dialogue.wait_for(timeout=1000 * seconds)
        return dialogue.inner_text()

    def dismiss(self) -> None:
        """Close the dialogue that is open."""
        self.page.locator(".jp-Dialog .jp-mod-accept").click()

    def shoot(self, name: str) -> None:
        """Keep a picture of the page under ``artefacts/``."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=ARTEFACTS / f"{name}.png")

    def close(self) -> None:
        """End the kernel and close the page."""
        self.page.evaluate(f"async () => {{ {_PANEL} await panel.sessionContext.shutdown(); }}")
        self.page.context.close()


@contextlib.contextmanager
def serve(course: Path, log: Path) -> Iterator[str]:
    """JupyterLab as `make lab` starts it in the folder ``course``; the address it is served at.

    ``log`` is the file that gets what a student's terminal would show. Its folder becomes the home
    of a student who has never opened JupyterLab: no settings, nothing to restore.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "gqlib", "lab", "--no-browser", f"--port={port}"]
    command += ["--IdentityProvider.token=", "--expose-app-in-browser"]
    command += ["--allow-root"] if is_root() else []
    home = {
        "PATH": os.defpath,  # no environment has been activated
        "GQLIB_QUICK": "1",  # what training teaches is looked at elsewhere
        "HOME": str(log.parent),
        "JUPYTER_CONFIG_DIR": str(log.parent / "config"),
        "JUPYTER_DATA_DIR": str(log.parent / "data"),
        "IPYTHONDIR": str(log.parent / "ipython"),
    }
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            command, cwd=course, env={**os.environ, **home}, stdout=file, stderr=file
        ) as process,
    ):
        try:
            _wait(process, f"{address}/api", log)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end:
        try:
            with urllib.request.urlopen(url):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')}")


def is_root() -> bool:
    """Whether programs must be told that the user knows what root may do."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def read(path: Path) -> dict[str, Any]:
    """A notebook as JSON."""
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def grade_ids(notebook: Mapping[str, Any]) -> dict[str, int]:
    """The number of the cell of each ``grade_id``."""
    return {
        cell["metadata"]["nbgrader"]["grade_id"]: number
        for number, cell in enumerate(notebook["cells"])
        if "nbgrader" in cell["metadata"]
    }


def answers(name: str) -> dict[str, str]:
    """The answers to lesson ``name`` by ``grade_id``, without the marks of their regions."""
    solution = nbformat.read(ROOT / "solutions" / name / f"{name}.ipynb", as_version=4)
    return {
        grade_id: re.sub(r"^ *### (BEGIN|END) SOLUTION\n?", "", source, flags=re.MULTILINE).rstrip(
            "\n"
        )
        for grade_id, source in submissions.answers_of(solution).items()
    }


def fill(path: Path, given: Mapping[str, str]) -> None:
    """Write answers, by ``grade_id``, into the notebook's file."""
    nbformat.write(submissions.filled(nbformat.read(path, as_version=4), given), path)
