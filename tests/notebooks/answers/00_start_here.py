"""Wrong and right answers to the exercise of lesson 00."""

import numpy as np
import torch

from tests.notebooks.answer import mutant, probe, variant

# mean_image


@mutant(
    "adds up without dividing",
    breaks=("test_mean_image_values", "test_mean_image_bytes", "test_mean_image_precision"),
)
def mean_image(images):
    images = images.float() if images.dtype == torch.uint8 else images
    return images.sum(0)


@mutant("divides by N - 1", breaks=("test_mean_image_values", "test_mean_image_single"))
def mean_image(images):
    images = images.float() if images.dtype == torch.uint8 else images
    return images.sum(0) / (len(images) - 1)


@mutant("averages over the rows", breaks=("test_mean_image_values", "test_mean_image_single"))
def mean_image(images):
    images = images.float() if images.dtype == torch.uint8 else images
    return images.mean(1)


@mutant("averages everything", breaks=("test_mean_image_values", "test_mean_image_single"))
def mean_image(images):
    images = images.float() if images.dtype == torch.uint8 else images
    return images.mean()


@mutant("one number for each image", breaks=("test_mean_image_values", "test_mean_image_single"))
def mean_image(images):
    images = images.float() if images.dtype == torch.uint8 else images
    return images.mean(dim=(1, 2))


@mutant("keeps the axis of the images", breaks=("test_mean_image_values", "test_mean_image_single"))
def mean_image(images):
    images = images.float() if images.dtype == torch.uint8 else images
    return images.mean(0, keepdim=True)


@mutant("squeezes axes of length one", breaks="test_mean_image_single")
def mean_image(images):
    images = images.float() if images.dtype == torch.uint8 else images
    return images.mean(0).squeeze()


@mutant("the median", breaks=("test_mean_image_values", "test_mean_image_precision"))
def mean_image(images):
    images = images.float() if images.dtype == torch.uint8 else images
    return images.median(0).values


@mutant("divides by the number of rows", breaks="test_mean_image_values")
def mean_image(images):
    images = images.float() if images.dtype == torch.uint8 else images
    return images.sum(0) / images.shape[1]


@mutant("the sum wraps around in bytes", breaks="test_mean_image_bytes")
def mean_image(images):
    total = images[0].clone()
    for image in images[1:]:
        total += image
    return total / len(images)


@mutant("rounds bytes to bytes", breaks="test_mean_image_bytes")
def mean_image(images):
    if images.dtype == torch.uint8:
        return images.float().mean(0).round().to(torch.uint8)
    return images.mean(0)


@mutant("cuts off the decimals of bytes", breaks="test_mean_image_bytes")
def mean_image(images):
    if images.dtype == torch.uint8:
        return (images.long().sum(0) // len(images)).float()
    return images.mean(0)


@mutant("rescales bytes to [0, 1]", breaks="test_mean_image_bytes")
def mean_image(images):
    images = images.float() / 255 if images.dtype == torch.uint8 else images
    return images.mean(0)


@mutant("forgets bytes: the mean of integers is an error", breaks="test_mean_image_bytes")
def mean_image(images):
    return images.mean(0)


@mutant("turns everything into float32", breaks="test_mean_image_precision")
def mean_image(images):
    return images.float().mean(0)


@mutant("float64 by way of float32", breaks="test_mean_image_precision")
def mean_image(images):
    mean = images.to(torch.float32).mean(0)
    return mean.to(images.dtype) if images.dtype.is_floating_point else mean


@mutant("returns a NumPy array", breaks=("test_mean_image_values", "test_mean_image_bytes"))
def mean_image(images):
    return images.numpy().mean(0)


@mutant("works in place on the first image", breaks="test_mean_image_values")
def mean_image(images):
    images = images.float() if images.dtype == torch.uint8 else images
    total = images[0]
    for image in images[1:]:
        total += image
    return total / len(images)


@variant("NumPy in float64")
def mean_image(images):
    return torch.from_numpy(np.mean(images.numpy().astype(np.float64), axis=0))


@variant("a loop over the images")
def mean_image(images):
    dtype = images.dtype if images.dtype.is_floating_point else torch.float32
    total = torch.zeros(images.shape[1:], dtype=dtype)
    for image in images:
        total = total + image.to(dtype)
    return total / len(images)


@variant("a loop over the pixels")
def mean_image(images):
    n, rows, columns = images.shape
    mean = [
        [sum(float(images[i, r, c]) for i in range(n)) / n for c in range(columns)]
        for r in range(rows)
    ]
    return torch.tensor(mean, dtype=torch.float64)


@variant("a matrix product")
def mean_image(images):
    flat = images.double().reshape(len(images), -1)
    weights = torch.full((1, len(images)), 1 / len(images), dtype=torch.float64)
    return (weights @ flat).reshape(images.shape[1:])


@variant("torch.mean with a dtype")
def mean_image(images):
    dtype = images.dtype if images.dtype.is_floating_point else torch.float32
    return torch.mean(images, dim=0, dtype=dtype)


@probe("mean_image")
def _(f):
    g = torch.Generator().manual_seed(0)
    floats = torch.rand(4, 2, 3, generator=g)
    wide = torch.rand(3, 4, 2, generator=g, dtype=torch.float64)
    some = torch.randint(0, 256, (4, 2, 3), generator=g, dtype=torch.uint8)
    one = torch.rand(1, 1, 5, generator=g)
    fine = (f(1 + 1e-9 * wide),)
    digits = [float(t.double().sum() - 8) * 1e9 if hasattr(t, "double") else t for t in fine]
    results = [f(floats.clone()), f(wide), f(some), f(one), digits]
    kept = floats.clone()
    f(kept)
    return [*results, torch.equal(kept, floats), [type(r).__name__ for r in results]]
