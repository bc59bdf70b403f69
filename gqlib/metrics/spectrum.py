"""Radial power spectrum, and the pattern of period two that upsampling leaves in images.

    P(u, v) = mean over images of |F(u, v)|² / (H·W),   F the discrete Fourier transform
    S(r)    = mean of P(u, v) over the ring round(√(u² + v²)) = r

with u and v integer frequencies in cycles an image, negative ones included. The mean is not taken
off and no window is applied; S(0) is H·W times the mean of the images' squared mean. The corners
are rings of their own: 28×28 images have 21 rings, r = 0 … 20.

Upsampling layers leave their traces at the high frequencies: Durall, Keuper and Keuper, "Watch your
up-convolution: CNN based generative deep neural networks are failing to reproduce spectral
distributions", CVPR 2020. A transposed convolution whose stride does not divide its kernel paints
some pixels more often than others: Odena, Dumoulin and Olah, "Deconvolution and checkerboard
artifacts", Distill 2016. With stride two that is a pattern which repeats every two rows and
columns, so it is a sum of a constant and three waves,

    a·(−1)^i + b·(−1)^j + c·(−1)^(i+j) ,

whose amplitudes, averaged over images, are small where each image has its own phase.
"""

from __future__ import annotations

import torch

from gqlib.metrics._input import Array, chunks, finite, tensor, wide

#: Pixels that are transformed at a time.
_PIXELS = 1 << 22
#: Images from which on a pattern common to all stands out from what each has of its own.
_ENOUGH = 32
#: Standard errors that count as chance, and the share of the images' level that nobody would see.
_CHANCE, _INVISIBLE = 6.0, 0.002


def radial_power_spectrum(images: Array) -> torch.Tensor:
    """Mean power of the images at each spatial frequency.

    Args:
        images: Grey images (N, H, W), N ≥ 1, in any unit.

    Returns:
        float64 (R,), the ring of r cycles an image at index r, in the squared unit of the images.

    Raises:
        ValueError: Another rank, no image or no pixel, a NaN.
    """
    t = _grey(images, "images")
    n, height, width = t.shape
    power = torch.zeros(height, width, dtype=torch.float64)
    for part in chunks(t, max(1, _PIXELS // (height * width))):
        transform = torch.fft.fft2(wide(part))
        power += transform.abs().square_().sum(0).cpu()
    rings = _rings(height, width)
    total = torch.zeros(int(rings.max()) + 1, dtype=torch.float64)
    total.index_add_(0, rings, power.flatten())
    spectrum: torch.Tensor = total / torch.bincount(rings) / (n * height * width)
    return spectrum


def period_two(images: Array) -> tuple[torch.Tensor, torch.Tensor]:
    """Amplitudes of the waves (−1)^i, (−1)^j and (−1)^(i+j) in the images' mean.

    Args:
        images: Grey images (N, H, W), N ≥ 2, H and W even, in any unit.

    Returns:
        The three amplitudes (3,), signed, and their standard errors over the images (3,): float64,
        in the unit of the images. i counts rows, j columns.

    Raises:
        ValueError: Another rank, fewer than 2 images, an odd side, a NaN.
    """
    t = _grey(images, "images", at_least=2)
    waves = _waves(t, "images")
    return waves.mean(0), waves.std(0) / len(t) ** 0.5


def has_checkerboard(images: Array, reference: Array) -> bool:
    """Whether the images carry a pattern of period two that the reference lacks.

    True where the amplitude of one of the three waves in the images' mean exceeds twice that of the
    reference by more than 6 standard errors, by more than 0.2 % of the images' level (their root
    mean square), and by more than twice the amplitude of the waves that are a little longer: an
    edge that all images share, such as a frame or a bright rim, has waves of all lengths.

    Args:
        images: Grey images (N, H, W), N ≥ 32, H and W even.
        reference: Real images (M, H', W'), M ≥ 32, H' and W' even, in the same unit.

    Raises:
        ValueError: Another rank, fewer than 32 images, an odd side, a NaN.
    """
    x, y = _grey(images, "images", _ENOUGH), _grey(reference, "reference", _ENOUGH)
    ours, theirs = _waves(x, "images"), _waves(y, "reference")
    chance = (ours.var(0) / len(x) + theirs.var(0) / len(y)).sqrt()
    level = torch.stack([wide(part).square().sum().cpu() for part in chunks(x, _ENOUGH)]).sum()
    limit = 2 * _beside(x) + _CHANCE * chance + _INVISIBLE * (level / x.numel()).sqrt()
    return bool((ours.mean(0).abs() > 2 * theirs.mean(0).abs() + limit).any())


def _waves(t: torch.Tensor, name: str) -> torch.Tensor:
    """Amplitudes of the three waves in each image, (N, 3), float64, on the CPU."""
    height, width = t.shape[1:]
    if height % 2 or width % 2:
        raise ValueError(
            f"{name} has shape {tuple(t.shape)}, expected even H and W: crop a row or a column"
        )
    # Pixels of equal parity are averaged; what is left is the transform of a 2×2 image.
    cells = [
        wide(part).reshape(len(part), height // 2, 2, width // 2, 2).mean((1, 3)).cpu()
        for part in chunks(t, max(1, _PIXELS // (height * width)))
    ]
    transform: torch.Tensor = torch.fft.fft2(torch.cat(cells)).real / 4
    return torch.stack([transform[:, 1, 0], transform[:, 0, 1], transform[:, 1, 1]], 1)


def _beside(t: torch.Tensor) -> torch.Tensor:
    """The largest amplitude near each of the three waves in the images' mean, (3,), float64.

    From 2 to about H/8 cycles before the highest frequency H/2: what the pattern itself leaves
    there is little, since images that it multiplies are smooth.
    """
    height, width = t.shape[1:]
    total = torch.zeros(height, width, dtype=torch.float64)
    for part in chunks(t, max(1, _PIXELS // (height * width))):
        total += wide(part).sum(0).cpu()
    amplitude = torch.fft.fft2(total).abs() / t.numel()
    v, u = (slice(max(1, side // 2 - side // 8 - 2), side // 2 - 1) for side in (height, width))
    none = amplitude.new_zeros(1)
    near = (amplitude[v, 0], amplitude[0, u], amplitude[v, u].flatten())
    return torch.stack([torch.cat([none, values]).max() for values in near])


def _grey(images: Array, name: str, at_least: int = 1) -> torch.Tensor:
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
            "a pattern that all share does not stand out from what a few have of their own"
        )
    return finite(t, name)


def _rings(height: int, width: int) -> torch.Tensor:
    """The ring of each frequency, (H·W,), in the order of ``fft2``."""
    # In float64, of integers: a radius is never halfway between two rings.
    v, u = (torch.fft.fftfreq(size, 1 / size, dtype=torch.float64) for size in (height, width))
    radii: torch.Tensor = (u.square() + v.square()[:, None]).sqrt()
    return radii.round().to(torch.int64).flatten()
