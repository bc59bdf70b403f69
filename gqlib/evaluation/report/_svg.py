"""What the charts share: inline SVG whose texts keep their size at any width.

Horizontal positions are percentages, and curves are stretched inside their own frame. Colours are
the variables of the style sheet, so that the page decides what is dark; real and fake differ in
shape as well, for readers and printers that see no colour. Each chart has its alternative text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from markupsafe import Markup


class Scale(NamedTuple):
    """A row of a chart, from the value at its left end to that at its right end."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Where a value is, in per cent of the width; at an end if it is beyond."""
        share = (value - self.low) / (self.high - self.low) if math.isfinite(value) else value > 0
        return 100 * min(max(float(share), 0.0), 1.0)

    def at(self, value: float) -> str:
        """The same as an attribute: ``42.00%``."""
        return f"{self.place(value):.2f}%"


def element(name: str, *content: str, **attributes: object) -> Markup:
    """An element of a chart; content that is not markup is escaped, and so are attributes.

    In the names of attributes ``_`` stands for ``-``, and one at the end for nothing.
    """
    pairs = (
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
    )
    start = Markup("<") + name + joined(pairs)
    return (
        start + Markup(">{}</{}>").format(joined(content), name)
        if content
        else start + Markup("/>")
    )


def joined(parts: Iterable[str]) -> Markup:
    """Parts one after the other; those that are not markup are escaped."""
    return Markup().join(parts)


def chart(alt: str, body: Iterable[Markup], **attributes: object) -> Markup:
    """A chart with the text for readers who do not see it."""
    return element("svg", *body, role="img", aria_label=alt, **attributes)


def key(width: int, *shapes: Markup) -> Markup:
    """A sign of a chart, for its caption: shapes in a frame of ``width`` × 12 pixels."""
    return element(
        "svg",
        *shapes,
        class_="gq-key",
        aria_hidden="true",
        width=width,
        height=12,
        viewBox=f"0 0 {width} 12",
    )


def figure(picture: Markup, *caption: str) -> Markup:
    """A picture with its caption, whose shares stay on one line with their signs."""
    text = joined(caption).replace(" %", "\u00a0%")
    return Markup("<figure>{}<figcaption>{}</figcaption></figure>").format(picture, text)
