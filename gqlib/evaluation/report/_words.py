"""What the report says of each failure, in the words that all its forms share."""

from __future__ import annotations

from typing import NamedTuple

from gqlib._utils.failure import Failure
from gqlib.evaluation.report._numbers import number, percent, shown
from gqlib.evaluation.verdicts import Verdict
from gqlib.metrics import Evaluation, GapResult


class State(NamedTuple):
    """How a verdict is shown.

    Attributes:
        words: On the page and in a terminal.
        sign: Before the words on the page, for readers who see no colour.
        style: Its class in the style sheet.
        mark: Before the failure in a terminal.
        colour: There too, as an escape code.
    """

    words: str
    sign: str
    style: str
    mark: str
    colour: str


#: By what was found.
STATES = {
    True: State("found", "▲", "found", "[!]", "1;31"),
    False: State("not found", "○", "clear", "[ ]", "1"),
    None: State("not tested", "–", "untested", "[-]", "2"),
}


class Words(NamedTuple):
    """What the report says of a failure.

    Attributes:
        meaning: What it is.
        found: What it means that it was found.
        not_found: What it means that it was not, and what would not show.
        lines: The numbers that are shown with it, by their keys.
    """

    meaning: str
    found: str
    not_found: str
    lines: tuple[str, ...]


#: In the order of the report.
WORDS = {
    Failure.mode_collapse: Words(
        meaning="A collapsed model keeps making the same few kinds of sample and leaves the "
        "others out.",
        found="This is more than chance: parts of the real data are missing from the fakes, or "
        "the same few are made again and again.",
        not_found="No more is missing than chance allows. A gap smaller than the intervals, or one "
        "that these features do not see, would not show.",
        lines=("recall", "coverage", "repeats"),
    ),
    Failure.memorisation: Words(
        meaning="A model that memorises passes off its training samples, or near copies of them, "
        "as new ones.",
        found="This is more than chance: fakes lie nearer to the training set than samples that "
        "the model never saw.",
        not_found="The fakes are no nearer to the training set than chance allows. A few copies "
        "among many, or copies that these features do not recognise, would not show.",
        lines=("authenticity", "copying_test"),
    ),
    Failure.noise: Words(
        meaning="A noisy model makes samples that resemble no real one: blurred, broken or of "
        "something else.",
        found="This is more than chance: too many fakes lie where there are no real samples.",
        not_found="No more fakes lie apart than chance allows. Flaws of a few fakes, or flaws that "
        "these features do not see, would not show.",
        lines=("precision", "density"),
    ),
    Failure.bias: Words(
        meaning="A biased model makes some groups more often, or more rarely, than they occur in "
        "the real data.",
        found="This is more than chance: the groups' shares are not those of the real data.",
        not_found="The shares differ no more than chance allows. A smaller difference, or one "
        "between other groups than these, would not show.",
        lines=("representation_gap",),
    ),
}

#: Shown if anything was not found.
CAUTION = "Not found is not proof of absence: each verdict says what it may have missed."


def heading(failure: Failure) -> str:
    """The failure's name at the head of its section."""
    return failure.label.capitalize()


def measured(verdict: Verdict, e: Evaluation) -> str:
    """What the numbers behind a verdict say, as far as there are any."""
    failure, scores = verdict.failure, e.neighbour_scores
    if failure == Failure.mode_collapse:
        return _measured_collapse(e)
    if failure == Failure.noise and scores is not None:
        return (
            f"{percent(scores.precision)} of the fakes lie within the real samples' reach "
            "(precision), where a faithful model would get "
            f"{percent(scores.expected['precision'])}; a fake lies in {number(scores.density)} "
            "times as many real neighbourhoods as a real sample would (density)."
        )
    if failure == Failure.memorisation:
        return _measured_memorisation(e)
    if failure == Failure.bias and verdict.evidence:
        (gap,) = verdict.evidence
        among = ", absent groups left out" if gap.groups else ""
        return (
            f"{percent(gap.value)} of the fakes would have to change their group for the shares "
            f"to agree (representation gap{among}), where a faithful model would get about "
            f"{percent(gap.expected)}."
        )
    return ""


def _measured_collapse(e: Evaluation) -> str:
    parts, scores = [], e.neighbour_scores
    if scores is not None:
        parts.append(
            f"{percent(scores.recall)} of the real samples lie within the fakes' reach (recall), "
            f"where a faithful model would get {percent(scores.expected['recall'])}; "
            f"{percent(scores.coverage)} have a fake among their nearest neighbours (coverage), "
            f"where it would get {percent(scores.expected['coverage'])}."
        )
    if e.repeats is not None:
        parts.append(
            f"{percent(e.repeats.value)} of the fakes have another as near as only "
            f"{percent(e.repeats.expected)} of the real samples have (near repeats)."
        )
    return " ".join(parts)


def _measured_memorisation(e: Evaluation) -> str:
    parts = []
    if e.authenticity is not None:
        text = (
            f"{percent(e.authenticity.value)} of the fakes are farther from the training set than "
            "its own samples are from each other (authenticity)"
        )
        if e.authenticity.expected is not None:
            text += f", and {percent(e.authenticity.expected)} of samples that the model never saw"
        parts.append(f"{text}.")
    if e.copying_test is not None:
        parts.append(
            f"The copying test (C_T) gives {number(e.copying_test.value)}: near 0 for fresh "
            "samples, far below 0 for copies."
        )
    return " ".join(parts)


def details(verdict: Verdict, e: Evaluation) -> str:
    """The groups that a verdict is about."""
    groups = [name for item in verdict.evidence for name in item.groups]
    if verdict.failure == Failure.bias and e.representation_gap is not None:
        return _shifted(e.representation_gap.without(groups))
    absent = any(item.significant for item in verdict.evidence if item.groups)
    if verdict.failure == Failure.mode_collapse and absent:
        return f"Groups of which (almost) no fake was made: {', '.join(map(shown, groups))}."
    return ""


def _shifted(gap: GapResult | None) -> str:
    """The groups whose share changed most, of those whose change is clear."""
    if gap is None:
        return ""
    clear = [name for name, i in gap.shift_intervals.items() if i.low > 0 or i.high < 0]
    clear.sort(key=lambda name: -abs(gap.shifts[name]))
    parts = [
        f"{shown(name)} ({100 * abs(gap.shifts[name]):.1f} "
        f"{'' if i else 'percentage points '}too {'many' if gap.shifts[name] > 0 else 'few'})"
        for i, name in enumerate(clear[:3])
    ]
    return f"The largest differences: {', '.join(parts)}." if parts else ""


def judged(verdict: Verdict) -> str:
    """What the verdict means."""
    if verdict.found is None:
        return f"To test for it, {verdict.missing}."
    if verdict.found:
        return WORDS[verdict.failure].found
    aside = [item.label for item in verdict.evidence if item.aside]
    if aside:
        names = " and ".join(aside)
        return (
            f"{names[:1].upper()}{names[1:]} {'lie' if len(aside) > 1 else 'lies'} further off "
            f"than chance allows, which was set aside: {' and '.join(verdict.aside)}. Whether this "
            "failure is there too stays open."
        )
    return WORDS[verdict.failure].not_found


def count(n: int | None) -> str:
    """A number of samples, which may be unknown."""
    return "an unknown number of samples" if n is None else f"{n:,} samples"


def sentence(text: str) -> str:
    """A warning as a whole sentence."""
    text = shown(text).strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


#: Term, what it is, citation and its DOI.
DEFINITIONS = (
    (
        "Expected",
        "What a faithful model would get, one whose fakes are distributed as the real samples are: "
        "what chance leaves between sets of these sizes.",
        "",
        "",
    ),
    (
        "Precision and recall",
        "A ball around each real sample reaches to its k-th nearest other real sample. Precision "
        "is the share of fakes that lie in any of these balls; recall is the same with the sides "
        "exchanged.",
        "Kynkäänniemi et al., NeurIPS 2019",
        "10.48550/arXiv.1904.06991",
    ),
    (
        "Density and coverage",
        "Density is the mean number of these real balls that a fake lies in, divided by k. "
        "Coverage is the share of the balls that hold a fake.",
        "Naeem et al., ICML 2020",
        "10.48550/arXiv.2002.09797",
    ),
    (
        "Near repeats",
        "The share of fakes that have another fake nearer than 99 % of the real samples have "
        "another real one; where the fakes are less spread out, near is less.",
        "Arora, Risteski and Zhang, ICLR 2018",
        "10.48550/arXiv.1706.08224",
    ),
    (
        "Authenticity",
        "The share of fakes that are farther from their nearest training sample than that sample "
        "is from its own nearest one.",
        "Alaa et al., ICML 2022",
        "10.48550/arXiv.2102.08921",
    ),
    (
        "Copying test (C_T)",
        "A rank test of whether fakes lie nearer to the training set than held-out samples do, as "
        "a z-score: negative if they do.",
        "Meehan, Chaudhuri and Dasgupta, AISTATS 2020",
        "10.48550/arXiv.2004.05675",
    ),
    (
        "Representation gap",
        "Half the sum of the absolute differences of the groups' shares: the total variation "
        "distance.",
        "",
        "",
    ),
    (
        "Fréchet distance",
        "The squared Fréchet (2-Wasserstein) distance between two normal distributions with the "
        "features' means and covariances; FID is this on InceptionV3's features.",
        "Heusel et al., NeurIPS 2017",
        "10.48550/arXiv.1706.08500",
    ),
    (
        "Fréchet distance at infinity",
        "The same, extrapolated to infinitely many fakes along a line in 1/n.",
        "Chong and Forsyth, CVPR 2020",
        "10.48550/arXiv.1911.07023",
    ),
    (
        "Kernel distance",
        "The squared maximum mean discrepancy with a cubic kernel; KID is this on InceptionV3's "
        "features. It is unbiased: around 0 for equal distributions, and so at times below.",
        "Bińkowski et al., ICLR 2018",
        "10.48550/arXiv.1801.01401",
    ),
    (
        "Inception Score",
        "How sure a classifier is of each fake and how varied its verdicts are, between 1 and the "
        "number of classes. It looks at no real sample.",
        "Salimans et al., NeurIPS 2016",
        "10.48550/arXiv.1606.03498",
    ),
    (
        "Vendi score",
        "The effective number of different samples in a set, between 1 and their number.",
        "Friedman and Dieng, TMLR 2023",
        "10.48550/arXiv.2210.02410",
    ),
    (
        "Spectrum",
        "Mean squared amplitude of the images' waves, by their number of cycles per image.",
        "Durall, Keuper and Keuper, CVPR 2020",
        "10.48550/arXiv.2003.01826",
    ),
)
