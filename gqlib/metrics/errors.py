"""Errors of a reconstruction: sample i of ``x`` compared with sample i of ``y``.

    MSE  = mean (x − y)²          MAE = mean |x − y|
    PSNR = 10 log₁₀(L² / MSE)     in dB, L the range of the data (1 for images in [0, 1])
    SSIM = mean over windows of (2 μx μy + C₁)(2 σxy + C₂) / ((μx² + μy² + C₁)(σx² + σy² + C₂)),
           C₁ = (0.01 L)², C₂ = (0.03 L)², windows weighted by an 11×11 Gaussian of σ = 1.5 pixels

SSIM: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to
structural similarity", IEEE Trans. Image Processing 13(4), 2004, section III. Like their code, it
averages over the windows that lie wholly inside the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, overload

import torch
from torch.nn.functional import conv2d

from gqlib.metrics._validate import Array, chunks, pair, to_float64
from gqlib.metrics.result import Result, mean_interval

WINDOW, SIGMA, K1, K2 = 11, 1.5, 0.01, 0.03
#: Values of float64 that are held at a time (32 MiB).
_BLOCK = 1 << 22


@overload
def mse(
    x: Array, y: Array, reduction: Literal["mean"] = "mean", confidence: float | None = None
) -> Result: ...
@overload
def mse(
    x: Array, y: Array, reduction: Literal["none"], confidence: None = None
) -> torch.Tensor: ...
def mse(
    x: Array, y: Array, reduction: str = "mean", confidence: float | None = None
) -> Result | torch.Tensor:
    """Mean squared error, in the squared unit of the data.

    Args:
        x: Shape (N, …), any real dtype; bytes do not wrap.
        y: The same shape.
        reduction: ``"mean"`` over the samples, or ``"none"`` for one value a sample.
        confidence: Level of an interval for the mean over samples, such as 0.95.

    Returns:
        A :class:`Result`; with ``reduction="none"`` a float64 tensor of shape (N,).

    Raises:
        ValueError: Shapes differ, no sample, a NaN or infinity, an unknown reduction.
    """
    errors = _per_sample(x, y, lambda a, b: (a - b).square().flatten(1).mean(1))
    return _reduce(errors, reduction, confidence, "mean squared error")


@overload
def mae(
    x: Array, y: Array, reduction: Literal["mean"] = "mean", confidence: float | None = None
) -> Result: ...
@overload
def mae(
    x: Array, y: Array, reduction: Literal["none"], confidence: None = None
) -> torch.Tensor: ...
def mae(
    x: Array, y: Array, reduction: str = "mean", confidence: float | None = None
) -> Result | torch.Tensor:
    """Mean absolute error, in the unit of the data. Arguments and errors as for :func:`mse`."""
    errors = _per_sample(x, y, lambda a, b: (a - b).abs().flatten(1).mean(1))
    return _reduce(errors, reduction, confidence, "mean absolute error")


@overload
def psnr(
    x: Array,
    y: Array,
    data_range: float = 1.0,
    reduction: Literal["mean"] = "mean",
    confidence: float | None = None,
) -> Result: ...
@overload
def psnr(
    x: Array, y: Array, data_range: float = 1.0, *, reduction: Literal["none"]
) -> torch.Tensor: ...
def psnr(
    x: Array,
    y: Array,
    data_range: float = 1.0,
    reduction: str = "mean",
    confidence: float | None = None,
) -> Result | torch.Tensor:
    """Peak signal-to-noise ratio in dB: the mean over samples, +inf where x equals y.

    Args:
        data_range: Largest minus smallest possible value: 1 for images in [0, 1], 255 for bytes.

    Other arguments, returns and errors as for :func:`mse`; also ``ValueError`` if ``data_range`` is
    not positive.
    """
    _check_range(data_range)
    errors = _per_sample(x, y, lambda a, b: (a - b).square().flatten(1).mean(1))
    decibels = 20 * math.log10(data_range) - 10 * errors.log10()
    return _reduce(decibels, reduction, confidence, "PSNR (dB)", _range_warning(x, y, data_range))


@overload
def ssim(
    x: Array,
    y: Array,
    data_range: float = 1.0,
    reduction: Literal["mean"] = "mean",
    confidence: float | None = None,
) -> Result: ...
@overload
def ssim(
    x: Array, y: Array, data_range: float = 1.0, *, reduction: Literal["none"]
) -> torch.Tensor: ...
def ssim(
    x: Array,
    y: Array,
    data_range: float = 1.0,
    reduction: str = "mean",
    confidence: float | None = None,
) -> Result | torch.Tensor:
    """Structural similarity, at most 1, which only equal images reach (Wang et al. 2004).

    Args:
        x: Images of shape (N, H, W) or (N, C, H, W), H and W at least 11. Channels are compared
            one by one and averaged.
        y: The same shape.
        data_range: As for :func:`psnr`.

    Other arguments, returns and errors as for :func:`mse`; also ``ValueError`` if the images have
    another rank or are smaller than the window.
    """
    _check_range(data_range)
    shape = tuple(pair(x, y)[0].shape)
    if len(shape) not in (3, 4):
        raise ValueError(
            f"x has shape {shape}, expected images (N, H, W) or (N, C, H, W): "
            "give a single image as x[None]"
        )
    if min(shape[-2:]) < WINDOW:
        raise ValueError(
            f"the images are {shape[-2]}×{shape[-1]}, expected at least {WINDOW}×{WINDOW}: "
            "SSIM compares windows of that size"
        )
    values = _per_sample(x, y, lambda a, b: _ssim(a, b, data_range))
    return _reduce(values, reduction, confidence, "SSIM", _range_warning(x, y, data_range))


def _ssim(x: torch.Tensor, y: torch.Tensor, data_range: float) -> torch.Tensor:
    n, height, width = x.shape[0], *x.shape[-2:]
    x, y = x.reshape(n, -1, height, width), y.reshape(n, -1, height, width)
    steps = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2
    weights = torch.exp(-steps.square() / (2 * SIGMA**2))
    weights /= weights.sum()

    def local_mean(images: torch.Tensor) -> torch.Tensor:
        rows = conv2d(images.flatten(0, 1)[:, None], weights.reshape(1, 1, WINDOW, 1))
        return conv2d(rows, weights.reshape(1, 1, 1, WINDOW)).reshape(n, images.shape[1], -1)

    # A shift does not change a variance: subtracting the images' means first keeps all digits.
    x_mean, y_mean = x.mean((2, 3), keepdim=True), y.mean((2, 3), keepdim=True)
    x0, y0 = x - x_mean, y - y_mean
    mx, my = local_mean(x0), local_mean(y0)
    var_x, var_y = local_mean(x0 * x0) - mx * mx, local_mean(y0 * y0) - my * my
    cov = local_mean(x0 * y0) - mx * my
    mx, my = mx + x_mean.flatten(2), my + y_mean.flatten(2)
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    luminance = (2 * mx * my + c1) / (mx * mx + my * my + c1)
    structure = (2 * cov + c2) / (var_x + var_y + c2)
    return (luminance * structure).flatten(1).mean(1)


def _per_sample(
    x: Array,
    y: Array,
    error: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    block: int = _BLOCK,
) -> torch.Tensor:
    """``error``, which maps float64 blocks (n, …) to (n,), of all samples, in bounded memory."""
    a, b = pair(x, y)
    a, b = a.reshape(len(a), -1, *a.shape[2:]), b.reshape(len(b), -1, *b.shape[2:])
    rows = max(1, block // a[0].numel())
    return torch.cat(
        [
            error(to_float64(p), to_float64(q))
            for p, q in zip(chunks(a, rows), chunks(b, rows), strict=True)
        ]
    )


def _reduce(
    values: torch.Tensor,
    reduction: str,
    confidence: float | None,
    name: str,
    warnings: tuple[str, ...] = (),
) -> Result | torch.Tensor:
    if reduction not in ("mean", "none"):
        raise ValueError(f'reduction={reduction!r}, expected "mean" or "none"')
    if reduction == "none":
        if confidence is not None:
            raise ValueError(
                'confidence is the interval of a mean, and reduction="none" takes none: '
                'use reduction="mean"'
            )
        return values
    n, interval = len(values), None
    if math.isinf(value := float(values.mean())):
        count = int(torch.isinf(values).sum())
        warnings += (f"{count} of {n} pairs are equal, so the mean is infinite",)
    elif confidence is not None:
        interval = mean_interval(values, confidence)
    return Result(value=value, n_real=n, n_fake=n, interval=interval, warnings=warnings, name=name)


def _check_range(data_range: float) -> None:
    if not (math.isfinite(data_range) and data_range > 0):
        raise ValueError(
            f"data_range={data_range}, expected a positive number: 1 for images in [0, 1], "
            "255 for bytes"
        )


def _range_warning(x: Array, y: Array, data_range: float) -> tuple[str, ...]:
    a, b = pair(x, y)
    low, high = min(float(a.min()), float(b.min())), max(float(a.max()), float(b.max()))
    if high - low <= data_range:
        return ()
    return (
        f"the data span {low:g} to {high:g}, more than data_range={data_range:g}: "
        "say what range they can take",
    )
