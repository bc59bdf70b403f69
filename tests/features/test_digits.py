"""The digit classifier: how good, how it reads images, how it is trained, saved and loaded."""

import shutil

import numpy as np
import pytest
import torch

from gqlib import data
from gqlib.course import checks
from gqlib.features import DigitNet, digit_features, digits, load_digit_net


@pytest.fixture(scope="module")
def test_digits():
    return data.load("mnist", "test")


@pytest.fixture
def some(test_digits):
    return test_digits.images[:7]


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A copy of the weight file that a test may damage."""
    path = tmp_path / "digits.npz"
    shutil.copy(digits.WEIGHTS, path)
    monkeypatch.setattr(digits, "WEIGHTS", path)
    return path


def test_accuracy_on_digits_it_has_never_seen(test_digits):
    net = load_digit_net()
    assert digits.accuracy(net, test_digits.images, test_digits.labels) >= 0.993
    train = data.load()
    _, held_out = data.mnist_split()
    assert digits.accuracy(net, train.images[held_out], train.labels[held_out]) >= 0.993


def test_the_weight_file_is_small():
    assert digits.WEIGHTS.stat().st_size <= 500_000


def test_features_fill_their_space(test_digits):
    """A Fréchet distance wants a covariance that is far from singular, and no dead feature."""
    features = digit_features(test_digits.images).double()
    spectrum = torch.linalg.eigvalsh(torch.cov(features.T))
    assert spectrum[-1] / spectrum[0] < 1e5
    assert features.std(0).min() > 0.3
    assert features.std(0).max() / features.std(0).min() < 3


def test_all_forms_of_an_image_give_the_same_features(some):
    want = digit_features(some)
    assert want.shape == (7, 64)
    assert want.dtype == torch.float32
    forms = [some.unsqueeze(1), some / 255, some.double() / 255, (some / 255).unsqueeze(1)]
    for form in [*forms, some.numpy(), (some / 255).numpy()]:
        torch.testing.assert_close(digit_features(form), want, rtol=1e-4, atol=1e-5)
    black_and_white = data.binarised(some)
    torch.testing.assert_close(
        digit_features(black_and_white.bool()), digit_features(black_and_white)
    )


def test_logits_are_the_head_of_the_features(some):
    net = load_digit_net()
    logits = net(some)
    assert logits.shape == (7, 10)
    torch.testing.assert_close(logits, net.head(net.features(some)))
    torch.testing.assert_close(net.features(some), digit_features(some))


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 1000])
def test_batches_do_not_matter(some, batch_size):
    torch.testing.assert_close(
        digit_features(some, batch_size), digit_features(some), rtol=1e-4, atol=1e-5
    )


def test_no_images_and_a_wrong_batch_size(some):
    assert digit_features(some[:0]).shape == (0, 64)
    with pytest.raises(ValueError, match="batch_size is 0, expected at least 1"):
        digit_features(some, batch_size=0)


def test_nothing_global_changes(some):
    state, grad = torch.get_rng_state(), torch.is_grad_enabled()
    threads, before = torch.get_num_threads(), some.clone()
    features = digit_features(some)
    assert torch.equal(torch.get_rng_state(), state)
    assert (torch.is_grad_enabled(), torch.get_num_threads()) == (grad, threads)
    assert torch.equal(some, before)
    assert not features.requires_grad
    assert not features.is_inference()


def test_the_loaded_net_is_frozen_and_the_callers_own(some):
    net = load_digit_net()
    assert not net.training
    assert not any(p.requires_grad for p in net.parameters())
    want = digit_features(some)
    for parameter in net.parameters():
        parameter.zero_()
    assert torch.equal(digit_features(some), want)


def test_gradients_reach_float_images(some):
    images = (some / 255).requires_grad_()
    load_digit_net()(images).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_an_answer_may_use_it_while_it_is_tested(some):
    checks.expect(checks.call(digit_features, some), digit_features(some), like=some)


@pytest.mark.parametrize("shape", [(28, 28), (2, 27, 28), (2, 3, 28, 28), (2, 784), (2, 1, 32, 32)])
def test_wrong_shapes(shape):
    for function in (digit_features, load_digit_net()):
        with pytest.raises(ValueError, match=r"expected \[N, 28, 28\] or \[N, 1, 28, 28\]"):
            function(torch.zeros(shape))


@pytest.mark.parametrize("images", [torch.full((2, 28, 28), 255.0), torch.full((2, 28, 28), -1.0)])
def test_floats_outside_the_unit_interval(images):
    for function in (digit_features, load_digit_net()):
        with pytest.raises(ValueError, match=r"float images reach from .* divide bytes by 255"):
            function(images)


def test_a_missing_weight_file(weights):
    weights.unlink()
    with pytest.raises(FileNotFoundError, match=r"digits\.npz.* is missing: install gqlib again"):
        load_digit_net()


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text", "short", "shape", "pickle"])
def test_a_damaged_weight_file(weights, damage):
    content = bytearray(weights.read_bytes())
    with np.load(weights) as file:
        arrays = dict(file)
    if damage == "empty":
        weights.write_bytes(b"")
    elif damage == "cut":
        weights.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[len(content) // 2] ^= 1
        weights.write_bytes(content)
    elif damage == "text":
        weights.write_text("no weights")
    elif damage == "short":
        del arrays["head.bias"]
        np.savez(weights, **arrays)
    elif damage == "shape":
        np.savez(weights, **(arrays | {"head.bias": np.zeros(11, np.float32)}))
    else:
        np.savez(weights, **(arrays | {"head.bias": np.array([{}], dtype=object)}))
    with pytest.raises(
        ValueError, match=r"digits\.npz.* is damaged .*install gqlib again"
    ) as caught:
        load_digit_net()
    assert "\n" not in str(caught.value)


def test_two_short_runs_are_identical_to_the_byte(tmp_path, test_digits):
    state = torch.get_rng_state()
    for name in ("a.npz", "b.npz"):
        net = digits.train(
            test_digits.images[:500], test_digits.labels[:500], epochs=2, seed=3, progress=False
        )
        digits.save_weights(net, tmp_path / name)
    assert torch.equal(torch.get_rng_state(), state)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"a.npz", "b.npz"}
    other = digits.train(
        test_digits.images[:500], test_digits.labels[:500], epochs=2, seed=4, progress=False
    )
    assert not torch.equal(other.head.weight, net.head.weight)


def test_training_learns(test_digits):
    net = digits.train(
        test_digits.images[:2000], test_digits.labels[:2000], epochs=2, progress=False
    )
    assert isinstance(net, DigitNet)
    assert not net.training
    assert digits.accuracy(net, test_digits.images[2000:3000], test_digits.labels[2000:3000]) > 0.8


def test_training_refuses_what_it_cannot_use(test_digits):
    with pytest.raises(ValueError, match="expected uint8 of shape"):
        digits.train(test_digits.float_images(), test_digits.labels)
    with pytest.raises(ValueError, match="3 images are fewer than one batch of 125"):
        digits.train(test_digits.images[:3], test_digits.labels[:3])


def test_saved_weights_are_loaded_again(weights, some):
    net = digits.train(
        data.load("mnist", "test").images[:125], torch.zeros(125).long(), epochs=1, progress=False
    )
    digits.save_weights(net, weights)
    assert torch.equal(load_digit_net()(some), net(some))


def test_the_command(tmp_path, monkeypatch, capsys):
    def short(images, labels, *, epochs, seed):
        assert images.shape == (50_000, 28, 28)
        return train(images[:250], labels[:250], epochs=epochs, seed=seed)

    train = digits.train
    monkeypatch.setattr(digits, "train", short)
    digits.main(["--output", str(tmp_path / "new.npz"), "--epochs", "1"])
    shown = capsys.readouterr()
    assert "accuracy, test:" in shown.out
    assert "100%" in shown.err  # the progress bar
    assert (tmp_path / "new.npz").exists()
