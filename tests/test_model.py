"""A model embeds the same alone and among others, and after saving and loading, to the bit."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

import gemel
from gemel import Items, Siamese, encoders, inputs, metrics, storage
from gemel.errors import BadItemsError, ModelFileError, SettingsError


def as_pictures(items: Items, count: int) -> list[np.ndarray]:
    return [np.asarray(items.values[i]) for i in range(count)]


def images_model(encoder: nn.Module, **settings: int) -> Siamese:
    return Siamese(inputs.Images(16, channels=1), encoder, metrics.Cosine(), **settings)


class Plain(nn.Module):
    """An encoder of a user's own, already built."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(256, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x.flatten(1))


class TestEmbedding:
    @pytest.mark.parametrize("views", [1, 3])
    def test_alone_and_among_others(self, symbols: Items, views: int) -> None:
        model = images_model(encoders.Conv(width=(8, 16), dim=16), views=views)
        model.train()  # embed() forces evaluation mode by itself
        pictures = as_pictures(symbols, 41)
        together = model.embed(pictures)
        for place in (0, 7, 16, 40):
            alone = model.embed([pictures[place]])[0]  # a block of another size: its last bits
            torch.testing.assert_close(alone, together[place], rtol=0, atol=1e-6)
            company = model.embed([pictures[place], *pictures[20:29]])  # filled up to 16
            assert torch.equal(company[0], together[place])
        backwards = model.embed(pictures[::-1])
        assert torch.equal(backwards.flip(0), together)
        assert model.encoder.training

    def test_one_item_goes_through_the_encoder_alone(self, symbols: Items) -> None:
        model = images_model(encoders.Conv(width=(8, 16), dim=16), views=3)
        sizes: list[int] = []
        model.encoder.register_forward_hook(lambda _, given, __: sizes.append(len(given[0])))
        for count in (1, 2, 5, 16, 17, 36):
            model.embed(as_pictures(symbols, count))
        assert [size // 3 for size in sizes] == [1, 2, 8, 16, 16, 1, 16, 16, 4]

    def test_against_the_plain_forward_pass(self, symbols: Items) -> None:
        model = images_model(encoders.Conv(width=(8, 16), dim=16)).eval()
        stored = np.stack([model.input.read(picture) for picture in as_pictures(symbols, 5)])
        with torch.no_grad():
            wanted = model.encoder(model.input.tensor(torch.from_numpy(stored)))
        torch.testing.assert_close(model.embed(as_pictures(symbols, 5)), wanted)

    def test_path_picture_and_array_agree(self, symbols: Items, tmp_path: Path) -> None:
        model = images_model(encoders.Conv(width=(8, 16), dim=16))
        array = np.asarray(symbols.values[3])
        picture = Image.fromarray(array)
        picture.save(tmp_path / "a.png")
        vectors = model.embed([tmp_path / "a.png", str(tmp_path / "a.png"), picture, array])
        assert (vectors == vectors[0]).all()

    def test_views_are_the_mean_of_unit_vectors(self, symbols: Items) -> None:
        model = images_model(encoders.Conv(width=(8, 16), dim=16), views=4).eval()
        stored = torch.from_numpy(np.stack([model.input.read(symbols.values[0])]))
        views = model.input.views(model.input.tensor(stored), 4)
        with torch.no_grad():
            each = [nn.functional.normalize(model.encoder(view)) for view in views]
        wanted = sum(each) / 4
        torch.testing.assert_close(model.embed([symbols.values[0]]), wanted, atol=1e-5, rtol=0)

    def test_one_path_is_no_list(self, small_model: Siamese) -> None:
        with pytest.raises(SettingsError, match=r"embed\(\['a.png'\]\)"):
            small_model.embed("a.png")

    def test_all_bad_items_are_named(self, small_model: Siamese, tmp_path: Path) -> None:
        (tmp_path / "text.png").write_text("no picture")
        with pytest.raises(BadItemsError) as caught:
            small_model.embed([tmp_path / "text.png", tmp_path / "absent.png"])
        assert len(caught.value.problems) == 2
        assert "text.png" in str(caught.value)
        assert "absent.png" in str(caught.value)

    def test_other_kind_of_items(self, small_model: Siamese) -> None:
        rows = gemel.data.arrays(np.zeros((4, 3)), ["a", "a", "b", "b"])
        with pytest.raises(SettingsError, match="holds numbers; this model's input takes images"):
            small_model.embed(rows)


class TestCompare:
    def test_distance_and_threshold(self, small_model: Siamese, symbols: Items) -> None:
        left, right = symbols.values[0], symbols.values[9]
        a, b = small_model.embed([left, right]).double().numpy()
        wanted = 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b)
        found = small_model.compare(left, right)
        assert found.distance == pytest.approx(wanted, abs=1e-6)
        assert found.same is None
        assert "no threshold" in str(found)
        small_model.threshold = wanted + 1e-3
        assert small_model.compare(left, right).same is True
        assert str(small_model.compare(left, right)).startswith("same (distance")
        small_model.threshold = wanted - 1e-3
        assert small_model.compare(left, right).same is False
        assert str(small_model.compare(left, right)).startswith("different (distance")

    def test_matrix_of_distances(self, small_model: Siamese, symbols: Items) -> None:
        vectors = small_model.embed(as_pictures(symbols, 6))
        matrix = small_model.distances(vectors[:2], vectors)
        assert matrix.shape == (2, 6)
        for row in range(2):
            for column in range(6):
                one = small_model.metric(vectors[row : row + 1], vectors[column : column + 1])
                assert float(matrix[row, column]) == pytest.approx(float(one), abs=1e-6)


class TestMaking:
    def test_same_seed_same_weights(self) -> None:
        def make(seed: int) -> Siamese:
            return images_model(encoders.Conv(width=8, dim=4), seed=seed)

        assert make(1).fingerprint == make(1).fingerprint
        assert make(1).fingerprint != make(2).fingerprint

    def test_does_not_touch_the_global_generator(self) -> None:
        torch.manual_seed(5)
        wanted = torch.rand(1)
        torch.manual_seed(5)
        images_model(encoders.Conv(width=8, dim=4), seed=1)
        assert torch.equal(torch.rand(1), wanted)

    @pytest.mark.parametrize("setting", ["views", "block"])
    def test_impossible_settings(self, setting: str) -> None:
        with pytest.raises(SettingsError, match=f"`{setting}` must be 1 or more; got 0"):
            images_model(encoders.Conv(width=8, dim=4), **{setting: 0})

    def test_numbers_have_no_views(self) -> None:
        with pytest.raises(SettingsError, match="Numbers has no warped views"):
            Siamese(inputs.Numbers(3), encoders.Dense(dim=2), metrics.Cosine(), views=2)

    def test_encoder_that_does_not_fit(self) -> None:
        with pytest.raises(SettingsError, match="does not take a batch of shape"):
            images_model(nn.Linear(3, 2))
        with pytest.raises(SettingsError, match="must give embeddings"):
            images_model(nn.Identity())

    def test_a_trained_encoder_is_not_drawn_anew(self, symbols: Items) -> None:
        first = images_model(encoders.Conv(width=8, dim=4), seed=1)
        before = first.fingerprint
        second = images_model(first.encoder, seed=2)
        assert first.fingerprint == before
        assert torch.equal(
            second.embed(as_pictures(symbols, 3)), first.embed(as_pictures(symbols, 3))
        )


class TestFile:
    def test_round_trip_to_the_bit(self, symbols: Items, tmp_path: Path) -> None:
        model = images_model(encoders.Conv(width=(8, 16), dim=16), views=2, block=4)
        model.threshold = 0.25
        model.training_summary = {"data": "symbols"}
        model.save(tmp_path / "a.gemel")
        again = gemel.load(tmp_path / "a.gemel")
        pictures = as_pictures(symbols, 9)
        assert torch.equal(again.embed(pictures), model.embed(pictures))
        assert again.fingerprint == model.fingerprint
        assert (again.threshold, again.views, again.block) == (0.25, 2, 4)
        assert again.training_summary == {"data": "symbols"}

    def test_numbers_keep_their_statistics(self, tmp_path: Path) -> None:
        rows = np.random.default_rng(0).normal(5, 3, (20, 3)).astype(np.float32)
        items = gemel.data.arrays(rows, ["a", "b"] * 10)
        model = Siamese(inputs.Numbers(3), encoders.Dense(dim=2), metrics.WeightedL1())
        gemel.fit(model, items, steps=3, validation=None)
        model.save(tmp_path / "a.gemel")
        assert torch.equal(gemel.load(tmp_path / "a.gemel").embed(rows), model.embed(rows))

    def test_holds_no_pickle(self, small_model: Siamese, tmp_path: Path) -> None:
        small_model.save(tmp_path / "a.gemel")
        with safe_open(tmp_path / "a.gemel", framework="pt") as file:
            facts = json.loads(file.metadata()["gemel"])
        assert facts["parts"]["encoder"] == {
            "name": "Conv",
            "settings": small_model.encoder.settings(),
        }
        assert facts["written_by"]["gemel"] == gemel.__version__

    def test_a_custom_encoder_is_passed_in(self, symbols: Items, tmp_path: Path) -> None:
        model = images_model(Plain())
        model.save(tmp_path / "a.gemel")
        with pytest.raises(ModelFileError, match="your own class"):
            gemel.load(tmp_path / "a.gemel")
        again = gemel.load(tmp_path / "a.gemel", encoder=Plain())
        assert torch.equal(
            again.embed(as_pictures(symbols, 3)), model.embed(as_pictures(symbols, 3))
        )
        with pytest.raises(ModelFileError, match="lacks the weight"):
            gemel.load(tmp_path / "a.gemel", encoder=nn.Sequential(nn.Flatten(), nn.Linear(256, 8)))

    def test_an_encoder_that_is_not_wanted(self, small_model: Siamese, tmp_path: Path) -> None:
        small_model.save(tmp_path / "a.gemel")
        with pytest.raises(ModelFileError, match="has its own encoder, Conv"):
            gemel.load(tmp_path / "a.gemel", encoder=Plain())

    def test_a_changed_byte_is_noticed(self, small_model: Siamese, tmp_path: Path) -> None:
        path = tmp_path / "a.gemel"
        small_model.save(path)
        raw = bytearray(path.read_bytes())
        raw[-5] ^= 1
        path.write_bytes(raw)
        with pytest.raises(ModelFileError, match="is damaged"):
            gemel.load(path)

    def _with_facts(self, path: Path, **changes: object) -> None:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            facts = json.loads(file.metadata()["gemel"])
        del facts["checksum"]
        save_file(tensors, path, metadata={"gemel": storage.sealed({**facts, **changes})})

    def test_a_changed_threshold_is_noticed(self, small_model: Siamese, tmp_path: Path) -> None:
        path = tmp_path / "a.gemel"
        small_model.threshold = 0.3125
        small_model.save(path)
        raw = path.read_bytes()
        assert raw.count(b"0.3125") == 1
        path.write_bytes(raw.replace(b"0.3125", b"0.9125"))
        with pytest.raises(ModelFileError, match="its description is not what was written"):
            gemel.load(path)

    def test_settings_that_cannot_be(self, small_model: Siamese, tmp_path: Path) -> None:
        path = tmp_path / "a.gemel"
        small_model.save(path)
        self._with_facts(path, block=0)
        with pytest.raises(ModelFileError, match="not as gemel writes it"):
            gemel.load(path)

    def test_a_custom_encoder_may_move_house(self, tmp_path: Path) -> None:
        class Elsewhere(Plain):
            pass

        images_model(Plain()).save(tmp_path / "a.gemel")
        assert gemel.load(tmp_path / "a.gemel", encoder=Elsewhere()).dim == 8

    def test_a_custom_metric_is_passed_in(self, tmp_path: Path) -> None:
        class Halved(metrics.Euclidean):
            pass

        model = Siamese(inputs.Images(16, channels=1), Plain(), Halved())
        model.save(tmp_path / "a.gemel")
        with pytest.raises(ModelFileError, match="your own class"):
            gemel.load(tmp_path / "a.gemel", encoder=Plain())
        again = gemel.load(tmp_path / "a.gemel", encoder=Plain(), metric=Halved())
        assert again.fingerprint == model.fingerprint

    def test_unknown_part(self, small_model: Siamese, tmp_path: Path) -> None:
        path = tmp_path / "a.gemel"
        small_model.save(path)
        parts = {
            "input": {"name": "Images", "settings": small_model.input.settings()},
            "encoder": {"name": "Hologram", "settings": {}},
            "metric": {"name": "Cosine", "settings": {}},
        }
        self._with_facts(path, parts=parts)
        with pytest.raises(ModelFileError, match="unknown encoder 'Hologram'"):
            gemel.load(path)

    def test_description_of_another_kind(self, small_model: Siamese, tmp_path: Path) -> None:
        path = tmp_path / "a.gemel"
        small_model.save(path)
        self._with_facts(path, parts={})
        with pytest.raises(ModelFileError, match="not as gemel writes it"):
            gemel.load(path)


def test_codes_are_the_signs_of_embeddings() -> None:
    model = Siamese(inputs.Numbers(10), nn.Identity(), metrics.Hamming())
    rows = np.random.default_rng(0).normal(size=(4, 10)).astype(np.float32)
    assert np.array_equal(model.codes(rows).numpy(), np.packbits(rows > 0, axis=1))
    other = Siamese(inputs.Numbers(10), nn.Identity(), metrics.Cosine())
    with pytest.raises(SettingsError, match=r"this one's is Cosine: use embed\(\)"):
        other.codes(rows)
