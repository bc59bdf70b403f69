"""The charts of intervals and of groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from gqlib.evaluation.report._numbers import number, shown, signs
from gqlib.evaluation.report._svg import Scale, figure, key
from gqlib.metrics import GapResult, Interval

#: Groups on the chart of groups.
GROUPS = 20


@dataclass(frozen=True)
class Row:
    """One line of the chart of intervals.

    Attributes:
        label: What was measured.
        about: Which failure it tells of.
        value: The value, with its ``interval`` if there is one.
        expected: What a faithful model would get, if that is known.
        low: Left end of the row's scale.
        high: Right end.
    """

    label: str
    about: str
    value: float
    interval: Interval | None
    expected: float | None
    low: float
    high: float


_ROW = 62


def intervals(rows: Sequence[Row]) -> str:
    """A dot with its whiskers a row, and a tick where a faithful model would be."""
    body = []
    for i, row in enumerate(rows):
        place = Scale(row.low, row.high).at
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
        if row.expected is not None:
            x = place(row.expected)
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
    levels = [row.interval.level for row in rows if row.interval is not None]
    whisker = f" with its {100 * levels[0]:g} % interval" if levels else ""
    caption = (
        f"{_KEY_VALUE} measured{whisker}, {_KEY_TICK} what a faithful model would get. Each line "
        "has a scale of its own."
    )
    return figure(chart, caption)


def _spoken(row: Row) -> str:
    text = f"{row.label}: {number(row.value)}"
    if row.interval is not None:
        text += f", interval {number(row.interval.low)} to {number(row.interval.high)}"
    return text if row.expected is None else f"{text}, expected {number(row.expected)}"


def _end(value: float) -> str:
    return signs(f"{value:g}" if abs(value) < 1e5 else number(value))


_KEY_VALUE = key(
    30,
    '<line class="whisker" x1="1" x2="29" y1="6" y2="6"/>'
    '<circle class="dot" cx="15" cy="6" r="5"/>',
)
_KEY_TICK = key(8, '<line class="tick" x1="4" x2="4" y1="0" y2="12"/>')


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
    scale = Scale(0.0 if shares is not None else -high, high)
    row = 54 if shares is not None else 48
    body = [
        _group_row(name, i * row, base[name], gap, scale, shares is not None)
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
        bars = (
            f"{_KEY_FAKE_BAR} How much larger (right) or smaller (left) each group's share is "
            "among the fakes"
        )
    return figure(chart, f"{bars}, with the {100 * level:g} % interval of the difference.{few}")


def _group_row(
    name: Any, top: int, base: float, gap: GapResult, scale: Scale, with_shares: bool
) -> str:
    shift, interval = gap.shifts[name], gap.shift_intervals[name]
    start = scale.at(base)
    if with_shares:
        text = f"{100 * base:.1f} % → {100 * max(base + shift, 0):.1f} %"
        left, right = 0.0, base + shift
    else:
        text = _points(shift)
        left, right = min(shift, 0.0), max(shift, 0.0)
    width = f"{scale.place(right) - scale.place(left):.2f}%"
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
    a, b = scale.at(base + interval.low), scale.at(base + interval.high)
    parts.append(
        f'<rect class="bar-fake" x="{scale.at(left)}" y="{line - 5}" width="{width}" height="10"/>'
    )
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


_KEY_REAL_BAR = key(20, '<rect class="bar-real" x="1" y="2.5" width="18" height="7"/>')
_KEY_FAKE_BAR = key(20, '<rect class="bar-fake" x="0" y="1" width="20" height="10"/>')
