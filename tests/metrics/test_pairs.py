"""Inner products of all pairs: nothing left out, nothing twice, errors within what is promised."""

import pytest
import torch

from gqlib.metrics import _pairs as module
from gqlib.metrics._pairs import Blocks
from tests.samples import normal


def by_differences(x, y):
    return (x.double()[:, None] - y.double()[None]).square().sum(-1)


class Count:
    """Adds up what it is shown."""

    def __init__(self, n, m):
        self.seen = {"real": torch.zeros(n, n), "fake": torch.zeros(m, m)}
        self.between_seen = torch.zeros(n, m)
        self.order = []

    def within(self, side, tile):
        assert tile.diagonal == (tile.rows.start == tile.columns.start)
        self.order.append(side)
        self.seen[side][tile.rows, tile.columns] += 1

    def between(self, tile):
        self.order.append("between")
        self.between_seen[tile.rows, tile.columns] += 1


@pytest.mark.parametrize("tile", [1, 4, 7, 100])
@pytest.mark.parametrize(("n", "m"), [(13, 8), (7, 7), (2, 15)])
def test_every_pair_is_shown_once(tile, n, m):
    x, y = module.around_real(normal(n, 3, 1), normal(m, 3, 2), Blocks(tile=tile))
    first, second = Count(n, m), Count(n, m)
    module.accumulate(x, y, first, second)
    assert (first.between_seen == 1).all()
    for seen in first.seen.values():
        assert (seen.triu() == torch.ones_like(seen).triu()).all()
        below = seen.tril(-1)  # only in tiles on the diagonal
        i, j = below.nonzero(as_tuple=True)
        assert (i // tile == j // tile).all()
    # All pairs within the sets come before the first between them.
    assert first.order == sorted(first.order, key=lambda s: s == "between")
    assert second.order == first.order


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_inner_products_are_right_and_the_slack_holds(monkeypatch, dtype, offset):
    monkeypatch.setattr(module, "precision_for", lambda *_: dtype)
    x, y = normal(50, 20, 1) + offset, normal(40, 20, 2) * 3 + offset
    a, b = module.around_real(x, y, Blocks(tile=16))
    exact = by_differences(x, y)
    worst = 0.0
    for tile in module.tiles(a, b):
        squares = a.squares[tile.rows, None] + b.squares[None, tile.columns]
        error = (squares - 2 * tile.inner.double() - exact[tile.rows, tile.columns]).abs()
        worst = max(worst, float((error / squares).max()))
    assert worst < a.slack
    assert a.slack < 60 * torch.finfo(dtype).eps


@pytest.mark.parametrize("offset", [0, 10**6, 10**12])
def test_the_centre_keeps_all_digits_far_out(offset):
    x = torch.randint(-50, 50, (64, 3), generator=torch.Generator().manual_seed(0))
    centre = module.centre_of((x + offset).double(), rows=5)
    assert torch.equal(centre - offset, x.double().mean(0))
    points = module.points((x + offset).double(), centre, torch.float64, Blocks(rows=5))
    torch.testing.assert_close(
        points.squares, (x - x.double().mean(0)).square().sum(1), rtol=1e-13, atol=0
    )


def test_single_precision_only_where_it_pays_and_is_safe():
    cpu, large = torch.device("cpu"), 1 << 14
    assert module.precision_for(100, 100, 100, cpu) == torch.float64
    assert module.precision_for(large, large, 64, cpu) == torch.float32
    assert module.precision_for(large, large, 64, torch.device("cuda")) == torch.float64
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        assert module.precision_for(large, large, 64, cpu) == torch.float64
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("gather", [1, 10, 1 << 22])
def test_exact_squares_are_differences(gather):
    x, y = normal(20, 4, 1, torch.float32) + 1e4, normal(15, 4, 2, torch.float32) + 1e4
    i, j = torch.meshgrid(torch.arange(20), torch.arange(15), indexing="ij")
    got = module.exact_squares(x, y, i.flatten(), j.flatten(), gather)
    torch.testing.assert_close(got.reshape(20, 15), by_differences(x, y), rtol=1e-14, atol=0)
    none = torch.zeros(0, dtype=torch.int64)
    assert module.exact_squares(x, y, none, none).shape == (0,)


def test_the_arguments_stay_as_they_were():
    x, y = normal(10, 3, 1), normal(9, 3, 2)
    copies = x.clone(), y.clone()
    list(module.tiles(*module.around_real(x, y)))
    assert torch.equal(x, copies[0])
    assert torch.equal(y, copies[1])
