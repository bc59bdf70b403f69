"""Generators of digits with a known, planted fault, which metrics should find.

Each takes real MNIST digits and spoils one thing, so the truth is known. All digits are new to the
classifier behind :func:`gqlib.features.digit_features`: they are the 10,000 training digits that it
never saw, and the test set. Draws are random and disjoint, so the features of a faithful generator
differ from the reference's by chance alone.

    >>> import torch
    >>> from gqlib.data import planted
    >>> digits = planted.draw(2000, seed=0)
    >>> planted.generate("mode-dropper", digits, torch.Generator().manual_seed(0)).shape
    torch.Size([2000, 28, 28])

:func:`trained` has samples of two models that were trained on the other 50,000 training digits, the
VAE and the DCGAN of this course. Their faults were not planted.
``benchmarks/make_samples.py`` made them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor

from gqlib._utils.failure import Failure
from gqlib.data import disturbances
from gqlib.data.dataset import Dataset
from gqlib.data.mnist_files import load_mnist, mnist_split
from gqlib.data.toys import tilted_shares

__all__ = [
    "FAILURE",
    "TRAINED",
    "Digits",
    "biased",
    "blurred",
    "checkerboard",
    "copycat",
    "draw",
    "faithful",
    "generate",
    "mode_dropper",
    "noisy",
    "prototypes",
    "trained",
]

SAMPLES = Path(__file__).resolve().parent / "samples"
#: The trained models whose samples are shipped.
TRAINED = ("vae", "dcgan")


@dataclass(frozen=True, eq=False)
class Digits:
    """Disjoint random draws of digits that the classifier never saw.

    Attributes:
        real: n digits, the reference that fakes are compared with.
        train: n digits, the training set that a copycat copies.
        holdout: n digits of the same distribution, which no generator has seen.
        fresh: All that are left, from which the generators draw.
    """

    real: Dataset
    train: Dataset
    holdout: Dataset
    fresh: Dataset

    @property
    def n(self) -> int:
        return len(self.real)


def draw(n: int = 2000, seed: int = 0) -> Digits:
    """Four disjoint random draws from the 20,000 digits that the classifier never saw.

    Args:
        n: Digits in the reference, in the training set and in the held-out set, 1 to 5,000 each.
        seed: Another seed is another draw.

    Raises:
        ValueError: ``n`` is out of range.
    """
    if not 1 <= n <= 5000:
        raise ValueError(f"n={n} digits a set, expected 1 to 5,000: four sets share 20,000 digits")
    images, labels = _unseen()
    order = torch.randperm(len(images), generator=Generator().manual_seed(seed))
    parts = order.split([n, n, n, len(order) - 3 * n])
    names = ("real", "train", "holdout", "fresh")
    return Digits(
        **{
            name: Dataset(images[rows], labels[rows], "mnist", name)
            for name, rows in zip(names, parts, strict=True)
        }
    )


@functools.cache
def _unseen() -> tuple[Tensor, Tensor]:
    train, test, held_out = load_mnist("train"), load_mnist("test"), mnist_split()[1]
    return (
        torch.cat([train.images[held_out], test.images]),
        torch.cat([train.labels[held_out], test.labels]),
    )


def faithful(digits: Digits, generator: Generator) -> Tensor:
    """No fault: n fresh digits, uint8 [n, 28, 28], each real digit at most once."""
    return digits.fresh.images[_some(len(digits.fresh), digits.n, generator)]


def mode_dropper(digits: Digits, generator: Generator, missing: int = 2) -> Tensor:
    """Mode collapse: without the digits of ``missing`` classes, which are picked at random."""
    if not 1 <= missing <= 9:
        raise ValueError(f"missing={missing} classes, expected 1 to 9 of 10")
    dropped = torch.randperm(10, generator=generator)[:missing]
    kept = (~torch.isin(digits.fresh.labels, dropped)).nonzero()[:, 0]
    return digits.fresh.images[kept[_some(len(kept), digits.n, generator)]]


def prototypes(
    digits: Digits, generator: Generator, each: int = 20, jitter: float = 0.03
) -> Tensor:
    """Mode collapse within classes: the same ``each`` digits of a class again and again.

    Args:
        digits: Where the prototypes and the shares of the classes come from.
        generator: Where the randomness comes from.
        each: Prototypes a class.
        jitter: Standard deviation of the noise on each pixel, in units of its range.
    """
    if each < 1:
        raise ValueError(f"each={each} prototypes a class, expected at least 1")
    labels = digits.fresh.labels
    rows = labels.new_zeros(10, each)
    for label in range(10):
        members = (labels == label).nonzero()[:, 0]
        rows[label] = members[_some(len(members), each, generator)]
    classes = labels[_some(len(labels), digits.n, generator)]
    chosen = torch.randint(each, (digits.n,), generator=generator)
    return _jittered(digits.fresh.images[rows[classes, chosen]], jitter, generator)


def copycat(digits: Digits, generator: Generator, jitter: float = 0.0) -> Tensor:
    """Memorisation: the n training digits in another order, slightly moved.

    Args:
        digits: Where the training set comes from.
        generator: Where the randomness comes from.
        jitter: Standard deviation of the noise on each pixel, in units of its range.
    """
    order = torch.randperm(len(digits.train), generator=generator)
    return _jittered(digits.train.images[order], jitter, generator)


def noisy(digits: Digits, generator: Generator, strength: float = 0.1) -> Tensor:
    """Noise: fresh digits mixed with noise (:func:`gqlib.data.disturbances.gaussian_noise`)."""
    images = _floats(faithful(digits, generator))
    return _bytes(disturbances.gaussian_noise(images, strength, generator))


def blurred(digits: Digits, generator: Generator, strength: float = 1.0) -> Tensor:
    """Artifacts: fresh digits under a Gaussian blur of ``strength`` pixels."""
    return _bytes(disturbances.gaussian_blur(_floats(faithful(digits, generator)), strength))


def checkerboard(digits: Digits, generator: Generator, strength: float = 0.1) -> Tensor:
    """Artifacts: fresh digits plus ``strength``·(−1)^(row + column), as upsampling leaves it."""
    row, column = torch.arange(28)[:, None], torch.arange(28)[None]
    pattern = 1.0 - 2.0 * ((row + column) % 2)
    return _bytes((_floats(faithful(digits, generator)) + strength * pattern).clamp(0, 1))


def biased(digits: Digits, generator: Generator, kl: float = 0.1) -> Tensor:
    """Bias: fresh digits of all classes, in uneven shares, in random order.

    Args:
        digits: Where the digits come from.
        generator: Where the randomness comes from.
        kl: KL of the classes' shares from even ones, in nats: see
            :func:`gqlib.data.toys.tilted_shares`.

    Raises:
        ValueError: Too few digits are left for the largest class.
    """
    shares = tilted_shares(10, kl)[torch.randperm(10, generator=generator)]
    counts = (shares * digits.n).round().to(torch.int64)
    over = int(counts.sum()) - digits.n
    # One from each of the largest classes: a single class might not have so many.
    counts[counts.argsort(descending=True, stable=True)[: abs(over)]] -= 1 if over > 0 else -1
    rows = []
    for label, count in enumerate(counts.tolist()):
        members = (digits.fresh.labels == label).nonzero()[:, 0]
        rows.append(members[_some(len(members), count, generator)])
    chosen = torch.cat(rows)
    return digits.fresh.images[chosen[_some(len(chosen), len(chosen), generator)]]


def trained(name: str) -> Tensor:
    """Samples of a trained model, uint8 [2000, 28, 28].

    Args:
        name: One of :data:`TRAINED`.

    Raises:
        ValueError: No such model.
        FileNotFoundError: The package's file is missing.
    """
    if name not in TRAINED:
        raise ValueError(f"no samples of {name!r}, expected one of {', '.join(TRAINED)}")
    with np.load(SAMPLES / f"{name}.npz", allow_pickle=False) as file:
        return torch.from_numpy(file["images"])


_MAKE: dict[str, tuple[Callable[[Digits, Generator], Tensor], Failure | None]] = {
    "faithful": (faithful, None),
    "mode-dropper": (mode_dropper, Failure.mode_collapse),
    "prototypes": (prototypes, Failure.mode_collapse),
    "copycat": (copycat, Failure.memorisation),
    "jittered copycat": (functools.partial(copycat, jitter=0.02), Failure.memorisation),
    "noisy": (noisy, Failure.noise),
    "blurred": (blurred, Failure.noise),
    "checkerboard": (checkerboard, Failure.noise),
    "biased": (biased, Failure.bias),
}

#: The planted generators, each with its failure.
FAILURE: dict[str, Failure | None] = {name: failure for name, (_, failure) in _MAKE.items()}


def generate(name: str, digits: Digits, generator: Generator) -> Tensor:
    """n fakes, uint8 [n, 28, 28], of a planted generator at its usual, moderate strength.

    Args:
        name: A key of :data:`FAILURE`.
        digits: From :func:`draw`.
        generator: Where the randomness comes from.

    Raises:
        ValueError: No such generator.
    """
    if name not in _MAKE:
        raise ValueError(f"no planted generator {name!r}, expected one of {', '.join(_MAKE)}")
    return _MAKE[name][0](digits, generator)


def _some(pool: int, n: int, generator: Generator) -> Tensor:
    """n of the indices 0 … pool − 1, each at most once."""
    if n > pool:
        raise ValueError(f"{n} digits are needed and {pool} are left: draw fewer a set")
    return torch.randperm(pool, generator=generator)[:n]


def _floats(images: Tensor) -> Tensor:
    return images.to(torch.float32) / 255


def _bytes(images: Tensor) -> Tensor:
    return (images * 255).round().to(torch.uint8)


def _jittered(images: Tensor, std: float, generator: Generator) -> Tensor:
    if std == 0:
        return images
    noise = torch.randn(images.shape, generator=generator)
    return _bytes((_floats(images) + std * noise).clamp(0, 1))
