"""The planted generators of digits: disjoint draws, and in each exactly the fault that it names."""

import functools
import importlib
import math
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from gqlib import data, metrics
from gqlib.data import disturbances, planted
from gqlib.data.toys import tilted_shares
from gqlib.evaluation import verdicts

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SETS = ("real", "train", "holdout", "fresh")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def multiset(images):
    """How often each image occurs, by its bytes."""
    return Counter(row.tobytes() for row in images.numpy().reshape(len(images), -1))


@functools.cache
def unseen():
    """The 20,000 digits that the classifier never saw, from the published rule alone."""
    numbers = np.random.PCG64(0).random_raw(60_000)
    used = torch.ones(60_000, dtype=torch.bool)
    used[torch.from_numpy(np.argsort(numbers, kind="stable")[:10_000])] = False
    train, test = data.load("mnist", "train"), data.load("mnist", "test")
    images = torch.cat([train.images[~used], test.images])
    return images, torch.cat([train.labels[~used], test.labels]), train.images[used]


@functools.cache
def digits(n=2000, seed=0):
    return planted.draw(n, seed)


@functools.cache
def label_of():
    """From an unseen image to its label."""
    images, labels, _ = unseen()
    rows = images.numpy().reshape(len(images), -1)
    return {row.tobytes(): label for row, label in zip(rows, labels.tolist(), strict=True)}


def labels_of(images):
    known = label_of()
    rows = images.numpy().reshape(len(images), -1)
    return torch.tensor([known[row.tobytes()] for row in rows])


# --- the draws


@pytest.mark.parametrize(("n", "seed"), [(2000, 0), (5000, 3), (1, 1)])
def test_the_four_sets_are_the_unseen_digits_each_once(n, seed):
    d = planted.draw(n, seed)
    assert [len(getattr(d, name)) for name in SETS] == [n, n, n, 20_000 - 3 * n]
    assert d.n == n
    images, labels, _ = unseen()
    drawn = multiset(torch.cat([getattr(d, name).images for name in SETS]))
    assert drawn == multiset(images)
    assert max(drawn.values()) == 1  # so that equal multisets mean disjoint sets
    found = torch.cat([labels_of(getattr(d, name).images) for name in SETS])
    assert torch.equal(found, torch.cat([getattr(d, name).labels for name in SETS]))
    assert torch.equal(torch.bincount(found), torch.bincount(labels))


def test_no_digit_is_one_that_the_classifier_was_trained_on():
    seen = multiset(unseen()[2])
    assert sum(seen.values()) == 50_000
    for name in SETS:
        assert not multiset(getattr(digits(), name).images).keys() & seen.keys()


def test_the_sets_are_random_draws_of_one_law():
    # Neither in order of the files (the test set is easier) nor of the classes.
    share = torch.bincount(unseen()[1]) / 20_000
    test = set(multiset(data.load("mnist", "test").images))
    for name in SETS:
        images = getattr(digits(), name)
        n = len(images)
        found = torch.bincount(images.labels, minlength=10) / n
        assert ((found - share).abs() < 4 * (share * (1 - share) / n).sqrt()).all()
        of_test = sum(row in test for row in multiset(images.images))
        assert abs(of_test / n - 0.5) < 4 * math.sqrt(0.25 / n)


def test_what_a_draw_is_made_of():
    for name in SETS:
        part = getattr(digits(), name)
        assert (part.name, part.split) == ("mnist", name)
        assert part.images.dtype == torch.uint8
        assert part.images.shape[1:] == (28, 28)
        assert part.labels.dtype == torch.int64


def test_seeds_reproduce_and_differ():
    one, again, other = planted.draw(50, 7), planted.draw(50, 7), planted.draw(50, 8)
    for name in SETS:
        assert torch.equal(getattr(one, name).images, getattr(again, name).images)
        assert not torch.equal(getattr(one, name).images, getattr(other, name).images)
    assert torch.equal(planted.draw(50).real.images, planted.draw(50, seed=0).real.images)


def test_a_caller_cannot_change_a_later_draw():
    first = planted.draw(20, 5)
    kept = first.real.images.clone()
    for name in SETS:
        getattr(first, name).images.zero_()
        getattr(first, name).labels.zero_()
    second = planted.draw(20, 5)
    assert torch.equal(second.real.images, kept)
    assert second.fresh.labels.any()
    planted.generate("faithful", second, seeded()).zero_()
    planted.generate("copycat", second, seeded()).zero_()
    assert torch.equal(planted.draw(20, 5).fresh.images, second.fresh.images)
    assert torch.equal(planted.draw(20, 5).train.images, second.train.images)


# --- every generator


@pytest.mark.parametrize("name", planted.FAILURE)
def test_every_generator(name):
    d = digits(300)
    before = [getattr(d, part).images.clone() for part in SETS]
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    images = planted.generate(name, d, seeded(1))
    assert images.shape == (300, 28, 28)
    assert images.dtype == torch.uint8
    assert torch.equal(planted.generate(name, d, seeded(1)), images)
    assert not torch.equal(planted.generate(name, d, seeded(2)), images)
    assert torch.equal(torch.get_rng_state(), state)
    assert (np.random.get_state()[1] == numpy_state).all()  # noqa: NPY002
    for part, kept in zip(SETS, before, strict=True):
        assert torch.equal(getattr(d, part).images, kept)


@pytest.mark.parametrize("n", [1, 6, 20])
@pytest.mark.parametrize("name", planted.FAILURE)
def test_as_many_as_asked_even_if_few(name, n):
    assert len(planted.generate(name, digits(n), seeded())) == n


def test_failures_have_the_names_of_the_verdicts():
    x = torch.randn(40, 3, generator=seeded())
    known = {verdict.failure for verdict in verdicts.verdicts(metrics.evaluate(x[:20], x[20:]))}
    assert set(planted.FAILURE.values()) - {None} == known
    assert [name for name, failure in planted.FAILURE.items() if failure is None] == ["faithful"]


def of_fresh(images, d):
    """Whether all are fresh digits, each at most once."""
    found = multiset(images)
    return found.keys() <= multiset(d.fresh.images).keys() and max(found.values()) == 1


def test_faithful():
    d = digits()
    images = planted.faithful(d, seeded())
    assert of_fresh(images, d)
    share = torch.bincount(labels_of(images), minlength=10) / d.n
    law = torch.bincount(unseen()[1]) / 20_000
    assert ((share - law).abs() < 4 * (law * (1 - law) / d.n).sqrt()).all()


@pytest.mark.parametrize("missing", [1, 2, 5, 8])
def test_mode_dropper_lacks_its_classes_and_no_more(missing):
    d = digits(1000)
    lost = []
    for seed in range(4):
        images = planted.mode_dropper(d, seeded(seed), missing)
        assert of_fresh(images, d)
        counts = torch.bincount(labels_of(images), minlength=10)
        lost.append(tuple((counts == 0).nonzero()[:, 0].tolist()))
        assert len(lost[-1]) == missing
        # The others as they are: their shares among themselves are those of all digits.
        kept = counts > 0
        law = torch.bincount(unseen()[1])[kept] / torch.bincount(unseen()[1])[kept].sum()
        off = (counts[kept] / d.n - law).abs()
        assert (off <= 4 * (law * (1 - law) / d.n).sqrt() + 1e-6).all()
    assert len(set(lost)) > 1  # which ones is by chance


def test_mode_dropper_usually_lacks_two():
    images = planted.generate("mode-dropper", digits(), seeded())
    assert len(labels_of(images).unique()) == 8
    assert torch.equal(images, planted.mode_dropper(digits(), seeded(), 2))


@pytest.mark.parametrize("each", [1, 5, 20])
def test_prototypes_are_few_a_class(each):
    d = digits()
    images = planted.prototypes(d, seeded(), each, jitter=0)
    found = multiset(images)
    assert found.keys() <= multiset(d.fresh.images).keys()
    labels = labels_of(images)
    for label in range(10):
        # About 200 draws from at most 20: hardly one is left out.
        distinct = len(multiset(images[labels == label]))
        assert 0.9 * each <= distinct <= each
    # No mode is missing and none too large: the classes keep their shares.
    share, law = torch.bincount(labels) / d.n, torch.bincount(unseen()[1]) / 20_000
    assert ((share - law).abs() < 4 * (law * (1 - law) / d.n).sqrt()).all()
    # Each prototype of a class as often as the others.
    most = max(found.values())
    expected = d.n / (10 * each)
    assert most < expected * 1.3 + 4 * math.sqrt(expected)


def test_prototypes_are_jittered():
    d = digits()
    plain = planted.prototypes(d, seeded(), jitter=0)
    images = planted.generate("prototypes", d, seeded())
    assert len(multiset(images)) == d.n
    jitter_is(images, plain, 0.03)


def jitter_is(images, plain, std):
    """Whether the images are the plain ones plus noise of a standard deviation, clipped."""
    inner = (plain > 60) & (plain < 195)  # where nothing is clipped
    off = (images.double() - plain)[inner] / 255
    assert off.std() == pytest.approx(std, rel=0.02)
    assert abs(off.mean()) < 0.002
    dark = plain == 0  # half of the noise is clipped
    assert (images[dark] == 0).double().mean() == pytest.approx(0.53, abs=0.03)
    assert int(images[dark].max()) < 255 * std * 7


def test_copycat_is_the_training_set_in_another_order():
    d = digits()
    images = planted.generate("copycat", d, seeded())
    assert multiset(images) == multiset(d.train.images)
    assert not torch.equal(images, d.train.images)
    jittered = planted.generate("jittered copycat", d, seeded())
    assert not multiset(jittered).keys() & multiset(d.train.images).keys()
    inner = (images > 60) & (images < 195)
    std = float((jittered.double() - images)[inner].std()) / 255
    assert 0.01 < std < 0.05  # slightly moved
    jitter_is(jittered, images, std)
    jitter_is(planted.copycat(d, seeded(), jitter=0.05), images, 0.05)


def test_noise_blur_and_checkerboards_are_all_that_differs_from_faithful():
    d = digits(400)
    generator = seeded(3)
    plain = planted.faithful(d, generator)
    noise = 0.5 + 0.25 * torch.randn(plain.shape, generator=generator)
    mixed = 0.9 * plain / 255 + 0.1 * noise.clamp(0, 1)
    found = planted.generate("noisy", d, seeded(3)).float() / 255
    torch.testing.assert_close(found, mixed, rtol=0, atol=0.51 / 255)

    blurred = disturbances.gaussian_blur(plain.double() / 255, 1.0)
    found = planted.generate("blurred", d, seeded(3)).double() / 255
    torch.testing.assert_close(found, blurred, rtol=0, atol=0.51 / 255)

    found = planted.generate("checkerboard", d, seeded(3)).double() - plain
    for row in (0, 1):
        for column in (0, 1):
            off, under = (z[:, row::2, column::2] for z in (found, plain))
            if row == column:  # brighter by a tenth, or as far as there is room
                want = (255 - under.double()).clamp(max=25.5)
            else:
                want = -under.double().clamp(max=25.5)
            torch.testing.assert_close(off, want, rtol=0, atol=0.51)


@pytest.mark.parametrize(
    ("make", "strength"),
    [(planted.noisy, 0.0), (planted.blurred, 0.0), (planted.checkerboard, 0.0)],
)
def test_strength_0_is_faithful(make, strength):
    d = digits(100)
    assert torch.equal(make(d, seeded(), strength), planted.faithful(d, seeded()))


def kl_from_even(counts):
    p = counts[counts > 0].double() / counts.sum()
    return float((p * (10 * p).log()).sum())


@pytest.mark.parametrize(("n", "kl"), [(2000, 0.1), (2000, 0.01), (1000, 0.3), (2000, 0.0)])
def test_biased_shares(n, kl):
    d = digits(n)
    order = []
    for seed in range(3):
        images = planted.biased(d, seeded(seed), kl)
        assert of_fresh(images, d)
        labels = labels_of(images)
        counts = torch.bincount(labels, minlength=10)
        want = tilted_shares(10, kl).sort().values * n
        assert ((counts.sort().values - want).abs() <= 1).all()
        assert kl_from_even(counts) == pytest.approx(kl, abs=20 / n)
        assert int(counts.min()) > 0  # of all classes
        order.append(counts.argsort().tolist())
        # Shuffled: a half of the fakes has the same shares as the other.
        halves = [torch.bincount(half, minlength=10) for half in labels.chunk(2)]
        assert ((halves[0] - halves[1]).abs() < 5 * counts.double().sqrt()).all()
    assert kl == 0 or order[0] != order[1]


def test_biased_usually():
    images = planted.generate("biased", digits(), seeded())
    assert torch.equal(images, planted.biased(digits(), seeded(), 0.1))


@pytest.mark.parametrize("n", [6, 7, 8, 16, 17, 26])
@pytest.mark.parametrize("kl", [0.0, 0.01])
def test_biased_shares_of_very_few(n, kl):
    # Where rounding up each class gives more than n in all.
    images = planted.biased(digits(n), seeded(), kl)
    assert len(images) == n
    counts = torch.bincount(labels_of(images), minlength=10).sort().values
    assert ((counts - tilted_shares(10, kl).sort().values * n).abs() <= 1).all()


# --- samples of trained models


@pytest.mark.parametrize("name", planted.TRAINED)
def test_trained(name):
    images = planted.trained(name)
    assert images.dtype == torch.uint8
    assert images.shape == (2000, 28, 28)
    # Digits on black, and from the whole range: neither scaled to [0, 1] nor inverted.
    assert (int(images.min()), int(images.max())) == (0, 255)
    assert 20 < float(images.double().mean()) < 50
    assert float(images[:, :2].double().mean()) < 5
    assert len(multiset(images)) == 2000
    kept = images.clone()
    images.zero_()
    assert torch.equal(planted.trained(name), kept)
    assert not torch.equal(kept, planted.trained(*set(planted.TRAINED) - {name}))


def test_a_missing_file_of_samples_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(planted, "SAMPLES", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"vae\.npz"):
        planted.trained("vae")


def test_the_recipe_of_the_trained_models(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    quality, recipe = (importlib.import_module(name) for name in ("gan_quality", "make_samples"))
    try:
        assert recipe.train_gan is quality.train_gan
        assert recipe.STEPS == quality.STEPS
        model = recipe.train_vae(torch.zeros(4, 28, 28, dtype=torch.uint8), 0, 0)
        assert planted.trained("vae").shape == (recipe.SAMPLES, 28, 28)
        assert recipe.SAMPLES % 1000 == 0
        # What main() asks of either model.
        sample = model.sample(2, seeded())
        assert sample.shape == (2, 1, 28, 28)
        assert 0 <= float(sample.min()) <= float(sample.max()) <= 1
        source = Path(recipe.__file__).read_text(encoding="utf-8")
        assert all(f'"{name}": train_' in source for name in planted.TRAINED)
    finally:
        for name in ("gan_quality", "make_samples"):
            sys.modules.pop(name, None)


# --- bad input


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: planted.draw(0), "n=0 digits a set, expected 1 to 5,000"),
        (lambda: planted.draw(-3), "n=-3 digits"),
        (lambda: planted.draw(5001), "n=5001 digits"),
        (lambda: planted.generate("gan", digits(20), seeded()), "no planted generator 'gan'.*mode"),
        (lambda: planted.trained("gan"), "no samples of 'gan', expected one of vae, dcgan"),
        (lambda: planted.mode_dropper(digits(20), seeded(), 0), "missing=0 classes, expected 1 to"),
        (lambda: planted.mode_dropper(digits(20), seeded(), 10), "missing=10 classes"),
        (
            lambda: planted.mode_dropper(digits(5000), seeded()),
            "5000 digits are needed and 3.* few",
        ),
        (lambda: planted.prototypes(digits(20), seeded(), 0), "each=0 prototypes a class"),
        (lambda: planted.prototypes(digits(20), seeded(), 9999), "9999 digits are needed and"),
        (lambda: planted.biased(digits(20), seeded(), -0.1), "kl=-0.1 nats"),
        (lambda: planted.biased(digits(20), seeded(), 2.4), "kl=2.4 nats"),
        (
            lambda: planted.biased(digits(5000), seeded(), 2.0),
            r"4602 digits are needed and \d+ are",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
