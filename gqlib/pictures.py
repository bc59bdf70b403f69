"""The pictures of a quality report, as markup for a page: arrays in, HTML out.

Images become PNGs inside the page. Charts are inline SVG whose texts keep their size at any width:
horizontal positions are percentages, and curves are stretched inside a frame of their own. Their
colours are the variables ``--gq-real``, ``--gq-fake``, ``--gq-ink``, ``--gq-soft`` and
``--gq-faint``, so that the page decides what is dark; real and fake differ in shape as well, for
readers and printers that see no colour. Each picture carries its alternative text.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gqlib.metrics import Interval

if TYPE_CHECKING:
    from gqlib.metrics import GapResult

Pixels = npt.NDArray[np.uint8]

#: Points a side on the map.
POINTS = 2000
#: Groups on the chart of groups.
GROUPS = 20
#: Bytes that the PNG of a wall may have, and what is tried in turn to stay below: images, pixels.
_WALL_BYTES = 400_000
_WALL_SIZES = ((64, 128), (64, 96), (64, 64), (36, 64), (36, 48), (36, 32), (16, 32))
#: Largest side of the images in a pair.
_PAIR_SIDE = 64
#: Smaller images are enlarged by a whole number to at least this, so that their pixels stay sharp.
_SHARP = 84
#: Between the images of a wall, and around those of another shape.
_GAP, _GREY = 2, 128

#: How the charts look; goes into the page's style sheet.
STYLE = """
.gqlib-report svg{display:block;overflow:visible;font:inherit;color:inherit}
.gqlib-report svg text{fill:var(--gq-ink);font-size:.875rem}
.gqlib-report svg .s{fill:var(--gq-soft);font-size:.75rem}
.gqlib-report svg .axis{stroke:var(--gq-faint);stroke-width:1}
.gqlib-report svg .real,.gqlib-report svg .fake,.gqlib-report svg .back{fill:none;\
stroke-linecap:round;stroke-linejoin:round;vector-effect:non-scaling-stroke}
.gqlib-report svg .real{stroke:var(--gq-real)}
.gqlib-report svg .fake{stroke:var(--gq-fake)}
.gqlib-report svg .back{stroke:var(--gq-faint)}
.gqlib-report svg .whisker{stroke:var(--gq-ink);stroke-width:2}
.gqlib-report svg .halo{stroke:var(--gq-paper);stroke-width:5}
.gqlib-report svg .dot{fill:var(--gq-fake);stroke:var(--gq-paper);stroke-width:1.5}
.gqlib-report svg .tick{stroke:var(--gq-ink);stroke-width:3}
.gqlib-report svg .bar-real{fill:var(--gq-paper);stroke:var(--gq-real);stroke-width:2}
.gqlib-report svg .bar-fake{fill:var(--gq-fake)}
.gqlib-report .gq-map{border:1px solid var(--gq-faint);border-radius:.25rem;width:100%;height:auto}
.gqlib-report .gq-axes{margin-left:2.5rem;width:calc(100% - 2.5rem)}
.gqlib-report svg.gq-key{display:inline-block;vertical-align:middle;margin:0 .25em}
"""


def number(value: float) -> str:
    """``value`` with three digits, or all before the point: ``0.0123``, ``12.3``, ``12,345``."""
    if not math.isfinite(value):
        return "unknown" if math.isnan(value) else "infinite" if value > 0 else "-infinite"
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1e7 or size < 0.001:
        digits, _, power = f"{value:.1e}".partition("e")
        return f"{digits}e{int(power)}"
    decimals = max(0, 2 - math.floor(math.log10(size)))
    return f"{value:,.{decimals}f}"


def percent(share: float) -> str:
    """A share ≥ 0 in words that never round to none or all: ``43 %``, ``4.3 %``, ``99.9 %``."""
    value = 100 * share
    if not math.isfinite(value):
        return number(value)
    if 0 < value < 0.1:
        return "below 0.1 %"
    if 99 < value < 100:
        return f"{math.floor(10 * value) / 10:.1f} %"
    return f"{value:.1f} %" if value < 10 and value != round(value) else f"{value:.0f} %"


def signs(text: str) -> str:
    """Plain text of numbers with the signs of print: a real minus, and powers of ten as such."""
    mantissa, marker, power = text.partition("e")
    if marker and power.lstrip("-").isdigit():
        text = f"{mantissa} × 10{_raised(int(power))}"
    return text.replace("-", "−")


# --- images ---------------------------------------------------------------------------------------


def image_wall(images: Sequence[Tensor], what: str) -> str:
    """Images side by side, as many and as large as a page can carry.

    Args:
        images: uint8 [C, H, W] with C = 1 or 3, of any sizes.
        what: What they are, for the alternative text: "real images".
    """
    arrays = [_pixels(image) for image in images]
    if not arrays:
        raise ValueError("a wall needs at least one image, got none")
    data, shown = b"", 0
    for shown, side in _WALL_SIZES:
        data = png(_mosaic(arrays[:shown], side))
        if len(data) <= _WALL_BYTES:
            break
    count = min(shown, len(arrays))
    return _img(data, f"{count} {what} side by side" if count > 1 else f"one of the {what}")


def image_pair(fake: Tensor, nearest: Tensor, alt: str) -> str:
    """A fake on the left and the image nearest to it on the right: uint8 [C, H, W] each."""
    return _img(png(_mosaic([_pixels(fake), _pixels(nearest)], _PAIR_SIDE)), alt)


def png(pixels: Pixels) -> bytes:
    """Grey [H, W] or colour [H, W, 3] as a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _img(data: bytes, alt: str) -> str:
    source = base64.b64encode(data).decode()
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{source}">'


def _pixels(image: Tensor) -> Pixels:
    if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] not in (1, 3):
        raise ValueError(
            f"an image is {image.dtype} of shape {tuple(image.shape)}, expected uint8 [C, H, W] "
            "with C = 1 or 3"
        )
    if image.numel() == 0:
        raise ValueError(f"an image has shape {tuple(image.shape)}, expected at least one pixel")
    array: Pixels = image.detach().cpu().permute(1, 2, 0).numpy()
    return array[:, :, 0] if array.shape[2] == 1 else array


def _mosaic(images: Sequence[Pixels], most: int) -> Pixels:
    """All in one array, in cells of one size; the larger ones shrunk to ``most`` pixels."""
    side = min(most, max(max(image.shape[:2]) for image in images))
    cells = [_shrunk(image, side) for image in images]
    height, width = (max(cell.shape[axis] for cell in cells) for axis in (0, 1))
    columns = min(len(cells), math.ceil(math.sqrt(len(cells))))
    rows = math.ceil(len(cells) / columns)
    colour = any(cell.ndim == 3 for cell in cells)
    shape = (rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP)
    canvas = np.full((*shape, 3) if colour else shape, _GREY, np.uint8)
    for i, cell in enumerate(cells):
        h, w = cell.shape[:2]
        top = i // columns * (height + _GAP) + (height - h) // 2
        left = i % columns * (width + _GAP) + (width - w) // 2
        canvas[top : top + h, left : left + w] = (
            cell[..., None] if colour and cell.ndim == 2 else cell
        )
    factor = math.ceil(_SHARP / side) if side < _SHARP / 1.5 else 1
    return canvas.repeat(factor, 0).repeat(factor, 1)


def _shrunk(image: Pixels, side: int) -> Pixels:
    height, width = image.shape[:2]
    if max(height, width) <= side:
        return image
    from PIL import Image

    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


# --- the map --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Map:
    """Both sides on the two axes along which the real features vary most.

    Attributes:
        real: (N, 2), at most ``POINTS`` of them.
        fake: (M, 2), likewise.
        explained: Share of the real features' variance that the two axes hold.
    """

    real: Tensor
    fake: Tensor
    explained: float


def project(real: Tensor, fake: Tensor, seed: int = 0) -> Map:
    """Principal components of the real features (N, D), and both sides along the first two."""
    generator = torch.Generator().manual_seed(seed)
    x, y = (
        t[torch.randperm(len(t), generator=generator)[:POINTS].to(t.device)].cpu().to(torch.float64)
        for t in (real, fake)
    )
    centre = x.mean(0)
    unit = (x - centre).abs().max().clamp_min(torch.finfo(torch.float64).tiny)
    x, y = (x - centre) / unit, (y - centre) / unit
    # Of the covariance and the matrix of inner products, which have the same eigenvalues, the
    # smaller one.
    tall = len(x) > x.shape[1]
    values, vectors = torch.linalg.eigh(x.T @ x if tall else x @ x.T)
    axes = vectors.flip(1)[:, :2]
    if not tall:
        axes = x.T @ axes
        axes = axes / axes.norm(dim=0).clamp_min(torch.finfo(torch.float64).tiny)
    if axes.shape[1] < 2:
        axes = torch.cat([axes, torch.zeros_like(axes)], 1)
    total = float(values.clamp_min(0).sum())
    explained = float(values.flip(0)[:2].clamp_min(0).sum()) / total if total > 0 else 1.0
    return Map(x @ axes, y @ axes, explained)


def feature_map(found: Map) -> str:
    """Two panels of the same map, each side in front of the other once."""
    extent = found.real.amax(0) - found.real.amin(0)
    extent = extent.max().clamp_min(1e-9)
    middle = (found.real.amax(0) + found.real.amin(0)) / 2
    scaled = [((t - middle) / (1.4 * extent) + 0.5) * 1000 for t in (found.real, found.fake)]
    outside = int(((scaled[1] < 0) | (scaled[1] > 1000)).any(1).sum())
    x, y = (t.clamp(8, 992).round().to(torch.int64).tolist() for t in scaled)
    dots, crosses = _dots(x), _crosses(y)
    axes = f"two axes that hold {percent(found.explained)} of the real features' variance"
    front = (
        f'<path class="back" stroke-width="1" d="{crosses}"/>'
        f'<path class="real" stroke-width="3.5" d="{dots}"/>'
    )
    back = (
        f'<path class="back" stroke-width="3.5" d="{dots}"/>'
        f'<path class="fake" stroke-width="{1.8 if len(y) < 500 else 1}" d="{crosses}"/>'
    )
    beyond = ""
    if outside:
        beyond = f" {outside:,} fakes lie beyond the edge and are drawn on it."
    panels = (
        (
            "Real in front",
            front,
            f"Map of {len(x):,} real samples, as dots, over the fakes: {axes}",
        ),
        ("Fake in front", back, f"The same map with {len(y):,} fakes, as crosses, over the real"),
    )
    parts = [
        f'<div><p class="gq-panel">{title}</p><svg class="gq-map" viewBox="0 0 1000 1000" '
        f'role="img" aria-label="{escape(alt)}">{body}</svg></div>'
        for title, body, alt in panels
    ]
    caption = (
        f"{_KEY_DOT} real, {_KEY_CROSS} fake. Each sample is a point on the two axes along which "
        f"the real features vary most; they hold {percent(found.explained)} of the variance. Where "
        "the left panel has dots and the right one no crosses, fakes are missing; crosses where "
        f"there are no dots are unlike the real samples.{beyond}"
    )
    return _figure(f'<div class="gq-two">{"".join(parts)}</div>', caption)


def _dots(points: Sequence[Sequence[int]]) -> str:
    return "".join(f"M{x} {1000 - y}h0" for x, y in points)


def _crosses(points: Sequence[Sequence[int]]) -> str:
    return "".join(f"M{x - 7} {993 - y}l14 14m-14 0l14-14" for x, y in points)


_KEY = (
    '<svg class="gq-key" aria-hidden="true" width="{0}" height="12" viewBox="0 0 {0} 12">{1}</svg>'
)
_KEY_DOT = _KEY.format(12, '<path class="real" stroke-width="6" d="M6 6h0"/>')
_KEY_CROSS = _KEY.format(12, '<path class="fake" stroke-width="2" d="M2 2l8 8m-8 0l8-8"/>')


# --- intervals ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One line of the chart of intervals.

    Attributes:
        label: What was measured.
        about: Which failure it tells of.
        value: The value, with its ``interval`` if there is one.
        faithful: What a faithful model would get, if that is known.
        low: Left end of the row's scale.
        high: Right end.
    """

    label: str
    about: str
    value: float
    interval: Interval | None
    faithful: float | None
    low: float
    high: float


_ROW = 62


def intervals(rows: Sequence[Row]) -> str:
    """A dot with its whiskers a row, and a tick where a faithful model would be."""
    body = []
    for i, row in enumerate(rows):
        place = _scale(row.low, row.high)
        top = i * _ROW
        line = top + 27
        body.append(
            f'<text x="0" y="{top + 14}">{escape(row.label)} '
            f'<tspan class="s">{escape(row.about)}</tspan></text>'
            f'<text x="100%" y="{top + 14}" text-anchor="end">{signs(number(row.value))}</text>'
            f'<line class="axis" x1="0" x2="100%" y1="{line}" y2="{line}"/>'
            f'<text class="s" x="0" y="{line + 22}">{_end(row.low)}</text>'
            f'<text class="s" x="100%" y="{line + 22}" text-anchor="end">'
            f"{_end(row.high)}</text>"
        )
        if row.faithful is not None:
            x = place(row.faithful)
            body.append(f'<line class="tick" x1="{x}" x2="{x}" y1="{line - 8}" y2="{line + 8}"/>')
        if row.interval is not None:
            a, b = place(row.interval.low), place(row.interval.high)
            body.append(f'<line class="whisker" x1="{a}" x2="{b}" y1="{line}" y2="{line}"/>')
        body.append(f'<circle class="dot" cx="{place(row.value)}" cy="{line}" r="5.5"/>')
    alt = "; ".join(_spoken(row) for row in rows)
    chart = (
        f'<svg role="img" aria-label="{escape(alt)}" width="100%" height="{len(rows) * _ROW}">'
        f"{''.join(body)}</svg>"
    )
    whisker = "with its interval, " if any(row.interval for row in rows) else ""
    caption = f"{_KEY_VALUE} measured, {whisker}{_KEY_TICK} what a faithful model would get."
    return _figure(chart, caption)


def _spoken(row: Row) -> str:
    text = f"{row.label}: {number(row.value)}"
    if row.interval is not None:
        text += f", interval {number(row.interval.low)} to {number(row.interval.high)}"
    return text if row.faithful is None else f"{text}, faithful {number(row.faithful)}"


def _end(value: float) -> str:
    return signs(f"{value:g}" if abs(value) < 1e5 else number(value))


def _scale(low: float, high: float) -> Any:
    """From a value to its place as a percentage, the ends of the scale for what is beyond."""

    def place(value: float) -> str:
        share = (value - low) / (high - low) if math.isfinite(value) else float(value > 0)
        return f"{100 * min(max(share, 0.0), 1.0):.2f}%"

    return place


_KEY_VALUE = _KEY.format(
    30,
    '<line class="whisker" x1="1" x2="29" y1="6" y2="6"/>'
    '<circle class="dot" cx="15" cy="6" r="5"/>',
)
_KEY_TICK = _KEY.format(8, '<line class="tick" x1="4" x2="4" y1="0" y2="12"/>')


# --- groups ---------------------------------------------------------------------------------------


def groups(gap: GapResult, shares: Mapping[Any, float] | None = None) -> str:
    """How much each group gains or loses among the fakes, with intervals.

    Args:
        gap: What :func:`gqlib.metrics.representation_gap` found.
        shares: Share of each group among the real samples. With it the shares themselves are drawn,
            and without it only their differences.
    """
    names = sorted(gap.shifts, key=lambda name: -abs(gap.shifts[name]))[:GROUPS]
    # In the order of the groups, which readers know.
    names = [name for name in gap.shifts if name in set(names)]
    base = dict.fromkeys(names, 0.0) if shares is None else {n: shares[n] for n in names}
    ends = [base[n] + e for n in names for e in gap.shift_intervals[n][:2]]
    # Shares begin at 0; differences reach as far to the left of 0 as to its right.
    high = max(*ends, *base.values(), *(-e for e in ends if shares is None), 1e-6)
    place = _scale(0.0 if shares is not None else -high, high)
    row = 54 if shares is not None else 48
    body = [
        _group_row(name, i * row, base[name], gap, place, shares is not None)
        for i, name in enumerate(names)
    ]
    level = gap.shift_intervals[names[0]].level
    alt = "; ".join(_spoken_shift(name, gap) for name in names)
    chart = (
        f'<svg role="img" aria-label="{escape(alt)}" width="100%" height="{len(names) * row}">'
        f"{''.join(body)}</svg>"
    )
    few = ""
    if len(names) < len(gap.shifts):
        few = f" The {len(names)} groups that differ most, of {len(gap.shifts)}."
    bars = f"Share of each group: {_KEY_REAL_BAR} real, {_KEY_FAKE_BAR} fake"
    if shares is None:
        bars = f"{_KEY_FAKE_BAR} How much larger (right) or smaller (left) a group's share is"
    return _figure(chart, f"{bars}, with a {100 * level:g} % interval for the difference.{few}")


def _group_row(
    name: Any, top: int, base: float, gap: GapResult, place: Any, with_shares: bool
) -> str:
    shift, interval = gap.shifts[name], gap.shift_intervals[name]
    start, end = place(base), place(base + shift)
    if with_shares:
        text = f"{100 * base:.1f} % → {100 * max(base + shift, 0):.1f} %"
        left, right = place(0.0), end
    else:
        text = _points(shift)
        left, right = (start, end) if shift >= 0 else (end, start)
    width = f"{float(right[:-1]) - float(left[:-1]):.2f}%"
    line = top + (35 if with_shares else 29)
    parts = [
        f'<text x="0" y="{top + 14}">{escape(shown(name))}</text>'
        f'<text x="100%" y="{top + 14}" text-anchor="end">{signs(text)}</text>'
    ]
    if with_shares:
        parts.append(f'<rect class="bar-real" x="0" y="{top + 21}" width="{start}" height="7"/>')
    else:
        parts.append(
            f'<line class="axis" x1="{start}" x2="{start}" y1="{top + 19}" y2="{top + 39}"/>'
        )
    a, b = place(base + interval.low), place(base + interval.high)
    parts.append(f'<rect class="bar-fake" x="{left}" y="{line - 5}" width="{width}" height="10"/>')
    # The whisker runs over the bar: its outline goes first.
    parts += [
        f'<line class="{stroke}" x1="{x1}" x2="{x2}" y1="{line - h}" y2="{line + h}"/>'
        for stroke in ("halo", "whisker")
        for x1, x2, h in ((a, b, 0), (a, a, 4), (b, b, 4))
    ]
    return "".join(parts)


def _points(shift: float) -> str:
    return f"{'+' if shift > 0 else ''}{100 * shift:.1f} points"


def _spoken_shift(name: Any, gap: GapResult) -> str:
    low, high, _ = gap.shift_intervals[name]
    return (
        f"{shown(name)}: {_points(gap.shifts[name])}, interval {100 * low:.1f} to {100 * high:.1f}"
    )


_KEY_REAL_BAR = _KEY.format(20, '<rect class="bar-real" x="1" y="2.5" width="18" height="7"/>')
_KEY_FAKE_BAR = _KEY.format(20, '<rect class="bar-fake" x="0" y="1" width="20" height="10"/>')


# --- spectra --------------------------------------------------------------------------------------

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
            f'<text class="s" x="-8" y="{y + 4:.1f}" text-anchor="end">10{_raised(power)}</text>'
        )
    for tick, anchor in ((0, "start"), (last // 2, "middle"), (last, "end")):
        body.append(
            f'<text class="s" x="{100 * tick / last:.1f}%" y="{_HEIGHT + 16}" '
            f'text-anchor="{anchor}">{tick}</text>'
        )
    body.append(
        f'<text class="s" x="50%" y="{_HEIGHT + 34}" text-anchor="middle">'
        "spatial frequency, cycles an image</text>"
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
    return _figure(chart, caption)


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
    text = f"{number(ratio)} times" if ratio < 0.95 or ratio > 1.05 else "the same as"
    return f"In the finest quarter of the frequencies the fakes' power is {text} the real images'."


def _raised(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


_KEY_SOLID = _KEY.format(28, '<path class="real" stroke-width="2.5" d="M1 6h26"/>')
_KEY_DASHED = _KEY.format(
    28, '<path class="fake" stroke-width="2.5" stroke-dasharray="7 5" d="M1 6h26"/>'
)


def _figure(picture: str, caption: str) -> str:
    caption = caption.replace(" %", "\u00a0%")
    return f"<figure>{picture}<figcaption>{caption}</figcaption></figure>"


def shown(text: Any) -> str:
    """``text`` on one line and without what is not to be seen, whatever a file's name holds."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
