"""Inner products of all pairs, tile by tile: one pass that several metrics share.

A pair's squared distance follows from its inner product, ‖x − y‖² = ‖x‖² + ‖y‖² − 2x·y, and a
matrix product is the fastest way to all of them. Its price is rounding. This module keeps it small
(both sets are centred first) and bounded (:attr:`Points.slack`): a comparison of two distances that
is closer than the bound is repeated exactly (:func:`exact_squares`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch

from gqlib.metrics._validate import chunks, offsets, to_float64


@dataclass(frozen=True)
class Blocks:
    """How much is done at a time; results do not depend on it.

    Attributes:
        tile: Points a side of a tile: 8 MiB of float64 a tile, which stays in a processor's cache.
        rows: Rows that are widened to float64 at a time.
        gather: Values of float64 gathered at a time for exact distances (32 MiB).
        large: Multiplications from which on single precision is faster in spite of repeated checks.
    """

    tile: int = 1024
    rows: int = 1024
    gather: int = 1 << 22
    large: int = 1 << 31


BLOCKS = Blocks()


@dataclass(frozen=True)
class Points:
    """A set of points as the pass over pairs needs it.

    Attributes:
        given: The points as they came, (N, D).
        centre: The common centre, (D,), float64.
        centred: Their offsets from a common centre, (N, D), in the precision of the products.
        squares: ‖offset‖², (N,), float64.
        along_centre: offset · centre, (N,), float64.
        slack: A squared distance from tiles is off by less than slack · (‖x‖² + ‖y‖²).
        blocks: How much of the pass is done at a time.
    """

    given: torch.Tensor
    centre: torch.Tensor
    centred: torch.Tensor
    squares: torch.Tensor
    along_centre: torch.Tensor
    slack: float
    blocks: Blocks = BLOCKS

    def __len__(self) -> int:
        return len(self.given)


@dataclass(frozen=True)
class Tile:
    """Inner products of points ``rows`` of one set with ``columns`` of another, or of the same."""

    rows: slice
    columns: slice
    inner: torch.Tensor

    @property
    def diagonal(self) -> bool:
        """Whether rows and columns are the same points; for a tile within one set."""
        return self.rows == self.columns


def centre_of(x: torch.Tensor, rows: int = BLOCKS.rows) -> torch.Tensor:
    """The mean of the rows, (D,), in float64, accurate to all digits even far from 0."""
    origin = to_float64(x[:1])[0]
    sums = [offsets(part, origin).sum(0) for part in chunks(x, rows)]
    return origin + torch.stack(sums).sum(0) / len(x)


def precision_for(
    n: int, m: int, d: int, device: torch.device, large: int = BLOCKS.large
) -> torch.dtype:
    """The type in which to multiply (n, d) by (d, m) matrices.

    Single precision is twice as fast on a CPU; comparisons that it leaves open are repeated
    exactly. It is not used on a GPU, nor where PyTorch may round further (TF32, bfloat16).
    """
    single = (
        device.type == "cpu"
        and n * m * d > large
        and torch.get_float32_matmul_precision() == "highest"
    )
    return torch.float32 if single else torch.float64


def points(
    x: torch.Tensor, centre: torch.Tensor, dtype: torch.dtype, blocks: Blocks = BLOCKS
) -> Points:
    """``x`` (N, D) with its offsets from ``centre`` (D,), in pieces: no second copy in float64."""
    centred = torch.empty(x.shape, dtype=dtype, device=centre.device)
    squares, along = centre.new_empty(len(x)), centre.new_empty(len(x))
    for start in range(0, len(x), blocks.rows):
        rows = slice(start, start + blocks.rows)
        block = offsets(x[rows], centre)
        centred[rows], squares[rows] = block, block.square().sum(1)
        along[rows] = block @ centre
    d = x.shape[1]
    # The rounding error of a sum of d products is at most d units, and below 10 √d units with
    # practical certainty (Higham and Mary 2019, theorem 3.1); 8 more for the other operations.
    slack = torch.finfo(dtype).eps / 2 * (min(d, 10 * d**0.5) + 8)
    return Points(x, centre, centred, squares, along, slack, blocks)


def around_real(x: torch.Tensor, y: torch.Tensor, blocks: Blocks = BLOCKS) -> tuple[Points, Points]:
    """Both sets as offsets from the mean of ``x``, on its device (for MPS, on the CPU)."""
    centre = centre_of(x, blocks.rows)
    x, y = x.to(centre.device), y.to(centre.device)
    most = max(len(x), len(y))
    single = precision_for(most, most, x.shape[1], centre.device, blocks.large) == torch.float32
    if single:
        a, b = (points(t, centre, torch.float32, blocks) for t in (x, y))
        if _fits_single(a.squares) and _fits_single(b.squares):
            return a, b
    return points(x, centre, torch.float64, blocks), points(y, centre, torch.float64, blocks)


def _fits_single(squares: torch.Tensor) -> bool:
    """Whether sums and products of these squares stay in single precision's range."""
    spread = squares[squares > 0]
    return not len(spread) or (float(spread.min()) > 1e-25 and float(spread.max()) < 1e25)


def tiles(x: Points, y: Points | None = None) -> Iterator[Tile]:
    """The inner products of all pairs of ``x`` and ``y``, or of ``x`` on and above the diagonal."""
    other, side = x if y is None else y, x.blocks.tile
    for i in range(0, len(x), side):
        rows = slice(i, min(i + side, len(x)))
        for j in range(i if y is None else 0, len(other), side):
            columns = slice(j, min(j + side, len(other)))
            yield Tile(rows, columns, x.centred[rows] @ other.centred[columns].T)


def exact_squares(
    x: torch.Tensor,
    y: torch.Tensor,
    i: torch.Tensor,
    j: torch.Tensor,
    gather: int = BLOCKS.gather,
) -> torch.Tensor:
    """‖x[i] − y[j]‖² of pairs of rows, (P,), by differences in float64."""
    step = max(1, gather // x.shape[1])
    parts = [
        (to_float64(x[a]) - to_float64(y[b])).square().sum(1)
        for a, b in zip(i.split(step), j.split(step), strict=True)
    ]
    return torch.cat(parts) if parts else to_float64(x[:0]).sum(1)


class Accumulator(Protocol):
    """Adds up what it needs from each tile. All tiles within a set come before those between."""

    def within(self, side: str, tile: Tile) -> None:
        """A tile on or above the diagonal of the set ``side``, "real" or "fake"."""

    def between(self, tile: Tile) -> None:
        """A tile of real points (rows) and fakes (columns)."""


def accumulate(x: Points, y: Points, *accumulators: Accumulator) -> None:
    """Show every accumulator each tile once, so that they share the matrix products."""
    for side, side_points in (("real", x), ("fake", y)):
        for tile in tiles(side_points):
            for accumulator in accumulators:
                accumulator.within(side, tile)
    for tile in tiles(x, y):
        for accumulator in accumulators:
            accumulator.between(tile)
