"""A shell that runs cells as a kernel does, and keeps their outputs in the notebook's form."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from nbformat import NotebookNode, v4


class _Outputs:
    """The outputs of the cell that runs, in order."""

    def __init__(self) -> None:
        self.list: list[NotebookNode] = []

    def add(self, kind: str, **fields: Any) -> None:
        self.list.append(v4.new_output(kind, **fields))

    def write(self, name: str, text: str) -> None:
        last = self.list[-1] if self.list else None
        if last is not None and last.output_type == "stream" and last.name == name:
            last.text += text
        else:
            self.add("stream", name=name, text=text)

    def clear(self) -> None:
        self.list.clear()


_outputs = _Outputs()


class _Stream(io.TextIOBase):
    """Standard output or error of a cell."""

    encoding = "utf-8"

    def __init__(self, name: str, number: int) -> None:
        self._name, self._number = name, number

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        _outputs.write(self._name, text)
        return len(text)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._number


class _Publisher(DisplayPublisher):
    """Keeps what is displayed."""

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        source: Any = None,
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **others: Any,
    ) -> None:
        if not update:
            _outputs.add("display_data", data=_plain(data), metadata=metadata or {})

    def clear_output(self, wait: bool = False) -> None:
        _outputs.clear()


class _Hook(DisplayHook):
    """Keeps a cell's value."""

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        _outputs.add(
            "execute_result",
            data=_plain(format_dict),
            metadata=md_dict or {},
            execution_count=self.prompt_count,
        )

    def finish_displayhook(self) -> None:
        pass


class Shell(InteractiveShell):
    """IPython's shell with the outputs of a kernel."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            display_pub_class=_Publisher,
            displayhook_class=_Hook,
            **settings,
        )

    def init_history(self) -> None:
        """None on disk."""
        from IPython.core.history import HistoryManager

        self.history_manager = HistoryManager(shell=self, parent=self, hist_file=":memory:")

    def enable_gui(self, gui: Any = None) -> None:
        """There is no screen."""

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        _outputs.add("error", ename=etype.__name__, evalue=str(evalue), traceback=list(stb))

    def run(self, source: str, keep: bool = True) -> list[NotebookNode]:
        """Run a cell; its outputs. ``keep`` it where the cells after it can look it up."""
        _outputs.list = []
        with _captured():
            self.run_cell(source, store_history=keep)  # type: ignore[no-untyped-call]
        return _outputs.list


@contextlib.contextmanager
def _captured() -> Iterator[None]:
    """Both streams of a cell, also what compiled code writes to their files."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        kept = os.dup(1), os.dup(2)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            with (
                contextlib.redirect_stdout(_Stream("stdout", 1)),
                contextlib.redirect_stderr(_Stream("stderr", 2)),
            ):
                yield
        finally:
            for number, copy, name, file in (
                (1, kept[0], "stdout", out),
                (2, kept[1], "stderr", err),
            ):
                os.dup2(copy, number)
                os.close(copy)
                file.seek(0)
                text = file.read().decode("utf-8", "replace")
                if text:
                    _outputs.write(name, text)


def _plain(bundle: dict[str, Any]) -> dict[str, Any]:
    """A MIME bundle as a notebook holds it: pictures in base64."""
    from base64 import b64encode

    return {
        kind: b64encode(value).decode() if isinstance(value, bytes) else value
        for kind, value in bundle.items()
    }
