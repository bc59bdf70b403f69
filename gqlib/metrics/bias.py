"""Representation gap: are the groups of the real data present in the same shares?

    gap = ½ Σ |q_g − p_g|  over all groups g that occur on either side

the total variation distance of the groups' shares p among real samples and q among fakes: the
share of fakes that would have to change their group. Shares of finite samples differ by chance, so
even between equal distributions it is above 0: about ½ Σ √(2/π · p(1−p)(1/n + 1/m)).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gqlib.metrics._validate import Array
from gqlib.metrics.result import Interval, Result, check_level, normal_interval, wilson_interval

#: A group is absent if its share among the fakes is below this times that among the real ones.
_ABSENT = 1 / 3


@dataclass(frozen=True, kw_only=True)
class GapResult(Result):
    """The representation gap, and where it comes from.

    Attributes:
        shifts: From each group to its share among the fakes less that among the real samples.
        shift_intervals: From each group to an interval for its shift (Newcombe 1998, method 10), at
            the level asked for, or 95 %.
        expected: The gap to be expected between two samples of one distribution at these sizes.
        p_value: Probability of shares this different or more between samples of one distribution,
            by Pearson's χ² test.
        counts: From each group to its numbers of real samples and of fakes.
    """

    shifts: Mapping[Any, float]
    shift_intervals: Mapping[Any, Interval]
    expected: float
    p_value: float
    counts: Mapping[Any, tuple[int, int]]

    def absent(self, level: float) -> tuple[Any, ...]:
        """Groups that have almost no fakes; wrong for any group with probability ``level`` at most.

        The share of such a group among the fakes is below a third of its share among the real
        samples, by the exact binomial test, given the group's size on both sides together. The
        level is divided evenly over the groups.
        """
        from scipy.stats import binom

        n, m = (sum(pair[side] for pair in self.counts.values()) for side in (0, 1))
        chance = _ABSENT * m / (_ABSENT * m + n)
        groups = []
        for name, (real, fake) in self.counts.items():
            p = float(binom.cdf(fake, real + fake, chance))
            if p < level / len(self.counts):
                groups.append(name)
        return tuple(groups)

    def without(self, groups: Sequence[Any]) -> GapResult | None:
        """The gap among the other groups; ``None`` if one side has none of them."""
        left = {name: pair for name, pair in self.counts.items() if name not in set(groups)}
        if any(sum(pair[side] for pair in left.values()) == 0 for side in (0, 1)):
            return None
        names = list(left)
        counts = np.array([left[name] for name in names], dtype=np.int64).T
        level = None if self.interval is None else self.interval.level
        return _gap(names, counts, level)


def representation_gap(
    real_labels: Array | Sequence[Hashable],
    fake_labels: Array | Sequence[Hashable],
    confidence: float | None = None,
) -> GapResult:
    """Total variation distance of the groups' shares, between 0 and 1.

    Args:
        real_labels: Group of each real sample: N integers or strings.
        fake_labels: Group of each fake, M of them.
        confidence: Level of an interval for the gap, and of those for the shifts.

    Raises:
        ValueError: No label on a side, labels with more than one axis, or floats that are not
            integers.
    """
    if confidence is not None:
        check_level(confidence)
    real, fake = _labels(real_labels, "real_labels"), _labels(fake_labels, "fake_labels")
    if real.dtype.kind != fake.dtype.kind:
        raise ValueError(
            f"real_labels are {real.dtype} and fake_labels {fake.dtype}, expected one kind, "
            "integers or strings: no group could be the same"
        )
    groups = np.unique(np.concatenate([real, fake]))
    counts = [np.bincount(np.searchsorted(groups, t), minlength=len(groups)) for t in (real, fake)]
    return _gap(groups.tolist(), np.stack(counts), confidence)


def _gap(names: list[Any], counts: np.ndarray[Any, Any], confidence: float | None) -> GapResult:
    """The gap from each group's numbers of real samples and of fakes, (2, G)."""
    n, m = (int(total) for total in counts.sum(1))
    level = 0.95 if confidence is None else confidence
    p, q = counts[0] / n, counts[1] / m
    intervals = {
        name: _newcombe(int(a), n, int(b), m, level)
        for name, a, b in zip(names, *counts, strict=True)
    }
    pooled = (counts[0] + counts[1]) / (n + m)
    expected = float(np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m) * 2 / math.pi).sum() / 2)
    gap = float(np.abs(q - p).sum() / 2)
    interval = None
    if confidence is not None:
        low, high, _ = normal_interval(gap, _standard_error(p, q, n, m), confidence)
        interval = Interval(max(low, 0.0), min(high, 1.0), confidence)
    warnings = []
    if n * m / (n + m) * pooled.min() < 5:
        warnings.append(
            f"group {names[int(pooled.argmin())]!r} is too rare for these numbers of samples: its "
            "shift and the p-value are rough"
        )
    return GapResult(
        value=gap,
        n_real=n,
        n_fake=m,
        interval=interval,
        warnings=tuple(warnings),
        name="representation gap",
        shifts=dict(zip(names, (q - p).tolist(), strict=True)),
        shift_intervals=intervals,
        expected=expected,
        p_value=_p_value(counts[0], counts[1]),
        counts=dict(zip(names, zip(*counts.tolist(), strict=True), strict=True)),
    )


def _labels(labels: Array | Sequence[Hashable], name: str) -> np.ndarray[Any, Any]:
    import torch

    if isinstance(labels, list | tuple) and _mixed(labels):
        # NumPy would silently turn the numbers into text.
        raise ValueError(f"{name} mix strings and numbers, expected one kind")
    array = np.asarray(labels.cpu() if isinstance(labels, torch.Tensor) else labels)
    if array.ndim != 1 or len(array) == 0:
        raise ValueError(f"{name} has shape {array.shape}, expected (N,), one group a sample")
    if array.dtype.kind == "f" and bool((np.isfinite(array) & (array == np.floor(array))).all()):
        array = array.astype(np.int64)
    if array.dtype.kind in "iub":
        return array.astype(np.int64)
    if array.dtype.kind in "US":
        return array.astype(np.str_)
    raise ValueError(f"{name} are {array.dtype}, expected integers or strings, one group a sample")


def _mixed(labels: Sequence[Any]) -> bool:
    """Whether some are strings and others numbers."""
    return len({isinstance(x, str) for x in labels if x is not None}) == 2


def _newcombe(a: int, n: int, b: int, m: int, level: float) -> Interval:
    """Interval for b/m − a/n from Wilson's for each (Newcombe 1998, method 10)."""
    p, q = a / n, b / m
    low_p, high_p, _ = wilson_interval(a, n, level)
    low_q, high_q, _ = wilson_interval(b, m, level)
    low = q - p - math.hypot(q - low_q, high_p - p)
    return Interval(low, q - p + math.hypot(high_q - q, p - low_p), level)


def _standard_error(p: np.ndarray[Any, Any], q: np.ndarray[Any, Any], n: int, m: int) -> float:
    """Standard error of the gap, with each q − p taken as normal.

    A group whose difference is clear counts with its sign. One whose difference might have either
    sign counts with less: the slope of E|N(δ, σ²)|, which is erf(δ/σ√2), plus the remaining spread.
    """
    from scipy.special import erf

    sigma = np.sqrt(p * (1 - p) / n + q * (1 - q) / m)
    safe = np.where(sigma > 0, sigma, 1.0)
    sign = np.where(sigma > 0, erf((q - p) / safe / math.sqrt(2)), np.sign(q - p))
    linear = (((sign**2) @ p - (sign @ p) ** 2) / n + ((sign**2) @ q - (sign @ q) ** 2) / m) / 4
    unsure = float(((1 - sign**2) * (1 - 2 / math.pi) * sigma**2).sum()) / 4
    return math.sqrt(max(float(linear), 0.0) + unsure)


def _p_value(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> float:
    if len(a) == 1:
        return 1.0
    from scipy.stats import chi2_contingency

    return float(chi2_contingency(np.stack([a, b])).pvalue)
