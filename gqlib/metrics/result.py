"""What a metric returns: one number that remembers where it comes from.

A bare float forgets how many samples it was measured on, how far it may be off, and what was
wrong with the input. A :class:`Result` keeps all three, converts with ``float()``, exports to JSON
and shows itself as a small table in a notebook.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from html import escape
from typing import Any, NamedTuple

import torch


class Interval(NamedTuple):
    """A confidence interval: ``low`` and ``high`` in the metric's units, ``level`` in (0, 1)."""

    low: float
    high: float
    level: float


@dataclass(frozen=True, kw_only=True)
class Result:
    """The value of a metric with its sample sizes, interval and warnings.

    Attributes:
        value: The metric.
        n_real: Number of real samples; ``None`` if unknown (statistics from a file without it).
        n_fake: Number of generated samples, likewise.
        interval: Where the value would be with other samples from the same two laws, if asked.
        warnings: Plain sentences about the input that a reader of the value must know.
        name: What was measured, and in what unit.
    """

    value: float
    n_real: int | None
    n_fake: int | None
    interval: Interval | None = None
    warnings: tuple[str, ...] = ()
    name: str = "value"

    def __float__(self) -> float:
        return self.value

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain Python objects; the interval as a dictionary."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    def json(self, indent: int | None = None) -> str:
        """Strict JSON: what is no finite number becomes the string ``"inf"`` or ``"nan"``."""
        return json.dumps(_strict(self.to_dict()), indent=indent, allow_nan=False)

    def _repr_html_(self) -> str:
        rows = [("value", f"<b>{self.value:.6g}</b>")]
        if self.interval is not None:
            low, high, level = self.interval
            rows.append((f"{100 * level:g} % interval", f"{low:.6g} to {high:.6g}"))
        rows += [("real samples", _count(self.n_real)), ("fake samples", _count(self.n_fake))]
        rows += [("warning", escape(warning)) for warning in self.warnings]
        body = "".join(
            f'<tr><th scope="row" style="text-align:left">{escape(key)}</th>'
            f'<td style="text-align:left">{text}</td></tr>'
            for key, text in rows
        )
        return f"<table><caption>{escape(self.name)}</caption>{body}</table>"


def normal_interval(value: float, standard_error: float, level: float) -> Interval:
    """``value`` ± the normal quantile times ``standard_error``."""
    from scipy.special import ndtri

    margin = float(ndtri(0.5 + check_level(level) / 2)) * standard_error
    return Interval(value - margin, value + margin, level)


def mean_interval(values: torch.Tensor, level: float) -> Interval:
    """Student's interval for the mean of independent ``values`` of shape (N,), N ≥ 2."""
    from scipy.special import stdtrit

    check_level(level)
    n = len(values)
    if n < 2:
        raise ValueError(
            f"confidence={level} needs at least 2 samples to see their spread, got {n}: "
            "pass more samples, or confidence=None"
        )
    margin = float(stdtrit(n - 1, 0.5 + level / 2)) * float(values.std()) / math.sqrt(n)
    mean = float(values.mean())
    return Interval(mean - margin, mean + margin, level)


def check_level(level: float) -> float:
    """The confidence level itself, or ``ValueError`` where it is no number in (0, 1)."""
    if not 0 < level < 1:
        raise ValueError(f"confidence={level}, expected a level between 0 and 1 such as 0.95")
    return level


def _count(n: int | None) -> str:
    return "unknown" if n is None else f"{n:,}"


def _plain(value: Any) -> Any:
    if isinstance(value, Interval):
        return value._asdict()
    if isinstance(value, torch.Tensor):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def _strict(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_strict(item) for item in value]
    return value
