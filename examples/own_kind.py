"""A kind of item that gemel does not know: sounds. A reader of your own is all that it takes."""

import wave
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from torch import Tensor

import gemel

BANDS, FRAMES, RATE, FORM = 32, 32, 8000, {(1, 2): "<i2"}  # one channel, two bytes a sample
WAV = gemel.data.FileKind("sounds", "sound", (".wav",))


class Sounds:
    """WAV files (16 bits, one channel) of any length as logarithmic spectra [1, bands, frames]."""

    kind, dtype, shape = "sounds", "float32", (1, BANDS, FRAMES)

    def read(self, value: Path | bytes, origin: str = "") -> np.ndarray:
        """A file, or its bytes, as its spectrum: the lowest frequencies of equal slices."""
        try:
            with wave.open(BytesIO(value) if isinstance(value, bytes) else str(value)) as wav:
                samples = np.frombuffer(wav.readframes(wav.getnframes()), FORM[wav.getparams()[:2]])
        except (OSError, EOFError, KeyError, ValueError, wave.Error) as error:
            raise gemel.errors.DataError(f"{origin}: expected 16-bit mono WAV: {error}") from error
        slices = np.resize(samples, (FRAMES, max(len(samples) // FRAMES, 2 * BANDS)))
        return np.log1p(np.abs(np.fft.rfft(slices)[:, :BANDS].T))[None].astype(np.float32) / 10

    def learn(self, stored: object) -> None:
        """Nothing."""

    def tensor(self, stored: Tensor) -> Tensor:
        """The spectra as they are."""
        return stored

    def settings(self) -> dict[str, object]:
        """None."""
        return {}

    def portrait(self, value: Path | bytes, origin: str = "") -> Image.Image:
        """What a report shows: low tones at the bottom."""
        return Image.fromarray(np.uint8(255 - 255 * self.read(value, origin)[0, ::-1].clip(0, 1)))


def make_calls(folder: Path, birds: range) -> gemel.Items:
    """A folder for each made-up bird, whose call has three tones; six noisy recordings of each."""
    for bird in birds:
        rng = np.random.default_rng(bird)
        (folder / f"bird{bird:02}").mkdir(parents=True)
        tones = 2 * np.pi * rng.uniform(200, 1900, 3) / RATE
        for number in range(6):
            call = [np.sin(tone * np.arange(rng.integers(1300, 1700))) for tone in tones]
            samples = rng.uniform(3000, 9000) * np.concatenate(call)
            with wave.open(str(folder / f"bird{bird:02}" / f"{number}.wav"), "wb") as file:
                file.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
                file.writeframes((samples + rng.normal(0, 500, len(samples))).astype("<i2"))
    return gemel.data.folder(folder, files=[WAV])


def main(steps: int = 100) -> float:
    with TemporaryDirectory() as place:
        unseen = make_calls(Path(place) / "unseen", range(24, 36))
        model = gemel.Siamese(Sounds(), gemel.encoders.Conv(16, 32), gemel.metrics.Cosine())
        gemel.fit(model, make_calls(Path(place) / "train", range(24)), steps=steps)
        model.save(Path(place) / "birds.gemel")
        model = gemel.load(Path(place) / "birds.gemel", input=Sounds())  # a file holds no code
        found = gemel.evaluate(model, unseen, trials=100)
        with gemel.Gallery.open(Path(place) / "birds.gallery", model) as gallery:
            gallery.enrol("bird24", unseen.values[0])
            print(found, gallery.identify(unseen.values[1]), sep="\n")
    return found.verification.auc.value


if __name__ == "__main__":
    main()
