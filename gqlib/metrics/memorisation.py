"""Memorisation: does the model reproduce its training data?

    authenticity = share of fakes y with d(y, t) > d(t, nearest other training sample),
                   t the training sample nearest to y
    C_T = (U − nm/2) / √(nm(n + m + 1)/12),   U = number of pairs of one of n fakes and one of m
          held-out samples in which the fake is farther from its nearest training sample, ties ½
    likelihood gap = mean NLL of new samples − mean NLL of the training samples

Alaa, van Breugel, Saveliev, van der Schaar, "How faithful is your synthetic data?", ICML 2022,
section 3.2. Meehan, Chaudhuri, Dasgupta, "A non-parametric test to detect data-copying in
generative models", AISTATS 2020, section 3 (with one cell). For a model that gives new samples of
the training distribution, C_T is standard normal; copies make it negative.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch

from gqlib.metrics._pairs import BLOCKS, Blocks, around_real, tiles
from gqlib.metrics._validate import Array, check_features, same_width
from gqlib.metrics.neighbours import Nearest
from gqlib.metrics.result import Interval, Result, check_level, normal_interval, wilson_interval


@dataclass(frozen=True, kw_only=True)
class MemorisationResult(Result):
    """A memorisation score, and what new samples would get.

    Attributes:
        expected: For authenticity that of the held-out set, ``None`` without one. For C_T the mean
            over random halves of the held-out set, where one half plays the fakes.
        expected_std: For C_T the standard deviation over these halves, about 1.
        n_train: Number of training samples.
        n_holdout: Number of held-out samples; ``None`` without any.
    """

    n_train: int
    n_holdout: int | None = None
    expected: float | None = None
    expected_std: float | None = None


def authenticity(
    train: Array, fake: Array, holdout: Array | None = None, confidence: float | None = None
) -> MemorisationResult:
    """Share of fakes that lie farther from the training set than its own samples lie apart.

    What a faithful model gets depends on the data. If the density is even it is (1 − c)/(2 − c),
    where c is the share of a ball that lies in an equal ball around a point of its surface: ⅓ on a
    line, close to ½ in many dimensions. If the density varies it is more. So give a held-out set to
    compare with.

    Args:
        train: Features of the training set, (N, D), N ≥ 2.
        fake: Features of the fakes, (M, D).
        holdout: Features of samples of the same distribution that the model never saw.
        confidence: Level of an interval over fakes, for this training set (Wilson).

    Raises:
        ValueError: Another rank, a NaN, different D, fewer than two training samples.
    """
    given = {"train": train, "fake": fake, "holdout": holdout}
    return authenticity_of(Search(given, train_at_least=2), confidence)


def authenticity_of(search: Search, confidence: float | None = None) -> MemorisationResult:
    """:func:`authenticity` from a search that may serve both scores."""
    count, n = search.authentic("fake"), len(search.sets["fake"])
    expected = None
    if "holdout" in search.sets:
        expected = search.authentic("holdout") / len(search.sets["holdout"])
    warnings = (
        () if expected is not None else ("without a held-out set there is no value to expect",)
    )
    return MemorisationResult(
        value=count / n,
        n_train=search.n_train,
        n_holdout=search.n_holdout,
        n_fake=n,
        interval=None if confidence is None else wilson_interval(count, n, confidence),
        warnings=warnings,
        name="authenticity",
        expected=expected,
    )


def copying_test(
    train: Array, holdout: Array, fake: Array, confidence: float | None = None, seed: int = 0
) -> MemorisationResult:
    """Meehan, Chaudhuri and Dasgupta's C_T: below −3 the fakes lie too near to the training set.

    Args:
        train: Features of the training set, (N, D).
        holdout: Features of samples of the same distribution that the model never saw, (m, D).
        fake: Features of the fakes, (n, D).
        confidence: Level of an interval, from the variance of U by DeLong, DeLong and
            Clarke-Pearson 1988.
        seed: Seeds the random halves of the held-out set.

    Raises:
        ValueError: Another rank, a NaN, different D, an empty set.
    """
    given = {"train": train, "holdout": holdout, "fake": fake}
    return copying_of(Search(given, train_at_least=1), confidence, seed)


def copying_of(
    search: Search, confidence: float | None = None, seed: int = 0
) -> MemorisationResult:
    """:func:`copying_test` from a search that may serve both scores."""
    held, fakes = (search.nearest[name][0].sqrt() for name in ("holdout", "fake"))
    value = copying_z(fakes, held)
    interval = None
    if confidence is not None:
        low, high, level = _z_interval(fakes, held, confidence)
        # The half pair that `_z_interval` adds must not leave the value itself out.
        interval = Interval(min(low, value), max(high, value), level)
    expected, expected_std = None, None
    if len(held) >= 2:
        generator = torch.Generator().manual_seed(seed)
        order = [torch.randperm(len(held), generator=generator) for _ in range(_HALVES)]
        halves = torch.tensor(
            [copying_z(*held[o.to(held.device)].tensor_split(2)) for o in order],
            dtype=torch.float64,
        )
        expected, expected_std = float(halves.mean()), float(halves.std())
    return MemorisationResult(
        value=value,
        n_train=search.n_train,
        n_holdout=len(held),
        n_fake=len(fakes),
        interval=interval,
        name="C_T, z-score of copying (negative: copies)",
        expected=expected,
        expected_std=expected_std,
    )


#: Random halves of the held-out set, for the expected C_T.
_HALVES = 100


def nearest(x: Array, pool: Array) -> tuple[torch.Tensor, torch.Tensor]:
    """Distance of each row of ``x`` (N, D) to the nearest of ``pool`` (M, D), and its index.

    Returns:
        Distances (N,), float64, and indices (N,), int64; any one of equally near points.
    """
    a, b = check_features(x, "x", at_least=1), check_features(pool, "pool", at_least=1)
    same_width(a.shape[1], b.shape[1])
    squares, index = _nearest(a, b)
    return squares.sqrt(), index


def copying_z(fakes: torch.Tensor, held: torch.Tensor) -> float:
    """C_T from the distances to the nearest training sample of fakes (n,) and held-out (m,)."""
    n, m = len(fakes), len(held)
    u = float(_placements(fakes, held).sum()) * m
    return (u - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)


def _placements(values: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """For each value the share of ``others`` below it, equal ones counted as a half."""
    ordered = others.sort().values
    below = torch.searchsorted(ordered, values)
    not_above = torch.searchsorted(ordered, values, right=True)
    return (below + not_above).to(torch.float64) / (2 * len(others))


def _z_interval(fakes: torch.Tensor, held: torch.Tensor, level: float) -> Interval:
    """Interval for the z-score, from the variance of θ = U/nm on the scale of log θ/(1 − θ)."""
    n, m = len(fakes), len(held)
    check_level(level)
    if min(n, m) < 2:
        raise ValueError(
            f"confidence needs at least 2 samples a side, got {n} fake and {m} held out: pass "
            "more, or confidence=None"
        )
    above, below = _placements(fakes, held), _placements(held, fakes)
    # Half a pair is added: at the ends the logarithm is infinite and the variance 0.
    theta = (float(above.mean()) * n * m + 0.5) / (n * m + 1)
    slope = theta * (1 - theta)
    error = math.sqrt(float(above.var()) / n + float(below.var()) / m + slope / (n * m))
    low, high, _ = normal_interval(math.log(theta / (1 - theta)), error / slope, level)
    unit = math.sqrt(n * m * 12 / (n + m + 1))
    return Interval(
        (1 / (1 + math.exp(-low)) - 0.5) * unit, (1 / (1 + math.exp(-high)) - 0.5) * unit, level
    )


def nearest_other(x: Array) -> torch.Tensor:
    """Distance of each row of ``x``, (N, D), N ≥ 2, to the nearest other row, (N,), float64."""
    return _apart(check_features(x, "x")).sqrt()


def _nearest(
    x: torch.Tensor, pool: torch.Tensor, blocks: Blocks = BLOCKS
) -> tuple[torch.Tensor, torch.Tensor]:
    """Squared distance of each row to the nearest of the pool, exact, and its index."""
    a, b = around_real(pool, x, blocks)
    search = Nearest(b, 1, a)
    for tile in tiles(b, a):
        search.add(tile)
    return search.kth()


def _apart(x: torch.Tensor, blocks: Blocks = BLOCKS) -> torch.Tensor:
    """Squared distance of each row to the nearest other one, exact."""
    pool, _ = around_real(x, x[:1], blocks)
    search = Nearest(pool, 1)
    for tile in tiles(pool):
        search.add(tile)
    return search.kth()[0]


class Search:
    """The nearest training sample of each fake and each held-out sample, searched once.

    Args:
        given: From "train", "fake" and "holdout" to features (N, D), or ``None`` for a missing set.
        train_at_least: The least number of training samples.
        blocks: How much is done at a time.
    """

    def __init__(
        self, given: Mapping[str, Array | None], train_at_least: int, blocks: Blocks = BLOCKS
    ) -> None:
        self._blocks = blocks
        self.sets = {
            name: check_features(x, name, train_at_least if name == "train" else 1)
            for name, x in given.items()
            if x is not None
        }
        _same_widths(self.sets)
        self.n_train = len(self.sets["train"])
        self.n_holdout = len(self.sets["holdout"]) if "holdout" in self.sets else None

    @cached_property
    def nearest(self) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """For each set but the training set: squared distances, exact, and indices."""
        train = self.sets["train"]
        others = {name: t for name, t in self.sets.items() if name != "train"}
        return {name: _nearest(t, train, self._blocks) for name, t in others.items()}

    @cached_property
    def apart(self) -> torch.Tensor:
        """Squared distance of each training sample to the nearest other one."""
        return _apart(self.sets["train"], self._blocks)

    def authentic(self, name: str) -> int:
        """How many of a set are strictly farther from training sample t than t from another one."""
        squares, index = self.nearest[name]
        return int((squares > self.apart[index]).sum())


def _same_widths(sets: dict[str, torch.Tensor]) -> None:
    widths = {name: t.shape[1] for name, t in sets.items()}
    if len(set(widths.values())) > 1:
        given = ", ".join(f"{name} {d}" for name, d in widths.items())
        raise ValueError(
            f"features a sample differ ({given}), expected the same number: "
            "use one feature extractor for all"
        )
