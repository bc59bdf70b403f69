"""All metrics that two sets of features allow, from one pass over their pairs.

Most of the work of the kernel distance and of the four neighbour scores is one matrix of inner
products. So :func:`evaluate` computes its tiles once and passes them to both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from html import escape
from typing import Any, NamedTuple

import torch

from gqlib.metrics._fit import Fit, fit_samples
from gqlib.metrics._frechet_error import expected_frechet, standard_error
from gqlib.metrics._pairs import BLOCKS, Blocks, accumulate, around_real
from gqlib.metrics._validate import Array, check_features, same_width
from gqlib.metrics.bias import GapResult, representation_gap
from gqlib.metrics.extrapolation import ExtrapolatedResult, extrapolated
from gqlib.metrics.frechet import distance_of_fits, frechet_distance
from gqlib.metrics.gaussian import GaussianStatistics
from gqlib.metrics.inception_score import InceptionScoreResult, inception_score
from gqlib.metrics.kernel import KernelAccumulator, KernelResult
from gqlib.metrics.memorisation import MemorisationResult, Search, authenticity_of, copying_of
from gqlib.metrics.neighbours import NeighbourAccumulator, NeighbourScores, check_k, with_intervals
from gqlib.metrics.repeats import AT_LEAST, RepeatsResult, repeats, repeats_of
from gqlib.metrics.result import Result, Results, check_level, log_interval, plain, strict
from gqlib.metrics.vendi import vendi_score

#: What :func:`evaluate` does, in its order; intervals and infinity only with a confidence level.
STAGES = ("memorisation", "Fréchet distance", "pairs", "intervals", "diversity", "infinity")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The results of :func:`evaluate`; ``None``, with a note, for what the inputs did not allow.

    Attributes:
        n_real: Number of real samples, ``None`` if unknown.
        n_fake: Number of fakes, likewise.
        vendi_score: Of the fakes; ``real_vendi_score`` is that of the real samples, to compare.
        expected: From the name of a value to what a faithful model would get at these sizes.
        notes: What was skipped, and what to give for it.
    """

    n_real: int | None
    n_fake: int | None
    frechet_distance: Result
    frechet_distance_infinity: ExtrapolatedResult | None = None
    kernel_distance: KernelResult | None = None
    neighbour_scores: NeighbourScores | None = None
    repeats: RepeatsResult | None = None
    inception_score: InceptionScoreResult | None = None
    vendi_score: Result | None = None
    real_vendi_score: Result | None = None
    authenticity: MemorisationResult | None = None
    copying_test: MemorisationResult | None = None
    representation_gap: GapResult | None = None
    expected: Mapping[str, float]
    notes: tuple[str, ...] = ()

    @property
    def results(self) -> dict[str, Result | Results]:
        """The results that could be computed, by name."""
        pairs = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in pairs if isinstance(value, Result | Results)}

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings of the results, each once."""
        warnings = [warning for result in self.results.values() for warning in result.warnings]
        return tuple(dict.fromkeys(warnings))

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain Python objects."""
        head = {"n_real": self.n_real, "n_fake": self.n_fake}
        results = {name: result.to_dict() for name, result in self.results.items()}
        tail = {"expected": plain(self.expected), "notes": list(self.notes)}
        return {**head, **results, **tail, "warnings": list(self.warnings)}

    def json(self, indent: int | None = None) -> str:
        """Strict JSON: a number that is not finite becomes the string ``"inf"`` or ``"nan"``."""
        return json.dumps(strict(self.to_dict()), indent=indent, allow_nan=False)

    def _repr_html_(self) -> str:
        parts = [result._repr_html_() for result in self.results.values()]
        return "".join(parts) + "".join(f"<p>{escape(note)}</p>" for note in self.notes)


def evaluate(
    real: Array | GaussianStatistics,
    fake: Array | GaussianStatistics,
    *,
    train: Array | None = None,
    holdout: Array | None = None,
    real_labels: Array | Sequence[Any] | None = None,
    fake_labels: Array | Sequence[Any] | None = None,
    probabilities: Array | None = None,
    k: int = 5,
    confidence: float | None = None,
    seed: int = 0,
    progress: Callable[[str], object] = lambda stage: None,
) -> Evaluation:
    """Every metric of this package that the given inputs allow.

    Args:
        real: Features of real samples, (N, D), or their statistics.
        fake: Features of generated samples, (M, D), or their statistics.
        train: Features of the training set, for memorisation.
        holdout: Features of samples of the same distribution that the model never saw, likewise.
        real_labels: Group of each real sample, for bias.
        fake_labels: Group of each fake.
        probabilities: A classifier's probabilities for the fakes, (M, K), for the Inception Score.
        k: Neighbours, for precision, recall, density and coverage.
        confidence: Level of an interval for every metric; it also adds the Fréchet distance at
            infinitely many fakes. These two take longer than everything else together.
        seed: Seeds what is random: subsets, and halves for intervals.
        progress: Called with the name of each of the :data:`STAGES` as it begins.

    Raises:
        ValueError: Any input that one of the metrics refuses, before any long work where possible.
    """
    if confidence is not None:
        check_level(confidence)
    check_k(k, k + 1, k + 1)
    notes: list[str] = []
    x, y = _samples(real, "real"), _samples(fake, "fake")
    if x is not None and y is not None:
        same_width(x.shape[1], y.shape[1])
    n, m = (s.n if isinstance(s, GaussianStatistics) else len(s) for s in (real, fake))
    progress("memorisation")
    others = _memorisation(train, holdout, y, confidence, seed, notes)
    if real_labels is None or fake_labels is None:
        notes.append("bias was not measured: give the groups of real samples and fakes")
    else:
        others["representation_gap"] = _bias(real_labels, fake_labels, n, m, confidence)
    if probabilities is None:
        notes.append("no Inception Score: give a classifier's probabilities for the fakes")
    else:
        others["inception_score"] = _classes(probabilities, m, confidence)
    if x is None or y is None:
        notes.append(
            "statistics have no samples: of what compares both sides they allow the Fréchet "
            "distance, without an interval"
        )
        progress("Fréchet distance")
        distance = frechet_distance(real, fake)
        if y is not None:
            progress("diversity")
            others |= _diversity({"vendi_score": y}, confidence, seed, notes)
        return Evaluation(
            n_real=n,
            n_fake=m,
            frechet_distance=distance,
            expected=_expected(others),
            notes=tuple(notes),
            **others,
        )
    progress("Fréchet distance")
    frechet = _frechet(x, y, confidence)
    progress("pairs")
    kernel, scores, others["repeats"] = _over_pairs(x, y, k, confidence, seed)
    if others["repeats"] is None:
        notes.append(f"no near repeats: they need at least {AT_LEAST} samples a side")
    if scores is None:
        notes.append(f"no neighbour scores: k={k} neighbours need more than {k} samples a side")
    elif confidence is not None and min(len(x), len(y)) // 2 > k:
        progress("intervals")
        scores = with_intervals(scores, x, y, confidence, seed)
    progress("diversity")
    others |= _diversity({"vendi_score": y, "real_vendi_score": x}, confidence, seed, notes)
    expected = _expected(others) | {"frechet_distance": frechet.expected, "kernel_distance": 0.0}
    expected |= {} if scores is None else scores.expected
    infinity = None
    if confidence is not None and len(y) >= 20:
        progress("infinity")
        infinity = extrapolated(
            frechet.real, y, seed=seed, confidence=confidence, error=frechet.error
        )
    elif confidence is None:
        notes.append("no intervals and no distance at infinity: give confidence=0.95 for them")
    return Evaluation(
        n_real=len(x),
        n_fake=len(y),
        frechet_distance=frechet.distance,
        frechet_distance_infinity=infinity,
        kernel_distance=kernel,
        neighbour_scores=scores,
        expected=expected,
        notes=tuple(notes),
        **others,
    )


def _samples(x: Array | GaussianStatistics, name: str) -> torch.Tensor | None:
    return None if isinstance(x, GaussianStatistics) else check_features(x, name)


def _expected(results: Mapping[str, Any]) -> dict[str, float]:
    """What a faithful model would get, for results that say so themselves."""
    values = {name: getattr(result, "expected", None) for name, result in results.items()}
    return {name: value for name, value in values.items() if value is not None}


def _diversity(
    sets: Mapping[str, torch.Tensor], confidence: float | None, seed: int, notes: list[str]
) -> dict[str, Any]:
    if not all(bool((t != 0).any(1).all()) for t in sets.values()):
        notes.append("no Vendi score: some features are all zeros, and a cosine needs a direction")
        return {}
    level = confidence if min(len(t) for t in sets.values()) >= 4 else None
    return {name: vendi_score(t, confidence=level, seed=seed) for name, t in sets.items()}


class _Frechet(NamedTuple):
    """The distance, its value between equal distributions, and what the extrapolation needs."""

    distance: Result
    expected: float
    real: Fit
    error: float


def _frechet(x: torch.Tensor, y: torch.Tensor, confidence: float | None) -> _Frechet:
    real = fit_samples(x, "real")
    fake = fit_samples(y, "fake").to(real.mean.device)
    distance, error = distance_of_fits(real, fake), 0.0
    if confidence is not None:
        error = standard_error(real, fake, x, y)
        distance = replace(distance, interval=log_interval(distance.value, error, confidence))
    if len(x) == len(y) and torch.equal(x, y.to(x)):
        same = "both sets are the same samples: a file or folder was given twice"
        distance = replace(distance, warnings=(*distance.warnings, same))
    return _Frechet(distance, expected_frechet(x, real, len(x), len(y)), real, error)


def _over_pairs(
    x: torch.Tensor,
    y: torch.Tensor,
    k: int,
    confidence: float | None,
    seed: int,
    blocks: Blocks = BLOCKS,
) -> tuple[KernelResult, NeighbourScores | None, RepeatsResult | None]:
    """All from one pass; ``None`` for scores and repeats if a side has too few samples."""
    a, b = around_real(x, y, blocks)
    kernel = KernelAccumulator(a, b, squares=confidence is not None)
    few = min(len(x), len(y))
    if few <= k:
        accumulate(a, b, kernel)
        again = None if few < AT_LEAST else repeats(x, y, confidence, seed)
        return kernel.result(confidence), None, again
    neighbours = NeighbourAccumulator(a, b, k)
    accumulate(a, b, kernel, neighbours)
    if few < AT_LEAST:
        again = None
    elif len(x) == len(y):
        apart = neighbours.apart("real"), neighbours.apart("fake")
        again = repeats_of(x, y, *apart, confidence, blocks)
    else:
        again = repeats(x, y, confidence, seed)
    return kernel.result(confidence), neighbours.result(), again


def _memorisation(
    train: Array | None,
    holdout: Array | None,
    fake: torch.Tensor | None,
    confidence: float | None,
    seed: int,
    notes: list[str],
) -> dict[str, Any]:
    if train is None:
        notes.append("memorisation was not tested: give the training set, and held-out samples")
        return {}
    if fake is None:
        notes.append("memorisation was not tested: it looks at each fake, and statistics have none")
        return {}
    search = Search({"train": train, "fake": fake, "holdout": holdout}, train_at_least=2)
    results: dict[str, Any] = {"authenticity": authenticity_of(search, confidence)}
    if holdout is None:
        notes.append("copying was not tested: give held-out samples beside the training set")
    else:
        results["copying_test"] = copying_of(search, confidence, seed)
    return results


def _bias(
    real_labels: Array | Sequence[Any],
    fake_labels: Array | Sequence[Any],
    n_real: int | None,
    n_fake: int | None,
    confidence: float | None,
) -> GapResult:
    for name, labels, n in (
        ("real_labels", real_labels, n_real),
        ("fake_labels", fake_labels, n_fake),
    ):
        if n is not None and len(labels) != n:
            raise ValueError(
                f"{name} has {len(labels)} labels for {n} samples, expected one a sample"
            )
    return representation_gap(real_labels, fake_labels, confidence)


def _classes(
    probabilities: Array, n_fake: int | None, confidence: float | None
) -> InceptionScoreResult:
    n = len(probabilities)
    if n_fake is not None and n != n_fake:
        raise ValueError(f"probabilities has {n} rows for {n_fake} fakes, expected one a fake")
    splits = min(10, n)
    interval = confidence if n >= 2 * splits else None
    return inception_score(probabilities, splits=splits, confidence=interval)
