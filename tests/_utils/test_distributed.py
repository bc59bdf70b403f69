"""torch.distributed in a single process; tests of features and of the command start several."""

import pytest
import torch.distributed as dist

from gqlib._utils.distributed import ProcessGroup, raise_on_all_ranks, rank_and_world


@pytest.mark.parametrize("size", [None, "1"])
def test_alone_no_group_is_started(monkeypatch, size):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if size is not None:
        monkeypatch.setenv("WORLD_SIZE", size)
    with ProcessGroup() as first:
        assert first is True
        assert not dist.is_initialized()
        assert rank_and_world() == (0, 1)


def test_a_failure_goes_through_the_group(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with pytest.raises(KeyError, match="weights"), ProcessGroup():
        raise KeyError("weights")


@pytest.fixture
def group_of_one(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("group_of_one")
def test_a_group_of_one_is_like_none():
    assert rank_and_world() == (0, 1)
    assert raise_on_all_ranks(lambda: 3) == 3
    error = KeyError("weights")

    def fail():
        raise error

    with pytest.raises(KeyError) as caught:
        raise_on_all_ranks(fail)
    assert caught.value is error


def test_torchruns_group_is_started_and_ended(monkeypatch):
    calls = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(dist, "init_process_group", lambda backend: calls.append(backend))
    monkeypatch.setattr(dist, "get_rank", lambda: 1)
    monkeypatch.setattr(dist, "destroy_process_group", lambda: calls.append("end"))
    with ProcessGroup() as first:
        assert first is False
        assert calls == ["gloo"]
    assert calls == ["gloo", "end"]
