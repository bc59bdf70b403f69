"""evaluate(): the same numbers as one by one, what was skipped, and what a reader is told."""

import json
import math
import re

import numpy as np
import pytest
import torch

from gqlib.metrics import (
    Evaluation,
    GaussianStatistics,
    authenticity,
    copying_test,
    evaluate,
    frechet_distance,
    frechet_distance_infinity,
    inception_score,
    kernel_distance,
    neighbour_scores,
    repeats,
    representation_gap,
    vendi_score,
)
from gqlib.metrics._pairs import Blocks
from gqlib.metrics.evaluation import STAGES, _over_pairs
from tests.samples import normal

REAL, FAKE, TRAIN, HOLDOUT = (
    normal(120, 4, 1),
    normal(90, 4, 2) * 1.2,
    normal(80, 4, 3),
    normal(60, 4, 4),
)
REAL_LABELS = torch.arange(120) % 3
FAKE_LABELS = torch.arange(90) % 4
PROBABILITIES = normal(90, 4, 5).softmax(1)
EVERYTHING = {
    "train": TRAIN,
    "holdout": HOLDOUT,
    "real_labels": REAL_LABELS,
    "fake_labels": FAKE_LABELS,
    "probabilities": PROBABILITIES,
}


def one_by_one(confidence):
    """The same by separate calls."""
    c = confidence
    results = {
        "frechet_distance": frechet_distance(REAL, FAKE, confidence=c),
        "kernel_distance": kernel_distance(REAL, FAKE, confidence=c),
        "neighbour_scores": neighbour_scores(REAL, FAKE, k=3, confidence=c, seed=7),
        "repeats": repeats(REAL, FAKE, confidence=c, seed=7),
        "inception_score": inception_score(PROBABILITIES, confidence=c),
        "vendi_score": vendi_score(FAKE, confidence=c, seed=7),
        "real_vendi_score": vendi_score(REAL, confidence=c, seed=7),
        "authenticity": authenticity(TRAIN, FAKE, HOLDOUT, confidence=c),
        "copying_test": copying_test(TRAIN, HOLDOUT, FAKE, confidence=c, seed=7),
        "representation_gap": representation_gap(REAL_LABELS, FAKE_LABELS, confidence=c),
    }
    if c is not None:
        results["frechet_distance_infinity"] = frechet_distance_infinity(
            REAL, FAKE, seed=7, confidence=c
        )
    return results


def close(a, b):
    """Equal dictionaries, numbers to rounding."""
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            close(a[key], b[key])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for p, q in zip(a, b, strict=True):
            close(p, q)
    elif isinstance(a, float):
        assert a == pytest.approx(b, rel=1e-11, abs=1e-13)
    else:
        assert a == b


@pytest.mark.parametrize("confidence", [None, 0.9])
def test_the_same_as_separate_calls(confidence):
    want = one_by_one(confidence)
    got = evaluate(REAL, FAKE, **EVERYTHING, k=3, confidence=confidence, seed=7)
    assert isinstance(got, Evaluation)
    assert got.results.keys() == want.keys()
    for name, result in want.items():
        assert type(got.results[name]) is type(result)
        close(got.results[name].to_dict(), result.to_dict())
    assert (got.n_real, got.n_fake) == (120, 90)


@pytest.mark.parametrize("confidence", [None, 0.9])
@pytest.mark.parametrize("size", [90, 120])
def test_tiles_change_nothing(confidence, size):
    want = _over_pairs(REAL[:size], FAKE, 3, confidence, 7)
    got = _over_pairs(REAL[:size], FAKE, 3, confidence, 7, Blocks(tile=32))
    for one, other in zip(got, want, strict=True):
        close(one.to_dict(), other.to_dict())


def test_equal_sizes_share_the_distances_of_repeats():
    want = repeats(REAL[:90], FAKE, confidence=0.9)
    got = evaluate(REAL[:90], FAKE, confidence=0.9).repeats
    close(got.to_dict(), want.to_dict())
    assert evaluate(REAL, FAKE, k=90).repeats is not None


@pytest.mark.parametrize("k", [1, 5, 89, 90, 500])
@pytest.mark.parametrize("size", [90, 120])
def test_repeats_do_not_depend_on_the_neighbours_of_the_scores(k, size):
    # Also where there are too few samples for the scores, and among copies.
    fake = torch.cat([FAKE[:30], FAKE[:60]])
    want = repeats(REAL[:size], fake, confidence=0.9, seed=3)
    got = evaluate(REAL[:size], fake, k=k, confidence=0.9, seed=3)
    assert (got.neighbour_scores is None) == (k >= 90)
    close(got.repeats.to_dict(), want.to_dict())
    assert got.repeats.value > 0.5
    assert got.expected["repeats"] == want.expected
    assert not any("near repeats" in note for note in got.notes)


@pytest.mark.parametrize("k", [5, 90])
def test_the_seed_decides_on_the_subset_for_repeats(k):
    fake = torch.cat([FAKE[:60], FAKE[:60]])
    seen = set()
    for seed in range(3):
        got = evaluate(REAL[:90], fake, k=k, seed=seed).repeats
        assert got == repeats(REAL[:90], fake, seed=seed)
        seen.add(got.value)
    assert len(seen) > 1


@pytest.mark.parametrize("k", [5, 50])
@pytest.mark.parametrize(("n", "m", "given"), [(19, 60, False), (60, 19, False), (20, 20, True)])
def test_repeats_need_twenty_samples_a_side(n, m, given, k):
    got = evaluate(REAL[:n], FAKE[:m], k=k)
    assert (got.repeats is not None) == given
    assert ("repeats" in got.expected) == given
    notes = [note for note in got.notes if "near repeats" in note]
    assert notes == ([] if given else ["no near repeats: they need at least 20 samples a side"])


def test_warnings_of_repeats_are_passed_on():
    copies = torch.cat([REAL[:60], REAL[:60]])
    assert any("real samples equal another one" in w for w in evaluate(copies, FAKE).warnings)
    assert not any("equal another" in w for w in evaluate(REAL, FAKE).warnings)


def test_every_result_has_an_interval_if_asked():
    got = evaluate(REAL, FAKE, **EVERYTHING, confidence=0.95)
    assert "frechet_distance_infinity" in got.results
    for name, result in got.results.items():
        assert result.interval is not None, name
    without = evaluate(REAL, FAKE, **EVERYTHING)
    assert all(result.interval is None for result in without.results.values())
    assert "confidence=0.95" in " ".join(without.notes)


def test_progress_names_each_stage_once_in_order():
    for confidence in (None, 0.9):
        seen = []
        evaluate(REAL, FAKE, **EVERYTHING, confidence=confidence, progress=seen.append)
        if confidence is None:
            assert seen == [stage for stage in STAGES if stage in seen]
        else:
            assert seen == list(STAGES)


def test_types_do_not_matter():
    want = evaluate(REAL.half(), FAKE.half(), **EVERYTHING)
    kinds = [
        (REAL.half().double(), FAKE.half().numpy()),
        (REAL.half().float().numpy(), FAKE.half().T.contiguous().T),
    ]
    for real, fake in kinds:
        close(evaluate(real, fake, **EVERYTHING).to_dict(), want.to_dict())


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_what_a_faithful_model_would_get(scale):
    runs = [
        evaluate(normal(150, 3, 2 * i) * scale, normal(100, 3, 2 * i + 1) * scale)
        for i in range(60)
    ]
    for name, of in (
        ("frechet_distance", lambda r: float(r.frechet_distance)),
        ("kernel_distance", lambda r: float(r.kernel_distance)),
        ("precision", lambda r: r.neighbour_scores.precision),
        ("recall", lambda r: r.neighbour_scores.recall),
        ("density", lambda r: r.neighbour_scores.density),
        ("coverage", lambda r: r.neighbour_scores.coverage),
    ):
        got = np.array([of(r) for r in runs])
        expected = np.mean([r.expected[name] for r in runs])
        allowed = 4 * got.std() / math.sqrt(60) + 0.05 * abs(expected)
        assert abs(got.mean() - expected) < allowed, name


def test_faithful_values_of_what_there_is():
    got = evaluate(REAL, FAKE, **EVERYTHING)
    assert got.expected["authenticity"] == got.authenticity.expected
    assert got.expected["copying_test"] == got.copying_test.expected
    assert got.expected["representation_gap"] == got.representation_gap.expected > 0
    assert got.expected["kernel_distance"] == 0
    assert got.expected["density"] == 1
    assert set(evaluate(REAL, FAKE).expected) == {
        "frechet_distance",
        "kernel_distance",
        "precision",
        "recall",
        "density",
        "coverage",
        "repeats",
    }
    assert "authenticity" not in evaluate(REAL, FAKE, train=TRAIN).expected


# --- what is skipped


@pytest.mark.parametrize(
    ("given", "gone", "note"),
    [
        ({"train": None}, {"authenticity", "copying_test"}, "give the training set"),
        ({"holdout": None}, {"copying_test"}, "give held-out samples"),
        ({"train": None, "holdout": None}, {"authenticity", "copying_test"}, "memorisation"),
        ({"real_labels": None}, {"representation_gap"}, "bias was not measured"),
        ({"fake_labels": None}, {"representation_gap"}, "give the groups"),
        ({"probabilities": None}, {"inception_score"}, "no Inception Score"),
        ({"k": 90}, {"neighbour_scores"}, "k=90 neighbours need more than 90 samples"),
    ],
)
def test_what_is_not_given_is_skipped_with_a_note(given, gone, note):
    whole = evaluate(REAL, FAKE, **EVERYTHING)
    got = evaluate(REAL, FAKE, **(EVERYTHING | given))
    assert set(whole.results) - set(got.results) == gone
    assert all(getattr(got, name) is None for name in gone)
    added = set(got.notes) - set(whole.notes)
    assert len(added) == 1
    assert note in added.pop()


def test_zeros_have_no_vendi_score():
    got = evaluate(REAL, torch.cat([FAKE, FAKE[:1] * 0]))
    assert got.vendi_score is got.real_vendi_score is None
    assert any("no Vendi score" in note for note in got.notes)


def test_few_samples_still_give_what_they_can():
    got = evaluate(REAL[:3], FAKE[:4], probabilities=PROBABILITIES[:4], confidence=0.9)
    assert set(got.results) == {
        "frechet_distance",
        "kernel_distance",
        "inception_score",
        "vendi_score",
        "real_vendi_score",
    }
    assert got.inception_score.interval is None
    assert got.inception_score.splits == 4
    few = evaluate(REAL[:8], FAKE[:8], confidence=0.9)
    assert few.neighbour_scores.interval is None
    assert few.frechet_distance.interval is not None
    assert few.frechet_distance_infinity is None


@pytest.mark.parametrize("confidence", [None, 0.9])
def test_statistics_allow_the_frechet_distance(confidence):
    a, b = GaussianStatistics.from_features(REAL), GaussianStatistics.from_features(FAKE)
    want = float(frechet_distance(REAL, FAKE))
    for real, fake in ((a, b), (a, FAKE), (REAL, b)):
        got = evaluate(real, fake, confidence=confidence)
        diversity = {"vendi_score"} if fake is FAKE else set()
        assert set(got.results) == {"frechet_distance"} | diversity
        assert float(got.frechet_distance) == pytest.approx(want, rel=1e-9)
        assert got.frechet_distance.interval is None
        assert (got.n_real, got.n_fake) == (120, 90)
        assert "statistics have no samples" in got.notes[-1]
    unknown = GaussianStatistics.from_moments(a.mean, a.cov)
    got = evaluate(unknown, FAKE)
    assert got.n_real is None
    assert any("unknown" in warning for warning in got.warnings)
    json.loads(got.json())


def test_statistics_leave_what_needs_no_features_of_both_sides():
    a, b = GaussianStatistics.from_features(REAL), GaussianStatistics.from_features(FAKE)
    labels = {"real_labels": [0, 1] * 60, "fake_labels": [0, 1, 1] * 30}
    probabilities = torch.full((90, 3), 1 / 3)
    given = dict(labels, probabilities=probabilities, train=REAL[:50], holdout=REAL[50:])
    whole = evaluate(REAL, FAKE, **given)
    both = evaluate(a, b, **given, confidence=0.9)
    assert set(both.results) == {"frechet_distance", "representation_gap", "inception_score"}
    assert float(both.representation_gap) == float(whole.representation_gap)
    assert both.representation_gap.interval is not None
    assert both.expected["representation_gap"] == whole.expected["representation_gap"]
    assert any("memorisation was not tested" in note for note in both.notes)
    one = evaluate(a, FAKE, **given)
    for name in ("authenticity", "copying_test", "vendi_score", "inception_score"):
        assert float(one.results[name]) == float(whole.results[name])
    for bad in (dict(given, real_labels=[0] * 5), dict(given, probabilities=probabilities[:7])):
        with pytest.raises(ValueError, match="expected one a"):
            evaluate(a, b, **bad)
    unknown = GaussianStatistics.from_moments(a.mean, a.cov)
    assert evaluate(unknown, b, real_labels=[0] * 5, fake_labels=[0] * 90).representation_gap


# --- warnings


def test_warnings():
    identical = evaluate(REAL, REAL.float().double() * 0 + REAL)
    assert any("same samples" in warning for warning in identical.warnings)
    assert not any("same samples" in warning for warning in evaluate(REAL, FAKE).warnings)
    wide = evaluate(normal(30, 40, 1), normal(90, 40, 2))
    assert any("30 real samples, no more than the 40" in warning for warning in wide.warnings)
    tiny = evaluate(REAL, FAKE).warnings
    assert any(w.startswith("120 real samples are few") for w in tiny)
    assert any(w.startswith("90 fake samples are few") for w in tiny)
    many = evaluate(normal(1000, 2, 1), normal(1000, 2, 2))
    assert many.warnings == ()
    assert len(set(wide.warnings)) == len(wide.warnings)


# --- how it shows itself


def test_json_is_strict_and_whole():
    got = evaluate(REAL, FAKE, **EVERYTHING, confidence=0.9)
    back = json.loads(got.json(indent=1), parse_constant=lambda name: pytest.fail(name))
    assert back["neighbour_scores"]["precision"] == got.neighbour_scores.precision
    assert back["frechet_distance"]["interval"]["level"] == 0.9
    assert back["expected"] == {k: pytest.approx(v) for k, v in got.expected.items()}
    assert back["notes"] == list(got.notes)
    assert set(back) == {"n_real", "n_fake", "expected", "notes", "warnings", *got.results}
    copies = evaluate(torch.ones(20, 2), torch.ones(20, 2), confidence=0.9)
    json.loads(copies.json(), parse_constant=lambda name: pytest.fail(name))


def test_html_has_a_table_a_result_and_the_notes():
    got = evaluate(REAL, FAKE, train=TRAIN, real_labels=["<b>"] * 120, fake_labels=["a"] * 90)
    page = got._repr_html_()
    assert page.count("<table>") == page.count("</table>") == len(got.results)
    assert "memorisation" in page or "copying was not tested" in page
    assert "<script" not in page
    for result in got.results.values():
        assert result.name in page or result.name.replace("&", "&amp;") in page
    assert len(re.findall("<p>", page)) == len(got.notes)


def test_several_values_are_no_number():
    got = evaluate(REAL, FAKE)
    with pytest.raises(TypeError, match="several values"):
        float(got.neighbour_scores)
    with pytest.raises(TypeError):
        float(got)
    assert float(got.frechet_distance) == got.frechet_distance.value


def test_arguments_and_random_state_are_left_alone():
    copies, state = [z.clone() for z in (REAL, FAKE, TRAIN)], torch.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = evaluate(REAL, FAKE, **EVERYTHING, confidence=0.9, seed=3)
    assert evaluate(REAL, FAKE, **EVERYTHING, confidence=0.9, seed=3).json() == first.json()
    assert all(torch.equal(a, b) for a, b in zip(copies, (REAL, FAKE, TRAIN), strict=True))
    assert torch.equal(state, torch.get_rng_state())
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002


# --- bad input

A, B = GaussianStatistics.from_features, torch.eye(4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evaluate(REAL[0], FAKE), r"real has shape \(4,\)"),
        (lambda: evaluate(REAL, FAKE[None]), r"fake has shape \(1, 90, 4\)"),
        (lambda: evaluate(REAL, FAKE[:, :3]), "real has 4 features .* fake has 3"),
        (lambda: evaluate(REAL[:1], FAKE), "real has 1 sample, expected at least 2"),
        (lambda: evaluate(REAL, FAKE[:0]), "fake has 0 samples"),
        (lambda: evaluate(REAL * math.nan, FAKE), "real holds 480 values"),
        (lambda: evaluate(REAL, FAKE / 0), "fake holds 360 values"),
        (lambda: evaluate(REAL, FAKE, k=0), "k=0, expected"),
        (lambda: evaluate(REAL, FAKE, k=-2), "k=-2, expected"),
        (lambda: evaluate(REAL, FAKE, confidence=95), "confidence=95"),
        (lambda: evaluate(REAL, FAKE, confidence=0), "confidence=0"),
        (lambda: evaluate(REAL, FAKE, train=TRAIN[:, :3]), r"train 3, fake 4"),
        (lambda: evaluate(REAL, FAKE, train=TRAIN * math.nan), "train holds"),
        (lambda: evaluate(REAL, FAKE, train=TRAIN[:1]), "train has 1 sample"),
        (lambda: evaluate(REAL, FAKE, train=TRAIN, holdout=TRAIN[:0]), "holdout has 0 samples"),
        (lambda: evaluate(REAL, FAKE, train=TRAIN, holdout=TRAIN[0]), "holdout has shape"),
        (lambda: evaluate(REAL, FAKE, probabilities=PROBABILITIES[:50]), "50 rows for 90 fakes"),
        (lambda: evaluate(REAL, FAKE, probabilities=PROBABILITIES * 2), "sums to 2, expected 1"),
        (lambda: evaluate(REAL, FAKE, probabilities=-PROBABILITIES), "expected numbers ≥ 0"),
        (
            lambda: evaluate(REAL, FAKE, real_labels=REAL_LABELS[:50], fake_labels=FAKE_LABELS),
            "50.*120",
        ),
        (
            lambda: evaluate(REAL, FAKE, real_labels=REAL_LABELS, fake_labels=FAKE_LABELS[:50]),
            "50.*90",
        ),
        (
            lambda: evaluate(REAL, FAKE, real_labels=REAL_LABELS, fake_labels=["a"] * 90),
            "expected one kind",
        ),
        (
            lambda: evaluate(REAL, FAKE, real_labels=REAL_LABELS / 7, fake_labels=FAKE_LABELS),
            "expected integers or strings",
        ),
        (lambda: evaluate(A(B, extractor="a"), A(B, extractor="b")), "one extractor for both"),
        (lambda: evaluate(A(B, resize="a"), A(B, resize="b")), "resize both in one way"),
        (lambda: evaluate(A(B), FAKE[:, :3]), "real has 4 features .* fake has 3"),
        (lambda: evaluate(A(B), FAKE, confidence=95), "confidence=95"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
