"""Numbers and names as they are shown, and the table of all numbers of an evaluation."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gqlib.metrics import Evaluation, Interval, MemorisationResult, Result


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
    """A share ≥ 0, never rounded to none or all: ``43 %``, ``4.3 %``, ``99.9 %``."""
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
        text = f"{mantissa} × 10{raised(int(power))}"
    return text.replace("-", "−")


def raised(power: int) -> str:
    """An exponent in raised digits: ``⁻⁵``."""
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def shown(text: Any) -> str:
    """``text`` on one line and without what is not to be seen, whatever a file's name holds."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))


@dataclass(frozen=True)
class Line:
    """One number of the report.

    Attributes:
        key: Its name in :attr:`Evaluation.expected`.
        label: What to call it.
        value: What was measured, with its ``interval`` if there is one.
        expected: What a faithful model would get, if that is known.
        real: Number of samples on the real side; ``None`` if unknown, 0 if none took part.
        fake: Number of fakes, likewise.
    """

    key: str
    label: str
    value: float
    interval: Interval | None
    expected: float | None
    real: int | None
    fake: int | None

    @property
    def n(self) -> str:
        """Both numbers of samples, ``?`` for an unknown one and ``-`` for none."""
        return " / ".join(
            "?" if n is None else f"{n:,}" if n else "-" for n in (self.real, self.fake)
        )


def all_lines(e: Evaluation) -> list[Line]:
    """All numbers of an evaluation, in the order of reading."""
    lines = []

    def add(key: str, label: str, result: Result | None) -> None:
        if result is not None:
            known = e.expected.get(key)
            n = _sample_sizes(key, result)
            lines.append(Line(key, label, result.value, result.interval, known, *n))

    add("frechet_distance", "Fréchet distance", e.frechet_distance)
    add("frechet_distance_infinity", "Fréchet at infinity", e.frechet_distance_infinity)
    add("kernel_distance", "Kernel distance", e.kernel_distance)
    if e.neighbour_scores is not None:
        scores = e.neighbour_scores
        for name in scores.VALUES:
            interval = None if scores.interval is None else scores.interval.get(name)
            value = float(getattr(scores, name))
            lines.append(
                Line(
                    name,
                    name.capitalize(),
                    value,
                    interval,
                    scores.expected.get(name),
                    scores.n_real,
                    scores.n_fake,
                )
            )
    add("repeats", "Near repeats", e.repeats)
    add("inception_score", "Inception Score", e.inception_score)
    add("vendi_score", "Vendi score, fake", e.vendi_score)
    add("real_vendi_score", "Vendi score, real", e.real_vendi_score)
    add("authenticity", "Authenticity", e.authenticity)
    add("copying_test", "Copying test", e.copying_test)
    add("representation_gap", "Representation gap", e.representation_gap)
    return lines


def _sample_sizes(key: str, result: Result) -> tuple[int | None, int | None]:
    """What stands on the real side, such as training samples, and how many fakes."""
    match key:
        case "vendi_score" | "inception_score":
            return 0, result.n_fake
        case "real_vendi_score":
            return result.n_fake, 0
        case "authenticity" if isinstance(result, MemorisationResult):
            return result.n_train, result.n_fake
        case "copying_test" if isinstance(result, MemorisationResult):
            return result.n_holdout, result.n_fake
    return result.n_real, result.n_fake


def interval_text(interval: Interval | None) -> str:
    """``0.1 to 0.2``, or ``-`` if there is none."""
    if interval is None:
        return "-"
    return f"{number(interval.low)} to {number(interval.high)}"


def interval_name(lines: Iterable[Line]) -> str:
    """What to call their intervals: ``95 % interval``. All have the level of the evaluation."""
    levels = [line.interval.level for line in lines if line.interval is not None]
    return f"{100 * levels[0]:g} % interval" if levels else "interval"


def optional(value: float | None) -> str:
    """:func:`number`, or ``-`` if there is none."""
    return "-" if value is None else number(value)
