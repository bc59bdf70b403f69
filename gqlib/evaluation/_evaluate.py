"""From two sets of images, features or statistics to a report: what ``gqlib evaluate`` does.

    open both sides → extract features → compare them → gather what the report's pictures need

Under ``torchrun`` the processes share the images out, and the first one compares.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gqlib._utils.distributed import raise_on_all_ranks, rank_and_world
from gqlib.data.images import Images
from gqlib.evaluation.report import Report, ReportFigures
from gqlib.evaluation.sources import FeatureArray, ImageArray, open_source, read_labels
from gqlib.features.base import Extractor
from gqlib.features.extraction import extract, gather
from gqlib.features.extractors import load_extractor
from gqlib.metrics import GaussianStatistics
from gqlib.metrics import evaluate as evaluate_features
from gqlib.metrics.evaluation import STAGES
from gqlib.metrics.gaussian import same_source
from gqlib.metrics.memorisation import nearest
from gqlib.metrics.spectrum import radial_power_spectrum

#: What can be compared: a path, an array of images or features in memory, or statistics.
Source = Any
#: Images a side on the report's walls, pairs of neighbours, and images behind a spectrum.
_WALL, _PAIRS, _SPECTRUM = 48, 12, 1000


@dataclass(frozen=True)
class _Side:
    """One opened set: its images, if there are any, and its features or statistics."""

    name: str
    images: Images | None
    values: Tensor | GaussianStatistics
    probabilities: Tensor | None = None
    warnings: tuple[str, ...] = ()


def evaluate(
    real: Source,
    fake: Source,
    *,
    train: Source | None = None,
    holdout: Source | None = None,
    labels: str | tuple[Any, Any] | None = None,
    features: str | Callable[[Tensor], Any] | Extractor = "auto",
    weights: str | os.PathLike[str] | None = None,
    resize: str | None = None,
    device: str | None = None,
    mixed_precision: bool = False,
    batch_size: int | None = None,
    cache: str | os.PathLike[str] | None = None,
    k: int = 5,
    confidence: float | None = 0.95,
    seed: int = 0,
    progress: bool = False,
) -> Report | None:
    """Compare generated samples with real ones: what ``gqlib evaluate`` does, in Python.

    Args:
        real: A folder of images, a file of images, features or statistics, or such an array.
        fake: The same for the generated samples.
        train: The training set, to test for memorisation.
        holdout: Samples of the same distribution that the model never saw, likewise.
        labels: ``"folders"`` for the names of the sub-folders, ``"predicted"`` for the extractor's
            most probable class, or (real, fake): the paths of two files of labels, or two
            sequences with one label a sample.
        features: ``"digits"``, ``"inception"``, ``"pixels"``, ``"module:function"``, a function
            from a uint8 batch [B, C, H, W] to features (B, D), an :class:`Extractor`, or
            ``"auto"``: digits for 28×28 grey images, inception for all others.
        weights: The weight file of inception; by default the published one.
        resize: How inception resizes; by default pytorch-fid's way.
        device: Where the extractor runs; by default the best available.
        mixed_precision: Whether inception may compute in 16 bits.
        batch_size: Images that go through the extractor at once; by default the extractor's own.
        cache: Folder of features of earlier runs; by default nothing is kept.
        k: Neighbours, for precision, recall, density and coverage.
        confidence: Level of the intervals; ``None`` for none, which is several times faster, and
            leaves most failures untested.
        seed: Seeds everything that is random.
        progress: Whether to show progress bars on stderr.

    Returns:
        The report; if several processes share the work, ``None`` in all but the first.

    Raises:
        ValueError, OSError: Bad input, in one sentence that says what to do.
    """
    _check_labels(labels)
    given = {"real": real, "fake": fake, "train": train, "holdout": holdout}
    opened = raise_on_all_ranks(lambda: _opened(given))
    extractor = raise_on_all_ranks(
        lambda: _extractor(
            opened,
            features,
            weights=None if weights is None else Path(weights),
            resize=resize,
            device=device,
            mixed_precision=mixed_precision,
        )
    )
    reading = {
        "batch_size": batch_size,
        "cache": cache,
        "progress": progress and rank_and_world()[0] == 0,
    }
    sides = {
        name: _side(source, extractor, name == "fake" or labels == "predicted", reading)
        for name, source in opened.items()
    }
    if rank_and_world()[0] > 0:
        return None
    same_source(*(_described(sides[name], extractor) for name in ("real", "fake")))
    groups = _groups(sides, labels)
    with _Stages(progress) as show:
        evaluation = evaluate_features(
            sides["real"].values,
            sides["fake"].values,
            **{name: sides[name].values for name in ("train", "holdout") if name in sides},
            **groups,
            probabilities=sides["fake"].probabilities,
            k=k,
            confidence=confidence,
            seed=seed,
            progress=show,
        )
    made_by, resized = _origin(sides["real"], extractor)
    return Report(
        evaluation=evaluation,
        real=sides["real"].name,
        fake=sides["fake"].name,
        extractor=made_by,
        resize=resized,
        seed=seed,
        warnings=_warnings(sides, extractor),
        reference=sides["real"].values,
        figures=_figures(sides, groups.get("real_labels"), seed),
    )


def _check_labels(labels: object) -> None:
    two = isinstance(labels, tuple | list) and len(labels) == 2
    if not (labels in (None, "folders", "predicted") or two):
        shown = labels if isinstance(labels, str) else type(labels).__name__
        raise ValueError(
            f"labels are {shown!r}, expected folders, predicted, or two: the real side's labels "
            "and the fake one's"
        )


def _opened(given: dict[str, Source | None]) -> dict[str, Any]:
    opened = {name: _open(source) for name, source in given.items() if source is not None}
    for name in ("train", "holdout"):
        if isinstance(opened.get(name), GaussianStatistics):
            raise ValueError(
                f"{name} is given by its statistics, and neighbours need samples: give a folder or "
                "an array"
            )
    return opened


def _open(source: Source) -> Images | FeatureArray | GaussianStatistics:
    if isinstance(source, Images | FeatureArray | GaussianStatistics):
        return source
    if isinstance(source, str | os.PathLike):
        return open_source(source)
    array = torch.as_tensor(source)
    return FeatureArray("array", array) if array.ndim == 2 else ImageArray(array)


def _extractor(
    opened: dict[str, Any], features: str | Callable[[Tensor], Any] | Extractor, **options: Any
) -> Extractor | None:
    """The extractor that the images need; ``None`` if there are none."""
    images = {name: source for name, source in opened.items() if isinstance(source, Images)}
    arrays = [name for name, source in opened.items() if isinstance(source, FeatureArray)]
    if images and arrays:
        raise ValueError(
            f"{' and '.join(arrays)} holds features and {' and '.join(images)} images, expected "
            "one kind: give the images of all, or the features of all"
        )
    if not images:
        return None
    if isinstance(features, str) and features == "auto":
        first = [source.read(0).shape for source in images.values()]
        small = all(tuple(shape) == (1, 28, 28) for shape in first)
        features = "digits" if small else "inception"
    return load_extractor(features, **options)


def _side(
    source: Images | FeatureArray | GaussianStatistics,
    extractor: Extractor | None,
    with_probabilities: bool,
    reading: dict[str, Any],
) -> _Side:
    if isinstance(source, GaussianStatistics):
        return _Side("statistics", None, source)
    if isinstance(source, FeatureArray):
        return _Side(source.name, None, source.values, warnings=source.warnings)
    assert extractor is not None
    shard = rank_and_world()
    share = raise_on_all_ranks(
        lambda: extract(
            source, extractor, with_probabilities=with_probabilities, shard=shard, **reading
        )
    )
    whole = gather(share, len(source))
    return _Side(source.name, source, whole.features, whole.probabilities, whole.warnings)


def _described(side: _Side, extractor: Extractor | None) -> GaussianStatistics:
    """The side's statistics if it is given by them, otherwise empty ones that name its origin."""
    if isinstance(side.values, GaussianStatistics):
        return side.values
    made_by, resize = _origin(side, extractor)
    return GaussianStatistics(extractor=made_by, resize=resize)


def _origin(side: _Side, extractor: Extractor | None) -> tuple[str, str]:
    """What made the features, and how the images were resized before; "" if unknown."""
    if extractor is not None:
        return extractor.name, extractor.resize
    if isinstance(side.values, GaussianStatistics):
        return side.values.extractor, side.values.resize
    return "", ""


def _groups(sides: dict[str, _Side], labels: str | tuple[Any, Any] | None) -> dict[str, Any]:
    """``real_labels`` and ``fake_labels``, as :func:`gqlib.metrics.evaluate` takes them."""
    if labels is None:
        return {}
    groups: dict[str, Any] = {}
    for index, name in enumerate(("real", "fake")):
        side = sides[name]
        values: Sequence[Any]
        if labels == "predicted":
            values = _predicted(side)
        elif labels == "folders":
            values = _folders(side)
        else:
            given = labels[index]
            values = read_labels(given) if isinstance(given, str | os.PathLike) else given
        n = side.values.n if isinstance(side.values, GaussianStatistics) else len(side.values)
        if n is not None and len(values) != n:
            raise ValueError(
                f"{len(values)} labels for {n} {name} samples, expected one a "
                "sample, in the order of the file names"
            )
        groups[f"{name}_labels"] = values
    return groups


def _predicted(side: _Side) -> list[int]:
    if side.probabilities is None:
        raise ValueError(
            "predicted labels need a classifier: choose the features digits or inception"
        )
    classes: list[int] = side.probabilities.argmax(1).tolist()
    return classes


def _folders(side: _Side) -> list[str]:
    labels = [] if side.images is None else [side.images.label(i) for i in range(len(side.images))]
    missing = sum(label is None for label in labels)
    if missing or not labels:
        raise ValueError(
            f"{side.name} has {missing or 'only'} images outside of sub-folders, and labels by "
            "folder need one sub-folder a group: sort the images, or give two files of labels"
        )
    return [str(label) for label in labels]


class _Stages:
    """A bar over the stages of :func:`gqlib.metrics.evaluate`."""

    def __init__(self, progress: bool) -> None:
        from tqdm import tqdm

        self._bar = tqdm(
            total=len(STAGES), desc="comparing", unit="stage", disable=not progress, leave=False
        )

    def __enter__(self) -> Callable[[str], None]:
        return self._show

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def _show(self, stage: str) -> None:
        self._bar.set_postfix_str(stage, refresh=False)
        self._bar.update(STAGES.index(stage) - self._bar.n)
        self._bar.refresh()


def _warnings(sides: dict[str, _Side], extractor: Extractor | None) -> tuple[str, ...]:
    """Warnings about the two sides' files: about each one, and about differences."""
    found = [f"{name}: {warning}" for name, side in sides.items() for warning in side.warnings]
    for name, side in sides.items():
        if isinstance(side.values, GaussianStatistics) and not side.values.extractor:
            found.append(
                f"the {name} statistics do not tell which extractor and resizing made them: "
                "whether both sides had the same ones could not be checked"
            )
    real, fake = sides["real"].images, sides["fake"].images
    if real is None or fake is None:
        return tuple(found)
    formats = {name: _most(images.formats) for name, images in (("real", real), ("fake", fake))}
    if formats["real"] != formats["fake"] and all(formats.values()):
        found.append(
            f"the real images are {formats['real']} files and the fake ones {formats['fake']}: "
            "traces of lossy compression on one side raise every distance"
        )
    sizes = {name: _most(images.sizes) for name, images in (("real", real), ("fake", fake))}
    if sizes["real"] != sizes["fake"]:
        found.append(
            f"most real images are {_size(sizes['real'])} and most fake ones "
            f"{_size(sizes['fake'])}: part of every distance is that difference"
        )
    target = (extractor.input_size if extractor is not None else None) or 0
    for name, size in sizes.items():
        if size is not None and max(size) < target:
            found.append(
                f"the {name} images, most of them {_size(size)}, were enlarged to "
                f"{target}×{target}: the extractor sees no detail beyond their own size"
            )
    return tuple(found)


def _most(counter: Counter[Any]) -> Any:
    return counter.most_common(1)[0][0] if counter else None


def _size(size: tuple[int, int] | None) -> str:
    return "of unknown size" if size is None else f"{size[0]}×{size[1]}"


def _figures(sides: dict[str, _Side], real_labels: Any, seed: int) -> ReportFigures:
    """What the report's pictures need."""
    real, fake = sides["real"], sides["fake"]
    if not (isinstance(real.values, Tensor) and isinstance(fake.values, Tensor)):
        return ReportFigures()
    walls: dict[str, Any] = {}
    spectra: dict[str, Any] = {}
    for name, side in (("real", real), ("fake", fake)):
        if side.images is not None:
            generator = torch.Generator().manual_seed(seed)
            order = torch.randperm(len(side.images), generator=generator).tolist()
            walls[f"{name}_images"] = [side.images.read(i) for i in order[:_WALL]]
            spectra[f"{name}_spectrum"] = _spectrum(side.images, order)
    if len({None if s is None else len(s) for s in spectra.values()}) > 1:
        spectra = {}
    return ReportFigures(
        **walls,
        **spectra,
        real_labels=real_labels,
        real_features=real.values,
        fake_features=fake.values,
        neighbours=_neighbours(fake, sides.get("train", real)),
    )


def _spectrum(images: Images, order: Sequence[int]) -> Tensor | None:
    """The spectrum of the images of the most frequent size, in grey."""
    size = _most(images.sizes)
    grey = []
    for i in order[:_SPECTRUM]:
        image = images.read(i)
        if tuple(image.shape[-2:]) == size:
            grey.append(image.to(torch.float64).mean(0) / 255)
    return radial_power_spectrum(torch.stack(grey)) if grey else None


def _neighbours(fake: _Side, pool: _Side) -> list[tuple[Tensor, Tensor, float]]:
    """The fakes nearest to the pool, each once, with their nearest image of it."""
    if fake.images is None or pool.images is None:
        return []
    assert isinstance(fake.values, Tensor)
    assert isinstance(pool.values, Tensor)
    distance, index = nearest(fake.values, pool.values)
    order = distance.argsort(stable=True)[:_PAIRS].tolist()
    return [
        (fake.images.read(i), pool.images.read(int(index[i])), float(distance[i])) for i in order
    ]
