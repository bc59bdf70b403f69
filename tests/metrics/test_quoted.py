"""The lines of NumPy that a docstring quotes as its formula give what the function gives."""

import doctest

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist

from gqlib.metrics import frechet, frechet_distance, neighbour_scores, neighbours


def run_quoted(module, **names):
    """The names after the lines with ``>>>`` in a module's docstring."""
    lines = [example.source for example in doctest.DocTestParser().get_examples(module.__doc__)]
    assert lines
    space = {"np": np, "cdist": cdist, "sqrtm": sqrtm, **names}
    exec("".join(lines), space)
    return space


def samples(n, m, d):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, d)), rng.normal(size=(m, d)) * 1.2 + 0.3


@pytest.mark.parametrize(("n", "m", "d"), [(200, 150, 5), (60, 90, 12)])
def test_frechet_distance(n, m, d):
    real, fake = samples(n, m, d)
    quoted = run_quoted(frechet, real=real, fake=fake)
    assert float(frechet_distance(real, fake)) == pytest.approx(quoted["distance"], rel=1e-9)


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("repeated", [False, True])
def test_neighbour_scores(k, repeated):
    real, fake = samples(80, 70, 3)
    if repeated:  # balls of radius 0, and fakes on the surface of balls
        real, fake = np.round(real), np.round(fake)
    scores = neighbour_scores(real, fake, k)
    quoted = run_quoted(neighbours, real=real, fake=fake, k=k)
    assert {name: getattr(scores, name) for name in scores.VALUES} == pytest.approx(
        {name: quoted[name] for name in scores.VALUES}, rel=1e-12
    )
