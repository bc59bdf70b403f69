"""Radial power spectrum of images.

    P(u, v) = mean over images of |F(u, v)|² / (H·W),   F the discrete Fourier transform
    S(r)    = mean of P(u, v) over the ring round(√(u² + v²)) = r

with u and v integer frequencies in cycles an image, negative ones included. The mean is not
subtracted and no window is applied; S(0) is H·W times the mean of the images' squared mean. The
corners have their own rings: 28×28 images have 21 rings, r = 0 … 20.

Upsampling layers leave their traces at the high frequencies: Durall, Keuper and Keuper, "Watch your
up-convolution: CNN based generative deep neural networks are failing to reproduce spectral
distributions", CVPR 2020.
"""

from __future__ import annotations

import torch

from gqlib.metrics._validate import Array, chunks, finite, tensor, to_float64

#: Pixels that are transformed at a time.
PIXELS = 1 << 22


def radial_power_spectrum(images: Array) -> torch.Tensor:
    """Mean power of the images at each spatial frequency.

    Args:
        images: Grey images (N, H, W), N ≥ 1, in any unit.

    Returns:
        float64 (R,), the ring of r cycles an image at index r, in the squared unit of the images.

    Raises:
        ValueError: Another rank, no image or no pixel, a NaN.
    """
    return _spectrum(grey_images(images, "images"))


def _spectrum(t: torch.Tensor, pixels: int = PIXELS) -> torch.Tensor:
    """The same of images that have been checked, so many pixels at a time."""
    n, height, width = t.shape
    power = torch.zeros(height, width, dtype=torch.float64)
    for part in chunks(t, max(1, pixels // (height * width))):
        transform = torch.fft.fft2(to_float64(part))
        power += transform.abs().square_().sum(0).cpu()
    rings = _rings(height, width)
    total = torch.zeros(int(rings.max()) + 1, dtype=torch.float64)
    total.index_add_(0, rings, power.flatten())
    spectrum: torch.Tensor = total / torch.bincount(rings) / (n * height * width)
    return spectrum


def grey_images(images: Array, name: str, at_least: int = 1) -> torch.Tensor:
    """Finite grey images (N, H, W), N ≥ ``at_least``, with at least one pixel."""
    t = tensor(images, name)
    if t.ndim != 3 or t.numel() == 0:
        hint = "give grey images, as x.mean(1) of (N, C, H, W)" if t.ndim == 4 else "one as x[None]"
        raise ValueError(
            f"{name} has shape {tuple(t.shape)}, expected (N, H, W) with at least one image and "
            f"one pixel: {hint}"
        )
    if len(t) < at_least:
        raise ValueError(
            f"{name} has {len(t)} image{'s' * (len(t) != 1)}, expected at least {at_least}: "
            "among a few images a pattern that all share does not stand out"
        )
    return finite(t, name)


def _rings(height: int, width: int) -> torch.Tensor:
    """The ring of each frequency, (H·W,), in the order of ``fft2``."""
    # Integers in float64: a radius is never halfway between two rings.
    v, u = (torch.fft.fftfreq(size, 1 / size, dtype=torch.float64) for size in (height, width))
    radii: torch.Tensor = (u.square() + v.square()[:, None]).sqrt()
    return radii.round().to(torch.int64).flatten()
