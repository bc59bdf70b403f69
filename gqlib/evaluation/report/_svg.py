"""What the charts share: inline SVG whose texts keep their size at any width.

Horizontal positions are percentages, and curves are stretched inside a frame of their own. Colours
are the variables of the style sheet, so that the page decides what is dark; real and fake differ in
shape as well, for readers and printers that see no colour. Each chart has its alternative text.
"""

from __future__ import annotations

import math
from typing import NamedTuple


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


def key(width: int, shapes: str) -> str:
    """A sign of a chart, for its caption: shapes in a frame of ``width`` × 12 pixels."""
    return (
        f'<svg class="gq-key" aria-hidden="true" width="{width}" height="12" '
        f'viewBox="0 0 {width} 12">{shapes}</svg>'
    )


def figure(picture: str, caption: str) -> str:
    """A picture with its caption, whose shares stay on one line with their signs."""
    caption = caption.replace(" %", "\u00a0%")
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"
