"""PixelCNN against all images of two by three pixels, and its parts against closed forms."""

from __future__ import annotations

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from gqlib.course.answers import lesson_03
from gqlib.models import autoregressive as ar


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pixelcnn(width: int = 6, layers: int = 2, shape: tuple[int, int] = (2, 3), seed: int = 0):
    """A PixelCNN in float64 whose weights are large enough to matter."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = ar.PixelCNN(width, layers, kernel_size=3, shape=shape).double()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=seeded(seed + 1), dtype=p.dtype) * 0.4)
    return model


def every_image(height: int = 2, width: int = 3) -> torch.Tensor:
    bits = list(itertools.product([0.0, 1.0], repeat=height * width))
    return torch.tensor(bits, dtype=torch.float64).reshape(-1, 1, height, width)


def by_hand(model: nn.Module, image: torch.Tensor) -> float:
    """log p(image), one conditional after the other, later pixels replaced by noise."""
    height, width = image.shape[-2:]
    total = 0.0
    for d in range(height * width):
        row, col = divmod(d, width)
        x = torch.rand(1, 1, height, width, generator=seeded(d), dtype=torch.float64)
        x.flatten()[:d] = image.flatten()[:d]
        p = float(model(x)[0, 0, row, col].sigmoid().detach())
        total += math.log(p if image[0, row, col] == 1 else 1 - p)
    return total


@pytest.mark.parametrize("seed", [0, 5])
def test_probabilities_of_all_images_sum_to_one(seed: int) -> None:
    p = pixelcnn(seed=seed).log_prob(every_image()).exp().detach()
    assert float(p.sum()) == pytest.approx(1, abs=1e-12)
    assert float(p.max() / p.min()) > 10, "the model is not the uniform one"


def test_a_model_that_sees_its_own_pixel_does_not_sum_to_one() -> None:
    model = pixelcnn()
    model.first.mask = ar.causal_mask(7, "B").double()
    assert abs(float(model.log_prob(every_image()).exp().sum().detach()) - 1) > 0.05


def test_log_prob_is_the_sum_of_conditionals() -> None:
    model = pixelcnn()
    images = every_image()[[0, 7, 21, 38, 63]]
    want = [by_hand(model, image) for image in images]
    assert model.log_prob(images).tolist() == pytest.approx(want)


def test_log_prob_has_gradients_and_stays_finite() -> None:
    model = ar.PixelCNN(4, 1)
    x = torch.randint(0, 2, (3, 1, 28, 28), generator=seeded()).float()
    model.log_prob(x).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    with torch.no_grad():
        model.out[-1].bias.fill_(-1e4)
    assert model.log_prob(x).isfinite().all()


def test_log_prob_of_another_shape_gets_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"expected \[N, 1, 2, 3\]"):
        pixelcnn().log_prob(torch.zeros(4, 1, 3, 2, dtype=torch.float64))


def chi_square(images: torch.Tensor, model: ar.PixelCNN) -> float:
    """p-value of the counts of all 64 images under the model's exact distribution."""
    powers = 2 ** torch.arange(5, -1, -1)
    index = (images.flatten(1).long() * powers).sum(1)
    counts = torch.bincount(index, minlength=64).numpy()
    expected = model.log_prob(every_image()).exp().detach().numpy() * len(images)
    # Cells with few expected draws are merged.
    order = np.argsort(expected)
    cells = np.cumsum(expected[order]) // 20
    groups = [cells == cell for cell in np.unique(cells)]
    got = [counts[order][group].sum() for group in groups]
    want = np.array([expected[order][group].sum() for group in groups])
    # SciPy refuses sums that differ by more than 1.5e-8 of them: probabilities in float32 do.
    return float(stats.chisquare(got, want * (sum(got) / want.sum())).pvalue)


def test_samples_follow_the_exact_law() -> None:
    model = pixelcnn()
    n = 20_000
    assert chi_square(model.sample(n, seeded(1)), model) > 1e-3
    assert (
        chi_square(lesson_03.sample_pixels(copy.deepcopy(model).float(), n, 2, 3, seeded(2)), model)
        > 1e-3
    )
    other = pixelcnn(seed=3)
    assert chi_square(other.sample(n, seeded(1)), model) < 1e-12, "the test can fail"


def test_sampling_by_rows_is_sampling_by_whole_images() -> None:
    """Rows above the receptive field, and the place's own bias, are cut off rightly."""
    model = pixelcnn(width=4, layers=1, shape=(12, 5))
    assert model.rows_above == 4
    x = torch.bernoulli(torch.full((3, 1, 12, 5), 0.5, dtype=torch.float64), generator=seeded(4))
    whole = model(x)
    for row in range(12):
        top = max(0, row - model.rows_above)
        part = model._logits(x[:, :, top : row + 1], top)[:, :, -1]
        assert torch.allclose(part, whole[:, :, row], atol=1e-12)


def test_sampling_is_reproducible_and_private() -> None:
    model = pixelcnn(shape=(4, 5)).float()
    state = torch.get_rng_state()
    for draw in (model.sample, lambda n, g: lesson_03.sample_pixels(model, n, 4, 5, g)):
        one, two = draw(6, seeded(3)), draw(6, seeded(3))
        assert torch.equal(one, two)
        assert one.shape == (6, 1, 4, 5)
        assert one.dtype == torch.float32
        assert not one.requires_grad
        assert set(one.unique().tolist()) == {0.0, 1.0}
        assert not torch.equal(one, draw(6, seeded(4)))
    assert torch.equal(torch.get_rng_state(), state)


def test_completion_keeps_the_top_and_has_the_conditional_law() -> None:
    model = pixelcnn()
    top = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64).expand(20_000, 1, 1, 3)
    images = model.sample(20_000, seeded(5), given=top)
    assert torch.equal(images[:, :, :1], top)
    exact = model.log_prob(every_image()).exp().detach()[40:48]  # those that begin with 1, 0, 1
    index = (images[:, 0, 1].long() * torch.tensor([4, 2, 1])).sum(1)
    counts = torch.bincount(index, minlength=8).numpy()
    assert stats.chisquare(counts, (exact / exact.sum() * 20_000).numpy()).pvalue > 1e-3


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_nothing_depends_on_later_pixels(kernel_size: int) -> None:
    model = ar.PixelCNN(5, 2, kernel_size, shape=(9, 8))
    for row, col in [(0, 0), (4, 3), (8, 7), (3, 7), (6, 0)]:
        seen = lesson_03.receptive_field(model, 9, 8, row, col).flatten()
        assert not seen[row * 8 + col :].any()
        if row or col:
            assert seen[row * 8 + col - 1] or col == 0


def test_receptive_field_of_a_stack_is_a_sum_of_masks() -> None:
    """Each layer adds its offsets: the field is the Minkowski sum, with its blind spot."""
    torch.manual_seed(0)
    net = nn.Sequential(
        ar.MaskedConv2d(1, 4, 3, "A"), nn.ReLU(), ar.MaskedConv2d(4, 4, 3, "B"), nn.ReLU(),
        ar.MaskedConv2d(4, 3, 3, "B"),
    )  # fmt: skip
    centre, side = (5, 5), 11
    reached = {centre}
    for kind in ("B", "B", "A"):
        offsets = [(r - 1, c - 1) for r, c in ar.causal_mask(3, kind).nonzero().tolist()]
        reached = {(r + a, c + b) for r, c in reached for a, b in offsets}
    want = torch.zeros(side, side, dtype=torch.bool)
    for place in reached:
        want[place] = True
    assert torch.equal(lesson_03.receptive_field(net, side, side, *centre), want)
    assert not want[4, 7], "blind: one row up, two columns to the right"
    assert want[3, 7]


def test_receptive_field_looks_at_all_channels_and_several_inputs() -> None:
    class Planted(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            one, two = x.roll(1, 3), x.roll(1, 2)
            gate = torch.relu(two - one)
            return torch.cat([one + gate, -one, 0 * x], dim=1)

    want = torch.zeros(3, 4, dtype=torch.bool)
    want[2, 0] = want[1, 1] = True
    assert torch.equal(lesson_03.receptive_field(Planted(), 3, 4, 2, 1), want)


def test_receptive_field_leaves_the_model_alone() -> None:
    model = pixelcnn(shape=(4, 3))
    model.blocks.eval()
    for p in model.parameters():
        p.grad = torch.full_like(p, 7)
    state = torch.get_rng_state()
    with torch.no_grad():
        assert lesson_03.receptive_field(model, 4, 3, 2, 1).any()
    assert all((p.grad == 7).all() for p in model.parameters())
    assert model.training
    assert not model.blocks.training
    assert torch.equal(torch.get_rng_state(), state)


def test_receptive_field_of_a_constant_is_empty() -> None:
    class Constant(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.logit = nn.Parameter(torch.ones(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.logit.expand_as(x)

    assert not lesson_03.receptive_field(Constant(), 2, 3, 1, 1).any()


def test_masks() -> None:
    assert ar.causal_mask(3, "A").tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0]]
    assert ar.causal_mask(3, "B").tolist() == [[1, 1, 1], [1, 1, 0], [0, 0, 0]]
    for k in (1, 5, 7):
        flat = ar.causal_mask(k, "B").flatten()
        assert flat.tolist() == [1.0] * (k * k // 2 + 1) + [0.0] * (k * k // 2)
        assert float(ar.causal_mask(k, "A").sum()) == k * k // 2


@pytest.mark.parametrize(("size", "kind"), [(4, "A"), (0, "A"), (-3, "B"), (3, "a"), (3, "AB")])
def test_bad_masks_get_a_sentence(size: int, kind: str) -> None:
    with pytest.raises(ValueError, match=r"odd size|expected \"A\""):
        ar.causal_mask(size, kind)


def test_masked_convolution_is_the_convolution_with_masked_weights() -> None:
    layer = ar.MaskedConv2d(2, 3, 5, "B").double()
    x = torch.randn(2, 2, 6, 7, generator=seeded(), dtype=torch.float64)
    whole = nn.functional.conv2d(x, layer.weight * ar.causal_mask(5, "B"), layer.bias, padding=2)
    assert torch.allclose(layer(x), whole)
    assert "mask" not in layer.state_dict()


def test_chain_rule_and_bits() -> None:
    p = torch.rand(5, 784, generator=seeded(), dtype=torch.float64) * 0.1
    want = [-sum(math.log(v) for v in row) for row in p.tolist()]
    nll = ar.chain_rule_nll(p.log())
    assert nll.tolist() == pytest.approx(want)
    assert ar.chain_rule_nll(p.log().float()).dtype == torch.float32
    coin = torch.tensor([784 * math.log(2), 0.0], dtype=torch.float64)
    assert lesson_03.bits_per_dim(coin, 784).tolist() == pytest.approx([1, 0])
    assert lesson_03.bits_per_dim(torch.tensor(3), 3).dtype == torch.float32
    assert lesson_03.bits_per_dim(nll.reshape(1, 5), 784).shape == (1, 5)
