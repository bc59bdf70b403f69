"""The map: both sides on the two axes along which the real features vary most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from markupsafe import Markup
from torch import Tensor

from gqlib.evaluation.report._numbers import percent
from gqlib.evaluation.report._svg import chart, element, figure, key

#: Points a side on the map.
POINTS = 2000


@dataclass(frozen=True)
class Map:
    """Both sides on the two axes along which the real features vary most.

    Attributes:
        real: (N, 2), at most ``POINTS`` of them.
        fake: (M, 2), likewise.
        explained: Share of the real features' variance that the two axes hold.
    """

    real: Tensor
    fake: Tensor
    explained: float


def project(real: Tensor, fake: Tensor, seed: int = 0) -> Map:
    """Principal components of the real features (N, D), and both sides along the first two."""
    generator = torch.Generator().manual_seed(seed)
    x, y = (
        t[torch.randperm(len(t), generator=generator)[:POINTS].to(t.device)].cpu().to(torch.float64)
        for t in (real, fake)
    )
    centre = x.mean(0)
    unit = (x - centre).abs().max().clamp_min(torch.finfo(torch.float64).tiny)
    x, y = (x - centre) / unit, (y - centre) / unit
    # Of the covariance and the matrix of inner products, which have the same eigenvalues, the
    # smaller one.
    tall = len(x) > x.shape[1]
    values, vectors = torch.linalg.eigh(x.T @ x if tall else x @ x.T)
    axes = vectors.flip(1)[:, :2]
    if not tall:
        axes = x.T @ axes
        axes = axes / axes.norm(dim=0).clamp_min(torch.finfo(torch.float64).tiny)
    if axes.shape[1] < 2:
        axes = torch.cat([axes, torch.zeros_like(axes)], 1)
    total = float(values.clamp_min(0).sum())
    explained = float(values.flip(0)[:2].clamp_min(0).sum()) / total if total > 0 else 1.0
    return Map(x @ axes, y @ axes, explained)


def feature_map(points: Map) -> Markup:
    """Two panels of the same map, each side in front of the other once."""
    extent = points.real.amax(0) - points.real.amin(0)
    extent = extent.max().clamp_min(1e-9)
    middle = (points.real.amax(0) + points.real.amin(0)) / 2
    scaled = [((t - middle) / (1.4 * extent) + 0.5) * 1000 for t in (points.real, points.fake)]
    outside = int(((scaled[1] < 0) | (scaled[1] > 1000)).any(1).sum())
    x, y = (t.clamp(8, 992).round().to(torch.int64).tolist() for t in scaled)
    dots, crosses = _dots(x), _crosses(y)
    held = percent(points.explained)
    real_in_front = _panel(
        "Real in front",
        f"Map of {len(x):,} real samples, as dots, over the fakes: two axes that hold {held} of "
        "the real features' variance",
        element("path", class_="back", stroke_width=1, d=crosses),
        element("path", class_="real", stroke_width=3.5, d=dots),
    )
    fake_in_front = _panel(
        "Fake in front",
        f"The same map with {len(y):,} fakes, as crosses, over the real",
        element("path", class_="back", stroke_width=3.5, d=dots),
        element("path", class_="fake", stroke_width=1.8 if len(y) < 500 else 1, d=crosses),
    )
    beyond = f" {outside:,} fakes lie beyond the edge and are drawn on it." if outside else ""
    return figure(
        element("div", real_in_front, fake_in_front, class_="gq-two"),
        _KEY_DOT,
        " real, ",
        _KEY_CROSS,
        " fake. Each sample is a point on the two axes along which the real features vary most; "
        f"they hold {held} of the variance. Where the first panel has dots and the second no "
        "crosses, fakes are missing; crosses where there are no dots are fakes unlike the real "
        f"samples.{beyond}",
    )


def _panel(title: str, alt: str, *shapes: Markup) -> Markup:
    return element(
        "div",
        element("p", title, class_="gq-panel"),
        chart(alt, shapes, class_="gq-map", viewBox="0 0 1000 1000"),
    )


def _dots(points: Sequence[Sequence[int]]) -> str:
    return "".join(f"M{x} {1000 - y}h0" for x, y in points)


def _crosses(points: Sequence[Sequence[int]]) -> str:
    return "".join(f"M{x - 7} {993 - y}l14 14m-14 0l14-14" for x, y in points)


_KEY_DOT = key(12, element("path", class_="real", stroke_width=6, d="M6 6h0"))
_KEY_CROSS = key(12, element("path", class_="fake", stroke_width=2, d="M2 2l8 8m-8 0l8-8"))
