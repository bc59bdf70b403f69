"""The terms of the Inception Score in closed form, and the attack: sure verdicts, no digit."""

import copy
import math

import pytest
import torch
from torch import nn

from gqlib import data
from gqlib.course.answers.lesson_08 import entropy_terms, marginal, sure_images
from gqlib.features import load_digit_net
from gqlib.metrics import inception_score
from tests.samples import normal


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def verdicts(net, images):
    with torch.no_grad():
        return torch.cat([net(part) for part in images.split(1000)]).double().softmax(1)


@pytest.fixture(scope="module")
def net():
    return load_digit_net()


@pytest.fixture(scope="module")
def test_digits():
    return data.load("mnist", "test").images


@pytest.mark.parametrize("seed", range(3))
def test_it_beats_the_test_set_without_a_digit(net, test_digits, seed):
    images = sure_images(net, 100, seeded(seed))
    assert images.shape == (100, 1, 28, 28)
    assert images.dtype == torch.float32
    assert not images.requires_grad
    assert images.min() >= 0
    assert images.max() <= 1
    fooled = float(inception_score(verdicts(net, images), splits=1))
    assert fooled > float(inception_score(verdicts(net, test_digits), splits=1)) + 0.1
    flat = test_digits.flatten(1).double() / 255
    assert torch.cdist(images.flatten(1).double(), flat).min() >= 10


def test_sure_verdicts_bound_the_score_as_fano_says(net):
    images = sure_images(net, 20, seeded(), steps=40)
    p = verdicts(net, images)
    doubt = 1 - float(p[torch.arange(20), torch.arange(20) % 10].min())
    binary = -doubt * math.log(doubt) - (1 - doubt) * math.log1p(-doubt)
    bound = math.log(10) - binary - doubt * math.log(9)
    assert math.log(float(inception_score(p, splits=1))) >= bound


def test_targets_take_turns_and_every_step_helps():
    # Logits that are linear in the image: pixel k speaks for class k.
    linear = nn.Sequential(nn.Flatten(), nn.Linear(784, 4, bias=False)).requires_grad_(False)
    linear[1].weight.zero_()
    linear[1].weight[torch.arange(4), torch.arange(4)] = 1.0
    start = sure_images(linear, 8, seeded(), classes=4, steps=0).flatten(1)
    moved = sure_images(linear, 8, seeded(), classes=4, steps=2, step_size=0.1)
    moved = moved.flatten(1)
    for row in range(8):
        for pixel in range(4):
            change = 0.2 if row % 4 == pixel else -0.2
            want = (start[row, pixel] + change).clamp(0, 1)
            torch.testing.assert_close(moved[row, pixel], want)
    assert torch.equal(moved[:, 4:], start[:, 4:])


def test_noise_comes_from_the_generator_alone(net):
    state = torch.get_rng_state()
    first, again = (sure_images(net, 10, seeded(4), steps=2) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, sure_images(net, 10, seeded(5), steps=2))
    assert torch.equal(torch.get_rng_state(), state)


def test_the_classifier_stays_as_it_was():
    net = load_digit_net().requires_grad_(True)
    before = copy.deepcopy(net.state_dict())
    with torch.no_grad():
        sure_images(net, 10, seeded(), steps=3)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert not net.training
    assert all(p.requires_grad and p.grad is None for p in net.parameters())


@pytest.mark.parametrize("n", [0, -10, 15])
def test_uneven_numbers_are_refused(net, n):
    with pytest.raises(ValueError, match=f"n={n} images, expected a multiple of the 10 classes"):
        sure_images(net, n, seeded())


def test_negative_steps_are_refused(net):
    with pytest.raises(ValueError, match="steps=-1"):
        sure_images(net, 10, seeded(), steps=-1)


OK = torch.full((20, 4), 0.25)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_marginal_is_the_mean_of_the_rows(dtype):
    p = torch.tensor([[1, 0, 0], [0.5, 0.25, 0.25]], dtype=dtype)
    torch.testing.assert_close(marginal(p), torch.tensor([0.75, 0.125, 0.125], dtype=dtype))


def test_marginal_of_whole_numbers_is_no_whole_number():
    assert marginal(torch.eye(2, dtype=torch.int64)).tolist() == [0.5, 0.5]


def test_entropies_in_closed_form():
    sure, unsure = torch.eye(4).repeat(3, 1), torch.full((5, 4), 0.25)
    assert entropy_terms(sure) == pytest.approx((math.log(4), 0), abs=1e-14)
    assert entropy_terms(unsure) == pytest.approx((math.log(4), math.log(4)))
    assert entropy_terms(torch.eye(4)[[2, 2]]) == (0, 0)
    mixed = torch.tensor([[1.0, 0, 0], [0, 0.5, 0.5]]).double()
    assert entropy_terms(mixed) == pytest.approx((1.5 * math.log(2), 0.5 * math.log(2)))


@pytest.mark.parametrize("seed", range(3))
def test_log_score_is_the_difference_of_the_entropies(seed):
    p = (2 * normal(40, 6, seed)).softmax(1)
    p[3] = torch.eye(6)[5]
    varied, unsure = entropy_terms(p)
    assert 0 <= unsure <= varied <= math.log(6)
    assert math.log(float(inception_score(p, splits=1))) == pytest.approx(varied - unsure)


@pytest.mark.parametrize("function", [marginal, entropy_terms])
def test_terms_name_bad_input(function):
    for bad, message in [
        (OK * 2, "row 0 of probabilities sums to 2"),
        (OK[0], r"probabilities has shape \(4,\)"),
        (OK[:0], "has 0 samples"),
        (OK * math.nan, "NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            function(bad)
