"""Extraction: order, batches, threads, the cache in all its troubles, several processes."""

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gqlib._utils.cache_folder import feature_cache
from gqlib._utils.distributed import end_process_group, raise_on_all_ranks
from gqlib.evaluation.sources import ImageArray, Images, open_source
from gqlib.features import cache as shelf
from gqlib.features.extraction import Extracted, extract, gather

RANDOM = np.random.default_rng(0)
PICTURES = RANDOM.integers(0, 256, (23, 3, 6, 5), dtype=np.uint8)


class Fake:
    """Six features of an image, three probabilities; counts what it is asked to do."""

    resize, batch_size, cacheable = "none", 64, True

    def __init__(self, name="fake sha256:0123", dims=6, classes=3):
        self.name, self.dims, self.classes = name, dims, classes
        self.images, self.batches, self.prepared = 0, [], 0
        self.weights = torch.randn(90, 9, generator=torch.Generator().manual_seed(0))
        self.lock = threading.Lock()

    def prepare(self, image):
        with self.lock:
            self.prepared += 1
        return image.flatten().to(torch.float32) / 255

    def features_and_probabilities(self, batch):
        self.images += len(batch)
        self.batches.append(len(batch))
        values = batch @ self.weights[: batch.shape[1]]
        return values[:, :6], values[:, 6:].softmax(1) if self.classes else None

    def __call__(self, batch):
        return self.features_and_probabilities(batch)[0]

    def probabilities(self, batch):
        return self.features_and_probabilities(batch)[1]


def expected(pictures=PICTURES):
    values = torch.from_numpy(pictures).flatten(1) / 255 @ Fake().weights
    return values[:, :6], values[:, 6:].softmax(1)


def folder(path, pictures, names=None):
    path.mkdir(parents=True, exist_ok=True)
    for i, picture in enumerate(pictures):
        name = f"{i:03}.png" if names is None else names[i]
        Image.fromarray(picture.transpose(1, 2, 0)).save(path / name)
    return open_source(path)


def database(cache):
    return closing(sqlite3.connect(Path(cache) / shelf._FILE, isolation_level=None))


def batches(cache):
    """The number of rows of each batch in the database."""
    with database(cache) as file:
        return [n // 32 for (n,) in file.execute("SELECT length(images) FROM batches ORDER BY 1")]


@pytest.fixture
def images():
    return ImageArray(PICTURES, "pictures")


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


#: With these, a cache's batches are small.
SMALL = shelf.Limits(rows=4)


# The result


@pytest.mark.parametrize("batch_size", [1, 4, 23, 64])
@pytest.mark.parametrize("workers", [1, 3, None])
def test_features_in_order_whatever_the_batches(images, batch_size, workers):
    got = extract(images, Fake(), batch_size=batch_size, workers=workers, with_probabilities=True)
    features, probabilities = expected()
    torch.testing.assert_close(got.features, features)
    torch.testing.assert_close(got.probabilities, probabilities)
    assert got.features.dtype == torch.float32
    assert (len(got), got.computed, got.cached, got.warnings) == (23, 23, 0, ())


def test_a_folder(tmp_path):
    source = folder(tmp_path / "a", PICTURES)
    torch.testing.assert_close(extract(source, Fake()).features, expected()[0])
    assert extract(source, Fake()).probabilities is None


def test_batches_are_full(images):
    fake = Fake()
    extract(images, fake, batch_size=10)
    assert fake.batches == [10, 10, 3]


def test_what_is_wrong_with_the_images_is_handed_on(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "notes.txt").touch()
    source = folder(tmp_path / "a", PICTURES)
    assert extract(source, Fake()).warnings == source.warnings != ()


def test_equal_images_are_computed_once(cache):
    order = [0, 1, 0, 2, 2, 1, 0, 3]
    fake, seen = Fake(), []
    got = extract(
        ImageArray(PICTURES[order]),
        fake,
        batch_size=3,
        cache=cache,
        with_probabilities=True,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert fake.images == fake.prepared == 4
    assert seen == [(0, 8), (7, 8), (8, 8)]
    for i, source in enumerate(order):
        first = order.index(source)
        assert torch.equal(got.features[i], got.features[first])
        assert torch.equal(got.probabilities[i], got.probabilities[first])
    torch.testing.assert_close(got.features, expected(PICTURES[order])[0])


def test_threads_run_ahead_of_the_network_but_not_far(images):
    """While a batch is computed the next one is prepared, and no more than that."""

    class Slow(Fake):
        ahead = 0

        def features_and_probabilities(self, batch):
            time.sleep(0.05)
            self.ahead = max(self.ahead, self.prepared - self.images - len(batch))
            return super().features_and_probabilities(batch)

    slow = Slow()
    extract(ImageArray(np.concatenate([PICTURES, PICTURES[:, :, ::-1]])), slow, batch_size=4)
    assert 4 <= slow.ahead <= 4 + 8 + 1


def test_images_are_prepared_in_several_threads(images):
    class Meeting(Fake):
        met = 0
        barrier = threading.Barrier(3)

        def prepare(self, image):
            prepared = super().prepare(image)
            with self.lock:
                self.met = self.met + 1
                early = self.met <= 3
            if early:
                self.barrier.wait(timeout=10)  # fails unless three come together
            return prepared

    extract(images, Meeting(), workers=3)
    assert threading.active_count() < 10


def test_progress(images, capsys):
    extract(images, Fake())
    assert capsys.readouterr() == ("", "")
    extract(images, Fake(), progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "pictures: 100%" in err
    assert "23/23" in err
    assert "image/s" in err


def test_progress_counts_what_is_cached_at_once(images, cache, capsys):
    extract(ImageArray(PICTURES[:20]), Fake(), cache=cache)
    seen = []
    extract(
        images, Fake(), cache=cache, progress=lambda done, n: seen.append((done, n)), batch_size=2
    )
    assert seen == [(20, 23), (22, 23), (23, 23)]
    extract(images, Fake(), cache=cache, progress=True)
    assert "23/23" in capsys.readouterr().err


# The cache


def test_a_second_run_computes_nothing_and_gives_the_same_bits(images, cache):
    for asked in (True, False):
        first = extract(images, Fake(), cache=cache, with_probabilities=True, batch_size=5)
        fake = Fake()
        second = extract(images, fake, cache=cache, with_probabilities=asked, batch_size=7)
        assert (fake.images, fake.prepared) == (0, 0)
        assert (second.computed, second.cached) == (0, 23)
        assert torch.equal(first.features, second.features)
        if asked:
            assert torch.equal(first.probabilities, second.probabilities)
        else:
            assert second.probabilities is None


def test_renamed_and_reordered_files_are_found(tmp_path, cache):
    first = extract(folder(tmp_path / "a", PICTURES), Fake(), cache=cache)
    names = [f"x/{len(PICTURES) - i:02}.png" for i in range(len(PICTURES))]
    (tmp_path / "b" / "x").mkdir(parents=True)
    fake = Fake()
    second = extract(folder(tmp_path / "b", PICTURES, names), fake, cache=cache)
    assert fake.images == 0
    assert torch.equal(second.features, first.features.flip(0))


def test_changed_content_is_not_found(tmp_path, cache):
    extract(folder(tmp_path / "a", PICTURES), Fake(), cache=cache)
    changed = PICTURES.copy()
    changed[7, 0, 0, 0] ^= 1
    fake = Fake()
    got = extract(folder(tmp_path / "a", changed), fake, cache=cache)
    assert fake.images == 1
    torch.testing.assert_close(got.features, expected(changed)[0])


def test_other_extractors_and_resize_modes_have_their_own(images, cache):
    extract(images, Fake(), cache=cache)
    other = Fake("fake sha256:4567")
    resized = Fake()
    resized.resize = "bilinear"
    for fake in (other, resized):
        extract(images, fake, cache=cache)
        assert fake.images == 23


def test_a_name_that_tells_nothing_of_the_function_is_not_cached(images, cache):
    unnamed = Fake("__main__:<lambda>")
    unnamed.cacheable = False
    extract(images, unnamed, cache=cache)
    assert not cache.exists()
    extract(images, Fake("mine:f, version 3"), cache=cache)
    assert batches(cache) == [23]
    unwilling = Fake()
    unwilling.cacheable = False
    extract(images, unwilling, cache=cache)
    extract(images, unwilling, cache=cache)
    assert unwilling.images == 46


def test_probabilities_are_added_to_rows_that_lack_them(images, cache):
    class Rounding(Fake):
        """Each call rounds in its own way, as batches of other sizes do."""

        def features_and_probabilities(self, batch):
            features, probabilities = super().features_and_probabilities(batch)
            return features * (1 + 1e-6 * len(self.batches)), probabilities

    fake = Rounding()
    first = extract(images, fake, cache=cache)
    second = extract(images, fake, cache=cache, with_probabilities=True)
    assert fake.images == 46
    assert (second.computed, second.cached) == (23, 0)
    torch.testing.assert_close(second.probabilities, expected()[1])
    third = extract(images, fake, cache=cache, with_probabilities=True)
    fourth = extract(images, fake, cache=cache)
    assert fake.images == 46
    for other in (second, third, fourth):
        assert torch.equal(first.features, other.features)
    assert torch.equal(second.probabilities, third.probabilities)


def test_an_extractor_without_probabilities_is_asked_once(images, cache):
    fake = Fake(classes=0)
    for _ in range(2):
        got = extract(images, fake, cache=cache, with_probabilities=True)
        assert got.probabilities is None
    assert fake.images == 23


def test_batches_in_the_cache_are_small(images, cache):
    extract(images, Fake(), cache=cache, batch_size=10, limits=SMALL)
    assert sum(batches(cache)) == 23
    assert max(batches(cache)) == 4


def test_batches_of_wide_rows_have_few(images, cache):
    extract(images, Fake(), cache=cache, limits=shelf.Limits(size=6 * 4 * 2))
    assert batches(cache) == [1] + [2] * 11


def test_a_slow_network_loses_seconds_and_not_rows(images, cache):
    extract(images, Fake(), cache=cache, batch_size=10, limits=shelf.Limits(seconds=0.0))
    assert batches(cache) == [3, 10, 10]


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize(
    "change",
    [
        "features = CAST(substr(features, 1, 50) || x'00' || substr(features, 52) AS BLOB)",
        "features = substr(features, 1, 24)",
        "features = NULL",
        "features = 'text'",
        "images = substr(images, 1, 16)",
        "images = 5",
        "probabilities = x''",
        "probabilities = 1.5",
        "checksum = NULL",
    ],
)
def test_damaged_batches_are_ignored_and_replaced(images, cache, change, asked):
    first = extract(
        images, Fake(), cache=cache, batch_size=4, with_probabilities=asked, limits=SMALL
    )
    with database(cache) as file:
        file.execute(f"UPDATE batches SET {change} WHERE rowid = 3")
    fake = Fake()
    second = extract(images, fake, cache=cache, with_probabilities=asked)
    assert fake.images == 4
    assert second.warnings == ()
    torch.testing.assert_close(first.features, second.features)
    if asked:
        torch.testing.assert_close(first.probabilities, second.probabilities)
    fake = Fake()
    extract(images, fake, cache=cache, with_probabilities=asked)
    assert fake.images == 0


def spoil_text(path):
    path.write_text("<html>" * 100)


def spoil_cut(path):
    path.write_bytes(path.read_bytes()[:65_536])


def spoil_header(path):
    content = bytearray(path.read_bytes())
    content[19] = 77  # a version that SQLite does not know
    path.write_bytes(content)


def spoil_schema_format(path):
    content = bytearray(path.read_bytes())
    content[47] = 9
    path.write_bytes(content)


def spoil_schema_text(path):
    path.write_bytes(
        path.read_bytes().replace(b"CREATE TABLE batches", b"\x8aREATE TABLE b\xfftches")
    )


def spoil_root(path):
    """The list of batches: their numbers come out of order."""
    content = bytearray(path.read_bytes())
    content[-700:-200] = bytes(500)
    path.write_bytes(content)


def spoil_foreign(path):
    path.unlink()
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE diary (day)")


def spoil_table(path):
    path.unlink()
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE batches (day)")


@pytest.mark.parametrize(
    "spoil",
    [
        *(spoil_text, spoil_cut, spoil_header, spoil_schema_format, spoil_schema_text),
        *(spoil_root, spoil_foreign, spoil_table),
    ],
)
def test_a_damaged_or_foreign_database_is_set_aside(images, cache, spoil):
    extract(images, Fake(), cache=cache, limits=SMALL)
    path = cache / shelf._FILE
    spoil(path)
    spoiled = path.read_bytes()
    got = extract(images, Fake(), cache=cache, limits=SMALL)
    torch.testing.assert_close(got.features, expected()[0])
    (warning,) = got.warnings
    assert warning.startswith(f"{path} is damaged or not a cache of gqlib: ")
    assert "renamed to features-1.damaged, and what it held is computed again" in warning
    assert path.with_suffix(".damaged").read_bytes() == spoiled
    fake = Fake()
    assert extract(images, fake, cache=cache).warnings == ()
    assert fake.images == 0


def test_a_database_that_cannot_be_set_aside_is_a_warning(images, cache, monkeypatch):
    cache.mkdir()
    spoil_text(cache / shelf._FILE)

    def refuse(self, target):
        raise PermissionError(errno.EACCES, "another process is using the file")

    monkeypatch.setattr(Path, "replace", refuse)
    got = extract(images, Fake(), cache=cache)
    torch.testing.assert_close(got.features, expected()[0])
    (warning,) = got.warnings
    assert "could not be kept in" in warning
    assert "(another process is using the file)" in warning


def test_an_empty_file_is_an_empty_cache(images, cache):
    cache.mkdir()
    (cache / shelf._FILE).touch()
    assert extract(images, Fake(), cache=cache).warnings == ()
    assert batches(cache) == [23]


def test_files_that_are_not_ours_stay(images, cache):
    cache.mkdir()
    (cache / "notes.npz").touch()
    (cache / "features-2.sqlite").write_text("of a later version")
    assert extract(images, Fake(), cache=cache).warnings == ()
    assert (cache / "notes.npz").exists()
    assert (cache / "features-2.sqlite").read_text() == "of a later version"


def test_a_cache_that_cannot_be_made_is_a_warning(images, tmp_path):
    (tmp_path / "file").touch()
    got = extract(images, Fake(), cache=tmp_path / "file")
    torch.testing.assert_close(got.features, expected()[0])
    assert len(got.warnings) == 1
    assert "could not be kept in" in got.warnings[0]
    assert "will be computed again" in got.warnings[0]


def test_a_full_disk_is_a_warning(images, cache, monkeypatch):
    class Small(sqlite3.Connection):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            super().execute("PRAGMA page_size = 65536")
            super().execute("PRAGMA max_page_count = 3")

    class Wide(Fake):
        def features_and_probabilities(self, batch):
            return super().features_and_probabilities(batch)[0].repeat(1, 1000), None

    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *args, **options: connect(*args, factory=Small, **options)
    )
    got = extract(images, Wide(dims=6000), cache=cache, batch_size=4, limits=SMALL)
    torch.testing.assert_close(got.features, expected()[0].repeat(1, 1000))
    (warning,) = got.warnings
    assert "could not be kept in" in warning
    assert "(database or disk is full)" in warning
    assert batches(cache) == [4]
    fake = Wide(dims=6000)
    assert extract(images, fake, cache=cache).cached == 4


def test_a_cache_that_can_only_be_read_is_read(images, cache, monkeypatch):
    extract(ImageArray(PICTURES[:20]), Fake(), cache=cache)
    connect = sqlite3.connect

    def read_only(path, **options):
        return connect(f"{path.as_uri()}?mode=ro", uri=True, **options)

    monkeypatch.setattr(sqlite3, "connect", read_only)
    fake = Fake()
    got = extract(images, fake, cache=cache)
    torch.testing.assert_close(got.features, expected()[0])
    assert fake.images == 3
    (warning,) = got.warnings
    assert "could not be kept in" in warning
    assert "(attempt to write a readonly database)" in warning


def test_a_database_that_stays_locked_is_a_warning(images, cache):
    extract(ImageArray(PICTURES[:20]), Fake(), cache=cache)
    with database(cache) as other:
        other.execute("BEGIN IMMEDIATE")
        fake = Fake()
        # It can be read meanwhile.
        got = extract(images, fake, cache=cache, limits=shelf.Limits(patience=0.1))
    torch.testing.assert_close(got.features, expected()[0])
    assert fake.images == 3
    (warning,) = got.warnings
    assert "(database is locked)" in warning


class Interrupted(Fake):
    def features_and_probabilities(self, batch):
        if self.images >= 10:
            raise KeyboardInterrupt
        return super().features_and_probabilities(batch)


def test_ctrl_c_keeps_all_that_was_computed(images, cache):
    with pytest.raises(KeyboardInterrupt):
        extract(images, Interrupted(), cache=cache, batch_size=5)
    fake = Fake()
    got = extract(images, fake, cache=cache)
    assert fake.images == 13
    assert (got.computed, got.cached) == (13, 10)
    torch.testing.assert_close(got.features, expected()[0])
    assert threading.active_count() < 10


def test_a_damaged_image_loses_nothing_before_it(tmp_path, cache):
    source = folder(tmp_path / "a", PICTURES)
    whole = (tmp_path / "a" / "012.png").read_bytes()
    (tmp_path / "a" / "012.png").write_bytes(whole[:-60])
    with pytest.raises(ValueError, match=r"012\.png is damaged or cut short"):
        extract(source, Fake(), cache=cache, batch_size=4)
    fake = Fake()
    (tmp_path / "a" / "012.png").write_bytes(whole)
    extract(source, fake, cache=cache)
    assert fake.images == 11


SCRIPT = """
import sys, time
sys.path.insert(0, sys.argv[1])
from test_extraction import SMALL, Fake, PICTURES, ImageArray, extract

class Slow(Fake):
    def features_and_probabilities(self, batch):
        time.sleep(float(sys.argv[3]))
        result = super().features_and_probabilities(batch)
        print(self.images, flush=True)
        return result

extract(ImageArray(PICTURES), Slow(), cache=sys.argv[2], batch_size=2, limits=SMALL)
print("done", flush=True)
"""


def start(cache, seconds):
    command = [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), str(cache), str(seconds)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal")
def test_a_killed_run_is_resumed(images, cache):
    with start(cache, 0.2) as process:
        for line in process.stdout:
            if int(line) == 10:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    kept = sum(batches(cache))
    assert kept in (8, 10, 12)  # all but the last batch; killing takes a moment
    fake = Fake()
    got = extract(images, fake, cache=cache)
    assert fake.images == 23 - kept
    torch.testing.assert_close(got.features, expected()[0])


def test_several_processes_share_a_cache(images, cache):
    processes = [start(cache, 0.0) for _ in range(3)]
    for process in processes:
        out, _ = process.communicate(timeout=60)
        assert out.endswith("done\n")
    fake = Fake()
    got = extract(images, fake, cache=cache)
    assert fake.images == 0
    torch.testing.assert_close(got.features, expected()[0])


def test_several_threads_share_a_cache(cache):
    got, limits = [None] * 4, shelf.Limits(rows=2)

    def work(i):
        got[i] = extract(
            ImageArray(PICTURES), Fake(), cache=cache, batch_size=3, workers=2, limits=limits
        )

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in got:
        torch.testing.assert_close(one.features, expected()[0])


def test_where_features_are_kept(monkeypatch, tmp_path):
    monkeypatch.delenv("GQLIB_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert feature_cache() == tmp_path / ".cache" / "gqlib" / "features"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert feature_cache() == tmp_path / "local" / "gqlib" / "features"
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert feature_cache() == tmp_path / "xdg" / "gqlib" / "features"
    monkeypatch.setenv("GQLIB_CACHE", str(tmp_path / "own"))
    assert feature_cache() == tmp_path / "own"


# Several processes as one


def test_shares_of_processes(images):
    whole = extract(images, Fake())
    for world in (2, 3, 30):
        for rank in range(world):
            part = extract(images, Fake(), shard=(rank, world))
            torch.testing.assert_close(part.features, whole.features[rank::world])


def test_gather_alone_gives_back_what_it_got(images):
    whole = extract(images, Fake())
    assert gather(whole, 23) is whole
    with pytest.raises(ValueError, match=r"process 0 of 1 has the features of 23 images, exp.* 24"):
        gather(whole, 24)


def _process(rank, world, store, folder, counts):
    import torch.distributed as dist

    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=world)
    try:
        for n in counts:
            images = ImageArray(PICTURES[:n])
            for asked in (True, False):
                part = extract(
                    images, Fake(dims=None), shard=(rank, world), with_probabilities=asked
                )
                whole = gather(part, n)
                torch.save((whole.features, whole.probabilities), f"{folder}/{n}-{asked}-{rank}.pt")
                assert whole.computed == n
        warned = Extracted(torch.zeros(1, 2), warnings=("both", f"of {rank}"))
        assert gather(warned, 2).warnings == ("both", "of 0", "of 1")
        for shapes, message in (
            ([(3, 2), (3, 2)], "process 1 of 2 has the features of 3 images, expected 2 of 5"),
            ([(3, 2), (2, 4)], r"the processes have \[2, 4\] features"),
        ):
            with pytest.raises(ValueError, match=message):
                gather(Extracted(torch.zeros(shapes[rank])), 5)
        assert raise_on_all_ranks(lambda: rank) == rank
        for failing, error, message in (
            ({1}, FileNotFoundError("b.png has vanished"), "^b.png has vanished$"),
            ({0, 1}, ValueError(f"b{rank}.png is damaged"), "^b0.png is damaged$"),
            ({1}, KeyError("weights"), "^process 1 failed with KeyError: 'weights'$"),
        ):
            with pytest.raises(ValueError, match=message) as caught:
                raise_on_all_ranks(
                    lambda failing=failing, error=error: _fail(rank in failing, error)
                )
            assert caught.value.__cause__ is (error if rank in failing else None)
    finally:
        end_process_group()


def _fail(wanted, error):
    if wanted:
        raise error


def test_work_alone_fails_in_its_own_way():
    assert raise_on_all_ranks(lambda: 3) == 3
    with pytest.raises(KeyError, match="weights"):
        raise_on_all_ranks(lambda: _fail(True, KeyError("weights")))


def test_two_processes_gather_the_whole_in_order(tmp_path):
    counts = (23, 4, 1)
    torch.multiprocessing.spawn(
        _process, (2, tmp_path / "store", str(tmp_path), counts), nprocs=2, daemon=True
    )
    for n in counts:
        features, probabilities = expected(PICTURES[:n])
        for asked in (True, False):
            for rank in range(2):
                got = torch.load(tmp_path / f"{n}-{asked}-{rank}.pt")
                torch.testing.assert_close(got[0], features)
                if asked:
                    torch.testing.assert_close(got[1], probabilities)
                else:
                    assert got[1] is None


def _often(rank, store):
    import torch.distributed as dist

    for i in range(20):
        dist.init_process_group("gloo", init_method=f"file://{store}{i}", rank=rank, world_size=2)
        part = torch.zeros(3, 2)
        for r in range(2):
            dist.broadcast(part[:2], r)
        end_process_group()
        assert not dist.is_initialized()


@pytest.mark.timeout(120)
def test_a_process_group_ends_whatever_gloo_still_holds(tmp_path):
    torch.multiprocessing.spawn(_often, (tmp_path / "store",), nprocs=2, daemon=True)


# Bad input


class Returning(Fake):
    """An extractor that answers with a function of the batch."""

    def __init__(self, answer, **options):
        super().__init__(**options)
        self.answer = answer

    def features_and_probabilities(self, batch):
        return self.answer(batch), None


class Refusing(Fake):
    def prepare(self, image):
        raise ValueError("an image is too small, expected 7 rows: enlarge it")


class Changing(Images):
    """Each look at it finds another content."""

    name = "changing"

    def __init__(self):
        self.looks = 0

    def __len__(self):
        return 2

    def read(self, i):
        return torch.zeros(1, 2, 2, dtype=torch.uint8)

    def key(self, i):
        self.looks += 1
        return self.looks.to_bytes(32, "little")

    @property
    def sizes(self):
        return {}


def mixed_sizes(path):
    folder(path, PICTURES[:2])
    Image.fromarray(PICTURES[3, 0, :3]).convert("RGB").save(path / "zz.png")
    return open_source(path)


@pytest.mark.parametrize(
    ("source", "fake", "options", "fragment"),
    [
        (None, Fake(), {"batch_size": 0}, "batch_size is 0, expected at least 1"),
        (None, Fake(), {"workers": 0}, "workers is 0, expected at least 1"),
        (None, Fake(), {"shard": (2, 2)}, r"shard is (2, 2), expected (rank, number)"),
        (None, Fake(), {"shard": (0, 0)}, r"shard is (0, 0), expected (rank, number)"),
        (None, Fake(), {"shard": (-1, 2)}, r"shard is (-1, 2), expected (rank, number)"),
        (mixed_sizes, Fake(), {}, "zz.png becomes [45] and"),
        (None, Refusing(), {}, "image 0 of pictures: an image is too small, expected 7 rows"),
        (Changing(), Fake(), {}, "image 0 of changing changed while it was being read"),
        (None, Returning(lambda x: x[0]), {}, "gave features of shape [90] for a batch of 23"),
        (None, Returning(lambda x: x[1:]), {}, "gave features of shape [22, 90] for a batch of 23"),
        (None, Returning(lambda x: 3.0), {}, "gave features of shape float for a batch"),
        (None, Returning(lambda x: x / 0), {}, "gave features that are NaN or infinite, for 23 of"),
        (None, Returning(lambda x: x[:, :5]), {}, "gave 5 features an image, expected its 6"),
        (
            None,
            Returning(lambda x: x[:, : len(x)], dims=None),
            {"batch_size": 20},
            "gives 20 features for some images and 3 for others",
        ),
    ],
)
def test_bad_input(tmp_path, images, source, fake, options, fragment):
    if source is mixed_sizes:
        source = mixed_sizes(tmp_path)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the text is compared below)
        extract(source or images, fake, **options)
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)
