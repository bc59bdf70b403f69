"""The charts: what is drawn where, said in words too, and small."""

from __future__ import annotations

import html
import math
import re
from functools import partial

import pytest
import torch
from torch import Tensor

from gqlib.evaluation.report import _charts, _map, _spectra
from gqlib.metrics import Interval, representation_gap
from tests import samples

normal = partial(samples.normal, dtype=torch.float32)


@pytest.mark.parametrize(("n", "d"), [(300, 5), (20, 50), (7, 1), (1, 3), (2500, 3)])
def test_map_finds_the_axes_of_the_real_features(n: int, d: int) -> None:
    x = normal(n, d).double() * torch.linspace(3, 1, d)
    points = _map.project(x, x + 1)
    assert points.real.shape == points.fake.shape == (min(n, _map.POINTS), 2)
    if n <= _map.POINTS:
        singular = torch.linalg.svdvals(x - x.mean(0))
        spread = points.real.square().sum(0).sqrt().sort(descending=True).values
        unit = float((x - x.mean(0)).abs().max()) or 1
        expected = torch.zeros(2, dtype=torch.float64)
        expected[: len(singular[:2])] = singular[:2]
        torch.testing.assert_close(spread * unit, expected, atol=1e-6, rtol=1e-6)
        if n > 1:
            share = singular[:2].square().sum() / singular.square().sum()
            assert points.explained == pytest.approx(float(share))


def test_map_of_huge_constant_and_half_precision_features() -> None:
    for x in (torch.full((9, 3), 2.0), 1e200 * normal(9, 3).double(), normal(9, 3).half()):
        points = _map.project(x, x)
        assert points.real.isfinite().all()
        assert "NaN" not in _map.feature_map(points)
        assert "nan" not in _map.feature_map(points)


def test_map_shows_both_sides_by_shape_and_tells_of_strays() -> None:
    x = normal(50, 2)
    y = torch.cat([normal(40, 2, 1), torch.full((3, 2), 100.0)])
    markup = _map.feature_map(_map.project(x, y))
    assert markup.count("<svg") == 2 + markup.count("gq-key")
    assert re.search(r'class="real"[^>]*d="(M\d+ \d+h0){50}"', markup)
    assert re.search(r'class="fake"[^>]*d="(M-?\d+ -?\d+l14 14m-14 0l14-14){43}"', markup)
    assert "3 fakes lie beyond the edge" in markup
    assert 'aria-label="Map of 50 real samples, as dots' in markup


def test_map_of_many_points_is_small() -> None:
    markup = _map.feature_map(_map.project(normal(3000, 4), normal(3000, 4, 1)))
    assert len(markup) < 200_000


def test_intervals_are_where_they_belong() -> None:
    row = _charts.Row("Recall", "mode collapse", 0.5, Interval(0.4, 0.65, 0.95), 0.8, 0, 1)
    markup = _charts.intervals([row])
    assert 'cx="50.00%"' in markup
    assert 'x1="40.00%" x2="65.00%"' in markup
    assert 'x1="80.00%" x2="80.00%"' in markup
    assert 'aria-label="Recall: 0.500, interval 0.400 to 0.650, expected 0.800"' in markup
    bare = _charts.Row("A<b", "x", math.inf, None, None, 0, 1)
    markup = _charts.intervals([bare])
    assert 'cx="100.00%"' in markup
    assert "A&lt;b" in markup
    assert "interval" not in markup


def test_groups_with_and_without_shares() -> None:
    real, fake = ["a"] * 50 + ["<b>"] * 50, ["a"] * 80 + ["<b>"] * 20
    gap = representation_gap(real, fake)
    markup = _charts.groups(gap, {"a": 0.5, "<b>": 0.5})
    assert "50.0 % → 80.0 %" in markup
    assert "&lt;b&gt;" in markup
    assert "<b>" not in markup
    assert "a: +30.0 points, interval" in markup
    assert markup.count('class="bar-real"') == 2 + 1
    markup = _charts.groups(gap)
    assert "+30.0 points" in markup
    assert "−30.0 points" in markup
    assert markup.count('class="bar-real"') == 0
    # The shift of the first group goes from the middle to the right, the other's to the left.
    starts = [float(x) for x in re.findall(r'class="bar-fake" x="([\d.]+)%"', markup)]
    assert starts[1] == 50
    assert starts[0] < 50


def test_many_groups_show_those_that_differ_most() -> None:
    real = list(range(100)) * 10
    gap = representation_gap(real, real + [37] * 300)
    markup = _charts.groups(gap)
    assert "20 groups that differ most, of 100" in markup
    assert ">37</text>" in markup


def test_spectra_tell_of_fine_detail() -> None:
    real = 10.0 ** -torch.arange(21, dtype=torch.float64)
    markup = _spectra.spectra(real, 4 * real)
    assert "4.00 times the real images'" in html.unescape(markup)
    curves = re.findall(r'class="(real|fake)" stroke-width="2.5"[^>]*d="(M0 \d+L[^"]+)"/>', markup)
    assert [side for side, _ in curves] == ["real", "fake"]
    assert re.search(r'class="fake"[^>]*stroke-dasharray', markup)


@pytest.mark.parametrize(
    ("real", "fake"),
    [
        (torch.zeros(5), torch.zeros(5)),
        (torch.tensor([1.0]), torch.tensor([1.0])),
        (torch.tensor([4.0, 0, 2, 0, 1]), torch.zeros(5)),
        (torch.ones(5), torch.ones(8)),
        (torch.ones(8), torch.full((8,), math.nan)),
        (torch.tensor([1e300, 1e-300]).double(), torch.ones(2).double()),
    ],
)
def test_odd_spectra_are_drawn_or_left_out(real: Tensor, fake: Tensor) -> None:
    markup = _spectra.spectra(real, fake)
    assert "nan" not in markup
    assert "inf" not in markup
