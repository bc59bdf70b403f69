"""Extractors by name: digits, pixels, any function; what they refuse."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from gqlib import data
from gqlib.features import Extractor, digit_features, digits, load_digit_net, load_extractor
from gqlib.features.inception import digest


@pytest.fixture(scope="module")
def some():
    return data.load("mnist", "test").images[:7].unsqueeze(1)


def mean_and_spread(batch):
    """Two features an image."""
    assert batch.dtype == torch.uint8
    flat = batch.flatten(1).double()
    return torch.stack([flat.mean(1), flat.std(1)], 1)


def batch_of(extractor, images):
    return torch.stack([extractor.prepare(image) for image in images])


@pytest.mark.parametrize("name", ["digits", "pixels", mean_and_spread])
def test_every_extractor_keeps_to_the_interface(name, some):
    extractor = load_extractor(name, device="cpu")
    assert isinstance(extractor, Extractor)
    assert load_extractor(extractor) is extractor
    assert extractor.resize == "none"
    batch = batch_of(extractor, some)
    features, probabilities = extractor.features_and_probabilities(batch)
    assert features.shape[0] == 7
    assert extractor.dims in (None, features.shape[1])
    assert features.dtype == torch.float32
    assert features.device.type == "cpu"
    assert not features.requires_grad
    assert torch.equal(extractor(batch), features)
    again = extractor.probabilities(batch)
    assert (again is None) == (probabilities is None)
    if again is not None:
        assert torch.equal(again, probabilities)


# Digits


def test_digits(some):
    extractor = load_extractor("digits", device="cpu")
    features, probabilities = extractor.features_and_probabilities(batch_of(extractor, some))
    torch.testing.assert_close(features, digit_features(some), rtol=1e-5, atol=1e-6)
    want = load_digit_net()(some).softmax(1)
    torch.testing.assert_close(probabilities, want, rtol=1e-4, atol=1e-6)
    assert extractor.name == f"gqlib digits sha256:{digest(digits.WEIGHTS)[:16]}"
    assert extractor.dims == 64


def test_digits_in_equal_channels_and_as_floats(some):
    extractor = load_extractor("digits", device="cpu")
    want = batch_of(extractor, some)
    for form in (some.expand(-1, 3, -1, -1), some / 255, some.double() / 255):
        torch.testing.assert_close(batch_of(extractor, form), want)


def test_digits_of_another_size():
    with pytest.raises(ValueError, match=r"32 rows and 28 columns.*for 28×28 digits"):
        load_extractor("digits").prepare(torch.zeros(1, 32, 28, dtype=torch.uint8))


def test_coloured_digits():
    image = torch.zeros(3, 28, 28, dtype=torch.uint8)
    image[1, 3, 3] = 1
    with pytest.raises(ValueError, match="is coloured, but the features 'digits' are for grey"):
        load_extractor("digits").prepare(image)


# Pixels


def test_pixels():
    extractor = load_extractor("pixels")
    image = torch.arange(24, dtype=torch.uint8).view(1, 4, 6)
    batch = batch_of(extractor, [image, image / 255])
    assert torch.equal(extractor(batch), (torch.arange(24) / 255).expand(2, 24))
    assert extractor.probabilities(batch) is None
    assert extractor.name == "pixels"


@pytest.mark.parametrize("name", ["pixels", mean_and_spread])
@pytest.mark.parametrize("shape", [(1, 4, 5), (3, 4, 4), (1, 8, 2)])
def test_images_of_two_shapes(name, shape):
    extractor = load_extractor(name)
    extractor.prepare(torch.zeros(1, 4, 4, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"shapes \[1, 4, 4\] and .* make them alike first"):
        extractor.prepare(torch.zeros(shape, dtype=torch.uint8))


def test_the_first_shape_is_found_once_among_threads():
    extractor = load_extractor("pixels")
    images = [torch.zeros(1, 4, 4 + i % 2, dtype=torch.uint8) for i in range(64)]

    def accepted(image):
        try:
            extractor.prepare(image)
        except ValueError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(accepted, images)) == 32


# Functions


def test_a_function_by_its_name(tmp_path, monkeypatch, some):
    (tmp_path / "my_features.py").write_text(
        "import numpy as np\n"
        "class Kept:\n"
        "    @staticmethod\n"
        "    def means(batch):\n"
        "        return batch.numpy().reshape(len(batch), -1)[:, ::-4].astype('>f8')\n"
        "number = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    extractor = load_extractor("my_features:Kept.means")
    assert extractor.name == "my_features:Kept.means"
    assert extractor.dims is None
    features = extractor(batch_of(extractor, some))
    assert torch.equal(features, some.flatten(1).flip(1)[:, ::4].float())
    assert extractor.dims == 196
    with pytest.raises(ValueError, match="my_features:number is a int, expected a function"):
        load_extractor("my_features:number")
    with pytest.raises(ValueError, match=r"my_features has no 'other'.*my_features.py"):
        load_extractor("my_features:other")


def test_names_of_functions():
    here = mean_and_spread.__module__
    assert load_extractor(mean_and_spread).name == f"{here}:mean_and_spread"
    assert load_extractor(torch.nn.Flatten()).name == "torch.nn.modules.flatten:Flatten"


def test_a_function_s_gradients_are_cut(some):
    layer = torch.nn.Linear(784, 3)
    extractor = load_extractor(lambda batch: layer(batch.flatten(1) / 255))
    assert not extractor(batch_of(extractor, some)).requires_grad


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda b: None, "returned NoneType"),
        (lambda b: [[1.0, 2.0]] * len(b), "returned list"),
        (lambda b: (b.flatten(1), b), "returned tuple"),
        (lambda b: np.array(["a"] * len(b)), r"returned <U1 values"),
        (lambda b: b.flatten(1).to(torch.complex64), r"returned torch.complex64 values"),
        (lambda b: b.float(), r"returned shape \(2, 1, 4, 4\) for 2 images"),
        (lambda b: b.float().mean((1, 2, 3)), r"returned shape \(2,\) for 2 images"),
        (lambda b: b.flatten(1)[:1], r"returned shape \(1, 16\) for 2 images"),
        (lambda b: b.flatten(1)[:, :0], r"returned shape \(2, 0\) for 2 images"),
        (lambda b: b.flatten(1) * torch.nan, "returned 32 values that are NaN or infinite"),
        (lambda b: np.full((len(b), 3), 1e300), "returned 6 values that are NaN or infinite"),
    ],
)
def test_functions_that_return_something_else(answer, message):
    extractor = load_extractor(answer)
    batch = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match=message) as raised:
        extractor(batch)
    assert r"expected (2, D) finite real numbers" in str(raised.value)


def test_a_function_that_changes_its_mind():
    extractor = load_extractor(lambda batch: torch.zeros(len(batch), len(batch)))
    extractor(torch.zeros(2, 1, 4, 4, dtype=torch.uint8))
    with pytest.raises(ValueError, match="returned 3 features an image, and 2 for an earlier"):
        extractor(torch.zeros(3, 1, 4, 4, dtype=torch.uint8))


def test_functions_are_given_bytes():
    with pytest.raises(ValueError, match=r"is torch.float32, but .* is given uint8"):
        load_extractor(mean_and_spread).prepare(torch.zeros(1, 4, 4))


# What no extractor takes


@pytest.mark.parametrize("name", ["digits", "pixels", mean_and_spread])
@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.zeros(28, 28, dtype=torch.uint8), r"shape \[28, 28\], expected \[C, H, W\]"),
        (torch.zeros(1, 1, 28, 28, dtype=torch.uint8), r"expected \[C, H, W\]"),
        (torch.zeros(2, 28, 28, dtype=torch.uint8), r"with 1 channel \(grey\) or 3"),
        (torch.zeros(4, 28, 28, dtype=torch.uint8), "drop the alpha channel"),
        (torch.zeros(1, 0, 28, dtype=torch.uint8), r"shape \[1, 0, 28\]"),
        (torch.zeros(1, 28, 28, dtype=torch.int64), "is torch.int64, expected uint8"),
        (torch.zeros(1, 28, 28, dtype=torch.bool), "is torch.bool, expected uint8"),
        (torch.full((1, 28, 28), 255.0), r"reach from 255 to 255, expected \[0, 1\]"),
        (torch.full((1, 28, 28), torch.nan), r"expected \[0, 1\]"),
    ],
)
def test_other_images(name, image, message):
    with pytest.raises(ValueError, match=message):
        load_extractor(name, device="cpu").prepare(image)


@pytest.mark.parametrize("name", ["inceptionv3", "", ":", "module:", ":function", "os.path"])
def test_unknown_names(name):
    with pytest.raises(ValueError, match=r"choose from digits, inception, pixels, or name a funct"):
        load_extractor(name)


def test_modules_that_cannot_be_imported(tmp_path, monkeypatch):
    (tmp_path / "broken_features.py").write_text("def f(:\n")
    (tmp_path / "needing_features.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    for module, reason in (
        ("no_such_module", "ModuleNotFoundError"),
        ("broken_features", "SyntaxError"),
        ("needing_features", "No module named 'no_such_module'"),
    ):
        with pytest.raises(ValueError, match=f"{module}, asked for.*could not be.*{reason}"):
            load_extractor(f"{module}:f")


def test_what_is_no_function():
    with pytest.raises(ValueError, match="builtins:int is a int, expected a function"):
        load_extractor(3)


@pytest.mark.parametrize("name", ["digits", "pixels", "m:f", mean_and_spread])
@pytest.mark.parametrize(
    "options", [{"weights": "w.pth"}, {"resize": "bilinear"}, {"mixed_precision": True}]
)
def test_options_that_are_inception_s(name, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} given with the features"):
        load_extractor(name, **options)
    assert load_extractor("pixels", resize="none").resize == "none"


def test_unknown_resize_and_device():
    with pytest.raises(ValueError, match="there is no way of resizing 'cubic': choose from bilin"):
        load_extractor("inception", resize="cubic", device="cpu")
    with pytest.raises(ValueError, match="there is no device 'tpu'"):
        load_extractor("digits", device="tpu")
