"""Agreement with the packages that practitioners use today (`pip install '.[bench]'`).

A test of a package that is not installed is skipped. Agreement means 1e-6 of the value or, where
the two sets are nearly equal (a distance below a hundredth of the traces), 1e-6 of the traces:
there every formula subtracts numbers of the traces' size. Where a peer is wrong, the test shows it
with an oracle that shares no code with either side, and says why.
"""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from gqlib import metrics

# --- features


def features(n, d, seed, law="decaying"):
    """Float64 rows of N(0, I), or of x = z Aᵀ with A's columns times exp(−j/200)."""
    z = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    if law == "isotropic":
        return z
    a = torch.randn(d, d, generator=torch.Generator().manual_seed(99), dtype=torch.float64)
    return z @ (a * torch.exp(-torch.arange(d) / 200)).T


def pair(n, d, law="decaying", near=False):
    """Two sets, of one distribution (``near``) or of two."""
    y = features(n, d, 2, law)
    return features(n, d, 1, law), y if near else 1.2 * y + 0.3


def moments(x):
    """Mean (D,) and covariance (D, D) as NumPy arrays."""
    x = np.asarray(x, dtype=np.float64)
    return x.mean(0), np.atleast_2d(np.cov(x, rowvar=False))


# --- the peers, one small adapter each


def pytorch_fid(x, y):
    import pytorch_fid.fid_score as module

    try:
        return float(module.calculate_frechet_distance(*moments(x), *moments(y)))
    except TypeError:
        pytest.skip("this pytorch-fid asks scipy.linalg.sqrtm for what SciPy 1.18 no longer has")


def clean_fid(x, y):
    import cleanfid.fid as module

    try:
        return float(module.frechet_distance(*moments(x), *moments(y)))
    except TypeError:
        pytest.skip("this clean-fid asks scipy.linalg.sqrtm for what SciPy 1.18 no longer has")


def torch_fidelity_fid(x, y):
    import torch_fidelity.metric_fid as module

    sides = [module.fid_features_to_statistics(side) for side in (x, y)]
    return module.fid_statistics_to_metric(*sides, verbose=False)[module.KEY_METRIC_FID]


def torchmetrics_fid(x, y):
    import torchmetrics.image.fid as module

    sides = [torch.from_numpy(a) for side in (x, y) for a in moments(side)]
    return float(module._compute_fid(*sides))


def torch_fidelity_kid(x, y, subsets, size, seed):
    """Mean and standard deviation over its subsets."""
    import torch_fidelity.metric_kid as module

    found = module.kid_features_to_metric(
        x, y, kid_subsets=subsets, kid_subset_size=size, rng_seed=seed, verbose=False
    )
    return found[module.KEY_METRIC_KID_MEAN], found[module.KEY_METRIC_KID_STD]


def torchmetrics_kid(x, y):
    """All pairs of two sets of one size."""
    from torchmetrics.image.kid import poly_mmd

    return float(poly_mmd(x, y))


def clean_fid_kid(x, y):
    """All pairs of two sets of one size: one subset, that is all of them in another order."""
    import cleanfid.fid as module

    state = np.random.get_state()  # noqa: NPY002  (theirs is the global one)
    try:
        return module.kernel_distance(x.numpy(), y.numpy(), num_subsets=1, max_subset_size=len(x))
    finally:
        np.random.set_state(state)  # noqa: NPY002


def torch_fidelity_isc(logits, splits):
    """Mean and standard deviation over splits, in the order given."""
    import torch_fidelity.metric_isc as module

    found = module.isc_featuresdict_to_metric(
        {"logits": logits}, "logits", isc_splits=splits, samples_shuffle=False, verbose=False
    )
    return found[module.KEY_METRIC_ISC_MEAN], found[module.KEY_METRIC_ISC_STD]


def prdc_scores(real, fake, k):
    import prdc as module

    with contextlib.redirect_stdout(None):
        scores = module.compute_prdc(real.numpy(), fake.numpy(), nearest_k=k)
    return {name: float(value) for name, value in scores.items()}


def torch_fidelity_prc(real, fake, k):
    """Precision and recall; its first argument is the generated side."""
    import torch_fidelity.metric_prc as module

    found = module.prc_features_to_metric(fake, real, prc_neighborhood=k, verbose=False)
    return found[module.KEY_METRIC_PRECISION], found[module.KEY_METRIC_RECALL]


slow = pytest.mark.slow


def needs(*modules):
    """Skips a test where one of them is not installed, before it does any work."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def beside(*peers):
    """Runs a test with each of these adapters."""
    home = {
        "pytorch": "pytorch_fid",
        "clean": "cleanfid",
        "torch": "torch_fidelity",
        "torchmetrics": "torchmetrics",
    }
    return pytest.mark.parametrize(
        "peer",
        [pytest.param(p, marks=needs(home[p.__name__.partition("_")[0]])) for p in peers],
    )


ALL_FID = (pytorch_fid, clean_fid, torch_fidelity_fid, torchmetrics_fid)

# --- Fréchet distance


def traces(x, y):
    return float(x.var(0).sum() + y.var(0).sum())


def by_singular_values(x, y):
    """Σ of the singular values of the centred data's product, by NumPy: exact at any rank."""
    x, y = x.numpy(), y.numpy()
    gap = x.mean(0) - y.mean(0)
    a, b = ((z - z.mean(0)) / (len(z) - 1) ** 0.5 for z in (x, y))
    a, b = (np.linalg.qr(z, mode="r") if len(z) > z.shape[1] else z for z in (a, b))
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(gap @ gap + (a**2).sum() + (b**2).sum() - 2 * cross)


def allowed(value, x, y):
    trace = traces(x, y)
    return 1e-6 * (value if value > 0.01 * trace else trace)


@beside(*ALL_FID)
@pytest.mark.parametrize("near", [False, True], ids=["far", "near"])
@pytest.mark.parametrize("law", ["isotropic", "decaying"])
@pytest.mark.parametrize(
    ("n", "d"), [(50, 2), (50, 64), (500, 2), (500, 64), (2000, 2), (2000, 64), (10_000, 64)]
)
def test_frechet_distance(n, d, law, near, peer):
    x, y = pair(n, d, law, near)
    ours = float(metrics.frechet_distance(x, y))
    assert ours == pytest.approx(by_singular_values(x, y), abs=1e-12 * traces(x, y))
    assert abs(ours - peer(x, y)) <= allowed(ours, x, y)


@slow
@beside(pytorch_fid, torch_fidelity_fid, torchmetrics_fid)
def test_frechet_distance_of_inception_size(peer):
    x, y = pair(10_000, 2048)
    sides = [metrics.GaussianStatistics.from_features(side) for side in (x, y)]
    ours = float(metrics.frechet_distance(*sides))
    assert abs(ours - peer(x, y)) <= allowed(ours, x, y)


@slow
@beside(torch_fidelity_fid, torchmetrics_fid)
@pytest.mark.parametrize("n", [50, 500, 2000])
def test_frechet_distance_of_fewer_samples_than_features(n, peer):
    """The peers are up to 1e-7 of the traces low here, which is still within the bound.

    Rounding makes the D − N zero eigenvalues of the product of covariances about 1e-16 of the
    largest, of either sign, and the root lifts those to 1e-8: all of them add to the trace of the
    root. Singular values of the data have nothing to lift; compare the exact value.
    """
    x, y = pair(n, 2048)
    ours, theirs = float(metrics.frechet_distance(x, y)), peer(x, y)
    exact = by_singular_values(x, y)
    assert ours == pytest.approx(exact, abs=1e-12 * traces(x, y))
    assert abs(ours - theirs) <= allowed(ours, x, y)
    assert abs(ours - exact) <= abs(theirs - exact)


def test_frechet_distance_in_fifty_digits():
    """By the definition in 50-digit arithmetic, at full rank and below it."""
    mpmath = pytest.importorskip("mpmath")

    def by_definition(x, y):
        def root(m):
            values, vectors = mpmath.eigsy(m)
            roots = mpmath.diag([mpmath.sqrt(max(v, 0)) for v in values])
            return vectors * roots * vectors.T

        means, covariances = [], []
        for side in (x, y):
            rows = mpmath.matrix(side.tolist())
            n, d = rows.rows, rows.cols
            mean = [mpmath.fsum(rows[:, j]) / n for j in range(d)]
            centred = mpmath.matrix(n, d)
            for i in range(n):
                for j in range(d):
                    centred[i, j] = rows[i, j] - mean[j]
            means.append(mean)
            covariances.append(centred.T * centred / (n - 1))
        first = root(covariances[0])
        cross = mpmath.fsum(
            mpmath.sqrt(max(v, 0))
            for v in mpmath.eigsy(first * covariances[1] * first, eigvals_only=True)
        )
        gap = mpmath.fsum((a - b) ** 2 for a, b in zip(*means, strict=True))
        total = sum(c[i, i] for c in covariances for i in range(c.rows))
        return float(gap + total - 2 * cross)

    with mpmath.workdps(50):
        for n, d in [(20, 8), (6, 10)]:
            x, y = pair(n, d)
            exact = by_definition(x, y)
            assert float(metrics.frechet_distance(x, y)) == pytest.approx(exact, rel=1e-12)


@beside(*ALL_FID)
def test_a_set_is_at_distance_zero_from_itself(peer):
    """The peers say −1e-6 at N < D: their roots of rounded zero eigenvalues, see above."""
    x = features(30, 64, 1)
    assert 0 <= float(metrics.frechet_distance(x, x)) <= 1e-12 * traces(x, x)
    assert abs(peer(x, x)) <= 1e-6 * traces(x, x)


@needs("torch_fidelity")
def test_torch_fidelity_takes_the_mean_of_float32_features_in_float32():
    """NumPy adds rows up one by one, so far from 0 its float32 mean is off: the distance too.

    What float32 features mean is their exact widening: torch-fidelity agrees once it is given that.
    """
    x, y = (side.float() + 1000 for side in pair(10_000, 64, "isotropic", near=True))
    ours = float(metrics.frechet_distance(x, y))
    exact = by_singular_values(x.double(), y.double())
    assert ours == pytest.approx(exact, rel=1e-9)
    assert torch_fidelity_fid(x.double(), y.double()) == pytest.approx(exact, rel=1e-6)
    assert abs(torch_fidelity_fid(x, y) - exact) > 1e-4 * exact


@needs("torchmetrics")
def test_torchmetrics_loses_digits_far_from_zero():
    """It keeps Σx and Σxxᵀ and subtracts n·mean·meanᵀ, so an offset of 1e6 costs twelve digits."""
    from torchmetrics.image import fid

    class Same(torch.nn.Module):
        num_features = 64

        def forward(self, x):
            return x

    x, y = (side + 1e6 for side in pair(1000, 64, "isotropic", near=True))
    metric = fid.FrechetInceptionDistance(feature=Same())
    metric.update(x, real=True)
    metric.update(y, real=False)
    theirs = float(metric.compute())
    exact = by_singular_values(x, y)
    assert float(metrics.frechet_distance(x, y)) == pytest.approx(exact, rel=1e-8)
    assert abs(theirs - exact) > 1e-6 * exact


# --- kernel distance


def subsets_of_torch_fidelity(x, y, subsets, size, seed):
    """The rows that torch-fidelity draws."""
    rng = np.random.RandomState(seed)  # theirs
    for _ in range(subsets):
        rows = [rng.choice(len(side), size, replace=False) for side in (x, y)]
        yield x[rows[0]], y[rows[1]]


@needs("torch_fidelity")
@pytest.mark.parametrize("near", [False, True], ids=["far", "near"])
@pytest.mark.parametrize(
    ("n", "d", "size"),
    [
        (50, 2, 25),
        (50, 64, 50),
        (500, 2, 250),
        (500, 64, 250),
        (500, 2048, 250),
        (2000, 64, 1000),
        pytest.param(10_000, 2048, 1000, marks=slow),
    ],
)
def test_kernel_distance_over_the_same_subsets(n, d, size, near):
    # Of unit size a feature, as Inception's are: the kernel then has terms of all three degrees.
    x, y = (side / max(1, d / 4) ** 0.5 for side in pair(n, d, near=near))
    mean, std = torch_fidelity_kid(x, y, 5, size, seed=7)
    ours = np.array(
        [
            float(metrics.kernel_distance(a, b))
            for a, b in subsets_of_torch_fidelity(x, y, 5, size, seed=7)
        ]
    )
    # Nearly equal sets: to the kernel's own size, which is at least 1.
    tolerance = {"rel": 1e-6, "abs": 1e-9 if near else 0}
    assert ours.mean() == pytest.approx(mean, **tolerance)
    assert ours.std() == pytest.approx(std, rel=1e-6, abs=max(1e-9 * abs(mean), tolerance["abs"]))


@beside(torchmetrics_kid, clean_fid_kid)
@pytest.mark.parametrize(("n", "d"), [(50, 2), (50, 64), (500, 64), (500, 2048), (2000, 64)])
def test_kernel_distance_of_all_pairs(n, d, peer):
    x, y = (side / max(1, d / 4) ** 0.5 for side in pair(n, d))
    assert float(metrics.kernel_distance(x, y)) == pytest.approx(peer(x, y), rel=1e-6)


@needs("torch_fidelity", "torchmetrics")
def test_torch_fidelity_works_out_the_kernel_in_float32():
    """Given float32 features it adds and subtracts kernel values in float32, seven digits each.

    Between nearly equal sets the distance is a small part of them, and few digits are left of it.
    """
    x, y = ((side / 4).float() for side in pair(1000, 64, near=True))
    exact = torchmetrics_kid(x.double(), y.double())
    theirs, _ = torch_fidelity_kid(x, y, 1, 1000, seed=0)
    assert float(metrics.kernel_distance(x, y)) == pytest.approx(exact, rel=1e-9)
    assert abs(theirs - exact) > 1e-6 * abs(exact)


# --- Inception Score


@needs("torch_fidelity")
@pytest.mark.parametrize(
    ("n", "classes", "splits"),
    [(50, 2, 1), (50, 10, 7), (500, 64, 10), (2000, 1008, 10), (10_003, 10, 10)],
)
def test_inception_score(n, classes, splits):
    logits = 3 * features(n, classes, 5, "isotropic")
    mean, std = torch_fidelity_isc(logits, splits)
    for given in ({"logits": logits}, {"probabilities": logits.softmax(1)}):
        ours = metrics.inception_score(**given, splits=splits)
        assert ours.value == pytest.approx(mean, rel=1e-9)
        assert ours.std == pytest.approx(std, rel=1e-9, abs=1e-12)


# --- neighbour scores

NAMES = ("precision", "recall", "density", "coverage")


@needs("prdc")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(
    ("n", "m", "d", "k"),
    [
        (50, 50, 2, 5),
        (50, 40, 64, 1),
        (500, 400, 2, 3),
        (500, 500, 64, 5),
        (500, 500, 2048, 5),
        (2000, 1500, 64, 5),
        (2000, 2000, 2, 10),
        pytest.param(10_000, 10_000, 64, 5, marks=slow),
    ],
)
def test_neighbour_scores_with_prdc(n, m, d, k, dtype):
    """Its k + 1 counts the point itself, so that k means the same; ``<`` matters only in ties."""
    real, fake = features(n, d, 1).to(dtype), (1.1 * features(m, d, 2) + 0.1).to(dtype)
    ours = metrics.neighbour_scores(real, fake, k=k)
    theirs = prdc_scores(real, fake, k)
    for name in NAMES:
        assert getattr(ours, name) == pytest.approx(theirs[name], abs=1e-12), name


@needs("torch_fidelity")
@pytest.mark.parametrize(
    ("n", "m", "d", "k"),
    [(50, 40, 2, 3), (500, 400, 64, 3), (500, 500, 2048, 5), (2000, 1500, 2, 3)],
)
def test_precision_and_recall_with_torch_fidelity(n, m, d, k):
    real, fake = features(n, d, 1), 1.1 * features(m, d, 2) + 0.1
    ours = metrics.neighbour_scores(real, fake, k=k)
    precision, recall = torch_fidelity_prc(real, fake, k)
    # Their means are float32's.
    assert ours.precision == pytest.approx(precision, abs=1e-6)
    assert ours.recall == pytest.approx(recall, abs=1e-6)


@needs("prdc", "torch_fidelity")
def test_prdc_leaves_the_edge_of_a_ball_out():
    """The balls of Kynkäänniemi et al. 2019 are closed; so are ours and torch-fidelity's.

    Balls of the real points with k = 1: [−10, 10], [9, 11], [10, 12]. The fake at 12 lies on the
    last one's edge, where prdc's ``<`` does not count it.
    """
    real = torch.tensor([[0.0], [10.0], [11.0]], dtype=torch.float64)
    fake = torch.tensor([[12.0], [40.0], [41.0]], dtype=torch.float64)
    third = pytest.approx(1 / 3)
    ours = metrics.neighbour_scores(real, fake, k=1)
    assert (ours.precision, ours.density, ours.coverage) == (third, third, third)
    assert torch_fidelity_prc(real, fake, 1)[0] == third
    theirs = prdc_scores(real, fake, 1)
    assert (theirs["precision"], theirs["density"], theirs["coverage"]) == (0, 0, 0)


@needs("prdc")
def test_prdc_finds_copies_of_real_samples_imprecise():
    """Where each real sample occurs twice, balls of k = 1 have radius 0: open ones are empty."""
    copies = features(40, 64, 3, "isotropic")
    real, fake = torch.cat([copies, copies]), copies
    ours = metrics.neighbour_scores(real, fake, k=1)
    assert (ours.precision, ours.recall, ours.density, ours.coverage) == (1, 1, 2, 1)
    assert prdc_scores(real, fake, 1)["precision"] == 0


@needs("torch_fidelity")
def test_torch_fidelity_loses_distances_far_from_zero():
    """It multiplies float32 features as they are, and ‖x‖² + ‖y‖² − 2x·y cancels their offset.

    It is right again once it is given their widening to float64.
    """
    real, fake = (features(500, 64, seed, "isotropic").float() + 1000 for seed in (1, 2))
    ours = metrics.neighbour_scores(real, fake, k=3)
    exact = torch_fidelity_prc(real.double(), fake.double(), 3)
    assert (ours.precision, ours.recall) == pytest.approx(exact, abs=1e-6)
    theirs = torch_fidelity_prc(real, fake, 3)
    assert min(abs(a - b) for a, b in zip(theirs, exact, strict=True)) > 0.01


# --- the race


@slow
def test_the_race_runs_on_small_sizes(tmp_path):
    """Whether peers are installed or not."""
    root = Path(__file__).parents[2]
    output = tmp_path / "race.json"
    done = subprocess.run(
        [sys.executable, "benchmarks/metrics_race.py", "--quick", "--output", str(output)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(output.read_text())
    assert result["jobs"]
    assert all(job["seconds"]["gqlib"] >= 0 for job in result["jobs"])
