"""The commands, as a user types them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

import gemel
from gemel import Items
from gemel.cli import main
from gemel.cli.app import app

runner = CliRunner()


@pytest.fixture(scope="module")
def photos(symbols: Items, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve classes of six PNGs, dark ink on white, in a folder per class."""
    root = tmp_path_factory.mktemp("data") / "photos"
    for item in range(72):
        folder = root / symbols.labels[item].replace("/", "-")
        folder.mkdir(parents=True, exist_ok=True)
        ink = np.asarray(symbols.values[item])
        Image.fromarray(255 - ink).resize((32, 32)).save(folder / f"{item:03}.png")
    return root


@pytest.fixture(scope="module")
def model(photos: Path) -> Path:
    out = photos.parent / "a.gemel"
    words = ["train", str(photos), "--out", str(out), "--steps", "25", "--validation", "0.2"]
    result = runner.invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0
    assert "28 x 28 x 1" in result.output
    assert "SupervisedContrastive" in result.output
    assert re.search(r"batches +ClassesByItems\(.*per_class=4", result.output)
    assert re.search(r"augmentation +Warp\(", result.output)
    assert "held out for validation: <Items" in result.output
    assert "next: gemel evaluate" in result.output
    return out


def run(*words: object) -> str:
    result = runner.invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


class TestTrain:
    def test_writes_a_model_that_knows_its_threshold(self, model: Path) -> None:
        loaded = gemel.load(model)
        assert loaded.threshold is not None
        assert 5 <= loaded.training_summary["steps"] <= 25
        assert loaded.input.light_on_dark

    @pytest.mark.parametrize(
        "words",
        [
            ["--loss", "triplet", "--margin", "0.3", "--metric", "euclidean"],
            ["--loss", "contrastive", "--by-item"],
            ["--loss", "cross-entropy", "--metric", "weighted-l1", "--encoder", "dense"],
            ["--encoder", "residual", "--dim", "8", "--size", "16", "--no-augment"],
            ["--metric", "squared-euclidean", "--views", "2", "--epochs", "0.5"],
            ["--metric", "mahalanobis", "--validation", "0"],
        ],
    )
    def test_what_is_given_is_taken(self, photos: Path, tmp_path: Path, words: list[str]) -> None:
        out = tmp_path / "b.gemel"
        budget = [] if "--epochs" in words else ["--steps", "2"]
        output = run("train", photos, "--out", out, *budget, *words)
        assert f"wrote {out}" in output
        loaded = gemel.load(out)
        for flag, part in (("--encoder", loaded.encoder), ("--metric", loaded.metric)):
            if flag in words:
                wanted = words[words.index(flag) + 1].replace("-", "")
                assert type(part).__name__.lower() == wanted
        if "--dim" in words:
            assert loaded.dim == 8

    def test_log_and_skipped(self, photos: Path, tmp_path: Path) -> None:
        mixed = tmp_path / "mixed"
        shutil.copytree(photos, mixed)
        some = sorted(mixed.iterdir())[0]
        (some / "bad.png").write_text("no picture")
        out, log = tmp_path / "b.gemel", tmp_path / "log.jsonl"
        output = run("train", mixed, "--out", out, "--steps", "12", "--log", log, "--skip-bad")
        assert "went on without 1 bad items" in output
        assert "bad.png" in output
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        assert {"step", "seconds", "loss", "rate"} <= lines[0].keys()

    def test_numbers(self, tmp_path: Path) -> None:
        generator = np.random.default_rng(0)
        rows = ["label,a,b,c"]
        for label in range(8):
            centre = generator.normal(size=3) * 4
            for _ in range(6):
                numbers = centre + generator.normal(size=3)
                rows.append(f"c{label}," + ",".join(f"{number:.5f}" for number in numbers))
        table = tmp_path / "items.csv"
        table.write_text("\n".join(rows))
        out = tmp_path / "n.gemel"
        output = run("train", table, "--out", out, "--steps", "10", "--validation", "0.3")
        assert "3 numbers an item" in output
        result = runner.invoke(app, ["compare", str(out), "1,2,3", "1,2,3"])
        assert result.exit_code == 0
        assert result.output.startswith("same (distance 0.0000")

    def test_margin_without_a_home(self, photos: Path, tmp_path: Path) -> None:
        words = ["train", str(photos), "--out", str(tmp_path / "b"), "--margin", "0.2"]
        result = runner.invoke(app, [*words, "--loss", "cross-entropy"])
        assert isinstance(result.exception, gemel.errors.SettingsError)
        assert "has no margin" in str(result.exception)

    def test_ctrl_c_says_how_to_go_on(
        self, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from gemel import losses

        forward = losses.SupervisedContrastive.forward

        def stop(self: losses.SupervisedContrastive, *tensors: Tensor) -> Tensor:
            signal.raise_signal(signal.SIGINT)
            return forward(self, *tensors)

        out = tmp_path / "c.gemel"
        words = ["train", str(photos), "--out", str(out), "--steps", "5"]
        with monkeypatch.context() as patch:
            patch.setattr(losses.SupervisedContrastive, "forward", stop)
            result = runner.invoke(app, words)
        assert result.exit_code == 130
        assert (
            f"stopped; {out} holds the best model so far. To go on: add --resume" in result.output
        )
        assert gemel.load(out).training_summary["steps"] == 1
        assert "5 steps in" in run(*words, "--resume")

    def test_unknown_precision(self, photos: Path, tmp_path: Path) -> None:
        words = ["train", str(photos), "--out", str(tmp_path / "b"), "--precision", "8"]
        result = runner.invoke(app, words)
        assert "must be one of 32-true" in str(result.exception)

    def test_two_processes_follow_one_clock(self, photos: Path, tmp_path: Path) -> None:
        out = tmp_path / "two.gemel"
        words = ["train", str(photos), "--out", str(out), "--minutes", "0.03"]
        several = ["--devices", "2", "--accelerator", "cpu"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "gemel", *words, *several],
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("wrote") == 1
        assert gemel.load(out).training_summary["steps"] > 0


class TestUse:
    def test_evaluate(self, model: Path, photos: Path) -> None:
        output = run("evaluate", model, photos, "--ways", "5", "--trials", "50")
        assert re.search(r"AUC 0\.\d+ \[", output)
        assert "5-way 1-shot accuracy" in output
        assert "split photos" in output
        assert "seed 0" in output
        assert re.search(
            r"warning: \d+ of the 72 items of photos were trained or validated on", output
        )

    def test_evaluate_as_json(self, model: Path, photos: Path) -> None:
        found = json.loads(
            run("evaluate", model, photos, "--json", "--shots", "2", "--trials", "40")
        )
        names = [figure["name"] for figure in found["figures"]]
        assert "AUC" in names
        assert "12-way 2-shot accuracy" in names
        for figure in found["figures"]:
            assert {"value", "low", "high", "count", "seed", "split", "method"} <= figure.keys()

    def test_evaluate_with_report_and_card(self, model: Path, photos: Path, tmp_path: Path) -> None:
        words = ["evaluate", model, photos, "--ways", "5", "--trials", "50", "--json"]
        page, card = tmp_path / "a.html", tmp_path / "a.md"
        more = ["--report", str(page), "--card", str(card)]
        result = runner.invoke(app, [*map(str, words), *more], catch_exceptions=False)
        found = json.loads(result.stdout)
        assert result.stderr == f"wrote {page}\nwrote {card}\n"
        shown = page.read_text()
        for figure in found["figures"]:
            assert f'<data value="{figure["value"]!r}">' in shown
        command = f"gemel evaluate {model} {photos} --ways 5 --shots 1 --trials 50 --seed 0"
        assert command in shown
        assert command in card.read_text()

    def test_card(self, model: Path, tmp_path: Path) -> None:
        assert run("card", model).startswith("# a.gemel\n")
        assert run("card", model, "--out", tmp_path / "card.md") == f"wrote {tmp_path}/card.md\n"
        assert (tmp_path / "card.md").read_text() == run("card", model)

    def test_files_are_looked_at_before_the_work(self, model: Path, tmp_path: Path) -> None:
        for path, fault in ((tmp_path, "is a folder"), (tmp_path / "no" / "a.html", "lies in a")):
            result = runner.invoke(app, ["evaluate", str(model), "digits", "--report", str(path)])
            assert isinstance(result.exception, gemel.errors.SettingsError)
            assert fault in str(result.exception)

    def test_compare_models(self, model: Path, photos: Path, tmp_path: Path) -> None:
        page = tmp_path / "two.html"
        words = ["compare-models", model, model, photos, "--trials", "40", "--ways", "5"]
        output = run(*words, "--report", page)
        assert "The data do not tell which is better by AUC, EER" in output
        assert f"gemel compare-models {model} {model} {photos} --ways 5" in page.read_text()
        found = json.loads(run(*words, "--json"))
        assert found["models"] == [str(model)] * 2
        assert [one["difference"] for one in found["comparisons"]] == [0] * 4

    def test_compare(self, model: Path, photos: Path) -> None:
        files = sorted(photos.rglob("*.png"))
        same = runner.invoke(app, ["compare", str(model), str(files[0]), str(files[0]), "--json"])
        facts = json.loads(same.output)
        assert same.exit_code == 0
        assert facts["same"] is True
        assert facts["distance"] == pytest.approx(0, abs=1e-6)
        codes = set()
        for other in files[6::6]:
            codes.add(
                runner.invoke(app, ["compare", str(model), str(files[0]), str(other)]).exit_code
            )
        assert 1 in codes  # some class is different

    def test_compare_without_a_threshold(self, photos: Path, tmp_path: Path) -> None:
        out = tmp_path / "b.gemel"
        run("train", photos, "--out", out, "--steps", "1", "--validation", "0")
        file = next(photos.rglob("*.png"))
        result = runner.invoke(app, ["compare", str(out), str(file), str(file)])
        assert "no threshold yet (distance" in result.output
        assert isinstance(result.exception, gemel.errors.SettingsError)

    def test_calibrate_and_compare(self, model: Path, photos: Path, tmp_path: Path) -> None:
        mine = tmp_path / "mine.gemel"
        mine.write_bytes(model.read_bytes())
        output = run("calibrate", mine, photos, "--false-accepts", "0.05", "--prior", "0.1")
        assert "5 % asked for (95 % interval" in output
        assert "where 10 % of pairs are the same" in output
        assert re.search(r"warning: \d+ of the 12 classes of photos have names that", output)
        assert f"saved in {mine}" in output
        loaded = gemel.load(mine)
        assert loaded.fingerprint == gemel.load(model).fingerprint
        assert loaded.calibration is not None
        files = sorted(photos.rglob("*.png"))
        codes = {"same": 0, "different": 1, "too close to call": 3}
        seen = set()
        for other in files[::5]:
            words = ["compare", str(mine), str(files[0]), str(other)]
            result = runner.invoke(app, [*words, "--json"])
            facts = json.loads(result.output)
            assert result.exit_code == codes[facts["verdict"]]
            assert facts["same"] is {0: True, 1: False, 3: None}[result.exit_code]
            assert facts["probability"] == float(loaded.calibration.probability(facts["distance"]))
            seen.add(result.exit_code)
        assert seen >= {0, 3}
        assert f"\n{facts['reason']}\n" in runner.invoke(app, words).output
        with pytest.raises(gemel.errors.EvaluationError, match="judged on"):
            run("evaluate", mine, photos)

    def test_calibrate_says_what_it_skipped(
        self, model: Path, photos: Path, tmp_path: Path
    ) -> None:
        mine, mixed = tmp_path / "mine.gemel", tmp_path / "mixed"
        mine.write_bytes(model.read_bytes())
        shutil.copytree(photos, mixed)
        bad = next(iter(sorted(mixed.rglob("*.png")))).with_name("bad.png")
        bad.write_text("no picture")
        output = run("calibrate", mine, mixed, "--false-accepts", "0.1", "--skip-bad")
        assert "went on without 1 bad items:" in output
        assert f"  {bad}: " in output
        words = ("calibrate", mine, mixed, "--false-accepts", "0.1", "--skip-bad", "--json")
        assert str(bad) in json.loads(run(*words))["skipped"][0]

    def test_calibrate_as_json(self, model: Path, photos: Path, tmp_path: Path) -> None:
        mine = tmp_path / "mine.gemel"
        mine.write_bytes(model.read_bytes())
        facts = json.loads(run("calibrate", mine, photos, "--false-accepts", "0.1", "--json"))
        assert facts["threshold"] == gemel.load(mine).threshold
        assert facts["prior"] == 0.5

    def test_embed(self, model: Path, photos: Path, tmp_path: Path) -> None:
        files = sorted(photos.rglob("*.png"))[:3]
        out = tmp_path / "vectors.npz"
        run("embed", model, *files, "--out", out)
        with np.load(out) as file:
            found = dict(file)
        np.testing.assert_array_equal(found["vectors"], gemel.load(model).embed(files).numpy())
        assert found["names"].tolist() == [str(file) for file in files]
        assert str(found["fingerprint"]) == gemel.load(model).fingerprint

    def test_embed_of_codes(self, tmp_path: Path) -> None:
        model = gemel.Siamese(
            gemel.inputs.Numbers(11), gemel.encoders.Dense((), 11), gemel.metrics.Hamming()
        )
        model.save(tmp_path / "codes.gemel")
        out = tmp_path / "codes.npz"
        rows = ["1,2,3,4,5,6,7,8,9,10,11", "-1,2,-3,4,-5,6,-7,8,-9,10,-11"]
        said = run("embed", tmp_path / "codes.gemel", "--out", out, "--", *rows)
        assert "wrote 2 codes of 11 bits" in said
        with np.load(out) as file:
            found = dict(file)
        values = [[float(one) for one in row.split(",")] for row in rows]
        positive = model.embed(np.array(values)).numpy() > 0
        np.testing.assert_array_equal(found["codes"], np.packbits(positive, axis=1))
        assert found["dim"] == 11

    def test_fetch_says_what_it_did(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        import gemel.data

        def pretend(name: str, folder: Path, *, progress: object) -> object:
            progress("a.zip", 1_000_000, 2_000_000)  # type: ignore[operator]
            progress("a.zip", 2_000_000, 2_000_000)  # type: ignore[operator]
            return SimpleNamespace(fetched=("a.zip",), present=())

        monkeypatch.setattr(gemel.data, "fetch", pretend)
        output = run("fetch", "omniglot", tmp_path)
        assert "a.zip: 1.0 of 2.0 MB" in output
        assert f"omniglot is complete in {tmp_path}: 1 files fetched" in output

    def test_demo_passes_its_words_on(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        import gemel.demo

        seen: dict[str, object] = {}
        monkeypatch.setattr(gemel.demo, "run", lambda out, **words: seen.update(words, out=out))
        run("demo", "--out", tmp_path, "--minutes", "0.5", "--seed", "3")
        assert (seen["out"], seen["minutes"], seen["seed"]) == (tmp_path, 0.5, 3)

    @pytest.mark.parametrize(
        ("words", "terminal", "typed", "wanted"),
        [
            (["--page"], False, "", True),
            (["--no-page"], True, "", False),
            ([], False, "y\n", False),
            ([], True, "\n", True),
            ([], True, "n\n", False),
        ],
    )
    def test_demo_asks_for_the_page_at_a_terminal(
        self,
        words: list[str],
        terminal: bool,
        typed: str,
        wanted: bool,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        import gemel.demo

        answers = []

        def pretend(out: Path, *, page: Callable[[], bool], **rest: object) -> None:
            monkeypatch.setattr(sys.stdin, "isatty", lambda: terminal)
            answers.append(page())

        monkeypatch.setattr(gemel.demo, "run", pretend)
        result = runner.invoke(app, ["demo", *words], input=typed, catch_exceptions=False)
        assert answers == [wanted]
        assert ("Open it now? [Y/n]" in result.output) == (terminal and not words)

    def test_version(self) -> None:
        assert run("--version") == f"gemel {gemel.__version__}\n"

    def test_fetch_of_something_unknown(self) -> None:
        result = runner.invoke(app, ["fetch", "imagenet"])
        assert isinstance(result.exception, gemel.errors.GemelError)
        assert "omniglot" in str(result.exception)


class TestSources:
    def test_digits_and_drawn(self) -> None:
        from gemel.cli.sources import open_source

        assert len(open_source("digits", use="test").classes) == 10
        test = open_source("drawn", use="test")
        assert test.name == "drawn/test"

    def test_omniglot_gives_the_part_for_the_use(self, data_folder: object) -> None:
        from gemel.cli.sources import open_source

        folder = str(data_folder("omniglot"))  # type: ignore[operator]
        train, test = (open_source(folder, use=use) for use in ("train", "test"))
        assert (len(set(train.groups)), len(set(test.groups))) == (30, 20)
        assert not set(train.classes) & set(test.classes)

    def test_mnist(self, data_folder: object) -> None:
        from gemel.cli.sources import open_source

        folder = str(data_folder("mnist"))  # type: ignore[operator]
        assert len(open_source(folder, use="test")) == 10_000


class TestErrors:
    @pytest.mark.parametrize("command", ["train", "evaluate", "calibrate"])
    def test_one_class_only(
        self,
        command: str,
        model: Path,
        photos: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Readers take one class, which may be enrolled; what learns or measures does not."""
        one = tmp_path / "one"
        shutil.copytree(next(photos.iterdir()), one / "ada")
        out = ["--out", str(tmp_path / "b.gemel")]
        words = ["train", str(one), *out] if command == "train" else [command, str(model), str(one)]
        monkeypatch.setattr(sys, "argv", ["gemel", *words])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 2
        assert capsys.readouterr().err == (
            "gemel: one: expected two or more classes, got one class only, 'ada'; add items of "
            "other classes\n"
        )

    def test_one_line_and_status_2(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["gemel", "evaluate", "absent.gemel", "digits"])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 2
        assert capsys.readouterr().err.startswith("gemel: absent.gemel does not exist")

    def test_a_path_that_cannot_be_written(
        self,
        model: Path,
        photos: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        file = next(photos.rglob("*.png"))
        words = ["embed", str(model), str(file), "--out", "no/such/folder/v.npz"]
        monkeypatch.setattr(sys, "argv", ["gemel", *words])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 2
        assert "no/such/folder" in capsys.readouterr().err

    def test_unknown_accelerator(self, photos: Path, tmp_path: Path) -> None:
        words = ["train", str(photos), "--out", str(tmp_path / "b"), "--accelerator", "abacus"]
        result = runner.invoke(app, words)
        assert isinstance(result.exception, gemel.errors.SettingsError)
        assert "--accelerator auto" in str(result.exception)

    def test_interrupt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import gemel.cli.app

        def stop() -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(gemel.cli.app, "app", stop)
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 130

    def test_help_and_import_need_no_torch(self) -> None:
        code = (
            "import sys, gemel, gemel.cli\n"
            "sys.argv = ['gemel', '--help']\n"
            "try:\n    gemel.cli.main()\nexcept SystemExit:\n    pass\n"
            "heavy = {'torch', 'numpy', 'PIL', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
            "assert not heavy, heavy\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        for command in (
            "demo",
            "train",
            "evaluate",
            "calibrate",
            "compare",
            "embed",
            "fetch",
            "card",
        ):
            assert command in done.stdout
