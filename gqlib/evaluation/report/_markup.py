"""Pieces of the page's markup: badges, tables and text with the signs of print."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from gqlib.evaluation.report._numbers import (
    Line,
    interval_name,
    interval_text,
    number,
    optional,
    shown,
    signs,
)
from gqlib.evaluation.report._words import STATE
from gqlib.evaluation.verdicts import Verdict

#: Class of a verdict in the style sheet.
CLASS = {True: "found", False: "clear", None: "untested"}
_SYMBOL = {True: "▲", False: "○", None: "–"}
_MARK = '<span class="found" role="img" aria-label="further off than chance allows">▲</span> '


def badge(verdict: Verdict) -> str:
    """A verdict's sign and state."""
    return f'<span aria-hidden="true">{_SYMBOL[verdict.found]}</span> {STATE[verdict.found]}'


def name_text(text: str) -> str:
    """A name from outside, on one line and harmless."""
    return escape(shown(text))


def _dash(text: str) -> str:
    return "–" if text in ("-", "−") else text


def printed(text: str) -> str:
    """Running text whose numbers get the signs of print, and keep their per cent signs."""
    text = re.sub(r"(?<![\w.])-?\d[\d.,]*e-?\d+|(?<![\w.])-\d", lambda m: signs(m[0]), text)
    return re.sub(r"(\d) %", "\\1\u00a0%", text).replace("C_T", "C<sub>T</sub>")


def table(lines: Sequence[Line], caption: str, significant: Iterable[str] = ()) -> str:
    """Values with their intervals and what is expected; nothing for no lines.

    Args:
        lines: One a row.
        caption: What they have in common.
        significant: Keys of the evidence that is to be marked.
    """
    if not lines:
        return ""
    marked = set(significant)
    head = "".join(
        f'<th scope="col">{title}</th>'
        for title in ("Measure", "Value", interval_name(lines).capitalize(), "Expected")
    )
    body = "".join(
        f'<tr><th scope="row">{line.label}</th>'
        f"<td>{_MARK if line.key in marked else ''}<b>{signs(number(line.value))}</b></td>"
        f"<td>{_dash(printed(interval_text(line.interval)))}</td>"
        f"<td>{_dash(signs(optional(line.expected)))}</td></tr>"
        for line in lines
    )
    return (
        f'<div class="gq-wide"><table><caption>{caption}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
