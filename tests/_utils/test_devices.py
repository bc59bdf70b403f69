"""The device that is taken, on machines of every kind."""

import pytest
import torch

from gqlib._utils.devices import device


@pytest.fixture
def machine(monkeypatch):
    """A machine with so many CUDA devices, and with or without Apple's."""

    def make(cuda, mps):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return make


@pytest.mark.parametrize(
    ("cuda", "mps", "best"),
    [(0, False, "cpu"), (0, True, "mps"), (1, False, "cuda:0"), (2, True, "cuda:0")],
)
def test_the_best_there_is(machine, cuda, mps, best):
    machine(cuda, mps)
    assert device() == torch.device(best)
    assert device("cpu") == torch.device("cpu")


def test_by_name(machine):
    machine(2, False)
    assert device("cuda") == torch.device("cuda")
    assert device("cuda:1") == torch.device("cuda:1")


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "gpu", "", "cpu:0"])
def test_what_there_is_not_is_named_with_what_there_is(machine, name):
    machine(0, False)
    with pytest.raises(ValueError, match=f"no device '{name}' on this machine: choose from cpu"):
        device(name)
