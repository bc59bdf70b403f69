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

from gqlib.data.sources import FeatureArray, ImageArray, Images, open_source, read_labels
from gqlib.features.extraction import extract, gather, rank_and_world, together
from gqlib.features.extractors import Extractor, load_extractor
from gqlib.metrics import Evaluation, GaussianStatistics, evaluate
from gqlib.metrics.evaluation import STAGES
from gqlib.metrics.gaussian import same_source
from gqlib.metrics.memorisation import nearest
from gqlib.metrics.spectrum import radial_power_spectrum
from gqlib.report import Material, Report

#: What can be compared: a path, an array of images or features in memory, or statistics.
Source = Any
#: Images a side on the report's walls, pairs of neighbours, and images behind a spectrum.
_WALL, _PAIRS, _SPECTRUM = 48, 12, 1000


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to compare; the defaults are those of ``gqlib evaluate``.

    Attributes:
        features: ``"digits"``, ``"inception"``, ``"pixels"``, ``"module:function"``, a callable, or
            ``"auto"``: digits for 28×28 grey images, inception for all others.
        weights: The weight file of inception; ``None`` for the published one.
        resize: How inception resizes; ``None`` for pytorch-fid's way.
        device: Where the extractor runs; ``None`` for the best there is.
        mixed_precision: Whether inception may compute in 16 bits.
        batch_size: Images that go through the extractor at once; ``None`` for what suits it.
        cache: Folder of features of earlier runs; ``None`` keeps none.
        k: Neighbours, for precision, recall, density and coverage.
        confidence: Level of the intervals; ``None`` for none, which is several times faster.
        seed: Of all that is random.
        progress: Whether to show progress bars on stderr.
    """

    features: str | Callable[[Tensor], Any] | Extractor = "auto"
    weights: Path | None = None
    resize: str | None = None
    device: str | None = None
    mixed_precision: bool = False
    batch_size: int | None = None
    cache: Path | None = None
    k: int = 5
    confidence: float | None = 0.95
    seed: int = 0
    progress: bool = False


@dataclass(frozen=True)
class _Side:
    """One opened set: its images where there are any, and its features or statistics."""

    name: str
    images: Images | None
    values: Tensor | GaussianStatistics
    probabilities: Tensor | None = None
    warnings: tuple[str, ...] = ()


def compare(
    real: Source,
    fake: Source,
    *,
    train: Source | None = None,
    holdout: Source | None = None,
    labels: Sequence[str] = (),
    save_statistics: Path | None = None,
    options: Options | None = None,
) -> Report | None:
    """Compare generated samples with real ones.

    Args:
        real: A folder of images, a file of images, features or statistics, or such an array.
        fake: The same for the generated samples.
        train: The training set, to test for memorisation.
        holdout: Samples of the same law that the model never saw, likewise.
        labels: ``("folders",)`` for the names of the sub-folders, ``("predicted",)`` for the
            extractor's most probable class, or the paths of two files of labels, real and fake.
        save_statistics: Where to keep the real side's statistics, to be given as ``real`` later.
        options: How to compare.

    Returns:
        The report; ``None`` in all processes but the first where several share the work.

    Raises:
        ValueError, OSError: Bad input, in one sentence that says what to do.
    """
    o = Options() if options is None else options
    if len(labels) > 2 or (len(labels) == 1 and labels[0] not in ("folders", "predicted")):
        raise ValueError(
            f"labels are {' '.join(labels)!r}, expected folders, predicted, or two files: the real "
            "side's labels and the fake one's"
        )
    opened = together(
        lambda: _opened({"real": real, "fake": fake, "train": train, "holdout": holdout})
    )
    extractor = together(lambda: _extractor(opened, o))
    sides = {
        name: _side(source, extractor, o, name == "fake" or "predicted" in labels)
        for name, source in opened.items()
    }
    if rank_and_world()[0] > 0:
        return None
    if save_statistics is not None:
        _statistics(sides["real"], extractor).save(save_statistics)
    groups = _groups(sides, labels)
    evaluation = _evaluated(sides, groups, extractor, o)
    made_by, resize = _origin(sides["real"], extractor)
    return Report(
        evaluation=evaluation,
        real=sides["real"].name,
        fake=sides["fake"].name,
        extractor=made_by,
        resize=resize,
        seed=o.seed,
        warnings=_warnings(sides, extractor),
        material=_material(sides, groups.get("real_labels"), o.seed),
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


def _name(source: Images | FeatureArray | GaussianStatistics) -> str:
    return "statistics" if isinstance(source, GaussianStatistics) else source.name


def _extractor(opened: dict[str, Any], o: Options) -> Extractor | None:
    """The extractor that the images need; ``None`` where there are none."""
    images = {name: source for name, source in opened.items() if isinstance(source, Images)}
    arrays = [name for name, source in opened.items() if isinstance(source, FeatureArray)]
    if images and arrays:
        raise ValueError(
            f"{' and '.join(arrays)} holds features and {' and '.join(images)} images, expected "
            "one kind: give the images of all, or the features of all"
        )
    if not images:
        return None
    name = o.features
    if name == "auto":
        first = [source.read(0).shape for source in images.values()]
        name = "digits" if all(tuple(shape) == (1, 28, 28) for shape in first) else "inception"
    return load_extractor(
        name,
        weights=o.weights,
        resize=o.resize,
        device=o.device,
        mixed_precision=o.mixed_precision,
    )


def _side(
    source: Images | FeatureArray | GaussianStatistics,
    extractor: Extractor | None,
    o: Options,
    with_probabilities: bool,
) -> _Side:
    if isinstance(source, GaussianStatistics):
        return _Side(_name(source), None, source)
    if isinstance(source, FeatureArray):
        return _Side(source.name, None, source.values, warnings=source.warnings)
    assert extractor is not None
    rank, world = rank_and_world()
    found = together(
        lambda: extract(
            source,
            extractor,
            batch_size=_batch_size(extractor) if o.batch_size is None else o.batch_size,
            cache=o.cache,
            progress=o.progress and rank == 0,
            with_probabilities=with_probabilities,
            shard=(rank, world),
        )
    )
    found = gather(found, len(source))
    return _Side(source.name, source, found.features, found.probabilities, found.warnings)


def _batch_size(extractor: Extractor) -> int:
    """A small network is faster on many small images at once."""
    return 1000 if "digits" in extractor.name else 64


def _statistics(side: _Side, extractor: Extractor | None) -> GaussianStatistics:
    statistics = _described(side, extractor)
    return statistics if statistics.n != 0 else statistics.update(side.values)


def _described(side: _Side, extractor: Extractor | None) -> GaussianStatistics:
    """The side's statistics where it is given by them, or empty ones that tell its origin."""
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


def _groups(sides: dict[str, _Side], labels: Sequence[str]) -> dict[str, Any]:
    """``real_labels`` and ``fake_labels``, as :func:`gqlib.metrics.evaluate` takes them."""
    if not labels:
        return {}
    found: dict[str, Any] = {}
    for index, name in enumerate(("real", "fake")):
        side = sides[name]
        if list(labels) == ["predicted"]:
            if side.probabilities is None:
                raise ValueError(
                    "predicted labels need a classifier: choose the features digits or inception"
                )
            values: Sequence[Any] = side.probabilities.argmax(1).tolist()
        elif len(labels) == 1:
            values = _folders(side)
        else:
            values = read_labels(labels[index])
        n = side.values.n if isinstance(side.values, GaussianStatistics) else len(side.values)
        if n is not None and len(values) != n:
            raise ValueError(
                f"{len(values)} labels for {n} {name} samples, expected one a "
                "sample, in the order of the file names"
            )
        found[f"{name}_labels"] = values
    return found


def _folders(side: _Side) -> list[str]:
    labels = [] if side.images is None else [side.images.label(i) for i in range(len(side.images))]
    missing = sum(label is None for label in labels)
    if missing or not labels:
        raise ValueError(
            f"{side.name} has {missing or 'only'} images outside of sub-folders, and labels by "
            "folder need one sub-folder a group: sort the images, or give two files of labels"
        )
    return [str(label) for label in labels]


def _evaluated(
    sides: dict[str, _Side], groups: dict[str, Any], extractor: Extractor | None, o: Options
) -> Evaluation:
    same_source(*(_described(sides[name], extractor) for name in ("real", "fake")))
    from tqdm import tqdm

    bar = tqdm(
        total=len(STAGES), desc="comparing", unit="stage", disable=not o.progress, leave=False
    )

    def show(stage: str) -> None:
        bar.set_postfix_str(stage, refresh=False)
        bar.update(STAGES.index(stage) - bar.n)
        bar.refresh()

    with bar:
        return _from_samples(sides, groups, o, show)


def _from_samples(
    sides: dict[str, _Side],
    groups: dict[str, Any],
    o: Options,
    progress: Callable[[str], object],
) -> Evaluation:
    real, fake = sides["real"], sides["fake"]
    return evaluate(
        real.values,
        fake.values,
        **{name: sides[name].values for name in ("train", "holdout") if name in sides},
        **groups,
        probabilities=fake.probabilities,
        k=o.k,
        confidence=o.confidence,
        seed=o.seed,
        progress=progress,
    )


def _warnings(sides: dict[str, _Side], extractor: Extractor | None) -> tuple[str, ...]:
    """What the two sides' files tell: each by itself, and beside the other."""
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
    target = 299 if extractor is not None and "299" in extractor.resize else 0
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


def _material(sides: dict[str, _Side], real_labels: Any, seed: int) -> Material:
    """What the pictures are made of."""
    real, fake = sides["real"], sides["fake"]
    if not (isinstance(real.values, Tensor) and isinstance(fake.values, Tensor)):
        return Material()
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
    return Material(
        **walls,
        **spectra,
        real_labels=real_labels,
        real_features=real.values,
        fake_features=fake.values,
        neighbours=_neighbours(fake, sides.get("train", real)),
    )


def _spectrum(images: Images, order: Sequence[int]) -> Tensor | None:
    """Of images of the most frequent size, in grey."""
    size = _most(images.sizes)
    found = []
    for i in order[:_SPECTRUM]:
        image = images.read(i)
        if tuple(image.shape[-2:]) == size:
            found.append(image.to(torch.float64).mean(0) / 255)
    return radial_power_spectrum(torch.stack(found)) if found else None


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
