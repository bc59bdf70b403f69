"""The chart of the images' power at each spatial frequency."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from torch import Tensor

from gqlib.evaluation.report._numbers import number, raised
from gqlib.evaluation.report._svg import figure, key

_HEIGHT, _LABELS = 240, 40


def spectra(real: Tensor, fake: Tensor) -> str:
    """Power at each spatial frequency, on a logarithmic scale: (R,) each, not negative."""
    logs = [
        [math.log10(p) if math.isfinite(p) and p > 0 else None for p in t.tolist()]
        for t in (real, fake)
    ]
    known = [value for side in logs for value in side if value is not None]
    if not known:
        return ""
    # What is rounding beside the largest powers is left out, else it sets the scale.
    low = math.floor(max(min(known), max(known) - 12))
    high = max(math.ceil(max(known)), low + 1)
    last = max(len(real), len(fake)) - 1 or 1
    step = math.ceil((high - low) / 6)
    body = []
    for power in range(low, high + 1, step):
        y = _HEIGHT * (high - power) / (high - low)
        body.append(
            f'<line class="axis" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="s" x="-8" y="{y + 4:.1f}" text-anchor="end">10{raised(power)}</text>'
        )
    for tick, anchor in ((0, "start"), (last // 2, "middle"), (last, "end")):
        body.append(
            f'<text class="s" x="{100 * tick / last:.1f}%" y="{_HEIGHT + 16}" '
            f'text-anchor="{anchor}">{tick}</text>'
        )
    body.append(
        f'<text class="s" x="50%" y="{_HEIGHT + 34}" text-anchor="middle">'
        "spatial frequency, cycles per image</text>"
    )
    curves = "".join(
        f'<path class="{side}" stroke-width="2.5"{dash} d="{_curve(values, last, low, high)}"/>'
        for side, dash, values in (
            ("real", "", logs[0]),
            ("fake", ' stroke-dasharray="7 5"', logs[1]),
        )
    )
    body.append(
        f'<svg x="0" y="0" width="100%" height="{_HEIGHT}" viewBox="0 0 1000 1000" '
        f'preserveAspectRatio="none" aria-hidden="true">{curves}</svg>'
    )
    words = _fine_detail(real, fake)
    alt = f"Mean power of real and fake images from coarse to fine detail. {words}"
    chart = (
        f'<svg class="gq-axes" role="img" aria-label="{escape(alt)}" '
        f'height="{_HEIGHT + _LABELS}">{"".join(body)}</svg>'
    )
    caption = (
        f"{_KEY_SOLID} real, {_KEY_DASHED} fake. Mean power of the images' contrast, from coarse "
        f"detail (left) to fine (right), on a logarithmic scale. {words}"
    )
    return figure(chart, caption)


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


_KEY_SOLID = key(28, '<path class="real" stroke-width="2.5" d="M1 6h26"/>')
_KEY_DASHED = key(28, '<path class="fake" stroke-width="2.5" stroke-dasharray="7 5" d="M1 6h26"/>')
