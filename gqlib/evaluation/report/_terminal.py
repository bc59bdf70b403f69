"""The report as text for a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence

from gqlib.evaluation.report._content import Content
from gqlib.evaluation.report._numbers import (
    all_lines,
    interval_name,
    interval_text,
    number,
    optional,
    shown,
)
from gqlib.evaluation.report._words import (
    CAUTION,
    STATES,
    count,
    details,
    heading,
    judged,
    measured,
    sentence,
)
from gqlib.evaluation.verdicts import Verdict

#: Columns into which the verdicts, indented, still wrap legibly.
_NARROWEST = 24


def text(report: Content, width: int, colour: bool) -> str:
    """The report in lines of at most ``width`` columns, with a terminal's colours if asked."""
    return _Text(report, max(width, _NARROWEST), colour).whole()


class _Text:
    """The report in lines of at most ``width`` columns."""

    def __init__(self, report: Content, width: int, colour: bool) -> None:
        self.report, self.width, self.colour = report, width, colour

    def whole(self) -> str:
        report, e = self.report, self.report.evaluation
        names = [
            self._wrapped(f"{side}: {shown(name)} ({count(n)})", hang="      ")
            for side, name, n in (("Real", report.real, e.n_real), ("Fake", report.fake, e.n_fake))
        ]
        parts = ["\n".join([self._bold("Quality report"), *names])]
        parts += [self._verdict(verdict) for verdict in report.verdicts]
        if any(verdict.found is False for verdict in report.verdicts):
            parts.append(self._wrapped(CAUTION))
        parts.append(self._table())
        for title, sentences in (
            ("Warnings", report.all_warnings),
            ("Left out", e.notes),
        ):
            if sentences:
                items = [self._wrapped(f"- {sentence(s)}", hang="  ") for s in sentences]
                parts.append("\n".join([self._bold(title), *items]))
        return "\n\n".join(parts)

    def _verdict(self, verdict: Verdict) -> str:
        state = STATES[verdict.found]
        head = f"{state.mark} {heading(verdict.failure)}: {state.words}"
        e = self.report.evaluation
        body = " ".join(filter(None, (measured(verdict, e), details(verdict, e), judged(verdict))))
        return f"{self._code(head, state.colour)}\n{self._wrapped(body, start='    ', hang='    ')}"

    def _table(self) -> str:
        lines = all_lines(self.report.evaluation)
        head = ("", "value", interval_name(lines), "expected", "n real / fake")
        rows = [
            (x.label, number(x.value), interval_text(x.interval), optional(x.expected), x.n)
            for x in lines
        ]
        widths = [max(len(row[i]) for row in (head, *rows)) for i in range(5)]
        if sum(widths) + 8 > self.width:
            return self._list(head, rows)

        def line(row: Sequence[str]) -> str:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
            return "  ".join(cells).rstrip()

        return "\n".join([self._bold(line(head)), *map(line, rows)])

    def _list(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
        """The table for a terminal that is too narrow for it."""
        lines = []
        for name, value, *others in rows:
            rest = [f"{h} {x}" for h, x in zip(head[2:], others, strict=True) if x != "-"]
            lines.append(self._wrapped(f"{name}: {value} ({', '.join(rest)})", hang="  "))
        return "\n".join(lines)

    def _wrapped(self, text: str, start: str = "", hang: str = "") -> str:
        # A share and its sign stay together.
        text = re.sub(r"(\d) %", "\\1\0%", text)
        lines = textwrap.wrap(
            text,
            self.width,
            initial_indent=start,
            subsequent_indent=hang,
            break_on_hyphens=False,
        )
        return "\n".join(lines).replace("\0", " ")

    def _bold(self, text: str) -> str:
        return self._code(text, "1")

    def _code(self, text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self.colour else text
