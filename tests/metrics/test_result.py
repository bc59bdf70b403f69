"""A result converts, exports and shows itself without losing what it knows."""

import dataclasses
import json
import math
import subprocess
import sys

import pytest
import torch

from gqlib.metrics import Interval, KernelResult, Result
from gqlib.metrics.result import check_level, mean_interval, normal_interval


def test_float_and_frozen():
    result = Result(value=1.5, n_real=10, n_fake=20)
    assert float(result) == 1.5
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.value = 2.0


def test_json_holds_every_field_and_is_strict():
    result = KernelResult(
        value=math.inf,
        n_real=None,
        n_fake=3,
        interval=Interval(-1.0, math.nan, 0.95),
        warnings=("a <b> warning",),
        std=0.25,
    )
    back = json.loads(result.json(), parse_constant=lambda name: pytest.fail(name))
    assert back["interval"] == {"low": -1.0, "high": "nan", "level": 0.95}
    assert float(back["value"]) == math.inf
    assert back["n_real"] is None
    assert back["warnings"] == ["a <b> warning"]
    assert back["std"] == 0.25


def test_html_shows_value_sizes_interval_and_escapes():
    page = Result(
        value=0.125, n_real=1234, n_fake=None, interval=Interval(0.1, 0.2, 0.9), warnings=("a<b",)
    )._repr_html_()
    for text in ("0.125", "1,234", "real samples", "90 % interval", "0.1 to 0.2", "a&lt;b"):
        assert text in page
    assert "fake samples" not in page, "there is no such side"


def test_mean_interval_is_students():
    values = torch.tensor([1.0, 2.0, 3.0, 4.0]).double()
    low, high, level = mean_interval(values, 0.95)
    assert level == 0.95
    # t quantile with 3 degrees of freedom: 3.182446; s/√n = 1.290994/2
    assert high - 2.5 == pytest.approx(3.182446305 * 1.290994449 / 2)
    assert low + high == pytest.approx(5.0)


def test_mean_interval_covers():
    draws = torch.randn(2000, 5, generator=torch.Generator().manual_seed(0)).double()
    hits = sum(low <= 0 <= high for low, high, _ in (mean_interval(d, 0.8) for d in draws))
    assert 0.77 < hits / 2000 < 0.83


def test_normal_interval():
    low, high, _ = normal_interval(1.0, 2.0, 0.95)
    assert (low, high) == pytest.approx((1 - 2 * 1.959963985, 1 + 2 * 1.959963985))


@pytest.mark.parametrize("level", [0, 1, -0.5, 95, math.nan])
def test_level_is_a_share(level):
    with pytest.raises(ValueError, match=r"between 0 and 1"):
        check_level(level)


def test_one_sample_has_no_interval():
    with pytest.raises(ValueError, match="at least 2 samples"):
        mean_interval(torch.ones(1).double(), 0.95)


def test_import_is_light():
    code = (
        "import sys, torch; before = set(sys.modules); import gqlib.metrics; "
        "new = {m.split('.')[0] for m in set(sys.modules) - before}; "
        "print(sorted(new & {'scipy', 'matplotlib', 'torchvision', 'pandas', 'IPython'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
