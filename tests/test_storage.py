"""Files of tensors and JSON: bit for bit, at once or not at all, and refused in words."""

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

import gemel
from gemel import storage
from gemel.errors import ModelFileError

FACTS = {
    "name": "ädä",
    "rate": 0.1 + 0.2,
    "sizes": [1, 2],
    "on": True,
    "none": None,
    "deep": {"a": 1},
}
DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.uint8,
    torch.bool,
]


def tensors() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(3, 4, generator=generator)
    odd = torch.tensor([float("nan"), float("inf"), -0.0, 1e-45])
    return {
        **{f"kinds/{dtype}": (noise * 9).to(dtype) for dtype in DTYPES},
        "odd": odd,
        "scalar": torch.tensor(7),
        "empty": torch.zeros(0, 5),
        "turned": noise.T,
        "strided": noise[:, ::2],
    }


def bits(tensor: Tensor) -> bytes:
    raw: np.ndarray[Any, Any] = tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
    return raw.tobytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.gemel"


def raw_file(path: Path, text: str | None) -> None:
    """A valid safetensors file with `text` where gemel keeps its facts."""
    save_file({"w": torch.ones(2)}, path, metadata=None if text is None else {"gemel": text})


class TestRoundTrip:
    def test_to_the_bit(self, path: Path) -> None:
        wanted = tensors()
        storage.write(path, "model", wanted, FACTS)
        got, facts = storage.read(path, "model")
        assert got.keys() == wanted.keys()
        for name, tensor in wanted.items():
            assert (got[name].dtype, got[name].shape) == (tensor.dtype, tensor.shape), name
            assert bits(got[name]) == bits(tensor), name
        assert facts == FACTS | {"kind": "model", "format": storage.FORMAT}

    def test_same_content_same_bytes(self, path: Path) -> None:
        storage.write(path, "model", tensors(), FACTS)
        first = path.read_bytes()
        storage.write(path, "model", tensors(), FACTS)
        assert path.read_bytes() == first

    def test_tensors_that_share_memory_are_each_whole(self, path: Path) -> None:
        weight = torch.arange(6.0).reshape(2, 3)
        storage.write(path, "model", {"a": weight, "b": weight, "row": weight[1]}, {})
        got, _ = storage.read(path, "model")
        assert torch.equal(got["a"], weight)
        assert torch.equal(got["b"], weight)
        assert got["row"].tolist() == [3, 4, 5]

    def test_weights_that_are_learned(self, path: Path) -> None:
        weight = torch.nn.Parameter(torch.ones(2))
        storage.write(path, "model", {"w": weight}, {})
        got, _ = storage.read(path, "model")
        assert torch.equal(got["w"], torch.ones(2))
        assert not got["w"].requires_grad

    def test_facts_do_not_hide_kind_and_format(self, path: Path) -> None:
        """What was read can be written again as another kind."""
        storage.write(path, "model", {}, {"kind": "cat", "format": 99})
        _, facts = storage.read(path, "model")
        storage.write(path, "checkpoint", {}, facts)
        assert storage.read(path, "checkpoint")[1]["kind"] == "checkpoint"

    def test_no_tensors_no_facts(self, path: Path) -> None:
        storage.write(path, "model", {}, {})
        assert storage.read(path, "model") == ({}, {"kind": "model", "format": storage.FORMAT})

    def test_header_is_plain_json(self, path: Path) -> None:
        """Another program can read the facts with nothing but JSON."""
        storage.write(path, "model", {"w": torch.ones(1)}, FACTS)
        raw = path.read_bytes()
        (length,) = struct.unpack("<Q", raw[:8])
        header = json.loads(raw[8 : 8 + length])
        assert json.loads(header["__metadata__"]["gemel"])["name"] == "ädä"

    def test_versions(self) -> None:
        assert storage.versions() == {"gemel": gemel.__version__, "torch": str(torch.__version__)}


class TestAtomic:
    @pytest.fixture
    def old(self, path: Path) -> bytes:
        storage.write(path, "model", {"w": torch.ones(3)}, {"which": "old"})
        return path.read_bytes()

    @pytest.mark.parametrize("where", ["save_file", "fsync", "replace"])
    @pytest.mark.parametrize("what", [OSError(28, "No space left on device"), KeyboardInterrupt()])
    def test_failure_leaves_the_old_file_alone(
        self,
        path: Path,
        old: bytes,
        where: str,
        what: BaseException,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def half_written(_: Any, file: Path, **__: Any) -> None:
            file.write_bytes(b"half of it")
            raise what

        def fail(*_: Any) -> None:
            raise what

        if where == "save_file":
            monkeypatch.setattr(storage, "save_file", half_written)
        elif where == "fsync":
            monkeypatch.setattr(os, "fsync", fail)
        else:
            monkeypatch.setattr(Path, "replace", fail)
        expected = ModelFileError if isinstance(what, OSError) else KeyboardInterrupt
        message = "cannot write .*a.gemel: .*No space left.*have room"
        with pytest.raises(expected, match=message if expected is ModelFileError else None):
            storage.write(path, "model", {"w": torch.zeros(3)}, {"which": "new"})
        assert path.read_bytes() == old
        assert [file.name for file in path.parent.iterdir()] == ["a.gemel"]

    def test_success_leaves_nothing_else(self, path: Path, old: bytes) -> None:
        storage.write(path, "model", {"w": torch.zeros(3)}, {"which": "new"})
        assert path.read_bytes() != old
        assert [file.name for file in path.parent.iterdir()] == ["a.gemel"]

    def test_new_file_appears_whole(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """What lies at `path` is never a part of a file: it gets there by one rename."""
        renamed: list[bytes] = []
        replace = Path.replace

        def watched(self: Path, target: Path) -> Path:
            assert not path.exists()
            renamed.append(self.read_bytes())
            return replace(self, target)

        monkeypatch.setattr(Path, "replace", watched)
        storage.write(path, "model", {"w": torch.zeros(3)}, {})
        assert renamed == [path.read_bytes()]

    @pytest.mark.parametrize("bad", [float("nan"), float("inf"), {1, 2}, Path("x")])
    def test_facts_that_are_no_json(self, path: Path, old: bytes, bad: Any) -> None:
        message = "cannot write .*a.gemel: .*what describes the model must be texts, finite numbers"
        with pytest.raises(ModelFileError, match=message):
            storage.write(path, "model", {}, {"threshold": bad})
        assert path.read_bytes() == old


class TestWhereItCannotBeWritten:
    def test_folder_is_missing(self, tmp_path: Path) -> None:
        path = tmp_path / "no" / "a.gemel"
        with pytest.raises(ModelFileError, match=r"cannot write .*no/a.gemel: .*folder must exist"):
            storage.write(path, "model", {}, {})
        assert not path.parent.exists()

    def test_below_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("here")
        with pytest.raises(ModelFileError, match=r"cannot write .*file/a.gemel: .*folder must"):
            storage.write(tmp_path / "file" / "a.gemel", "model", {}, {})
        assert (tmp_path / "file").read_text() == "here"

    @pytest.mark.parametrize("name", ["", "."])
    def test_is_a_folder(self, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        for path in (Path(name), tmp_path):
            with pytest.raises(
                ModelFileError, match=r"cannot write .*: it is a folder; name a file"
            ):
                storage.write(path, "model", {}, {})
        assert not list(tmp_path.iterdir())

    def test_name_is_too_long(self, tmp_path: Path) -> None:
        with pytest.raises(ModelFileError, match="cannot write"):
            storage.write(tmp_path / ("a" * 250), "model", {}, {})


class TestRefuses:
    def test_missing(self, path: Path) -> None:
        with pytest.raises(ModelFileError, match=r"a.gemel does not exist; expected a gemel model"):
            storage.read(path, "model")
        with pytest.raises(ModelFileError, match="does not exist; expected a gemel checkpoint"):
            storage.read(path / "below", "checkpoint")

    def test_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ModelFileError, match="is a folder; expected a gemel model file"):
            storage.read(tmp_path, "model")

    def test_name_that_no_file_can_have(self, tmp_path: Path) -> None:
        with pytest.raises(
            ModelFileError, match=r"cannot be read as a gemel model file: .*too long"
        ):
            storage.read(tmp_path / ("a" * 300), "model")

    def test_foreign_safetensors(self, path: Path) -> None:
        raw_file(path, None)
        with pytest.raises(
            ModelFileError, match=r"a.gemel is a safetensors file, but not one of gem"
        ):
            storage.read(path, "model")

    @pytest.mark.parametrize("raw", [b"", b"\0", b"PK\3\4 a zip", b"\x89PNG" * 100, b"{}" * 500])
    def test_another_format(self, path: Path, raw: bytes) -> None:
        path.write_bytes(raw)
        with pytest.raises(
            ModelFileError, match=r"a.gemel cannot be read as a gemel model file: .*dam"
        ):
            storage.read(path, "model")

    def test_pickle_is_not_run(self, path: Path) -> None:
        torch.save({"w": torch.ones(2)}, path)
        with pytest.raises(ModelFileError, match="cannot be read as a gemel model file"):
            storage.read(path, "model")

    def test_wrong_kind(self, path: Path) -> None:
        storage.write(path, "checkpoint", {}, {})
        with pytest.raises(ModelFileError, match=r"a.gemel holds a gemel checkpoint, not a model"):
            storage.read(path, "model")

    def test_newer(self, path: Path) -> None:
        facts = {"kind": "model", "format": 2, "written_by": {"gemel": "7.0"}, "unknown": 1}
        raw_file(path, json.dumps(facts))
        message = r"has format 2, written by \{'gemel': '7.0'\}; this gemel reads up to format 1: "
        with pytest.raises(ModelFileError, match=message):
            storage.read(path, "model")

    @pytest.mark.parametrize(
        "text", ["[]", "7", '"model"', "null", "{}", '{"kind": "model", "format": "1"}']
    )
    def test_facts_of_another_form(self, path: Path, text: str) -> None:
        raw_file(path, text)
        with pytest.raises(ModelFileError, match=r"a.gemel is damaged: its header does not say"):
            storage.read(path, "model")

    @pytest.mark.parametrize("text", ["", "{", "{'kind': 'model'}", '{"kind": "mod'])
    def test_facts_that_are_no_json(self, path: Path, text: str) -> None:
        raw_file(path, text)
        with pytest.raises(ModelFileError, match="cannot be read as a gemel model file"):
            storage.read(path, "model")

    def test_truncated_anywhere(self, path: Path) -> None:
        storage.write(path, "model", {"w": torch.arange(40.0), "v": torch.ones(3)}, FACTS)
        raw = path.read_bytes()
        for length in [*range(0, len(raw) - 20, 7), *range(len(raw) - 20, len(raw))]:
            path.write_bytes(raw[:length])
            with pytest.raises(ModelFileError, match=r"a.gemel cannot be read .*truncated"):
                storage.read(path, "model")

    def test_something_behind_it(self, path: Path) -> None:
        storage.write(path, "model", {"w": torch.arange(4.0)}, {})
        path.write_bytes(path.read_bytes() + b"more")
        with pytest.raises(ModelFileError, match="cannot be read as a gemel model file"):
            storage.read(path, "model")

    @given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
    @settings(
        max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def test_one_wrong_byte_never_surprises(self, path: Path, place: float, byte: int) -> None:
        """It is refused, or what is read is tensors and facts: no other error comes out."""
        storage.write(path, "model", {"w": torch.arange(4.0)}, FACTS)
        raw = bytearray(path.read_bytes())
        raw[int(place * len(raw))] = byte
        path.write_bytes(raw)
        try:
            got, facts = storage.read(path, "model")
        except ModelFileError:
            return
        assert isinstance(facts, dict)
        assert all(isinstance(tensor, Tensor) for tensor in got.values())


WANTED = {"a": torch.zeros(2, 3), "b": torch.zeros(4)}


class TestCheckTensors:
    def test_as_wanted(self, path: Path) -> None:
        storage.check_tensors(path, {"b": torch.ones(4), "a": torch.ones(2, 3)}, WANTED)

    @pytest.mark.parametrize(
        ("saved", "message"),
        [
            ({"a": torch.zeros(2, 3)}, r"a.gemel lacks the weight `b` \(4,\)"),
            (
                {"a": torch.zeros(3, 2), "b": torch.zeros(4)},
                r"`a` in .*l is torch.float32 \(3, 2\); its settings need torch.float32 \(2, 3\)",
            ),
            (
                {"a": torch.zeros(2, 3), "b": torch.zeros(4, dtype=torch.float64)},
                r"`b` in .*a.gemel is torch.float64 \(4,\); its settings need torch.float32 \(4,\)",
            ),
            (
                WANTED | {"d": torch.zeros(1), "c": torch.zeros(1)},
                "a.gemel has weights that its settings do not know: c, ...",
            ),
        ],
    )
    def test_disagrees(self, path: Path, saved: dict[str, Tensor], message: str) -> None:
        with pytest.raises(ModelFileError, match=message):
            storage.check_tensors(path, saved, WANTED)
