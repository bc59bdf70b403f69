"""Which of the four failures a generative model has, according to the metrics.

Each failure has its own metrics. It is found if one of them is worse than a faithful model's by
more than chance explains. The significance level is divided evenly over all tests of all failures
(Bonferroni), so that a faithful model is accused of anything in at most a share ``level`` of
evaluations.

* Noise and artifacts: too many fakes lie where no real sample is near (precision, density).
* Mode collapse: fakes repeat each other, a group of the real data is absent, or too little of the
  real data has a fake near it (recall, coverage).
* Memorisation: the fakes lie nearer to the training set than held-out samples do (C_T), or nearer
  than its own samples lie to each other (authenticity).
* Bias: groups have other shares than in the real data (χ² test), absent groups left out.

One failure changes the metrics of another, so evidence that may come from another is set aside:

* Fakes that lie off the data lower recall and coverage by about as much as they lower density. So
  these two count only if they have fallen by more than twice as much.
* A classifier may misread all fakes that lie off the data. So if there is noise, an absent group or
  a gap counts only if it is larger than the share of such fakes.
* Rare groups lower coverage. So if there is bias, coverage does not count for collapse.
* Repeated fakes are not new evidence: precision, density and authenticity are judged as if there
  were only the distinct fakes.
* C_T also falls if a model merely prefers easy samples. So it does not count next to another
  failure. Authenticity does, since it compares each fake with the density around it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from gqlib._utils.failure import Failure
from gqlib.metrics import (
    Evaluation,
    GapResult,
    Interval,
    MemorisationResult,
    NeighbourScores,
    RepeatsResult,
)

#: Tests that share the level: precision, density, recall, coverage, repeats, absent groups, C_T,
#: authenticity, χ².
_TESTS = 9
#: From this share on, near repeats count; an uneven distribution has a few more even if faithful.
_REPEATED = 0.05
#: By what factor recall and coverage must have fallen more than density. On digits, noise, blur and
#: checkerboards of all strengths give factors from 0.9 to 1.4; two lost classes of ten give 9.
_FACTOR = 2


#: What to call evidence whose key is not its name.
_LABELS = {
    "absent_groups": "absent groups",
    "copying_test": "C_T",
    "repeats": "near repeats",
    "representation_gap": "representation gap",
}


@dataclass(frozen=True)
class Evidence:
    """One number behind a verdict.

    Attributes:
        key: The metric, as :class:`gqlib.metrics.Evaluation` and the JSON call it.
        value: What was measured, with its ``interval`` if there is one.
        expected: What a faithful model would get.
        p_value: Probability that a faithful model gets a value this bad or worse.
        significant: Whether the p-value is below this test's share of the level, and counts.
        aside: Why it was set aside in spite of its p-value, or empty.
        groups: The groups that are absent; for the representation gap, those that it leaves out.
    """

    key: str
    value: float
    interval: Interval | None
    expected: float
    p_value: float
    significant: bool
    aside: str = ""
    groups: tuple[Any, ...] = ()

    @property
    def label(self) -> str:
        """The metric in words."""
        return _LABELS.get(self.key, self.key)


@dataclass(frozen=True)
class Verdict:
    """What was found of one failure.

    Attributes:
        failure: Which one.
        found: ``None`` if the inputs did not allow a test.
        evidence: The numbers behind it, the most important first.
        missing: If it was not tested, what to give for a test.
    """

    failure: Failure
    found: bool | None
    evidence: tuple[Evidence, ...] = ()
    missing: str = ""

    @property
    def aside(self) -> tuple[str, ...]:
        """Why evidence was set aside, each reason once."""
        return tuple(dict.fromkeys(item.aside for item in self.evidence if item.aside))


_BY_NOISE = "fakes that lie apart lower recall and coverage by themselves, as they did density"
_BY_BIAS = "groups that are too rare lower coverage by themselves"
_MISREAD = "as many fakes lie apart, and their groups may be misread"
_BY_OTHERS = "another failure can lower C_T by itself"


def verdicts(evaluation: Evaluation, level: float = 0.01) -> tuple[Verdict, ...]:
    """One verdict a failure: mode collapse, noise and artifacts, memorisation, bias.

    Args:
        evaluation: Made with ``confidence``, which the neighbour scores' tests need.
        level: The largest share of faithful models that may be accused of anything.
    """
    if not 0 < level < 1:
        raise ValueError(f"level={level}, expected a share between 0 and 1 such as 0.01")
    share = level / _TESTS
    scores = evaluation.neighbour_scores
    scores = None if scores is None or scores.interval is None else scores
    again = _repeated(evaluation.repeats, share)
    distinct_share = _distinct_share(evaluation.repeats, again)

    noise = _noise(scores, distinct_share, share)
    off = _off(scores) if noise.found else 0.0
    absent, bias = _groups(evaluation.representation_gap, off, share)
    collapse = _collapse(scores, again, absent, bias.found is True, share)
    others = any(verdict.found for verdict in (noise, collapse, bias))
    return (collapse, noise, _memorisation(evaluation, distinct_share, others, share), bias)


def _aside(evidence: Evidence, condition: bool, why: str) -> Evidence:
    """The evidence, set aside with a reason if it is significant and the condition holds."""
    if evidence.significant and condition:
        return replace(evidence, significant=False, aside=why)
    return evidence


def _repeated(result: RepeatsResult | None, share: float) -> Evidence | None:
    if result is None:
        return None
    significant = result.p_value < share and result.value >= _REPEATED
    return Evidence(
        "repeats", result.value, result.interval, result.expected, result.p_value, significant
    )


def _distinct_share(result: RepeatsResult | None, again: Evidence | None) -> float:
    """The number of distinct fakes over the number of fakes."""
    if result is None or again is None or not again.significant:
        return 1.0
    return result.distinct / (result.n_fake or 1)


_NO_SCORES = (
    "give the samples of both sides and a confidence level: the test needs to know how far the "
    "scores vary by chance"
)


def _noise(scores: NeighbourScores | None, distinct_share: float, share: float) -> Verdict:
    if scores is None:
        return Verdict(Failure.noise, None, missing=_NO_SCORES)
    evidence = tuple(
        _below(scores, name, share, distinct_share) for name in ("precision", "density")
    )
    return Verdict(Failure.noise, any(e.significant for e in evidence), evidence)


def _off(scores: NeighbourScores | None) -> float:
    """The share of fakes that lie off the data, beyond the share of real samples that do."""
    if scores is None:
        return 0.0
    return max(0.0, 1 - scores.precision / scores.expected["precision"])


def _groups(gap: GapResult | None, off: float, share: float) -> tuple[Evidence | None, Verdict]:
    """Whether groups are absent, which is collapse, and whether the others are uneven."""
    if gap is None:
        return None, Verdict(Failure.bias, None, missing="give the groups of both sides (labels)")
    names = gap.absent(share)
    lost = sum(gap.counts[name][0] for name in names) / (gap.n_real or 1)
    p = share if names else 1.0
    absent = Evidence("absent_groups", lost, None, 0.0, p, bool(names), groups=names)
    absent = _aside(absent, lost <= off, _MISREAD)
    left_out = names if absent.significant else ()
    rest = gap.without(left_out)
    if rest is None:
        return absent, Verdict(Failure.bias, False)
    uneven = Evidence(
        "representation_gap",
        rest.value,
        rest.interval,
        rest.expected,
        rest.p_value,
        rest.p_value < share,
        groups=left_out,
    )
    uneven = _aside(uneven, rest.value <= off, _MISREAD)
    return absent, Verdict(Failure.bias, uneven.significant, (uneven,))


def _collapse(
    scores: NeighbourScores | None,
    again: Evidence | None,
    absent: Evidence | None,
    biased: bool,
    share: float,
) -> Verdict:
    evidence = [item for item in (again, absent) if item is not None]
    if scores is not None:
        recall, coverage = (_spread_out(scores, name, share) for name in ("recall", "coverage"))
        evidence = [recall, _aside(coverage, biased, _BY_BIAS), *evidence]
    found = any(item.significant for item in evidence)
    if scores is None and not found:
        return Verdict(Failure.mode_collapse, None, tuple(evidence), missing=_NO_SCORES)
    return Verdict(Failure.mode_collapse, found, tuple(evidence))


def _spread_out(scores: NeighbourScores, name: str, share: float) -> Evidence:
    """Recall or coverage, set aside if density has fallen likewise."""
    evidence = _below(scores, name, share)
    fall = 1 - evidence.value / evidence.expected
    usual = 1 - scores.density / scores.expected["density"]
    return _aside(evidence, fall <= _FACTOR * usual, _BY_NOISE)


def _below(
    scores: NeighbourScores, name: str, share: float, distinct_share: float = 1.0
) -> Evidence:
    """Whether a score is below its expected value, by its standard error."""
    assert scores.interval is not None
    p = scores.p_value_below(name, distinct_share)
    value, expected = float(getattr(scores, name)), scores.expected[name]
    return Evidence(name, value, scores.interval[name], expected, p, p < share)


def _memorisation(
    evaluation: Evaluation, distinct_share: float, others: bool, share: float
) -> Verdict:
    from scipy.special import ndtr

    copying, authentic = evaluation.copying_test, evaluation.authenticity
    if copying is None or authentic is None or authentic.expected is None:
        missing = "give the training set (train) and held-out samples (holdout)"
        return Verdict(Failure.memorisation, None, missing=missing)
    p = float(ndtr(copying.value))
    nearer = Evidence("copying_test", copying.value, copying.interval, 0.0, p, p < share)
    evidence = (
        _less_authentic(
            authentic, authentic.expected, copying.n_holdout or 0, distinct_share, share
        ),
        _aside(nearer, others, _BY_OTHERS),
    )
    return Verdict(Failure.memorisation, any(e.significant for e in evidence), evidence)


def _less_authentic(
    result: MemorisationResult, expected: float, n_holdout: int, distinct_share: float, share: float
) -> Evidence:
    """Whether fewer fakes than held-out samples are authentic: a test of two shares."""
    from scipy.special import ndtr

    n = distinct_share * (result.n_fake or 0)  # as many as are distinct
    pooled = (result.value * n + expected * n_holdout) / (n + n_holdout)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / n_holdout))
    p = float(ndtr((result.value - expected) / error)) if error > 0 else 1.0
    return Evidence("authenticity", result.value, result.interval, expected, p, p < share)
