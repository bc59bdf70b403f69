"""The Fréchet distance between Gaussian fits of two sets of features, squared, as FID is.

    FD² = ‖μ₁ − μ₂‖² + tr C₁ + tr C₂ − 2 tr (C₁^½ C₂ C₁^½)^½

Dowson and Landau, "The Fréchet distance between multivariate normal distributions", J. Multivariate
Analysis 12(3), 1982. Heusel et al., "GANs trained by a two time-scale update rule converge to a
local Nash equilibrium", NeurIPS 2017 (FID: the features are those of Inception-v3).
Chong and Forsyth, "Effectively unbiased FID and Inception Score and where to find them",
CVPR 2020 (the extrapolation to infinitely many samples).

The trace of the root needs no root. Write C₁ = R₁ᵀR₁ and C₂ = R₂ᵀR₂ with any factors: centred data
divided by √(n−1) where they are few, the Cholesky factor, or the root of the eigenvalues times the
eigenvectors. The eigenvalues of C₁C₂ other than 0 are the squared singular values of R₁R₂ᵀ, hence

    tr (C₁^½ C₂ C₁^½)^½ = sum of the singular values of R₁R₂ᵀ,

which is symmetric and never complex, of whatever rank the data are.
"""

from __future__ import annotations

import math
import os
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from gqlib.metrics._input import (
    Array,
    chunks,
    features,
    finite,
    same_width,
    tensor,
    wide,
)
from gqlib.metrics.result import Interval, Result, check_level, normal_interval

#: Rows that are widened to float64 at a time.
_ROWS = 8192
#: Columns of a block of XᵀX: large enough for a fast product.
_COLUMNS = 512
#: Of a file of statistics; a higher one is refused.
_VERSION = 1
_KEYS = ("mu", "sigma", "version", "n", "extractor", "resize")
#: Pairs of samples a side that tell the distance's variance between equal laws.
_PAIRS = 4096


class GaussianStatistics:
    """Sample size, mean and covariance of features, kept so that parts can be merged.

    Holds n, the mean and the centred second moment Σ(x − mean)(x − mean)ᵀ in float64, and merges
    them by Chan, Golub and LeVeque 1979, which stays exact for features far from 0.

    Args:
        dims: Number of features D; taken from the first update if left out.
        extractor: What made the features; statistics of two extractors are never compared.
        resize: How images were resized before.
    """

    def __init__(self, dims: int | None = None, *, extractor: str = "", resize: str = "") -> None:
        if dims is not None and dims < 1:
            raise ValueError(f"dims={dims}, expected at least 1 feature")
        self.extractor, self.resize = extractor, resize
        self._n: int | None = 0
        # The mean is kept as origin + offset, the origin being a sample: so that a mean far from
        # 0 costs no digits when parts are merged.
        self._origin = torch.zeros(dims or 0, dtype=torch.float64)
        self._offset = torch.zeros(dims or 0, dtype=torch.float64)
        self._scatter = torch.zeros(dims or 0, dims or 0, dtype=torch.float64)

    @classmethod
    def from_features(
        cls, x: Array, *, extractor: str = "", resize: str = ""
    ) -> GaussianStatistics:
        """The statistics of all rows of ``x``, shape (N, D), N ≥ 1."""
        return cls(extractor=extractor, resize=resize).update(x)

    @classmethod
    def from_moments(
        cls,
        mean: Array,
        cov: Array,
        n: int | None = None,
        *,
        extractor: str = "",
        resize: str = "",
    ) -> GaussianStatistics:
        """Statistics known only by their mean (D,) and covariance (D, D), divisor n − 1.

        Without ``n`` they can be compared, but not updated or merged.
        """
        m, c = _moments(mean, cov, "mean", "cov")
        if n is not None and n < 2:
            raise ValueError(f"n={n}, expected at least 2 samples behind a covariance, or None")
        statistics = cls(len(m), extractor=extractor, resize=resize)
        statistics._n, statistics._origin = n, m
        statistics._offset = torch.zeros_like(m)
        statistics._scatter = c if n is None else c * (n - 1)
        return statistics

    @property
    def n(self) -> int | None:
        """Number of samples so far; ``None`` if the moments came without it."""
        return self._n

    @property
    def dims(self) -> int:
        """Number of features D; 0 as long as it is not known."""
        return len(self._origin)

    @property
    def mean(self) -> torch.Tensor:
        """Shape (D,), float64."""
        self._at_least(1, "a mean")
        return self._origin + self._offset

    @property
    def cov(self) -> torch.Tensor:
        """Shape (D, D), float64, divisor n − 1."""
        self._at_least(2, "a covariance")
        return self._scatter / (1 if self._n is None else self._n - 1)

    def update(self, x: Array) -> GaussianStatistics:
        """Add the rows of ``x``, shape (N, D), N ≥ 1, in place; returns itself."""
        t = features(x, "x", at_least=1)
        self._known("update")
        if self.dims not in (0, t.shape[1]):
            raise ValueError(
                f"x has {t.shape[1]} features a sample, these statistics have {self.dims}: "
                "use one feature extractor for all batches"
            )
        if self._n == 0:
            self._origin = wide(t[:1])[0].clone()
            self._offset = torch.zeros_like(self._origin)
            self._scatter = torch.zeros(t.shape[1], t.shape[1]).to(self._origin)
        for rows in chunks(t, _ROWS):
            block = _offsets(rows, self._origin)
            offset = block.mean(0)
            block -= offset
            self._merge(len(block), offset, gram(block))
        return self

    def merge(self, other: GaussianStatistics) -> GaussianStatistics:
        """The statistics of both sets of samples together, as a new object."""
        self._known("merge")
        other._known("merge")
        _same_source(self, other)
        if self.dims and other.dims and self.dims != other.dims:
            raise ValueError(
                f"statistics of {self.dims} and of {other.dims} features cannot be merged: "
                "use one feature extractor for both"
            )
        first, second = (self, other) if self._n else (other, self)
        result = GaussianStatistics(
            extractor=self.extractor or other.extractor, resize=self.resize or other.resize
        )
        result._n, result._origin = first._n, first._origin.clone()
        result._offset, result._scatter = first._offset.clone(), first._scatter.clone()
        if second._n:
            device = result._origin.device
            offset = (second._origin.to(device) - result._origin) + second._offset.to(device)
            result._merge(second._n, offset, second._scatter.to(device))
        return result

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an ``.npz`` with ``mu`` and ``sigma`` as pytorch-fid reads them, and the rest."""
        mu, sigma = self.mean.cpu().numpy(), self.cov.cpu().numpy()
        target = Path(path)
        handle, name = tempfile.mkstemp(dir=target.parent, suffix=".npz")
        os.close(handle)
        temporary = Path(name)
        try:
            np.savez(
                temporary,
                mu=mu,
                sigma=sigma,
                version=_VERSION,
                n=-1 if self._n is None else self._n,
                extractor=self.extractor,
                resize=self.resize,
            )
            temporary.chmod(0o644)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> GaussianStatistics:
        """Read what :meth:`save` or pytorch-fid wrote; the latter's files do not tell n.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no such file, damaged, or of a later version of gqlib.
        """
        shown = Path(path).name
        try:
            with np.load(path, allow_pickle=False) as file:
                if not hasattr(file, "files"):
                    raise ValueError("it is a single array")
                found = {key: file[key] for key in file.files if key in _KEYS}
        except FileNotFoundError:
            raise FileNotFoundError(f"{path} does not exist: give the file's path") from None
        except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{shown} is no .npz file of statistics, or damaged ({error}): write it with "
                "GaussianStatistics.save or pytorch-fid --save-stats"
            ) from error
        missing = {"mu", "sigma"} - set(found)
        if missing:
            raise ValueError(
                f"{shown} lacks {' and '.join(sorted(missing))}, expected the arrays mu and sigma: "
                "write it with GaussianStatistics.save or pytorch-fid --save-stats"
            )
        if int(found.get("version", 1)) > _VERSION:
            raise ValueError(
                f"{shown} has version {int(found['version'])}, and this gqlib reads up to "
                f"{_VERSION}: install a newer one"
            )
        n = int(found.get("n", -1))
        text = {key: str(found[key]) for key in ("extractor", "resize") if key in found}
        return cls.from_moments(found["mu"], found["sigma"], n if n >= 0 else None, **text)

    def all_reduce(self) -> GaussianStatistics:
        """Merge the statistics of all processes of torch.distributed, in place, into each one.

        Does nothing where no process group was started. Returns itself.
        """
        import torch.distributed as dist

        if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
            return self
        self._known("all_reduce")
        device = self._origin.device
        if dist.get_backend() == "nccl":
            device = torch.device("cuda", torch.cuda.current_device())
        nobody = 1 << 40
        # Widths and the first process with samples: one that saw none may not know D.
        seen = self._n or 0
        known = self.dims or nobody
        least = torch.tensor([known, -self.dims, dist.get_rank() if seen else nobody]).to(device)
        dist.all_reduce(least, dist.ReduceOp.MIN)
        dims, widest, first = (int(v) for v in least)
        if dims not in (-widest, nobody):
            raise ValueError(
                f"the processes hold statistics of {dims} to {-widest} features, expected one "
                "number: use one feature extractor in all of them"
            )
        if first == nobody:
            return self
        zeros = torch.zeros(dims, dtype=torch.float64, device=device)
        origin = self._origin.to(device).clone() if seen else zeros.clone()
        dist.broadcast(origin, first)
        offset = (self._origin.to(device) - origin) + self._offset.to(device) if seen else zeros
        total = torch.tensor(seen, device=device)
        dist.all_reduce(total)
        mean = offset * (seen / int(total))
        dist.all_reduce(mean)
        scatter = seen * torch.outer(offset - mean, offset - mean)
        if seen:
            scatter += self._scatter.to(device)
        dist.all_reduce(scatter)
        self._n, self._origin, self._offset, self._scatter = int(total), origin, mean, scatter
        return self

    def _merge(self, n: int, offset: torch.Tensor, scatter: torch.Tensor) -> None:
        """Add n samples, given the mean's offset from this one's origin (Chan et al. 1979)."""
        before = self._n or 0
        total = before + n
        delta = offset - self._offset
        self._offset = self._offset + delta * (n / total)
        self._scatter = self._scatter + scatter
        self._scatter += torch.outer(delta, delta) * (before * n / total)
        self._n = total

    def _at_least(self, n: int, what: str) -> None:
        if self._n is not None and self._n < n:
            raise ValueError(f"{what} needs at least {n} samples, got {self._n}: call update first")

    def _known(self, verb: str) -> None:
        if self._n is None:
            raise ValueError(
                f"cannot {verb} statistics whose number of samples is unknown: "
                "give n to from_moments, or make them with GaussianStatistics.save"
            )

    def __repr__(self) -> str:
        n = "unknown" if self._n is None else self._n
        made = f", extractor={self.extractor!r}" if self.extractor else ""
        return f"GaussianStatistics(n={n}, dims={self.dims}{made})"


def frechet_distance(
    real: Array | GaussianStatistics,
    fake: Array | GaussianStatistics,
    confidence: float | None = None,
) -> Result:
    """Squared Fréchet distance between the Gaussian fits of two sets of features.

    Args:
        real: Features of shape (N, D), N ≥ 2, or :class:`GaussianStatistics`.
        fake: Features of shape (M, D), M ≥ 2, or :class:`GaussianStatistics`.
        confidence: Level of an interval, from each sample's influence on the distance; it needs
            the samples of both sides.

    Returns:
        A :class:`Result`, in the squared unit of the features, at least 0. Its warnings say where
        a side has too few samples for its covariance: the estimate is then biased upward. The
        interval covers the estimate's expectation at these sizes, that bias included.

    Raises:
        ValueError: Another rank, a NaN, different D, fewer than two samples, two extractors, two
            ways to resize, ``confidence`` for statistics.
    """
    if confidence is not None:
        check_level(confidence)
        for side, given in (("real", real), ("fake", fake)):
            if isinstance(given, GaussianStatistics):
                raise ValueError(
                    f"confidence={confidence} needs the samples, and {side} is given by its "
                    "statistics: pass its features, or confidence=None"
                )
    if isinstance(real, GaussianStatistics) and isinstance(fake, GaussianStatistics):
        _same_source(real, fake)
    one, two = fit(real, "real"), fit(fake, "fake")
    same_width(one.dims, two.dims)
    result = distance_of_fits(one, two.to(one.mean.device))
    if confidence is None:
        return result
    return with_interval(result, one, two, real, fake, confidence)


def with_interval(
    result: Result, one: Fit, two: Fit, real: Array, fake: Array, confidence: float
) -> Result:
    """``result``, the distance of the fits of two sets of features, with its interval."""
    error = _standard_error(one, two, features(real, "real"), features(fake, "fake"))
    low, high, level = normal_interval(result.value, error, confidence)
    return replace(result, interval=Interval(max(low, 0.0), high, level))


def distance_of_fits(one: Fit, two: Fit) -> Result:
    """The squared distance of two fits, as :func:`frechet_distance` gives it."""
    return Result(
        value=_distance(one.mean, one.root, two.mean, two.root),
        n_real=one.n,
        n_fake=two.n,
        warnings=(*_few(one.n, one.dims, "real"), *_few(two.n, two.dims, "fake")),
        name="Fréchet distance (squared)",
    )


def frechet_from_moments(mean1: Array, cov1: Array, mean2: Array, cov2: Array) -> float:
    """Squared Fréchet distance between N(mean1, cov1) and N(mean2, cov2).

    Args:
        mean1, mean2: Shape (D,).
        cov1, cov2: Shape (D, D), symmetric positive semi-definite; singular is allowed.

    Raises:
        ValueError: Shapes disagree, a NaN, or a matrix that is no covariance.
    """
    m1, c1 = _moments(mean1, cov1, "mean1", "cov1")
    m2, c2 = _moments(mean2, cov2, "mean2", "cov2")
    same_width(len(m1), len(m2))
    return _distance(m1, _factor(c1, "cov1"), m2.to(m1), _factor(c2.to(c1), "cov2"))


def frechet_1d(mean1: float, std1: float, mean2: float, std2: float) -> float:
    """The same for numbers: (mean1 − mean2)² + (std1 − std2)², from standard deviations ≥ 0."""
    return float((mean1 - mean2) ** 2 + (std1 - std2) ** 2)


def sqrtm_psd(m: Array) -> torch.Tensor:
    """The symmetric positive semi-definite root of a symmetric positive semi-definite matrix.

    Args:
        m: Shape (D, D); singular is allowed.

    Returns:
        float64 tensor of shape (D, D) whose square is ``m``.

    Raises:
        ValueError: Not square, not symmetric, a NaN, or a negative eigenvalue beyond rounding.
    """
    values, vectors = _eigen(_symmetric(m, "m"), "m")
    return (vectors * values.sqrt()) @ vectors.T


@dataclass(frozen=True, kw_only=True)
class ExtrapolatedResult(Result):
    """A value at infinitely many samples: the intercept of a line in 1/n.

    Attributes:
        slope: Slope of the line: the bias at n samples is about slope / n.
        r2: Share of the variance of the measured values that the line explains.
        sizes: Numbers of samples at which the distance was measured.
        values: The distances there.
    """

    slope: float
    r2: float
    sizes: tuple[int, ...]
    values: tuple[float, ...]


def frechet_distance_infinity(
    real: Array | GaussianStatistics, fake: Array, points: int = 15, seed: int = 0
) -> ExtrapolatedResult:
    """Squared Fréchet distance extrapolated to infinitely many fakes (Chong and Forsyth 2020).

    Measures the distance on ``points`` random subsets of the fakes, of sizes spaced evenly from a
    tenth of them to all, and takes the intercept of the least-squares line in 1/n. The bias that
    comes from the finite real side stays in, as in the paper.

    Args:
        real: Features of shape (N, D), or :class:`GaussianStatistics`.
        fake: Features of shape (M, D), M ≥ 20.
        points: Number of sizes, at least 2.
        seed: Seeds the subsets, each drawn without replacement.

    Raises:
        ValueError: As :func:`frechet_distance`; fewer than 2 points or 20 fakes.
    """
    if points < 2:
        raise ValueError(f"points={points}, expected at least 2 sizes to lay a line through")
    t = features(fake, "fake", at_least=20)
    whole = fit(real, "real")
    same_width(whole.dims, t.shape[1])
    n, d = t.shape
    sizes = [round(s) for s in np.linspace(max(2, n // 10), n, points).tolist()]
    generator = torch.Generator().manual_seed(seed)
    values = []
    for size in sizes:
        rows = torch.randperm(n, generator=generator)[:size].to(t.device)
        part = fit(t[rows], "fake").to(whole.mean.device)
        values.append(_distance(whole.mean, whole.root, part.mean, part.root))
    intercept, slope, r2 = line_in_inverse(sizes, values)
    warnings = _few(whole.n, d, "real")
    if sizes[0] <= d:
        warnings.append(
            f"the smallest subset has {sizes[0]} samples for {d} features, where the bias is no "
            "longer a line in 1/n: use more fakes"
        )
    return ExtrapolatedResult(
        value=intercept,
        n_real=whole.n,
        n_fake=n,
        warnings=tuple(warnings),
        name="Fréchet distance (squared) at infinitely many fakes",
        slope=slope,
        r2=r2,
        sizes=tuple(sizes),
        values=tuple(values),
    )


def line_in_inverse(sizes: Sequence[float], values: Sequence[float]) -> tuple[float, float, float]:
    """Least squares of values = intercept + slope / size: (intercept, slope, R²)."""
    inverse = 1 / np.asarray(sizes, dtype=np.float64)
    y = np.asarray(values, dtype=np.float64)
    if inverse.shape != y.shape or inverse.ndim != 1:
        raise ValueError(
            f"{inverse.shape} sizes and {y.shape} values, expected one value for each size"
        )
    x = inverse - inverse.mean()
    if not x @ x > 0:
        raise ValueError("all sizes are equal, expected at least two different ones")
    slope = float(x @ y / (x @ x))
    residual = y - y.mean() - slope * x
    spread = float(np.square(y - y.mean()).sum())
    r2 = 1 - float(residual @ residual) / spread if spread > 0 else 1.0
    return float(y.mean() - slope * inverse.mean()), slope, r2


@dataclass(frozen=True)
class Fit:
    """A Gaussian fit: its mean (D,), a factor R (any rows, D) with RᵀR = C, and n."""

    mean: torch.Tensor
    root: torch.Tensor
    n: int | None

    @property
    def dims(self) -> int:
        return len(self.mean)

    def to(self, device: torch.device) -> Fit:
        return Fit(self.mean.to(device), self.root.to(device), self.n)


def fit(x: Array | GaussianStatistics, name: str) -> Fit:
    """The Gaussian fit of features (N, D), N ≥ 2, or of their statistics."""
    if not isinstance(x, GaussianStatistics):
        t = features(x, name)
        n, d = t.shape
        if n <= d:  # the centred data are the smaller factor, and lose no digits to squaring
            origin = wide(t[:1])[0]
            centred = _offsets(t, origin)
            offset = centred.mean(0)
            return Fit(origin + offset, _reflected(centred - offset) / math.sqrt(n - 1), n)
        x = GaussianStatistics.from_features(t)
    return Fit(x.mean, _factor(x.cov, name), x.n)


def _distance(m1: torch.Tensor, r1: torch.Tensor, m2: torch.Tensor, r2: torch.Tensor) -> float:
    """The formula, from means (D,) and factors R (any rows, D) with RᵀR = C."""
    cross = _nuclear_norm(r1, r2)
    distance = (m1 - m2).square().sum() + r1.square().sum() + r2.square().sum() - 2 * cross
    return max(float(distance), 0.0)  # below 0 only by rounding


def _offsets(rows: torch.Tensor, origin: torch.Tensor) -> torch.Tensor:
    """rows − origin, float64, on the origin's device."""
    if rows.device == origin.device and rows.is_floating_point():
        return rows - origin  # widened on the way, which spares a copy
    return wide(rows).to(origin.device) - origin


def gram(x: torch.Tensor) -> torch.Tensor:
    """XᵀX (D, D), of which the blocks below the diagonal are copied."""
    d = x.shape[1]
    product = x.new_empty(d, d)
    for start in range(0, d, _COLUMNS):
        stop = min(start + _COLUMNS, d)
        product[:stop, start:stop] = x[:, :stop].T @ x[:, start:stop]
        product[start:stop, :start] = product[:start, start:stop].T
    return product


def _nuclear_norm(r1: torch.Tensor, r2: torch.Tensor) -> float:
    """Sum of the singular values of A = R₁R₂ᵀ.

    The roots of the eigenvalues of AAᵀ are the same in a fifth of the time, but small ones drown in
    the rounding of large ones, unless the rows of A are graded: where R₁ is a Cholesky factor of a
    falling spectrum, row i of A is of the size of its i-th pivot, and so is the rounding there.
    So AᵀA or AAᵀ, whichever is graded more, is tried, and taken if that leaves 13 digits.
    """
    a = r1 @ r2.T
    rows, columns = a.norm(dim=1), a.norm(dim=0)
    if a.shape[0] > a.shape[1] or (
        a.shape[0] == a.shape[1] and rows.amin() * columns.amax() > columns.amin() * rows.amax()
    ):
        a, rows = a.T, columns
    roots = torch.linalg.eigvalsh(a @ a.T).clamp_min(0).sqrt()
    rows = rows.sort().values
    eps = torch.finfo(a.dtype).eps
    error = torch.minimum(eps * rows.square() / (2 * roots), eps**0.5 * rows).nansum()
    if error <= 1e-13 * (r1.square().sum() + r2.square().sum()):
        return float(roots.sum())
    return float(torch.linalg.svdvals(a).sum())


def _reflected(centred: torch.Tensor) -> torch.Tensor:
    """n − 1 rows with the XᵀX of the centred data X, (n, D).

    A reflection carries the vector of ones, along which centred data have nothing, to the first
    axis. Without that row the factor is of full rank, where the data are.
    """
    n = len(centred)
    # I − vvᵀ/(1 + u) with u = 1/√n and v = u + e₀ takes the unit vector of ones to −e₀.
    u = n**-0.5
    rows: torch.Tensor = centred[1:] - u * (u * centred.sum(0) + centred[0]) / (1 + u)
    return rows


def _factor(cov: torch.Tensor, name: str) -> torch.Tensor:
    """An upper triangular R with RᵀR = ``cov``, or a root by eigenvalues where it is singular."""
    factor, failed = torch.linalg.cholesky_ex(cov)
    if int(failed):
        values, vectors = _eigen(cov, name)
        # An eigenvalue that is 0 comes out as rounding of the largest, and its root would be a
        # hundred million times that.
        kept = values > len(cov) * 2.3e-16 * values[-1]
        factor = vectors[:, kept] * values[kept].sqrt()
    root: torch.Tensor = factor.mT
    return root


def _standard_error(one: Fit, two: Fit, x: torch.Tensor, y: torch.Tensor) -> float:
    """Standard error of the distance: each sample's influence, less what it counts twice.

    With T₁ the linear map that carries the first fit to the second one, a sample's influence is
    (x − μ₁)ᵀ(I − T₁)(x − μ₁) + 2(x − μ₁)·(μ₁ − μ₂). The sum of the influences' variances over n
    and m is the jackknife's estimate, which counts the part that is quadratic in the samples'
    deviations twice (Efron and Stein 1981). Between equal laws that part is all there is, so it is
    estimated by itself, and counted once.
    """
    u, s, vt = torch.linalg.svd(one.root @ two.root.T, full_matrices=False)
    delta = one.mean - two.mean
    variance = 0.0
    for side, t, axes, direction in ((one, x, u, delta), (two, y, vt.T, -delta)):
        influence = _influence(side, t, axes, s, direction)
        variance += float(influence.var()) / len(t)
    quadratic = _quadratic_variance(one, two, x, y)
    return math.sqrt(max(variance - 2 * quadratic, 0.0) + quadratic)


def _influence(
    side: Fit, t: torch.Tensor, axes: torch.Tensor, s: torch.Tensor, direction: torch.Tensor
) -> torch.Tensor:
    """Each sample's influence on the distance, (N,)."""
    # (x − μ)ᵀT(x − μ) is the squared length of s^½ axesᵀ R⁻ᵀ (x − μ).
    r = side.root
    if r.shape[0] == r.shape[1]:
        inverse = torch.linalg.solve(r.T, torch.eye(len(r)).to(r))
    else:
        inverse = torch.linalg.pinv(r @ r.T, hermitian=True) @ r
    project = (axes * s.sqrt()).T @ inverse
    parts = []
    for rows in chunks(t, _ROWS):
        centred = wide(rows).to(side.mean.device) - side.mean
        carried = (centred @ project.T).square().sum(1)
        parts.append(centred.square().sum(1) - carried + 2 * (centred @ direction))
    return torch.cat(parts)


class _Null:
    """The distance between two samples of one law, near 0, where it is quadratic.

    There it is ‖δ‖² + ½ Σ Eᵢⱼ² / (λᵢ + λⱼ), with δ and E the differences of the means and of the
    covariances along the axes of C, λ its eigenvalues. That is the squared length of a mean of
    vectors ψ(x) less one of ψ(y), with the mean (1/n + 1/m) E[ψ(x)·ψ(x)] and the variance
    2 (1/n + 1/m)² E[(ψ(x)·ψ(x′))²], x and x′ independent.
    """

    def __init__(self, cov: torch.Tensor) -> None:
        values, axes = torch.linalg.eigh(cov)
        kept = values > len(values) * 2.3e-16 * values[-1]
        self.values, self.axes = values[kept], axes[:, kept]
        self._weights = 0.5 / (self.values[:, None] + self.values)

    def product(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """ψ(x)·ψ(y) of rows of centred samples along the axes, (P,)."""
        p = x * y
        lengths = x.square().sum(1) + y.square().sum(1)
        product: torch.Tensor = (
            p.sum(1) + ((p @ self._weights) * p).sum(1) - (lengths - self.values.sum()) / 4
        )
        return product

    def sample(self, t: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
        """Some of the rows of ``t``, in random order, centred and along the axes."""
        order = torch.randperm(len(t), generator=torch.Generator().manual_seed(0))
        rows = wide(t[order[:_PAIRS].to(t.device)]).to(mean.device)
        along: torch.Tensor = (rows - mean) @ self.axes
        return along


def expected_frechet(real: Array, one: Fit, n: int, m: int) -> float:
    """The squared distance to be expected between n and m fresh samples of the law of ``real``.

    ``one`` is the fit of these features.

    Both biases of the estimate, of the means and of the covariances, to first order in 1/n and 1/m:
    good where both are some times the number of features.
    """
    null = _Null(one.root.T @ one.root)
    z = null.sample(features(real, "real"), one.mean)[: _PAIRS // 4]
    return (1 / n + 1 / m) * float(null.product(z, z).mean())


def _quadratic_variance(one: Fit, two: Fit, x: torch.Tensor, y: torch.Tensor) -> float:
    """Variance of the distance between two samples of one law, that of both sets together."""
    null = _Null((one.root.T @ one.root + two.root.T @ two.root) / 2)
    products = []
    for side, t in ((one, x), (two, y)):
        z = null.sample(t, side.mean)
        # Few samples make few pairs: then each meets more than one other.
        for shift in range(1, max(2, min(len(z), -(-_PAIRS // len(z)) + 1))):
            products.append(null.product(z, z.roll(shift, 0)))
    return 2 * (1 / len(x) + 1 / len(y)) ** 2 * float(torch.cat(products).square().mean())


def _eigen(matrix: torch.Tensor, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    values, vectors = torch.linalg.eigh(matrix)
    low, high = float(values[0]), float(values[-1])
    if low < -1e-5 * max(abs(high), abs(low) * 1e-5):
        raise ValueError(
            f"{name} has the eigenvalue {low:.3g} beside the largest {high:.3g}, expected a "
            "positive semi-definite matrix: is it a covariance?"
        )
    return values.clamp_min(0), vectors


def _symmetric(matrix: Array, name: str) -> torch.Tensor:
    t = finite(tensor(matrix, name), name)
    if t.ndim != 2 or t.shape[0] != t.shape[1] or t.shape[0] == 0:
        raise ValueError(f"{name} has shape {tuple(t.shape)}, expected a square matrix (D, D)")
    t = wide(t)
    off = float((t - t.T).abs().max())
    if off > 1e-5 * float(t.abs().max()):
        raise ValueError(
            f"{name} differs from its transpose by up to {off:.3g}, expected a symmetric matrix"
        )
    return (t + t.T) / 2


def _moments(
    mean: Array, cov: Array, mean_name: str, cov_name: str
) -> tuple[torch.Tensor, torch.Tensor]:
    m = finite(tensor(mean, mean_name), mean_name)
    c = _symmetric(cov, cov_name)
    if m.ndim != 1 or len(m) != len(c):
        raise ValueError(
            f"{mean_name} has shape {tuple(m.shape)} and {cov_name} {tuple(c.shape)}, "
            "expected (D,) and (D, D)"
        )
    return wide(m).to(c.device), c


def _few(n: int | None, d: int, side: str) -> list[str]:
    if n is None:
        return [f"the number of samples behind the {side} statistics is unknown"]
    if n <= d:
        return [
            f"{n} {side} samples, no more than the {d} feature dimensions: "
            "the estimate is biased upward"
        ]
    return []


def _same_source(first: GaussianStatistics, second: GaussianStatistics) -> None:
    if first.extractor and second.extractor and first.extractor != second.extractor:
        raise ValueError(
            f"one side's features come from {first.extractor!r}, the other's from "
            f"{second.extractor!r}: use one extractor for both"
        )
    if first.resize and second.resize and first.resize != second.resize:
        raise ValueError(
            f"one side's images were resized by {first.resize!r}, the other's by "
            f"{second.resize!r}, and part of a distance would be that difference: resize both in "
            "one way"
        )
