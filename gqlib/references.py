"""The course's own answers, under the exercises' names and signatures.

A figure or experiment of a lesson falls back to them (:func:`gqlib.course.yours`). Each is the
library's implementation with the signature of the exercise. None can be called from an answer
while it is tested (:func:`gqlib.checks.call`).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gqlib import metrics
from gqlib.data import mean_image
from gqlib.features import fooling
from gqlib.metrics import divergences, extrapolation, frechet
from gqlib.metrics.collapse import class_histogram, collapsed
from gqlib.metrics.inception_score import entropy_terms as _entropy_terms
from gqlib.metrics.inception_score import marginal as _marginal
from gqlib.metrics.memorisation import likelihood_gap, nearest
from gqlib.metrics.modes import (
    assign_modes,
    copy_fraction,
    covered_modes,
    diagnose,
    high_quality_fraction,
    mode_kl,
)
from gqlib.metrics.neighbours import expected_coverage, knn_radii, pairwise_distances
from gqlib.metrics.spectrum import has_checkerboard, radial_power_spectrum
from gqlib.models import autoregressive, gan, gradient_estimators, vae
from gqlib.models.adversarial import (
    discriminator_loss,
    generator_loss,
    generator_loss_saturating,
    gradient_penalty,
    gradient_wrt_logit,
    optimal_discriminator,
    value_at_optimum,
    wasserstein_1d,
)
from gqlib.models.autoregressive import (
    bits_per_dim,
    causal_mask,
    chain_rule_nll,
    sample_pixels,
)
from gqlib.models.gan import gan_step, slerp, update_ema
from gqlib.models.linear_gaussian import elbo, gaussian_nll, log_marginal, posterior
from gqlib.models.vae import (
    active_units,
    iwae_bound,
    kl_to_standard_normal,
    reconstruction_error,
    reparameterize,
    vae_loss,
)

__all__ = [  # noqa: RUF022 - in the order of the lessons
    # 00_start_here
    "mean_image",
    # 01_four_failures
    "assign_modes",
    "covered_modes",
    "high_quality_fraction",
    "mode_kl",
    "copy_fraction",
    "diagnose",
    # 02_error_measures
    "mse",
    "psnr",
    "kl_divergence",
    "js_divergence",
    "gaussian_kl",
    "kl_monte_carlo",
    # 03_autoregressive
    "chain_rule_nll",
    "bits_per_dim",
    "causal_mask",
    "receptive_field",
    "sample_pixels",
    # 04_vae_theory
    "log_marginal",
    "posterior",
    "reparameterize",
    "kl_to_standard_normal",
    "elbo",
    "gaussian_nll",
    "pathwise_gradient",
    "score_function_gradient",
    # 05_vae_training
    "vae_loss",
    "vae_step",
    "reconstruction_error",
    "iwae_bound",
    "active_units",
    # 06_gan_theory
    "discriminator_loss",
    "generator_loss_saturating",
    "generator_loss",
    "optimal_discriminator",
    "value_at_optimum",
    "gradient_wrt_logit",
    "wasserstein_1d",
    "gradient_penalty",
    # 07_gan_training
    "gan_step",
    "make_generator",
    "make_discriminator",
    "update_ema",
    "slerp",
    "class_histogram",
    "collapsed",
    # 08_inception_score
    "marginal",
    "inception_score",
    "inception_score_splits",
    "entropy_terms",
    "fool_inception_score",
    # 09_frechet_distance
    "feature_statistics",
    "sqrtm_psd",
    "frechet_distance",
    "frechet_1d",
    "distance_at_infinity",
    "polynomial_mmd2",
    # 10_fidelity_and_diversity
    "pairwise_distances",
    "knn_radii",
    "precision_recall",
    "density_coverage",
    "expected_coverage",
    "radial_power_spectrum",
    "has_checkerboard",
    # 11_memorisation
    "nearest",
    "authenticity",
    "authenticity_null",
    "copying_test",
    "likelihood_gap",
]


# 02_error_measures


def mse(x: Tensor, y: Tensor) -> Tensor:
    return metrics.mse(x, y, reduction="none")


def psnr(x: Tensor, y: Tensor, data_range: float = 1.0) -> Tensor:
    return metrics.psnr(x, y, data_range, reduction="none")


def kl_divergence(p: Tensor, q: Tensor) -> Tensor:
    return metrics.kl_divergence(p, q)


def js_divergence(p: Tensor, q: Tensor) -> Tensor:
    return metrics.js_divergence(p, q)


def gaussian_kl(mu0: Tensor, var0: Tensor, mu1: Tensor, var1: Tensor) -> Tensor:
    return divergences.gaussian_kl_diagonal(mu0, var0, mu1, var1)


def kl_monte_carlo(
    log_p: Callable[[Tensor], Tensor], log_q: Callable[[Tensor], Tensor], samples: Tensor
) -> float:
    return divergences.kl_monte_carlo(log_p, log_q, samples)


# 03_autoregressive


def receptive_field(
    model: Callable[[Tensor], Tensor], height: int, width: int, row: int, col: int
) -> Tensor:
    return autoregressive.receptive_field(model, height, width, row, col)


# 04_vae_theory


def pathwise_gradient(mu: float, n: int, generator: torch.Generator) -> Tensor:
    return gradient_estimators.pathwise_gradient(torch.square, mu, n, generator)


def score_function_gradient(mu: float, n: int, generator: torch.Generator) -> Tensor:
    return gradient_estimators.score_function_gradient(torch.square, mu, n, generator)


# 05_vae_training


def vae_step(
    model: nn.Module, x: Tensor, optimizer: torch.optim.Optimizer, generator: torch.Generator
) -> dict[str, float]:
    return vae.vae_step(model, x, optimizer, generator)


# 07_gan_training


def make_generator(latent_dim: int) -> nn.Module:
    return gan.Generator(latent_dim)


def make_discriminator() -> nn.Module:
    return gan.Discriminator()


# 08_inception_score


def marginal(probs: Tensor) -> Tensor:
    return _marginal(probs)


def entropy_terms(probs: Tensor) -> tuple[float, float]:
    return _entropy_terms(probs)


def inception_score(probs: Tensor) -> float:
    return metrics.inception_score(probs, splits=1).value


def inception_score_splits(probs: Tensor, splits: int) -> tuple[float, float]:
    result = metrics.inception_score(probs, splits=splits)
    return result.value, result.std


def fool_inception_score(
    classifier: Callable[[Tensor], Tensor], n: int, generator: torch.Generator
) -> Tensor:
    return fooling.fool_inception_score(classifier, n, generator)


# 09_frechet_distance


def feature_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    statistics = metrics.GaussianStatistics.from_features(x)
    return statistics.mean, statistics.cov


def sqrtm_psd(m: Tensor) -> Tensor:
    return metrics.sqrtm_psd(m)


def frechet_distance(mean1: Tensor, cov1: Tensor, mean2: Tensor, cov2: Tensor) -> float:
    return metrics.frechet_from_moments(mean1, cov1, mean2, cov2)


def frechet_1d(mean1: float, std1: float, mean2: float, std2: float) -> float:
    return frechet.frechet_1d(mean1, std1, mean2, std2)


def distance_at_infinity(sizes: Tensor, values: Tensor) -> float:
    return extrapolation.line_in_inverse(sizes.tolist(), values.tolist())[0]


def polynomial_mmd2(x: Tensor, y: Tensor) -> float:
    return metrics.kernel_distance(x, y).value


# 10_fidelity_and_diversity


def precision_recall(real: Tensor, fake: Tensor, k: int) -> tuple[float, float]:
    scores = metrics.neighbour_scores(real, fake, k)
    return scores.precision, scores.recall


def density_coverage(real: Tensor, fake: Tensor, k: int) -> tuple[float, float]:
    scores = metrics.neighbour_scores(real, fake, k)
    return scores.density, scores.coverage


# 11_memorisation


def authenticity(train: Tensor, fake: Tensor) -> float:
    return metrics.authenticity(train, fake).value


def authenticity_null(train: Tensor, holdout: Tensor) -> float:
    return metrics.authenticity(train, holdout).value


def copying_test(train: Tensor, holdout: Tensor, fake: Tensor) -> float:
    return metrics.copying_test(train, holdout, fake).value
