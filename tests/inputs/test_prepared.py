"""Everything read once, in memory or in a mapped file, and all bad items named at once."""

import gc
import os
import threading
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gemel.errors import BadItemsError, DataError
from gemel.inputs import Images, Numbers, prepare, prepared


class Counting(Images):
    """Counts how often each value is read, and by how many threads."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.reads: list[Any] = []
        self.threads: set[int] = set()

    def read(self, value: Any, origin: str = "") -> np.ndarray:
        self.reads.append(int(value.ravel()[0]) if isinstance(value, np.ndarray) else value)
        self.threads.add(threading.get_ident())
        return super().read(value, origin)


def pictures(count: int) -> np.ndarray:
    values = np.random.default_rng(0).integers(0, 255, (count, 6, 6), dtype=np.uint8)
    values[:, 0, 0] = np.arange(count) % 256
    return values


@pytest.mark.parametrize("count", [5, 300])
@pytest.mark.parametrize("memory", [None, 0])
def test_each_item_is_read_once_in_order(count: int, memory: int | None) -> None:
    values = pictures(count)
    made = Counting(size=6)
    ready = prepare(made, values, memory=memory)
    assert sorted(made.reads) == sorted((np.arange(count) % 256).tolist())
    assert len(ready) == count
    assert ready.in_memory == (memory is None)
    assert ready.nbytes == count * 36
    assert repr(ready) == (
        f"<Prepared: {count} items, {count * 36:,} bytes in {'' if memory is None else 'a '}"
        f"{'memory' if memory is None else 'mapped file'}>"
    )
    places = np.random.default_rng(1).integers(0, count, 40)
    batch = ready.batch(places)
    assert batch.dtype == torch.uint8
    assert torch.equal(batch, torch.from_numpy(values[places][:, None]))
    batch[:] = 0  # a copy: what is stored stays
    assert torch.equal(ready.batch(places), torch.from_numpy(values[places][:, None]))
    assert len(made.reads) == count
    assert (len(made.threads) > 1) == (count == 300)
    assert ready.kept.tolist() == list(range(count))
    assert ready.skipped == ()


@pytest.mark.parametrize("memory", [None, 0])
def test_bad_items_are_all_named_or_left_out(tmp_path: Path, memory: int | None) -> None:
    values: list[Any] = list(pictures(6))
    values[1], values[4] = tmp_path / "absent.png", np.zeros((2, 2, 2, 2), np.uint8)
    origins = [f"list.csv row {i}" for i in range(6)]
    with pytest.raises(BadItemsError, match="2 bad items in my list") as caught:
        prepare(Images(6), values, origins, memory=memory, name="my list")
    assert [problem.where for problem in caught.value.problems] == [origins[1], origins[4]]
    assert all(not problem.what.startswith("list.csv") for problem in caught.value.problems)
    ready = prepare(Images(6), values, origins, skip_bad=True, memory=memory)
    assert ready.kept.tolist() == [0, 2, 3, 5]
    assert ready.skipped == caught.value.problems
    assert ready.origins == [origins[i] for i in (0, 2, 3, 5)]
    assert ready.in_memory == (memory is None)
    wanted = torch.from_numpy(np.stack([values[i][None] for i in (0, 2, 3, 5)]))
    assert torch.equal(ready.batch(np.arange(4)), wanted)


def test_bad_items_among_many_are_named_in_order() -> None:
    values: list[Any] = list(pictures(600))
    for item in (599, 3, 250):
        values[item] = "absent.png"
    with pytest.raises(BadItemsError) as caught:
        prepare(Images(6), values, [str(i) for i in range(600)])
    assert [problem.where for problem in caught.value.problems] == ["3", "250", "599"]


def test_nothing_readable_is_an_error_even_when_skipping() -> None:
    with pytest.raises(BadItemsError, match="3 bad items in the items to read"):
        prepare(Numbers(2), [[1], [2], [3]], skip_bad=True)


def test_no_items_are_no_error() -> None:
    assert prepare(Images(6), []).batch(np.zeros(0, np.int64)).shape == (0, 1, 6, 6)


def test_items_without_origins_are_called_by_path_or_number(tmp_path: Path) -> None:
    with pytest.raises(BadItemsError) as caught:
        prepare(Images(6), [tmp_path / "a.png", "b.png", b"no picture"])
    assert [problem.where for problem in caught.value.problems] == [
        str(tmp_path / "a.png"),
        "b.png",
        "item 2",
    ]


def test_other_errors_are_not_swallowed() -> None:
    class Broken(Images):
        def read(self, value: Any, origin: str = "") -> np.ndarray:
            raise ZeroDivisionError

    for count in (3, 400):
        with pytest.raises(ZeroDivisionError):
            prepare(Broken(6), pictures(count), skip_bad=True)


def test_the_mapped_file_goes_with_the_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prepared.tempfile, "tempdir", str(tmp_path))
    ready = prepare(Numbers(3), np.ones((100, 3)), memory=1199)
    assert not ready.in_memory
    open_files = Path("/proc/self/maps")
    if os.name == "posix":
        assert list(tmp_path.iterdir()) == []  # it never had a name: nothing can be left behind
    if open_files.exists():
        assert str(tmp_path) in open_files.read_text()
        del ready
        gc.collect()
        assert str(tmp_path) not in open_files.read_text()
    assert prepare(Numbers(3), np.ones((100, 3)), memory=1200).in_memory


def test_a_disk_without_room_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(prepared.shutil, "disk_usage", lambda path: usage(10_000, 9_000, 1_000))
    with pytest.raises(DataError, match=r"take 1,200 bytes; 50 bytes of memory and 1,000 bytes of"):
        prepare(Numbers(3), np.ones((100, 3)), memory=50)


def test_free_memory_is_the_least_of_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        "/proc/meminfo": "MemTotal:  9000 kB\nMemAvailable:    5000 kB\n",
        "/sys/fs/cgroup/memory.max": "4000000\n",
        "/sys/fs/cgroup/memory.current": "1000000\n",
    }
    monkeypatch.setattr(prepared.Path, "is_file", lambda path: str(path) in said)
    monkeypatch.setattr(prepared.Path, "read_text", lambda path: said[str(path)])
    assert prepared.free_memory() == 3_000_000
    assert prepared.free_memory(0.5) == 1_500_000
    said["/sys/fs/cgroup/memory.max"] = "max\n"
    assert prepared.free_memory() == 5_120_000
    said["/proc/meminfo"] = "MemTotal:  9000 kB\n"
    values = {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(prepared.os, "sysconf", values.__getitem__, raising=False)
    monkeypatch.setattr(prepared.os, "sysconf_names", values, raising=False)
    assert prepared.free_memory() == 2_048_000
    monkeypatch.setattr(prepared.os, "sysconf_names", {})
    assert prepared.free_memory() == 2 * 2**30
