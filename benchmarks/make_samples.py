"""Samples of two trained models, as ``gqlib/data/samples`` ships them.

The VAE of lesson 05 and the DCGAN of lesson 07, trained on the 50,000 digits of
:func:`gqlib.data.mnist_split` alone, so that the other 10,000 and the test set are new to them as
they are to the digit classifier. 2,000 samples each, uint8 [2000, 28, 28]; the VAE's are the
pixels' probabilities.

    python benchmarks/make_samples.py --output gqlib/data/samples

It takes about three minutes on two cores. Another machine rounds differently: the samples come out
alike, not equal.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from gan_quality import STEPS, train_gan

from gqlib import data, metrics, training
from gqlib.features import digit_features
from gqlib.models.vae import VAE, vae_step

THREADS = 2
SAMPLES = 2000
SEED = 0
#: Lesson 05's recipe: 8 epochs, one cycle of learning rates.
EPOCHS, BATCH, PEAK = 8, 128, 5e-3


def train_vae(images: torch.Tensor, seed: int, epochs: int) -> VAE:
    """Lesson 05's VAE on uint8 images [N, 28, 28], binarised as there."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=PEAK)
    training.fit(
        lambda x, generator: vae_step(model, x, optimizer, generator),
        data.binarised(images).unsqueeze(1),
        {"model": model, "optimizer": optimizer},
        steps=max(1, epochs * (len(images) // BATCH)),
        batch_size=BATCH,
        seed=seed,
        schedule=training.one_cycle,
    )
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="folder of the files")
    parser.add_argument("--gan-steps", type=int, default=STEPS)
    parser.add_argument("--vae-epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    torch.set_num_threads(THREADS)

    train = data.load("mnist", "train").images[data.mnist_split()[0]]
    real = digit_features(data.load("mnist", "test").images)
    models = {
        "vae": train_vae(train, SEED, options.vae_epochs),
        "dcgan": train_gan(train, SEED, options.gan_steps, progress=True)[0],
    }
    options.output.mkdir(parents=True, exist_ok=True)
    for name, model in models.items():
        generator = torch.Generator().manual_seed(SEED)
        samples = torch.cat([model.sample(1000, generator) for _ in range(SAMPLES // 1000)])
        images = (samples[:, 0].clamp(0, 1) * 255).round().to(torch.uint8)
        half = options.output / f"{name}.part.npz"
        np.savez_compressed(half, images=images.numpy())
        file = half.replace(options.output / f"{name}.npz")
        distance = float(metrics.frechet_distance(real, digit_features(images)))
        print(f"{file}: {file.stat().st_size / 1e6:.2f} MB, Fréchet distance {distance:.2f}")


if __name__ == "__main__":
    main()
