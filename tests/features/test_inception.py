"""FID's InceptionV3: the network, the ways of resizing, the weight file."""

import io
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from gqlib.features import Inception, inception, load_extractor


@pytest.fixture(scope="module")
def state():
    return inception._random_weights(0)


@pytest.fixture(scope="module")
def file(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "random.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def extractor(file):
    return Inception(file)


@pytest.fixture
def images():
    return torch.randint(
        0, 256, (3, 3, 40, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )


@pytest.fixture
def hollow():
    """A state of the right names and shapes that takes no room: a file of it is small."""
    return {n: torch.zeros(()).expand(shape) for n, shape in inception._shapes().items()}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of torch hub's, and the place of the weights in it."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints" / inception.FILE


def batch_of(extractor, images):
    return torch.stack([extractor.prepare(image) for image in images])


def digest(path):
    return inception.digest(path)


# The network


def test_tensors_have_the_names_and_shapes_of_torchvision_and_1008_classes():
    from torchvision.models import inception_v3

    with torch.device("meta"):
        theirs = inception_v3(num_classes=1008, aux_logits=False, weights=None, init_weights=False)
    assert inception._shapes() == {n: v.shape for n, v in theirs.state_dict().items()}
    assert len(inception._shapes()) == 566


def test_the_network_is_torchvision_s_with_fid_s_three_changes(
    state, extractor, images, monkeypatch
):
    from torchvision.models import inception_v3

    with torch.device("meta"):
        theirs = inception_v3(num_classes=1008, aux_logits=False, weights=None, init_weights=False)
    theirs.load_state_dict(state, assign=True)
    theirs.eval()
    theirs.fc = torch.nn.Identity()
    batch = batch_of(extractor, images)
    got = extractor(batch)

    mean = F.avg_pool2d

    def pool(x, *args, **kwargs):
        if x.shape[1] == 2048:  # only the last block's input has as many channels
            return F.max_pool2d(x, *args, **kwargs)
        return mean(x, *args, **{**kwargs, "count_include_pad": False})

    monkeypatch.setattr(F, "avg_pool2d", pool)
    with torch.no_grad():
        want = theirs(batch)
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)
    assert want.std() > 0.1  # activations neither die nor grow, so the tolerance means something


def test_features_and_probabilities_from_one_pass(state, extractor, images):
    batch = batch_of(extractor, images)
    features, probabilities = extractor.features_and_probabilities(batch)
    assert features.shape == (3, extractor.dims) == (3, 2048)
    assert probabilities.shape == (3, 1008)
    assert features.dtype == probabilities.dtype == torch.float32
    assert not features.requires_grad
    assert not probabilities.requires_grad
    assert torch.equal(extractor(batch), features)
    assert torch.equal(extractor.probabilities(batch), probabilities)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(3))
    # As the Inception Score was defined: logits without their bias.
    logits = features.double() @ state["fc.weight"].double().T
    torch.testing.assert_close(probabilities.double(), logits.softmax(1), rtol=1e-4, atol=1e-7)
    with_bias = (logits + state["fc.bias"]).softmax(1)
    assert (with_bias - probabilities).abs().max() > 1e-4


def test_an_image_s_features_do_not_depend_on_its_batch(extractor, images):
    batch = batch_of(extractor, images)
    alone = torch.cat([extractor(one[None]) for one in batch])
    torch.testing.assert_close(extractor(batch), alone, rtol=1e-4, atol=1e-5)


def test_global_random_state_is_left_alone(file):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    Inception(file)
    inception._random_weights(4)
    assert torch.equal(torch.get_rng_state(), before)


def test_mixed_precision_only_when_asked(file, extractor, images):
    mixed = Inception(file, mixed_precision=True)
    assert mixed.name == f"{extractor.name} bfloat16"
    want, got = extractor(batch_of(extractor, images)), mixed(batch_of(mixed, images))
    assert got.dtype == torch.float32
    assert 1e-6 < (got - want).norm() / want.norm() < 0.02


def test_load_extractor(file, images):
    found = load_extractor("inception", weights=file, resize="tf-bilinear", device="cpu")
    assert isinstance(found, Inception)
    assert found.resize == inception.RESIZES["tf-bilinear"]
    assert found(batch_of(found, images)).shape == (3, 2048)


@pytest.mark.parametrize("shape", [(1, 3, 64, 64), (3, 299, 299), (1, 1, 299, 299)])
def test_batches_that_were_not_prepared(extractor, shape):
    with pytest.raises(ValueError, match="pass each image through prepare"):
        extractor(torch.zeros(shape))


# Resizing


def prepared(extractor, mode, image, monkeypatch):
    monkeypatch.setattr(extractor, "_mode", mode)
    return extractor.prepare(image)


def test_bilinear_is_pytorch_s_without_antialias(extractor, images):
    want = 2 * F.interpolate(images / 255, (299, 299), mode="bilinear") - 1
    torch.testing.assert_close(batch_of(extractor, images), want, rtol=0, atol=1e-6)
    large = images.repeat(1, 1, 20, 20)
    want = 2 * F.interpolate(large / 255, (299, 299), mode="bilinear", align_corners=False) - 1
    torch.testing.assert_close(batch_of(extractor, large), want, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(40, 32), (700, 313)])
@pytest.mark.parametrize("kind", ["bilinear", "bicubic"])
def test_antialiased_ones_are_pillow_s_on_floats(extractor, monkeypatch, kind, size):
    generator = torch.Generator().manual_seed(0)
    # Black and white, so that the bicubic filter overshoots and has to be clipped.
    image = 255 * torch.randint(0, 2, (3, *size), dtype=torch.uint8, generator=generator)
    got = prepared(extractor, f"{kind}-antialias", image, monkeypatch)
    how = Image.Resampling[kind.upper()]
    channels = [
        np.asarray(Image.fromarray(channel.float().numpy()).resize((299, 299), how))
        for channel in image
    ]
    x = torch.from_numpy(np.stack(channels)).clamp(0, 255)
    want = (x - 128) / 128 if kind == "bicubic" else 2 * x / 255 - 1
    torch.testing.assert_close(got, want, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [(40, 32), (311, 500)])
def test_tf_bilinear_by_its_definition(extractor, monkeypatch, size):
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (1, *size), dtype=torch.uint8, generator=generator)
    got = prepared(extractor, "tf-bilinear", image, monkeypatch)
    x = image[0].double().numpy()
    for i, j in [(0, 0), (298, 298), (298, 0), (17, 211), (150, 149)]:
        row, column = i * size[0] / 299, j * size[1] / 299
        top, left = int(row), int(column)
        bottom, right = min(top + 1, size[0] - 1), min(left + 1, size[1] - 1)
        a, b = row - top, column - left
        above = (1 - b) * x[top, left] + b * x[top, right]
        below = (1 - b) * x[bottom, left] + b * x[bottom, right]
        want = ((1 - a) * above + a * below - 128) / 128
        assert float(got[2, i, j]) == pytest.approx(want, abs=1e-4)  # places are float32, as there


@pytest.mark.parametrize("mode", inception.RESIZES)
def test_every_way_leaves_the_size_alone_where_it_is_right(extractor, monkeypatch, mode):
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(0, 256, (3, 299, 299), dtype=torch.uint8, generator=generator)
    got = prepared(extractor, mode, image, monkeypatch)
    want = image / 127.5 - 1 if mode.startswith("bilinear") else (image.float() - 128) / 128
    torch.testing.assert_close(got, want, rtol=0, atol=1e-5)


@pytest.mark.parametrize("mode", inception.RESIZES)
def test_grey_small_and_float_images_make_one_batch(extractor, monkeypatch, mode):
    grey = torch.arange(12, dtype=torch.uint8).view(1, 3, 4) * 20
    forms = [grey, grey.expand(3, -1, -1), grey / 255, grey.double() / 255, grey[:, :1, :1]]
    got = torch.stack([prepared(extractor, mode, image, monkeypatch) for image in forms])
    assert got.shape == (5, 3, 299, 299)
    assert got.dtype == torch.float32
    for other in got[1:4]:
        torch.testing.assert_close(other, got[0], rtol=0, atol=1e-5)
    assert got[4].unique().numel() == 1


def test_each_way_has_a_name_of_its_own():
    assert len(set(inception.RESIZES.values())) == len(inception.RESIZES) == 4
    assert all(said.startswith(mode) for mode, said in inception.RESIZES.items())


def test_unknown_way():
    with pytest.raises(ValueError, match=r"'lanczos': choose from bilinear, bilinear-antialias, "):
        Inception(resize="lanczos")


# The weight file


def test_the_name_carries_the_weights_digest(file, extractor, monkeypatch):
    assert extractor.name == f"inception-v3 sha256:{digest(file)[:16]}"
    monkeypatch.setattr(inception, "SHA256", digest(file))
    known = Inception(file).name
    assert known == f"inception-v3 pt_inception-2015-12-05 sha256:{digest(file)[:16]}"


def test_published_digest():
    assert len(inception.SHA256) == 64
    assert f"-{inception.SHA256[:8]}." in inception.FILE


def test_a_file_without_counts_of_batches_and_in_the_old_format(state, extractor, images, tmp_path):
    """As the published one may be: both came with later versions of PyTorch."""
    old = {n: v for n, v in state.items() if not n.endswith("num_batches_tracked")}
    path = tmp_path / "old.pth"
    torch.save(old, path, _use_new_zipfile_serialization=False)
    other = Inception(path)
    batch = batch_of(extractor, images[:1])
    assert torch.equal(other(batch), extractor(batch))


def test_download_once(hollow, cache, tmp_path, monkeypatch):
    source = tmp_path / "published.pth"
    torch.save(hollow, source)
    monkeypatch.setattr(inception, "URL", source.as_uri())
    monkeypatch.setattr(inception, "SHA256", digest(source))
    assert inception.published_weights() == cache
    source.unlink()
    assert inception.published_weights() == cache
    assert [p.name for p in cache.parent.iterdir()] == [inception.FILE]
    assert "pt_inception-2015-12-05" in Inception().name


@pytest.mark.parametrize("trouble", ["offline", "another file"])
def test_download_fails(cache, tmp_path, monkeypatch, trouble):
    source = tmp_path / "published.pth"
    if trouble == "another file":
        source.write_bytes(b"a login page")
    monkeypatch.setattr(inception, "URL", source.as_uri())
    with pytest.raises(ConnectionError, match="--weights PATH") as raised:
        Inception()
    message = str(raised.value)
    assert str(cache) in message
    assert source.as_uri() in message
    assert "\n" not in message
    assert not list(cache.parent.iterdir())


def test_cache_that_cannot_be_made(cache, tmp_path):
    (tmp_path / "hub").write_text("a file where the folder should be")
    with pytest.raises(ConnectionError, match="--weights PATH"):
        inception.published_weights()


def test_damaged_cache(cache):
    cache.parent.mkdir(parents=True)
    cache.write_bytes(b"half a file")
    with pytest.raises(ValueError, match=r"is damaged .*: delete it and run again"):
        Inception()


def test_missing_file(tmp_path):
    for path in (tmp_path / "nothing.pth", tmp_path):
        with pytest.raises(FileNotFoundError, match="there is no weight file"):
            Inception(path)


def saved(state, **options):
    content = io.BytesIO()
    torch.save(state, content, **options)
    return content.getvalue()


class Foreign:
    """Something that runs code when unpickled, which a weight file must not."""

    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"not weights at all",
        b"<!DOCTYPE html>",
        pickle.dumps({"fc.weight": Foreign()}, protocol=2),
        saved({"fc.weight": torch.ones(1000)})[:-500],
        saved({"fc.weight": torch.ones(1000)}, _use_new_zipfile_serialization=False)[:-500],
    ],
    ids=["empty", "zip", "text", "html", "code", "truncated", "truncated-old"],
)
def test_damaged_file(tmp_path, content, capsys):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is damaged, or not a file of PyTorch weights") as raised:
        Inception(path)
    assert inception.URL in str(raised.value)
    assert "\n" not in str(raised.value)
    assert capsys.readouterr().out == ""


def foreign(state, change):
    state = dict(state)
    if change == "list":
        return [1, 2]
    if change == "nested":
        return {"state_dict": {}}
    if change == "missing":
        del state["fc.bias"]
    if change == "more":
        state["AuxLogits.fc.weight"] = torch.zeros(2)
    if change == "classes":
        state["fc.weight"] = torch.zeros(1000, 2048)
    if change == "no tensor":
        state["fc.bias"] = 3
    if change == "nan":
        state["fc.bias"] = torch.full((1008,), torch.nan)
    return state


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("list", "it holds a list, not tensors by name"),
        ("nested", r"\d+ of 566 tensors are missing, among them Conv2d_1a_3x3.conv.weight"),
        ("missing", "1 of 566 tensors are missing, among them fc.bias"),
        ("more", "1 tensors are not the network's, among them AuxLogits"),
        ("classes", r"fc.weight has shape \[1000, 2048\], expected \[1008, 2048\]"),
        ("no tensor", "fc.bias is a int, not a tensor"),
        ("nan", "fc.bias holds values that are NaN or infinite"),
    ],
)
def test_foreign_file(hollow, tmp_path, change, message):
    path = tmp_path / "weights.pth"
    torch.save(foreign(hollow, change), path)
    with pytest.raises(ValueError, match=message) as raised:
        Inception(path)
    assert "does not hold the weights of FID's InceptionV3" in str(raised.value)
    assert "\n" not in str(raised.value)
