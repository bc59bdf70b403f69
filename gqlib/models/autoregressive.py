"""PixelCNN: images drawn pixel by pixel, each from a probability given all pixels before it.

With the D pixels of an image in raster order (row by row, each from left to right),

    log p(x) = sum_d log p(x_d | x_1, ..., x_{d-1})                        (the chain rule)

exactly. A network that gives all D conditionals at once is causal: its output at a pixel depends
on earlier pixels only. Convolutions become causal by masks on their weights.

van den Oord, Kalchbrenner & Kavukcuoglu 2016a, "Pixel Recurrent Neural Networks" (sections 2.1,
3.3, 3.4, 3.5); van den Oord et al. 2016b, "Conditional Image Generation with PixelCNN Decoders"
(section 2.2, the blind spot). Pixels are black or white here, 0 or 1, in one channel.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "MaskedConv2d",
    "PixelCNN",
    "causal_mask",
    "chain_rule_nll",
]


def chain_rule_nll(conditional_log_probs: Tensor) -> Tensor:
    """-log p(x) in nats, [N], from the D conditional log-probabilities [N, D] of each image."""
    return -conditional_log_probs.sum(dim=1)


def causal_mask(kernel_size: int, kind: str) -> Tensor:
    """Ones where a kernel may look at earlier pixels, zeros elsewhere: float32 [k, k].

    Indexed [row, column] as the weight of a convolution. Kind "A" closes the centre, which is the
    pixel to be predicted; kind "B" opens it (van den Oord et al. 2016a, section 3.4, for a single
    channel). A first layer needs "A", since its centre is the pixel itself. In later layers the
    centre holds only what was computed from earlier pixels.

    Raises:
        ValueError: ``kernel_size`` is not odd, or ``kind`` is neither "A" nor "B".
    """
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"a mask of size {kernel_size} has no centre: give an odd size")
    if kind not in ("A", "B"):
        raise ValueError(f'kind is {kind!r}, expected "A" (centre closed) or "B" (centre open)')
    mask = torch.zeros(kernel_size, kernel_size)
    centre = kernel_size // 2
    mask[:centre] = 1
    mask[centre, : centre + (kind == "B")] = 1
    return mask


class MaskedConv2d(nn.Conv2d):
    """A convolution whose output at a pixel sees earlier pixels only, of the same image size.

    The mask is of ``kind`` "A" or "B", as in :func:`causal_mask`. The rows of the kernel below its
    centre are all zero, and the convolution leaves them out.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, kind: str) -> None:
        super().__init__(in_channels, out_channels, kernel_size)
        self.reach = kernel_size // 2
        self.mask: Tensor
        self.register_buffer("mask", causal_mask(kernel_size, kind), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        weight = (self.weight * self.mask)[:, :, : self.reach + 1]
        # Padded on the left, on the right and above: nothing below is looked at.
        return F.conv2d(F.pad(x, (self.reach, self.reach, self.reach, 0)), weight, self.bias)


class _Residual(nn.Module):
    """A residual block: h plus a masked and a 1×1 convolution of it (2016a, section 3.3)."""

    def __init__(self, width: int, kernel_size: int) -> None:
        super().__init__()
        self.masked = MaskedConv2d(width, width, kernel_size, "B")
        self.mix = nn.Conv2d(width, width, 1)

    def forward(self, h: Tensor) -> Tensor:
        out: Tensor = h + self.mix(self.masked(h.relu()).relu())
        return out


class PixelCNN(nn.Module):
    """Bernoulli logits for every pixel of images [N, 1, H, W], each from earlier pixels only.

    A 7×7 convolution of kind A, ``layers`` residual blocks with masked convolutions of kind B, and
    two 1×1 convolutions (2016a, table 1, made small). Unlike theirs, the first layer has one bias
    for each position, since which pixels are likely depends on the position. Pixels enter as -1 and
    1, so that black differs from the zeros beyond the border.

    Args:
        width: Channels of the hidden layers.
        layers: Residual blocks.
        kernel_size: Of their masked convolutions; odd.
        shape: Height and width of the images.
    """

    def __init__(
        self,
        width: int = 16,
        layers: int = 3,
        kernel_size: int = 5,
        shape: tuple[int, int] = (28, 28),
    ) -> None:
        super().__init__()
        self.shape = shape
        self.first = MaskedConv2d(1, width, 7, "A")
        self.place = nn.Parameter(torch.zeros(width, *shape))
        self.blocks = nn.Sequential(*[_Residual(width, kernel_size) for _ in range(layers)])
        self.out = nn.Sequential(
            nn.ReLU(), nn.Conv2d(width, 2 * width, 1), nn.ReLU(), nn.Conv2d(2 * width, 1, 1)
        )
        #: How many rows above its own a pixel's logit depends on.
        self.rows_above = 3 + layers * (kernel_size // 2)

    def forward(self, x: Tensor) -> Tensor:
        """Logits [N, 1, H, W] for images x [N, 1, H, W] of zeros and ones."""
        return self._logits(x, 0)

    def _logits(self, x: Tensor, top: int) -> Tensor:
        """Logits for the rows ``top``, ``top + 1``, … of images; x holds these rows."""
        h = self.first(2 * x - 1) + self.place[:, top : top + x.shape[2]]
        # On a CPU convolutions are about 1.4 times as fast with the channels last in memory.
        out: Tensor = self.out(self.blocks(h.contiguous(memory_format=torch.channels_last)))
        return out

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats, [N], exactly, for images x [N, 1, H, W] of zeros and ones.

        Differentiable. Other values have no probability here.

        Raises:
            ValueError: Images of another shape than the model's.
        """
        if x.shape[1:] != (1, *self.shape):
            raise ValueError(
                f"images have shape {tuple(x.shape)}, expected [N, 1, {self.shape[0]}, "
                f"{self.shape[1]}]"
            )
        bits = -F.binary_cross_entropy_with_logits(self(x), x, reduction="none")
        return -chain_rule_nll(bits.flatten(1))

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator, given: Tensor | None = None) -> Tensor:
        """n images [n, 1, H, W] of zeros and ones, exactly from p(x).

        With ``given``, images [n, 1, h, W] whose h rows are the top of the result, the rest is
        drawn from p(rest | top). The pass for a pixel covers only the rows that it depends on.
        """
        height, width = self.shape
        x = torch.zeros(n, 1, height, width, device=self.place.device, dtype=self.place.dtype)
        known = 0 if given is None else given.shape[2]
        if given is not None:
            x[:, :, :known] = given
        for row in range(known, height):
            top = max(0, row - self.rows_above)
            for col in range(width):
                logits = self._logits(x[:, :, top : row + 1], top)[:, 0, -1, col]
                x[:, 0, row, col] = torch.bernoulli(logits.sigmoid(), generator=generator)
        return x
