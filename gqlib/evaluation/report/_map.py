"""The map: both sides on the two axes along which the real features vary most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import torch
from torch import Tensor

from gqlib.evaluation.report._numbers import percent
from gqlib.evaluation.report._svg import figure, key

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


def feature_map(found: Map) -> str:
    """Two panels of the same map, each side in front of the other once."""
    extent = found.real.amax(0) - found.real.amin(0)
    extent = extent.max().clamp_min(1e-9)
    middle = (found.real.amax(0) + found.real.amin(0)) / 2
    scaled = [((t - middle) / (1.4 * extent) + 0.5) * 1000 for t in (found.real, found.fake)]
    outside = int(((scaled[1] < 0) | (scaled[1] > 1000)).any(1).sum())
    x, y = (t.clamp(8, 992).round().to(torch.int64).tolist() for t in scaled)
    dots, crosses = _dots(x), _crosses(y)
    axes = f"two axes that hold {percent(found.explained)} of the real features' variance"
    front = (
        f'<path class="back" stroke-width="1" d="{crosses}"/>'
        f'<path class="real" stroke-width="3.5" d="{dots}"/>'
    )
    back = (
        f'<path class="back" stroke-width="3.5" d="{dots}"/>'
        f'<path class="fake" stroke-width="{1.8 if len(y) < 500 else 1}" d="{crosses}"/>'
    )
    beyond = ""
    if outside:
        beyond = f" {outside:,} fakes lie beyond the edge and are drawn on it."
    panels = (
        (
            "Real in front",
            front,
            f"Map of {len(x):,} real samples, as dots, over the fakes: {axes}",
        ),
        ("Fake in front", back, f"The same map with {len(y):,} fakes, as crosses, over the real"),
    )
    parts = [
        f'<div><p class="gq-panel">{title}</p><svg class="gq-map" viewBox="0 0 1000 1000" '
        f'role="img" aria-label="{escape(alt)}">{body}</svg></div>'
        for title, body, alt in panels
    ]
    caption = (
        f"{_KEY_DOT} real, {_KEY_CROSS} fake. Each sample is a point on the two axes along which "
        f"the real features vary most; they hold {percent(found.explained)} of the variance. Where "
        "the first panel has dots and the second no crosses, fakes are missing; crosses where "
        f"there are no dots are fakes unlike the real samples.{beyond}"
    )
    return figure(f'<div class="gq-two">{"".join(parts)}</div>', caption)


def _dots(points: Sequence[Sequence[int]]) -> str:
    return "".join(f"M{x} {1000 - y}h0" for x, y in points)


def _crosses(points: Sequence[Sequence[int]]) -> str:
    return "".join(f"M{x - 7} {993 - y}l14 14m-14 0l14-14" for x, y in points)


_KEY_DOT = key(12, '<path class="real" stroke-width="6" d="M6 6h0"/>')
_KEY_CROSS = key(12, '<path class="fake" stroke-width="2" d="M2 2l8 8m-8 0l8-8"/>')
