"""Mean and covariance of features, in parts that can be merged.

    M₂ = Σ (x − μ)(x − μ)ᵀ,   C = M₂ / (n − 1)
    merged: n = n₁ + n₂,  μ = μ₁ + δ n₂/n,  M₂ = M₂₁ + M₂₂ + δδᵀ n₁n₂/n,  δ = μ₂ − μ₁

Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances",
Stanford report STAN-CS-79-773, 1979.
"""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import torch

from gqlib._utils import atomic
from gqlib.metrics._linalg import gram, moments
from gqlib.metrics._validate import Array, check_features, chunks, offsets, to_float64

#: Rows that are widened to float64 at a time.
_ROWS = 8192
#: Version of a file of statistics; a higher one is refused.
_VERSION = 1
_KEYS = ("mu", "sigma", "version", "n", "extractor", "resize")


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
        # The mean is kept as origin + offset, where the origin is a sample: a mean far from 0 then
        # costs no digits when parts are merged.
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
        m, c = moments(mean, cov, "mean", "cov")
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
        """Number of features D; 0 until it is known."""
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
        t = check_features(x, "x", at_least=1)
        self._known("update")
        if self.dims not in (0, t.shape[1]):
            raise ValueError(
                f"x has {t.shape[1]} features a sample, these statistics have {self.dims}: "
                "use one feature extractor for all batches"
            )
        self._add(t)
        return self

    def merge(self, other: GaussianStatistics) -> GaussianStatistics:
        """The statistics of both sets of samples together, as a new object."""
        self._known("merge")
        other._known("merge")
        same_source(self, other)
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
        with atomic.replacing(Path(path)) as part, part.open("wb") as file:
            np.savez(
                file,
                mu=mu,
                sigma=sigma,
                version=_VERSION,
                n=-1 if self._n is None else self._n,
                extractor=self.extractor,
                resize=self.resize,
            )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> GaussianStatistics:
        """Read what :meth:`save` or pytorch-fid wrote; the latter's files do not hold n.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file is another kind, damaged, or of a later version of gqlib.
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
                f"{shown} is not an .npz file of statistics, or damaged ({error}): write it with "
                "GaussianStatistics.save or pytorch-fid --save-stats"
            ) from error
        missing = {"mu", "sigma"} - set(found)
        if missing:
            raise ValueError(
                f"{shown} has no {' and no '.join(sorted(missing))}, expected the arrays mu and "
                "sigma: "
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

        Does nothing if no process group was started. Returns itself.
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

    def _add(self, t: torch.Tensor, rows: int = _ROWS) -> None:
        """Add features that have been checked, ``rows`` at a time."""
        if self._n == 0:
            self._origin = to_float64(t[:1])[0].clone()
            self._offset = torch.zeros_like(self._origin)
            self._scatter = torch.zeros(t.shape[1], t.shape[1]).to(self._origin)
        for part in chunks(t, rows):
            block = offsets(part, self._origin)
            offset = block.mean(0)
            block -= offset
            self._merge(len(block), offset, gram(block))

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


def same_source(first: GaussianStatistics, second: GaussianStatistics) -> None:
    if first.extractor and second.extractor and first.extractor != second.extractor:
        raise ValueError(
            f"one side's features come from {first.extractor!r}, the other's from "
            f"{second.extractor!r}: use one extractor for both"
        )
    if first.resize and second.resize and first.resize != second.resize:
        raise ValueError(
            f"one side's images were resized by {first.resize!r}, the other's by "
            f"{second.resize!r}, which would add to the distance: resize both in one way"
        )
