"""A shell that runs cells as a kernel does, and keeps their outputs in the notebook's form."""

from __future__ import annotations

import ast
import builtins
import contextlib
import io
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from nbformat import NotebookNode, v4

#: So many characters of each stream of a cell are kept; nbgrader shows fewer.
_KEPT = 2**20
_CUT = "\n[what was printed beyond a million characters is not kept]\n"


class _Outputs:
    """The outputs of the cell that runs, in order."""

    def __init__(self) -> None:
        self.list: list[NotebookNode] = []
        self.written: dict[str, int] = {}

    def add(self, kind: str, **fields: Any) -> None:
        self.list.append(v4.new_output(kind, **fields))

    def write(self, name: str, text: str) -> None:
        room = _KEPT - self.written.get(name, 0)
        self.written[name] = self.written.get(name, 0) + len(text)
        if room <= 0:
            return
        text = text if len(text) <= room else text[:room] + _CUT
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
        self._trusted = False
        self._renaming = _Renaming()
        self.ast_transformers.append(self._renaming)

    def init_history(self) -> None:
        """Keep no history on disk."""
        from IPython.core.history import HistoryManager

        self.history_manager = HistoryManager(shell=self, parent=self, hist_file=":memory:")

    def _tee(self, channel: str) -> Any:
        """Do nothing: IPython 9 would keep a second copy of all output, without a limit."""
        return contextlib.nullcontext()

    def load_magics(self) -> None:
        """Load what IPython 9 would load when it is first used."""
        for name in list(self.magics_manager.magics["line"]):
            self.find_line_magic(name)  # type: ignore[no-untyped-call]
        for name in list(self.magics_manager.magics["cell"]):
            self.find_cell_magic(name)  # type: ignore[no-untyped-call]

    def transform_cell(self, raw_cell: str) -> str:
        """A trusted cell in plain Python is not transformed, not even by a magic."""
        if self._trusted:
            with contextlib.suppress(SyntaxError):
                ast.parse(raw_cell)
                return raw_cell
        return str(super().transform_cell(raw_cell))  # type: ignore[no-untyped-call]

    def enable_gui(self, gui: Any = None) -> None:
        """There is no screen."""

    def _showtraceback(self, etype: Any, evalue: Any, stb: list[str]) -> None:
        _outputs.add("error", ename=etype.__name__, evalue=str(evalue), traceback=list(stb))

    def run(self, source: str, trusted: bool = False) -> list[NotebookNode]:
        """Run a cell and return its outputs.

        Later cells can't look up a trusted cell, and its ``len`` is Python's even if the notebook
        has defined another one.
        """
        self._trusted = trusted
        builtin = self._true_builtins(source) if trusted else contextlib.nullcontext()
        with self.watched() as outputs, builtin:
            result = self.run_cell(source, store_history=not trusted)  # type: ignore[no-untyped-call]
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            # The error shows even if a student's code changed the list or the exception's display.
            outputs = json.loads(json.dumps(outputs))
            if not any(output["output_type"] == "error" for output in outputs):
                name = type(error).__name__
                outputs.append(v4.new_output("error", ename=name, traceback=[name]))
        return outputs

    @contextlib.contextmanager
    def watched(self) -> Iterator[list[NotebookNode]]:
        """A list of what the code in the block prints and displays, filled at its end."""
        found: list[NotebookNode] = []
        _outputs.list, _outputs.written = [], {}
        with _captured():
            yield found
        found += _outputs.list

    def show_outputs(self, outputs: list[NotebookNode]) -> None:
        """Show these as outputs of the running cell."""
        _outputs.list += outputs

    def rendered(self, error: BaseException) -> list[str]:
        """The traceback of an exception below the frame that caught it, as a cell shows it."""
        lines = self.InteractiveTB.structured_traceback(
            type(error), error, error.__traceback__, tb_offset=1
        )
        return [str(line) for line in lines]

    @contextlib.contextmanager
    def _true_builtins(self, source: str) -> Iterator[None]:
        hidden = _hidden_builtins(source, self.user_ns)
        renamed = {name: f"__builtin_{name}" for name in hidden}
        self.user_ns.update({renamed[name]: getattr(builtins, name) for name in hidden})
        self._renaming.names = renamed
        try:
            yield
        finally:
            self._renaming.names = {}
            for name in renamed.values():
                self.user_ns.pop(name, None)


class _Renaming(ast.NodeTransformer):
    """Makes a cell read other names."""

    names: Mapping[str, str] = MappingProxyType({})

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.copy_location(ast.Name(self.names.get(node.id, node.id), node.ctx), node)


def _hidden_builtins(source: str, space: dict[str, Any]) -> set[str]:
    """Built-in functions for a cell to read if the notebook has redefined their names."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:  # a magic: the cell is its author's own business
        return set()
    names = [node for node in nodes if isinstance(node, ast.Name)]
    own = {node.id for node in names if not isinstance(node.ctx, ast.Load)}
    own |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    return {
        node.id
        for node in names
        if node.id in vars(builtins) and node.id not in own and callable(space.get(node.id))
    }


@contextlib.contextmanager
def _captured() -> Iterator[None]:
    """Both streams of a cell, including what compiled code writes to their files."""
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
                text = file.read(_KEPT + 1).decode("utf-8", "replace")
                if text:
                    _outputs.write(name, text)


def _plain(bundle: dict[str, Any]) -> dict[str, Any]:
    """A MIME bundle as a notebook holds it: pictures in base64."""
    from base64 import b64encode

    return {
        kind: b64encode(value).decode() if isinstance(value, bytes) else value
        for kind, value in bundle.items()
    }
