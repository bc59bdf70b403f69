"""The four failures of a generative model, told apart by what the metrics found.

Each failure has the metrics that see it, and is found where one of them is further on the wrong
side of what a faithful model would get than chance explains. Chance is given ``level`` in all, over
every test of every failure, shared out evenly (Bonferroni): a faithful model is wrongly accused of
anything in at most that share of evaluations.

* Mode collapse: too little of the real data has a fake near it (recall; coverage too, where the
  fakes that there are lie well).
* Noise and artifacts: too many fakes lie where no real sample is near (precision, density).
* Memorisation: the fakes lie nearer to the training set than held-out samples do (C_T), or nearer
  than its own samples lie to each other (authenticity).
* Bias: groups occur in other shares than in the real data (χ² test of the representation gap).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gqlib.metrics import Evaluation, Interval, MemorisationResult, NeighbourScores

#: Tests that share the level: recall, coverage, precision, density, C_T, authenticity, χ².
_TESTS = 7


@dataclass(frozen=True)
class Evidence:
    """One number behind a verdict.

    Attributes:
        name: The metric.
        value: What was measured, with its ``interval`` if there is one.
        faithful: What a faithful model would get.
        p_value: Probability of a value as far on the wrong side or further from a faithful model.
        alarming: Whether that is below this test's share of the level.
    """

    name: str
    value: float
    interval: Interval | None
    faithful: float
    p_value: float
    alarming: bool


@dataclass(frozen=True)
class Verdict:
    """What was found of one failure.

    Attributes:
        failure: "mode collapse", "noise and artifacts", "memorisation" or "bias".
        found: ``None`` if the inputs did not allow to test for it.
        evidence: The numbers behind it, the most telling first.
        missing: What to give so that it can be tested, if it was not.
    """

    failure: str
    found: bool | None
    evidence: tuple[Evidence, ...] = ()
    missing: str = ""


def verdicts(evaluation: Evaluation, level: float = 0.01) -> tuple[Verdict, ...]:
    """One verdict a failure, from an evaluation with intervals.

    Args:
        evaluation: Made with ``confidence``, which the neighbour scores' tests need.
        level: Largest share of faithful models that may be accused of anything.
    """
    if not 0 < level < 1:
        raise ValueError(f"level={level}, expected a share between 0 and 1 such as 0.01")
    share = level / _TESTS
    return (
        *_neighbours(evaluation, share),
        _memorisation(evaluation, share),
        _bias(evaluation, share),
    )


def _neighbours(evaluation: Evaluation, share: float) -> tuple[Verdict, Verdict]:
    scores = evaluation.neighbour_scores
    if scores is None or scores.interval is None:
        missing = (
            "give the samples of both sides and a confidence level: the test needs to know how "
            "far the scores vary by chance"
        )
        return (
            Verdict("mode collapse", None, missing=missing),
            Verdict("noise and artifacts", None, missing=missing),
        )
    low = {name: _below(scores, name, share) for name in scores.VALUES}
    noisy = low["precision"].alarming or low["density"].alarming
    collapsed = low["recall"].alarming or (low["coverage"].alarming and not noisy)
    return (
        Verdict("mode collapse", collapsed, (low["coverage"], low["recall"])),
        Verdict("noise and artifacts", noisy, (low["precision"], low["density"])),
    )


def _below(scores: NeighbourScores, name: str, share: float) -> Evidence:
    """Whether a score is below a faithful one, by its standard error."""
    assert scores.interval is not None
    interval = scores.interval[name]
    value, faithful = float(getattr(scores, name)), scores.null[name]
    p = scores.p_value_below(name)
    return Evidence(name, value, interval, faithful, p, p < share)


def _memorisation(evaluation: Evaluation, share: float) -> Verdict:
    from scipy.special import ndtr

    copying, authentic = evaluation.copying_test, evaluation.authenticity
    if copying is None or authentic is None or authentic.null is None:
        missing = "give the training set (--train) and held-out samples (--holdout)"
        return Verdict("memorisation", None, missing=missing)
    p = float(ndtr(copying.value))
    evidence = (
        Evidence("C_T", copying.value, copying.interval, 0.0, p, p < share),
        _less_authentic(authentic, authentic.null, copying.n_real or 0, share),
    )
    return Verdict("memorisation", any(e.alarming for e in evidence), evidence)


def _less_authentic(
    result: MemorisationResult, null: float, n_holdout: int, share: float
) -> Evidence:
    """Whether fewer fakes than held-out samples are authentic: a test of two shares."""
    from scipy.special import ndtr

    n = result.n_fake or 0
    pooled = (result.value * n + null * n_holdout) / (n + n_holdout)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / n_holdout))
    p = float(ndtr((result.value - null) / error)) if error > 0 else 1.0
    return Evidence("authenticity", result.value, result.interval, null, p, p < share)


def _bias(evaluation: Evaluation, share: float) -> Verdict:
    gap = evaluation.representation_gap
    if gap is None:
        return Verdict("bias", None, missing="give the groups of both sides (--labels)")
    evidence = Evidence(
        "representation gap", gap.value, gap.interval, gap.null, gap.p_value, gap.p_value < share
    )
    return Verdict("bias", evidence.alarming, (evidence,))
