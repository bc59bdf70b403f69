"""Measures of the quality of generated data: feature arrays in, a result out.

Every file opens with the formula it computes and the paper it comes from. Nothing here knows of
models, images or notebooks.
"""

from gqlib.metrics.bias import GapResult, representation_gap
from gqlib.metrics.divergences import gaussian_kl, js_divergence, kl_divergence
from gqlib.metrics.errors import mae, mse, psnr, ssim
from gqlib.metrics.evaluation import Evaluation, evaluate
from gqlib.metrics.extrapolation import ExtrapolatedResult, frechet_distance_infinity
from gqlib.metrics.frechet import frechet_distance, frechet_from_moments, sqrtm_psd
from gqlib.metrics.gaussian import GaussianStatistics
from gqlib.metrics.inception_score import InceptionScoreResult, inception_score
from gqlib.metrics.kernel import KernelResult, kernel_distance
from gqlib.metrics.memorisation import MemorisationResult, authenticity, copying_test
from gqlib.metrics.neighbours import NeighbourScores, expected_coverage, neighbour_scores
from gqlib.metrics.repeats import RepeatsResult, repeats
from gqlib.metrics.result import Interval, Result, Results
from gqlib.metrics.vendi import vendi_score

__all__ = [
    "Evaluation",
    "ExtrapolatedResult",
    "GapResult",
    "GaussianStatistics",
    "InceptionScoreResult",
    "Interval",
    "KernelResult",
    "MemorisationResult",
    "NeighbourScores",
    "RepeatsResult",
    "Result",
    "Results",
    "authenticity",
    "copying_test",
    "evaluate",
    "expected_coverage",
    "frechet_distance",
    "frechet_distance_infinity",
    "frechet_from_moments",
    "gaussian_kl",
    "inception_score",
    "js_divergence",
    "kernel_distance",
    "kl_divergence",
    "mae",
    "mse",
    "neighbour_scores",
    "psnr",
    "repeats",
    "representation_gap",
    "sqrtm_psd",
    "ssim",
    "vendi_score",
]
