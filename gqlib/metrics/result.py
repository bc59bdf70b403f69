"""What a metric returns: numbers together with what a reader must know about them.

A bare float does not say how many samples it was measured on, how far it may be off, or what was
wrong with the input. A :class:`Result` does. It converts with ``float()``, exports to JSON and is
shown as a small table in a notebook. :class:`Results` holds several values in the same way.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from html import escape
from typing import Any, ClassVar, NamedTuple, NoReturn

import torch


class Interval(NamedTuple):
    """A confidence interval: ``low`` and ``high`` in the metric's units, ``level`` in (0, 1)."""

    low: float
    high: float
    level: float


#: Sample sizes of a result, and what each counts.
_SAMPLES = {
    "n_train": "training samples",
    "n_holdout": "held-out samples",
    "n_real": "real samples",
    "n_fake": "fake samples",
}


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """What one value and several have in common."""

    n_real: int | None = None
    n_fake: int | None = None
    warnings: tuple[str, ...] = ()
    name: str = "value"

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain Python objects; intervals as dictionaries."""
        return {field.name: plain(getattr(self, field.name)) for field in fields(self)}

    def json(self, indent: int | None = None) -> str:
        """Strict JSON: a number that is not finite becomes the string ``"inf"`` or ``"nan"``."""
        return json.dumps(strict(self.to_dict()), indent=indent, allow_nan=False)

    def _rows(self) -> list[tuple[str, str]]:
        raise NotImplementedError

    def _repr_html_(self) -> str:
        rows = self._rows()
        rows += [
            (label, f"{getattr(self, name):,}")
            for name, label in _SAMPLES.items()
            if getattr(self, name, None) is not None
        ]
        rows += [("warning", escape(warning)) for warning in self.warnings]
        body = "".join(
            f'<tr><th scope="row" style="text-align:left">{escape(key)}</th>'
            f'<td style="text-align:left">{text}</td></tr>'
            for key, text in rows
        )
        return f"<table><caption>{escape(self.name)}</caption>{body}</table>"


@dataclass(frozen=True, kw_only=True)
class Result(_Measured):
    """The value of a metric with its sample sizes, interval and warnings.

    Attributes:
        value: The metric.
        n_real: Number of real samples; ``None`` if there is no such side, or if the number is
            unknown (a file of statistics may not hold it; a warning then says so).
        n_fake: Number of generated samples, likewise.
        interval: An interval for the metric's expectation at these sample sizes, if asked for.
        warnings: What a reader of the value must know about the input, in plain sentences.
        name: What was measured, and in what unit.
    """

    value: float
    interval: Interval | None = None

    def __float__(self) -> float:
        return self.value

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("value", f"<b>{self.value:.6g}</b>")]
        if self.interval is not None:
            rows.append((f"{100 * self.interval.level:g} % interval", _range(self.interval)))
        return rows


@dataclass(frozen=True, kw_only=True)
class Results(_Measured):
    """Several values of one metric; a subclass names them in ``VALUES`` and holds them as fields.

    Attributes:
        interval: From the name of a value to its interval, if asked for.
    """

    VALUES: ClassVar[tuple[str, ...]] = ()

    interval: Mapping[str, Interval] | None = None

    def __float__(self) -> NoReturn:
        names = ", ".join(self.VALUES)
        raise TypeError(f"{self.name} has several values ({names}): take one by its name")

    def values(self) -> torch.Tensor:
        """The values in the order of ``VALUES``, (V,), float64."""
        return torch.tensor([getattr(self, name) for name in self.VALUES], dtype=torch.float64)

    def _rows(self) -> list[tuple[str, str]]:
        rows = []
        for name in self.VALUES:
            text = f"<b>{getattr(self, name):.6g}</b>"
            if self.interval is not None and name in self.interval:
                interval = self.interval[name]
                text += f" ({100 * interval.level:g} % interval {_range(interval)})"
            rows.append((name, text))
        return rows


def normal_interval(value: float, standard_error: float, level: float) -> Interval:
    """``value`` ± the normal quantile times ``standard_error``."""
    from scipy.special import ndtri

    margin = float(ndtri(0.5 + check_level(level) / 2)) * standard_error
    return Interval(value - margin, value + margin, level)


def log_interval(value: float, standard_error: float, level: float) -> Interval:
    """An interval on the logarithmic scale, for a value > 0 whose error grows with it.

    Its upper half is at most twice as long as that of the normal interval.
    """
    margin = normal_interval(0.0, standard_error, level).high
    if not 0 < margin < math.inf or not value > 0:
        return Interval(value, value + margin, level)
    ratio = margin / value
    stretch = 2.0 if ratio > 1 else math.expm1(ratio) / ratio
    return Interval(value * math.exp(-ratio), value + margin * stretch, level)


def student_interval(value: float, standard_error: float, df: int, level: float) -> Interval:
    """``value`` ± Student's quantile times ``standard_error``, which is itself an estimate."""
    from scipy.special import stdtrit

    margin = float(stdtrit(df, 0.5 + check_level(level) / 2)) * standard_error
    return Interval(value - margin, value + margin, level)


def wilson_interval(count: float, n: float, level: float) -> Interval:
    """Interval for a share, of which ``count`` of ``n`` independent samples are (Wilson 1927)."""
    from scipy.special import ndtri

    return _wilson(count / n, n, float(ndtri(0.5 + check_level(level) / 2)), level)


def share_interval(share: float, standard_error: float, df: int, level: float) -> Interval:
    """Wilson's interval for a share with this standard error, for as many independent samples."""
    from scipy.special import stdtrit

    n = share * (1 - share) / standard_error**2 if 0 < share < 1 else 1 / standard_error
    return _wilson(share, n, float(stdtrit(df, 0.5 + check_level(level) / 2)), level)


def _wilson(share: float, n: float, z: float, level: float) -> Interval:
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    margin = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # At the ends rounding would leave a small error.
    low = 0.0 if share == 0 else max(centre - margin, 0.0)
    high = 1.0 if share == 1 else min(centre + margin, 1.0)
    return Interval(low, high, level)


def mean_interval(values: torch.Tensor, level: float) -> Interval:
    """Student's interval for the mean of independent ``values`` of shape (N,), N ≥ 2."""
    n = len(values)
    if n < 2:
        raise ValueError(
            f"confidence={level} needs at least 2 samples to see their spread, got {n}: "
            "pass more samples, or confidence=None"
        )
    error = float(values.std()) / math.sqrt(n)
    return student_interval(float(values.mean()), error, n - 1, level)


def check_level(level: float) -> float:
    """The confidence level itself, or a ``ValueError`` if it is not a number in (0, 1)."""
    if not 0 < level < 1:
        raise ValueError(f"confidence={level}, expected a level between 0 and 1 such as 0.95")
    return level


def _range(interval: Interval) -> str:
    return f"{interval.low:.6g} to {interval.high:.6g}"


def plain(value: Any) -> Any:
    """``value`` in JSON's types, except that numbers may not be finite."""
    if isinstance(value, _Measured):
        return value.to_dict()
    if isinstance(value, Interval):
        return value._asdict()
    if isinstance(value, torch.Tensor):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple | list) else value


def strict(value: Any) -> Any:
    """``value`` with ``"inf"`` and ``"nan"`` for numbers that JSON cannot express."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: strict(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [strict(item) for item in value]
    return value
