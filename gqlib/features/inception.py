"""The InceptionV3 that FID is defined on: 2048 features and 1008 classes of an image.

The network is that of Szegedy, Vanhoucke, Ioffe, Shlens and Wojna, "Rethinking the Inception
architecture for computer vision", CVPR 2016, in the trained version that TensorFlow published on
2015-12-05 and that Heusel et al., "GANs trained by a two time-scale update rule converge to a local
Nash equilibrium", NeurIPS 2017, defined FID with. It departs from the paper, and from torchvision's
network: average pools leave out the border's padding, the last block pools by maximum, and there
are 1008 classes and no auxiliary ones. Its weights come from the file that Maximilian Seitzer's
pytorch-fid published: a download of 96 MB, checked by its SHA-256. Other weights make another
measure, so the weights' digest is part of the extractor's name.

Resizing to 299×299 changes FID as much as a model does (Parmar, Zhang and Zhu, "On aliased resizing
and surprising subtleties in GAN evaluation", CVPR 2022), so the mode is also part of the identity:

* ``bilinear``: without antialiasing, as pytorch-fid; the default.
* ``bilinear-antialias``: the same with it.
* ``bicubic-antialias``: Pillow's on floats, clipped, as clean-fid.
* ``tf-bilinear``: TensorFlow 1's, which aligns upper left corners, as torch-fidelity and the
  original.

Like their models, the first two scale by 2x/255 − 1 and the last two by (x − 128)/128.

The probabilities are the softmax of the logits without their bias, as in the original Inception
Score (Salimans et al., "Improved techniques for training GANs", 2016) and torch-fidelity.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gqlib.features.base import DIGEST, Extractor, digest, float_image, full_precision

FEATURES = 2048
CLASSES = 1008
#: Rows and columns of the images that the network is for.
SIZE = 299

FILE = "pt_inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{FILE}"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"

#: The ways of resizing, and the name of each in saved statistics.
RESIZES = {
    "bilinear": "bilinear 299x299 no antialias",
    "bilinear-antialias": "bilinear-antialias 299x299",
    "bicubic-antialias": "bicubic-antialias 299x299",
    "tf-bilinear": "tf-bilinear 299x299 no antialias",
}

Size = int | tuple[int, int]
#: What a convolution reads (a layer, "x" or "pool"), its output channels, its size and its stride.
Layer = tuple[str, int, Size, int]


class Convolution(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, size: Size, stride: int = 1, padding: Size = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, padding, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu_(self.bn(self.conv(x)))

    def fold(self) -> None:
        """Fold the batch norm's scale and shift into the convolution: the same function."""
        assert isinstance(self.bn, nn.BatchNorm2d)
        self.conv = fuse_conv_bn_eval(self.conv, self.bn)
        self.bn = nn.Identity()


class Block(nn.Module):
    """Parallel branches of convolutions, whose outputs are concatenated in order.

    Args:
        inputs: Channels of its input.
        layers: The convolutions by their names in the weight file. Those of stride 1 pad with zeros
            and so keep rows and columns.
        pool: A 3×3 pool of the input: "mean" (without the padding), "max", or "halve", which is
            a maximum with stride 2.
    """

    def __init__(self, inputs: int, layers: Mapping[str, Layer], pool: str) -> None:
        super().__init__()
        self.pool = pool
        self.reads = {name: source for name, (source, *_) in layers.items()}
        self.ends = [n for n in (*layers, "pool") if n not in self.reads.values()]
        channels = {"x": inputs, "pool": inputs}
        for name, (source, outputs, size, stride) in layers.items():
            rows, columns = (size, size) if isinstance(size, int) else size
            padding = (rows // 2, columns // 2) if stride == 1 else 0
            convolution = Convolution(channels[source], outputs, size, stride, padding)
            self.add_module(name, convolution)
            channels[name] = outputs

    def forward(self, x: Tensor) -> Tensor:
        if self.pool == "mean":
            pooled = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        elif self.pool == "max":
            pooled = F.max_pool2d(x, 3, stride=1, padding=1)
        else:
            pooled = F.max_pool2d(x, 3, stride=2)
        values = {"x": x, "pool": pooled}
        for name, source in self.reads.items():
            values[name] = self.get_submodule(name)(values[source])
        return torch.cat([values[name] for name in self.ends], 1)


def block_a(inputs: int, pooled: int) -> Block:
    """35×35: branches of 1×1, 5×5, two 3×3, and a mean."""
    layers = {
        "branch1x1": ("x", 64, 1, 1),
        "branch5x5_1": ("x", 48, 1, 1),
        "branch5x5_2": ("branch5x5_1", 64, 5, 1),
        "branch3x3dbl_1": ("x", 64, 1, 1),
        "branch3x3dbl_2": ("branch3x3dbl_1", 96, 3, 1),
        "branch3x3dbl_3": ("branch3x3dbl_2", 96, 3, 1),
        "branch_pool": ("pool", pooled, 1, 1),
    }
    return Block(inputs, layers, "mean")


def block_b(inputs: int) -> Block:
    """From 35×35 to 17×17."""
    layers = {
        "branch3x3": ("x", 384, 3, 2),
        "branch3x3dbl_1": ("x", 64, 1, 1),
        "branch3x3dbl_2": ("branch3x3dbl_1", 96, 3, 1),
        "branch3x3dbl_3": ("branch3x3dbl_2", 96, 3, 2),
    }
    return Block(inputs, layers, "halve")


def block_c(inputs: int, c: int) -> Block:
    """17×17: 7×7 convolutions as pairs of 1×7 and 7×1."""
    layers: dict[str, Layer] = {
        "branch1x1": ("x", 192, 1, 1),
        "branch7x7_1": ("x", c, 1, 1),
        "branch7x7_2": ("branch7x7_1", c, (1, 7), 1),
        "branch7x7_3": ("branch7x7_2", 192, (7, 1), 1),
        "branch7x7dbl_1": ("x", c, 1, 1),
        "branch7x7dbl_2": ("branch7x7dbl_1", c, (7, 1), 1),
        "branch7x7dbl_3": ("branch7x7dbl_2", c, (1, 7), 1),
        "branch7x7dbl_4": ("branch7x7dbl_3", c, (7, 1), 1),
        "branch7x7dbl_5": ("branch7x7dbl_4", 192, (1, 7), 1),
        "branch_pool": ("pool", 192, 1, 1),
    }
    return Block(inputs, layers, "mean")


def block_d(inputs: int) -> Block:
    """From 17×17 to 8×8."""
    layers: dict[str, Layer] = {
        "branch3x3_1": ("x", 192, 1, 1),
        "branch3x3_2": ("branch3x3_1", 320, 3, 2),
        "branch7x7x3_1": ("x", 192, 1, 1),
        "branch7x7x3_2": ("branch7x7x3_1", 192, (1, 7), 1),
        "branch7x7x3_3": ("branch7x7x3_2", 192, (7, 1), 1),
        "branch7x7x3_4": ("branch7x7x3_3", 192, 3, 2),
    }
    return Block(inputs, layers, "halve")


def block_e(inputs: int, pool: str) -> Block:
    """8×8: branches that fork into 1×3 and 3×1."""
    layers: dict[str, Layer] = {
        "branch1x1": ("x", 320, 1, 1),
        "branch3x3_1": ("x", 384, 1, 1),
        "branch3x3_2a": ("branch3x3_1", 384, (1, 3), 1),
        "branch3x3_2b": ("branch3x3_1", 384, (3, 1), 1),
        "branch3x3dbl_1": ("x", 448, 1, 1),
        "branch3x3dbl_2": ("branch3x3dbl_1", 384, 3, 1),
        "branch3x3dbl_3a": ("branch3x3dbl_2", 384, (1, 3), 1),
        "branch3x3dbl_3b": ("branch3x3dbl_2", 384, (3, 1), 1),
        "branch_pool": ("pool", 192, 1, 1),
    }
    return Block(inputs, layers, pool)


class InceptionV3(nn.Module):
    """Images in [−1, 1], [B, 3, 299, 299], to features [B, 2048]; ``fc`` maps these to logits.

    Modules have the names of the published weight file.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Convolution(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Convolution(32, 32, 3)
        self.Conv2d_2b_3x3 = Convolution(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Convolution(64, 80, 1)
        self.Conv2d_4a_3x3 = Convolution(80, 192, 3)
        self.Mixed_5b = block_a(192, 32)
        self.Mixed_5c = block_a(256, 64)
        self.Mixed_5d = block_a(288, 64)
        self.Mixed_6a = block_b(288)
        self.Mixed_6b = block_c(768, 128)
        self.Mixed_6c = block_c(768, 160)
        self.Mixed_6d = block_c(768, 160)
        self.Mixed_6e = block_c(768, 192)
        self.Mixed_7a = block_d(768)
        self.Mixed_7b = block_e(1280, "mean")
        self.Mixed_7c = block_e(2048, "max")
        self.fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = F.max_pool2d(x, 3, stride=2)  # 64 × 73 × 73
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = F.max_pool2d(x, 3, stride=2)  # 192 × 35 × 35
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))  # 288 × 35 × 35
        x = self.Mixed_6a(x)  # 768 × 17 × 17
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))
        x = self.Mixed_7a(x)  # 1280 × 8 × 8
        x = self.Mixed_7c(self.Mixed_7b(x))  # 2048 × 8 × 8
        return x.float().mean((2, 3))


class Inception(Extractor):
    """FID's network as an extractor: 2048 features and 1008 class probabilities.

    Args:
        weights: A file with the weights. By default the published one, from torch hub's cache,
            which pytorch-fid uses too; it is downloaded if it is not there.
        resize: One of :data:`RESIZES`.
        device: Where the network runs.
        mixed_precision: Whether convolutions may compute in 16 bits (bfloat16 on a CPU, float16
            elsewhere). The name says so: the features differ by about 1 %.

    Raises:
        ValueError: An unknown way of resizing, or a damaged or foreign weight file.
        FileNotFoundError: ``weights`` does not exist.
        ConnectionError: The published file could not be downloaded.
    """

    def __init__(
        self,
        weights: Path | None = None,
        *,
        resize: str = "bilinear",
        device: str | torch.device = "cpu",
        mixed_precision: bool = False,
    ) -> None:
        if resize not in RESIZES:
            raise ValueError(
                f"there is no way of resizing {resize!r}: choose from {', '.join(RESIZES)}"
            )
        path = published_weights() if weights is None else Path(weights)
        net = network(read_weights(path))
        self._device = torch.device(device)
        self._mode = resize
        self._sixteen = None
        if mixed_precision:
            self._sixteen = torch.bfloat16 if self._device.type == "cpu" else torch.float16
        # Channels last: 1.7 times as fast on a CPU, and best for 16-bit kernels of GPUs.
        last = self._device.type == "cpu" or mixed_precision
        self._format = torch.channels_last if last else torch.contiguous_format
        self._net = net.to(self._device).to(memory_format=self._format)
        found = digest(path)
        version = f"{FILE.rpartition('-')[0]} " if found == SHA256 else ""
        self.name = f"inception-v3 {version}sha256:{found[:DIGEST]}"
        if self._sixteen is not None:
            self.name += f" {str(self._sixteen).removeprefix('torch.')}"
        self.resize = RESIZES[resize]
        self.dims: int | None = FEATURES
        self.input_size: int | None = SIZE
        self.cacheable = True

    def prepare(self, image: Tensor) -> Tensor:
        """The image as float32 [3, 299, 299] in [−1, 1]; a grey one has its channel repeated."""
        return resized(float_image(image), self._mode).expand(3, SIZE, SIZE)

    @torch.no_grad()
    def features_and_probabilities(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        if batch.shape[1:] != (3, SIZE, SIZE):
            raise ValueError(
                f"a batch has shape {list(batch.shape)}, expected [B, 3, {SIZE}, {SIZE}]: "
                "pass each image through prepare, then stack them"
            )
        x = batch.to(self._device, torch.float32).contiguous(memory_format=self._format)
        sixteen = self._sixteen
        with (
            full_precision(self._device),
            torch.autocast(self._device.type, dtype=sixteen, enabled=sixteen is not None),
        ):
            features = self._net(x)
        probabilities = (features @ self._net.fc.weight.T).softmax(1)  # without the bias
        return features.cpu(), probabilities.cpu()


def resized(image: Tensor, mode: str) -> Tensor:
    """An image in [0, 1], float32 [C, H, W], resized to [C, 299, 299] in [−1, 1] by ``mode``."""
    if mode == "tf-bilinear":
        image = _tf_bilinear(image)
    else:
        kind, antialias = mode.split("-")[0], mode.endswith("antialias")
        x = image[None].double() if antialias else image[None]  # the filter's weights, as Pillow
        image = F.interpolate(x, (SIZE, SIZE), mode=kind, antialias=antialias)[0].float()
    if mode.startswith("bilinear"):
        return 2 * image - 1
    return (255 * image.clamp(0, 1) - 128) / 128


def _tf_bilinear(image: Tensor) -> Tensor:
    """TensorFlow 1's ``resize_bilinear``: output i lies at input i·n/299, with no half pixels."""
    for axis in (2, 1):
        n = image.shape[axis]
        place = torch.arange(SIZE, dtype=torch.float32) * torch.tensor(n / SIZE)
        low = place.long()
        part = (place - low).view(-1, *[1] * (2 - axis))
        a = image.index_select(axis, low)
        b = image.index_select(axis, (low + 1).clamp_max(n - 1))
        image = a + (b - a) * part
    return image


def published_weights() -> Path:
    """The path of the published file in torch hub's cache; it is downloaded if it is not there.

    Raises:
        ConnectionError: It could not be downloaded or written.
        ValueError: The file, there or downloaded, has another digest.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / FILE
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Into a temporary file, which is renamed once its digest is known to be right.
            torch.hub.download_url_to_file(URL, str(path), SHA256, progress=sys.stderr.isatty())
        except (OSError, RuntimeError) as error:  # RuntimeError: another digest
            reason = " ".join(str(error).split())
            raise ConnectionError(
                f"the weights of FID's InceptionV3 could not be downloaded to {path} ({reason}): "
                f"get {URL} on a machine that can and put it there, or name it with --weights PATH "
                "(weights=PATH in Python)"
            ) from error
    elif digest(path) != SHA256:
        raise ValueError(
            f"{path} is damaged (its SHA-256 is not {SHA256}): delete it and run again"
        )
    return path


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a weight file, after a check of names, shapes and values.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It cannot be read, or does not fit this network.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no weight file {path}: download {URL} and name it, or leave it out to have "
            "it downloaded"
        )
    remedy = f"download it anew from {URL}"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (
        *(OSError, EOFError, RuntimeError, ValueError, TypeError, LookupError, AttributeError),
        pickle.UnpicklingError,
    ) as error:
        raise ValueError(
            f"{path} is damaged, or not a file of PyTorch weights ({type(error).__name__}): "
            f"{remedy}"
        ) from error
    wrong = _difference(state)
    if wrong:
        raise ValueError(
            f"{path} does not hold the weights of FID's InceptionV3 ({wrong}): {remedy}"
        )
    return {
        name: value.float() if value.is_floating_point() else value for name, value in state.items()
    }


def network(state: Mapping[str, Tensor]) -> InceptionV3:
    """The network with these weights, batch norms folded in, in eval mode, without gradients."""
    with torch.device("meta"):  # no memory and no random numbers for values that are replaced
        net = InceptionV3()
    net.load_state_dict(state, strict=True, assign=True)
    net.requires_grad_(False).eval()
    for module in net.modules():
        if isinstance(module, Convolution):
            module.fold()
    return net


def _shapes() -> dict[str, torch.Size]:
    """The shape of every tensor of the weight file."""
    with torch.device("meta"):
        return {name: value.shape for name, value in InceptionV3().state_dict().items()}


def _difference(state: object) -> str:
    """How a loaded object differs from the network's weights; empty if it does not."""
    if not isinstance(state, dict):
        return f"it holds a {type(state).__name__}, not tensors by name"
    # Counts of training batches came with PyTorch 0.4.1 and mean nothing here.
    shapes = _shapes()
    missing = [n for n in shapes if n not in state and not n.endswith("num_batches_tracked")]
    if missing:
        return f"{len(missing)} of {len(shapes)} tensors are missing, among them {missing[0]}"
    other = [str(n) for n in state if n not in shapes]
    if other:
        return f"{len(other)} tensors are not the network's, among them {other[0]}"
    for name, value in state.items():
        if not isinstance(value, Tensor):
            return f"{name} is a {type(value).__name__}, not a tensor"
        if value.shape != shapes[name]:
            return f"{name} has shape {list(value.shape)}, expected {list(shapes[name])}"
        if not bool(torch.isfinite(value).all()):
            return f"{name} holds values that are NaN or infinite"
    return ""


def _random_weights(seed: int = 0) -> dict[str, Tensor]:
    """Weights for tests, under which activations keep their size from layer to layer."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in _shapes().items():
        values = torch.randn(shape, generator=generator)
        if name.endswith("num_batches_tracked"):
            values = torch.tensor(0)
        elif name.endswith(("bn.weight", "running_var")):
            values = 1 + 0.1 * values.clamp(-3, 3)
        elif len(shape) == 1:
            values = 0.1 * values
        else:  # He et al. 2015 for convolutions, which ReLU follows
            values *= ((2 if len(shape) == 4 else 1) / shape[1:].numel()) ** 0.5
        state[name] = values
    return state
