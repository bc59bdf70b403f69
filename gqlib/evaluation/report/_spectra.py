"""The chart of the images' power at each spatial frequency."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from markupsafe import Markup
from torch import Tensor

from gqlib.evaluation.report._numbers import number, raised
from gqlib.evaluation.report._svg import chart, element, figure, key

_HEIGHT, _LABELS = 240, 40
_DASHES: dict[str, dict[str, str]] = {"real": {}, "fake": {"stroke_dasharray": "7 5"}}


def spectra(real: Tensor, fake: Tensor) -> Markup:
    """Power at each spatial frequency, on a logarithmic scale: (R,) each, not negative."""
    logs = [
        [math.log10(p) if math.isfinite(p) and p > 0 else None for p in t.tolist()]
        for t in (real, fake)
    ]
    known = [value for side in logs for value in side if value is not None]
    if not known:
        return Markup()
    # What is rounding compared with the largest powers is left out, else it sets the scale.
    low = math.floor(max(min(known), max(known) - 12))
    high = max(math.ceil(max(known)), low + 1)
    last = max(len(real), len(fake)) - 1 or 1
    body = [
        *_powers(low, high),
        *_frequencies(last),
        element(
            "svg",
            *(
                _stroke(side, _curve(values, last, low, high))
                for side, values in zip(_DASHES, logs, strict=True)
            ),
            x=0,
            y=0,
            width="100%",
            height=_HEIGHT,
            viewBox="0 0 1000 1000",
            preserveAspectRatio="none",
            aria_hidden="true",
        ),
    ]
    words = _fine_detail(real, fake)
    alt = f"Mean power of real and fake images from coarse to fine detail. {words}"
    return figure(
        chart(alt, body, class_="gq-axes", height=_HEIGHT + _LABELS),
        _KEY_SOLID,
        " real, ",
        _KEY_DASHED,
        " fake. Mean power of the images' contrast, from coarse detail (left) to fine (right), on "
        f"a logarithmic scale. {words}",
    )


def _powers(low: int, high: int) -> Iterator[Markup]:
    """Lines across, at powers of ten."""
    for power in range(low, high + 1, math.ceil((high - low) / 6)):
        y = _HEIGHT * (high - power) / (high - low)
        yield element("line", class_="axis", x1=0, x2="100%", y1=f"{y:.1f}", y2=f"{y:.1f}")
        label = f"10{raised(power)}"
        yield element("text", label, class_="s", x=-8, y=f"{y + 4:.1f}", text_anchor="end")


def _frequencies(last: int) -> Iterator[Markup]:
    """What stands below the chart."""
    for tick, anchor in ((0, "start"), (last // 2, "middle"), (last, "end")):
        x = f"{100 * tick / last:.1f}%"
        yield element("text", str(tick), class_="s", x=x, y=_HEIGHT + 16, text_anchor=anchor)
    title = "spatial frequency, cycles per image"
    yield element("text", title, class_="s", x="50%", y=_HEIGHT + 34, text_anchor="middle")


def _stroke(side: str, path: str) -> Markup:
    return element("path", class_=side, stroke_width=2.5, **_DASHES[side], d=path)


def _curve(values: Sequence[float | None], last: int, low: int, high: int) -> str:
    parts, pen = [], "M"
    for i, value in enumerate(values):
        if value is None or value < low:
            pen = "M"
            continue
        parts.append(f"{pen}{1000 * i / last:.0f} {1000 * (high - value) / (high - low):.0f}")
        pen = "L"
    return "".join(parts)


def _fine_detail(real: Tensor, fake: Tensor) -> str:
    """What the finest quarter of the frequencies tells."""
    if len(real) != len(fake) or len(real) < 4:
        return ""
    start = len(real) - len(real) // 4
    a, b = float(real[start:].mean()), float(fake[start:].mean())
    if not (a > 0 and b > 0):
        return ""
    ratio = b / a
    text = f"{number(ratio)} times" if ratio < 0.95 or ratio > 1.05 else "about the same as"
    return f"In the finest quarter of the frequencies the fakes' power is {text} the real images'."


_KEY_SOLID, _KEY_DASHED = (key(28, _stroke(side, "M1 6h26")) for side in _DASHES)
