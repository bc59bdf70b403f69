"""The charts of intervals and of groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from gqlib.evaluation.report._numbers import number, shown, signs
from gqlib.evaluation.report._svg import Scale, chart, element, figure, joined, key
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


def intervals(rows: Sequence[Row]) -> Markup:
    """A dot with its whiskers a row, and a tick where a faithful model would be."""
    body = [_interval_row(row, i * _ROW) for i, row in enumerate(rows)]
    alt = "; ".join(_spoken(row) for row in rows)
    levels = [row.interval.level for row in rows if row.interval is not None]
    whisker = f" with its {100 * levels[0]:g} % interval" if levels else ""
    return figure(
        chart(alt, body, width="100%", height=len(rows) * _ROW),
        _KEY_VALUE,
        f" measured{whisker}, ",
        _KEY_TICK,
        " what a faithful model would get. Each line has its own scale.",
    )


def _interval_row(row: Row, top: int) -> Markup:
    at = Scale(row.low, row.high).at
    y, below = top + 27, top + 49
    about = element("tspan", row.about, class_="s")
    parts = [
        element("text", row.label, " ", about, x=0, y=top + 14),
        element("text", signs(number(row.value)), x="100%", y=top + 14, text_anchor="end"),
        element("line", class_="axis", x1=0, x2="100%", y1=y, y2=y),
        element("text", _end(row.low), class_="s", x=0, y=below),
        element("text", _end(row.high), class_="s", x="100%", y=below, text_anchor="end"),
    ]
    if row.expected is not None:
        x = at(row.expected)
        parts.append(element("line", class_="tick", x1=x, x2=x, y1=y - 8, y2=y + 8))
    if row.interval is not None:
        low, high = at(row.interval.low), at(row.interval.high)
        parts.append(element("line", class_="whisker", x1=low, x2=high, y1=y, y2=y))
    return joined([*parts, element("circle", class_="dot", cx=at(row.value), cy=y, r=5.5)])


def _spoken(row: Row) -> str:
    text = f"{row.label}: {number(row.value)}"
    if row.interval is not None:
        text += f", interval {number(row.interval.low)} to {number(row.interval.high)}"
    return text if row.expected is None else f"{text}, expected {number(row.expected)}"


def _end(value: float) -> str:
    return signs(f"{value:g}" if abs(value) < 1e5 else number(value))


_KEY_VALUE = key(
    30,
    element("line", class_="whisker", x1=1, x2=29, y1=6, y2=6),
    element("circle", class_="dot", cx=15, cy=6, r=5),
)
_KEY_TICK = key(8, element("line", class_="tick", x1=4, x2=4, y1=0, y2=12))


def groups(gap: GapResult, shares: Mapping[Any, float] | None = None) -> Markup:
    """How much each group gains or loses among the fakes, with intervals.

    Args:
        gap: What :func:`gqlib.metrics.representation_gap` gives.
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
    few = ""
    if len(names) < len(gap.shifts):
        few = f" The {len(names)} groups that differ most, of {len(gap.shifts)}."
    bars = ["Share of each group: ", _KEY_REAL_BAR, " real, ", _KEY_FAKE_BAR, " fake"]
    if shares is None:
        bars = [
            _KEY_FAKE_BAR,
            " How much larger (right) or smaller (left) each group's share is among the fakes",
        ]
    return figure(
        chart(
            "; ".join(_spoken_shift(name, gap) for name in names),
            body,
            width="100%",
            height=len(names) * row,
        ),
        *bars,
        f", with the {100 * level:g} % interval of the difference.{few}",
    )


def _group_row(
    name: Any, top: int, base: float, gap: GapResult, scale: Scale, with_shares: bool
) -> Markup:
    shift, interval = gap.shifts[name], gap.shift_intervals[name]
    start = scale.at(base)
    if with_shares:
        text = f"{100 * base:.1f} % → {100 * max(base + shift, 0):.1f} %"
        left, right, y = 0.0, base + shift, top + 35
        origin = element("rect", class_="bar-real", x=0, y=top + 21, width=start, height=7)
    else:
        text = _points(shift)
        left, right, y = min(shift, 0.0), max(shift, 0.0), top + 29
        origin = element("line", class_="axis", x1=start, x2=start, y1=top + 19, y2=top + 39)
    width = f"{scale.place(right) - scale.place(left):.2f}%"
    a, b = scale.at(base + interval.low), scale.at(base + interval.high)
    return joined(
        [
            element("text", shown(name), x=0, y=top + 14),
            element("text", signs(text), x="100%", y=top + 14, text_anchor="end"),
            origin,
            element("rect", class_="bar-fake", x=scale.at(left), y=y - 5, width=width, height=10),
            # The whisker runs over the bar: its outline goes first.
            *(
                element("line", class_=stroke, x1=x1, x2=x2, y1=y - h, y2=y + h)
                for stroke in ("halo", "whisker")
                for x1, x2, h in ((a, b, 0), (a, a, 4), (b, b, 4))
            ),
        ]
    )


def _points(shift: float) -> str:
    return f"{'+' if shift > 0 else ''}{100 * shift:.1f} points"


def _spoken_shift(name: Any, gap: GapResult) -> str:
    low, high, _ = gap.shift_intervals[name]
    return (
        f"{shown(name)}: {_points(gap.shifts[name])}, interval {100 * low:.1f} to {100 * high:.1f}"
    )


_KEY_REAL_BAR = key(20, element("rect", class_="bar-real", x=1, y=2.5, width=18, height=7))
_KEY_FAKE_BAR = key(20, element("rect", class_="bar-fake", x=0, y=1, width=20, height=10))
