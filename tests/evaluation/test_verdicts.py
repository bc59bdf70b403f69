"""The four failures told apart: planted generators, and the rules for what is set aside."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

from gqlib._utils.failure import Failure
from gqlib.data import planted
from gqlib.evaluation.verdicts import Verdict, verdicts
from gqlib.features import digit_features, load_digit_net
from gqlib.metrics import Evaluation, evaluate
from tests import samples

#: Number of digits and seed: others than those that the rules' constants were chosen by.
DRAWS = ((1000, 1001), (2000, 1002))


@functools.cache
def draw(n: int, seed: int) -> tuple[planted.Digits, dict[str, Tensor]]:
    digits = planted.draw(n, seed)
    names = ("real", "train", "holdout")
    return digits, {name: digit_features(getattr(digits, name).images) for name in names}


def judge(n: int, seed: int, images: Tensor) -> Evaluation:
    """Images compared with the reference of a draw, with the digit network's classes for them."""
    digits, sets = draw(n, seed)
    net = load_digit_net()
    features = digit_features(images)
    return evaluate(
        **sets,
        fake=features,
        real_labels=digits.real.labels,
        fake_labels=net.head(features).argmax(1),
        confidence=0.95,
    )


def found(evaluation: Evaluation, level: float = 0.01) -> set[str]:
    return {verdict.failure for verdict in verdicts(evaluation, level) if verdict.found}


@pytest.mark.parametrize(("n", "seed"), DRAWS)
@pytest.mark.parametrize("name", planted.FAILURE)
def test_each_planted_failure_is_found_and_no_other(name: str, n: int, seed: int) -> None:
    digits, _ = draw(n, seed)
    images = planted.generate(name, digits, Generator().manual_seed(seed))
    failure = planted.FAILURE[name]
    assert found(judge(n, seed, images)) == ({failure} if failure else set())


@pytest.mark.parametrize("name", planted.TRAINED)
def test_trained_models_make_noise_but_copy_nothing(name: str) -> None:
    n, seed = DRAWS[0]
    failures = found(judge(n, seed, planted.trained(name)[:n]))
    assert Failure.noise in failures
    assert Failure.memorisation not in failures


@pytest.mark.slow
def test_a_faithful_model_is_seldom_accused() -> None:
    n, draws = 500, 100
    digits = planted.draw(1, 0)
    every = [getattr(digits, name) for name in ("real", "train", "holdout", "fresh")]
    features = torch.cat([digit_features(part.images) for part in every])
    labels = torch.cat([part.labels for part in every])
    alarms = 0
    for seed in range(draws):
        order = torch.randperm(len(features), generator=Generator().manual_seed(seed))
        real, train, holdout, fake = order[: 4 * n].split(n)
        e = evaluate(
            features[real],
            features[fake],
            train=features[train],
            holdout=features[holdout],
            real_labels=labels[real],
            fake_labels=labels[fake],
            confidence=0.95,
        )
        alarms += bool(found(e))
    assert alarms <= 4


def normal(seed: int, n: int = 400, d: int = 4) -> Tensor:
    return samples.normal(n, d, seed)


def verdict_of(failure: str, fake: Tensor, level: float = 0.01, **given: Any) -> Verdict:
    e = evaluate(normal(0), fake, **({"confidence": 0.95} | given))
    return {verdict.failure: verdict for verdict in verdicts(e, level)}[failure]


def test_noise_lowers_coverage_and_is_no_collapse() -> None:
    fake = normal(1)
    fake[:200] += 10 + 20 * normal(2, 200)
    collapse = verdict_of(Failure.mode_collapse, fake)
    coverage = next(item for item in collapse.evidence if item.label == "coverage")
    assert coverage.p_value < 0.001
    assert not coverage.significant
    assert "lie apart" in coverage.aside
    assert (collapse.found, collapse.aside) == (False, (coverage.aside,))
    assert verdict_of(Failure.noise, fake).found


def test_coverage_that_falls_more_than_density_is_collapse() -> None:
    fake = normal(1, 2000)
    assert verdict_of(Failure.mode_collapse, fake[fake[:, 0] > 0][:400]).found


def test_repeats_are_collapse_and_narrow_no_interval() -> None:
    few = normal(1, 10).repeat(40, 1) + 1e-3 * normal(2)
    collapse = verdict_of(Failure.mode_collapse, few)
    assert {item.label for item in collapse.evidence if item.significant} >= {"near repeats"}
    # Ten samples, three of them far off: as 400 they would be noise, as ten they may be chance.
    few[:40] += 3
    assert not verdict_of(Failure.noise, few).found


LABELS = torch.arange(400) % 4


def test_an_absent_group_is_collapse_and_not_bias() -> None:
    given = {"real_labels": LABELS, "fake_labels": torch.arange(400) % 3}
    collapse = verdict_of(Failure.mode_collapse, normal(1), **given)
    absent = next(item for item in collapse.evidence if item.label == "absent groups")
    assert (absent.value, absent.groups, absent.significant) == (0.25, (3,), True)
    bias = verdict_of(Failure.bias, normal(1), **given)
    assert (bias.found, bias.evidence[0].groups) == (False, (3,))
    assert bias.evidence[0].value < 0.01


def test_uneven_groups_are_bias_and_coverage_no_collapse_beside_it() -> None:
    uneven = LABELS * (torch.arange(400) >= 340)
    real, fake = normal(0, d=8) + 20 * LABELS[:, None], normal(1, d=8) + 20 * uneven[:, None]
    collapse, *_ = verdicts(evaluate(real, fake, confidence=0.95))
    assert {item.label for item in collapse.evidence if item.significant} == {"coverage"}
    e = evaluate(real, fake, real_labels=LABELS, fake_labels=uneven, confidence=0.95)
    collapse, *_, bias = verdicts(e)
    assert (collapse.found, bias.found) == (False, True)
    assert "rare" in collapse.aside[0]


def test_misread_groups_beside_noise_are_no_bias() -> None:
    fake = normal(1)
    fake[:160] += 10
    labels = LABELS.clone()
    labels[:160] = 0
    given = {"real_labels": LABELS, "fake_labels": labels}
    bias = verdict_of(Failure.bias, fake, **given)
    assert bias.evidence[0].p_value < 1e-6
    assert bias.found is False
    assert "misread" in bias.aside[0]
    assert verdict_of(Failure.bias, normal(1), **given).found


def test_copies_are_memorisation_and_c_t_does_not_count_beside_noise() -> None:
    train, holdout = normal(3), normal(4)
    given = {"train": train, "holdout": holdout}
    copies = verdict_of(Failure.memorisation, train + 1e-3 * normal(5), **given)
    assert [item.significant for item in copies.evidence] == [True, True]
    # What keeps to the middle lies nearer to the training set than held-out samples do.
    middle = normal(6) / 2
    middle[:100] += 10
    beside = verdict_of(
        Failure.memorisation, torch.cat([middle, normal(7, 1000)[:, :4] / 2]), **given
    )
    nearer = next(item for item in beside.evidence if item.label == "C_T")
    assert nearer.p_value < 1e-4
    assert not nearer.significant
    assert "C_T" in nearer.aside


def test_what_is_missing_is_said() -> None:
    e = evaluate(normal(0), normal(1))
    missing = {verdict.failure: verdict.missing for verdict in verdicts(e)}
    assert all(verdict.found is None for verdict in verdicts(e))
    assert "confidence" in missing[Failure.noise]
    assert "confidence" in missing[Failure.mode_collapse]
    assert "(labels)" in missing[Failure.bias]
    assert "(train)" in missing[Failure.memorisation]


@pytest.mark.parametrize("level", [0, 1, -0.1, 1.5])
def test_a_level_is_a_share(level: float) -> None:
    with pytest.raises(ValueError, match=f"level={level}, expected a share"):
        verdicts(evaluate(normal(0), normal(1)), level)
