"""Lesson 10, Fidelity and diversity: neighbour balls, and patterns that upsampling leaves.

A transposed convolution whose stride does not divide its kernel paints some pixels more often than
others: Odena, Dumoulin and Olah, "Deconvolution and checkerboard artifacts", Distill 2016. With
stride two that is a pattern which repeats every two rows and columns, so it is a sum of a constant
and three waves,

    a·(−1)^i + b·(−1)^j + c·(−1)^(i+j) ,

whose amplitudes, averaged over images, are small where each image has its own phase.
"""

from __future__ import annotations

import torch
from torch import Tensor

from gqlib import metrics
from gqlib.metrics import expected_coverage
from gqlib.metrics._pairs import BLOCKS, Blocks, around_real, tiles
from gqlib.metrics._validate import Array, check_features, chunks, to_float64
from gqlib.metrics.neighbours import Nearest, check_k
from gqlib.metrics.spectrum import PIXELS, grey_images, radial_power_spectrum

__all__ = [
    "density_coverage",
    "expected_coverage",
    "has_checkerboard",
    "knn_radii",
    "pairwise_distances",
    "precision_recall",
    "radial_power_spectrum",
]

#: Standard errors that count as chance, and a share of the images' level too small to see.
_CHANCE, _INVISIBLE = 6.0, 0.002
#: From this number of images on, a pattern common to all stands out from differences among them.
_ENOUGH = 32


def pairwise_distances(x: Array, y: Array) -> torch.Tensor:
    """‖xᵢ − yⱼ‖ of all pairs, by differences in float64: equal points have distance 0.

    Args:
        x: Points of shape (N, D), N ≥ 1.
        y: Points of shape (M, D), M ≥ 1.

    Returns:
        float64 (N, M), on the device of ``x`` (for MPS, on the CPU). The whole matrix is held in
        memory; this module's scores do not use it.

    Raises:
        ValueError: Another rank, a NaN, different D.
    """
    a, b = (
        to_float64(check_features(x, "x", at_least=1)),
        to_float64(check_features(y, "y", at_least=1)),
    )
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"x has {a.shape[1]} features a point and y has {b.shape[1]}, expected the same number"
        )
    distances: torch.Tensor = torch.cdist(
        a, b.to(a.device), compute_mode="donot_use_mm_for_euclid_dist"
    )
    return distances


def knn_radii(x: Array, k: int) -> torch.Tensor:
    """Distance of each point to its k-th nearest other one: the radius of its ball.

    Args:
        x: Points of shape (N, D), N > k.
        k: Which neighbour. The point itself does not count, copies of it do.

    Returns:
        float64 (N,), on the device of ``x`` (for MPS, on the CPU).

    Raises:
        ValueError: Another rank, a NaN, k < 1 or k ≥ N.
    """
    t = check_features(x, "x")
    check_k(k, len(t), k + 1)
    return _radii(t, k)


def _radii(t: Tensor, k: int, blocks: Blocks = BLOCKS) -> torch.Tensor:
    a, _ = around_real(t, t[:1], blocks)
    nearest = Nearest(a, k)
    for tile in tiles(a):
        nearest.add(tile)
    return nearest.kth()[0].sqrt()


def precision_recall(real: Tensor, fake: Tensor, k: int) -> tuple[float, float]:
    """Precision and recall with balls to the k-th neighbour."""
    scores = metrics.neighbour_scores(real, fake, k)
    return scores.precision, scores.recall


def density_coverage(real: Tensor, fake: Tensor, k: int) -> tuple[float, float]:
    """Density and coverage with balls to the k-th neighbour."""
    scores = metrics.neighbour_scores(real, fake, k)
    return scores.density, scores.coverage


def has_checkerboard(images: Array, reference: Array) -> bool:
    """Whether the images have a pattern of period two that is not in the reference.

    True if the amplitude of one of the three waves in the images' mean exceeds twice that of the
    reference by more than 6 standard errors, by more than 0.2 % of the images' level (their root
    mean square), and by more than twice the amplitude of slightly longer waves. The last condition
    excludes edges that all images share, such as a frame, which have waves of all lengths.

    Args:
        images: Grey images (N, H, W), N ≥ 32, H and W even.
        reference: Real images (M, H', W'), M ≥ 32, H' and W' even, in the same unit.

    Raises:
        ValueError: Another rank, fewer than 32 images, an odd side, a NaN.
    """
    x, y = grey_images(images, "images", _ENOUGH), grey_images(reference, "reference", _ENOUGH)
    ours, theirs = _waves(x, "images"), _waves(y, "reference")
    chance = (ours.var(0) / len(x) + theirs.var(0) / len(y)).sqrt()
    level = torch.stack(
        [to_float64(part).square().sum().cpu() for part in chunks(x, _ENOUGH)]
    ).sum()
    limit = 2 * _beside(x) + _CHANCE * chance + _INVISIBLE * (level / x.numel()).sqrt()
    return bool((ours.mean(0).abs() > 2 * theirs.mean(0).abs() + limit).any())


def _waves(t: torch.Tensor, name: str, pixels: int = PIXELS) -> torch.Tensor:
    """Amplitudes of the three waves in each image, (N, 3), float64, on the CPU."""
    height, width = t.shape[1:]
    if height % 2 or width % 2:
        raise ValueError(
            f"{name} has shape {tuple(t.shape)}, expected even H and W: crop a row or a column"
        )
    # Pixels of equal parity are averaged; what is left is the transform of a 2×2 image.
    cells = [
        to_float64(part).reshape(len(part), height // 2, 2, width // 2, 2).mean((1, 3)).cpu()
        for part in chunks(t, max(1, pixels // (height * width)))
    ]
    transform: torch.Tensor = torch.fft.fft2(torch.cat(cells)).real / 4
    return torch.stack([transform[:, 1, 0], transform[:, 0, 1], transform[:, 1, 1]], 1)


def _beside(t: torch.Tensor) -> torch.Tensor:
    """The largest amplitude near each of the three waves in the images' mean, (3,), float64.

    Near is from 2 to about H/8 cycles below the highest frequency H/2. The pattern itself adds
    little there, since the images that it multiplies are smooth.
    """
    height, width = t.shape[1:]
    total = torch.zeros(height, width, dtype=torch.float64)
    for part in chunks(t, max(1, PIXELS // (height * width))):
        total += to_float64(part).sum(0).cpu()
    amplitude = torch.fft.fft2(total).abs() / t.numel()
    v, u = (slice(max(1, side // 2 - side // 8 - 2), side // 2 - 1) for side in (height, width))
    none = amplitude.new_zeros(1)
    near = (amplitude[v, 0], amplitude[0, u], amplitude[v, u].flatten())
    return torch.stack([torch.cat([none, values]).max() for values in near])
