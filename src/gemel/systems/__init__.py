"""The published Siamese systems, one file each, composed of gemel's public parts.

Each file states the paper's protocol, what is done differently and why, and has one function,
`reproduce`, that trains, measures, draws, and gives the table with the published figures.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from gemel.errors import SettingsError

if TYPE_CHECKING:
    from gemel.systems.reproduction import Request, Table


@dataclass(frozen=True)
class System:
    """A published system.

    Attributes:
        paper: authors, year, title, where.
        shows: what its table and pictures show, in a line.
        data: the data sets that it needs, by the names of `gemel fetch`; the first is the one
            that `--data` may name by itself.
        minutes: about how long it takes on two cores: quick form, full form.
        paper_size: what `--paper-size` does; "" where the full form has the paper's sizes.
    """

    paper: str
    shows: str
    data: tuple[str, ...]
    minutes: tuple[float, float]
    paper_size: str = ""


SYSTEMS: dict[str, System] = {
    "bromley1993": System(
        paper="Bromley, Guyon, LeCun, Säckinger, Shah 1993, Signature verification using a "
        "'Siamese' time delay neural network, NIPS",
        shows="pen signatures of unseen signers: skilled forgeries caught, in 80 bytes, too, "
        "beside dynamic time warping, plain and learned",
        data=("svc2004",),
        minutes=(0.4, 25.0),
    ),
    "chopra2005": System(
        paper="Chopra, Hadsell, LeCun 2005, Learning a similarity metric discriminatively, with "
        "application to face verification, CVPR",
        shows="energy loss on faces of unseen people: false rejects and accepts, the worst pairs",
        data=("orl_faces",),
        minutes=(0.4, 33.0),
    ),
    "hadsell2006": System(
        paper="Hadsell, Chopra, LeCun 2006, Dimensionality reduction by learning an invariant "
        "mapping, CVPR",
        shows="2-D maps of the digits 4 and 9 learned without labels; shifted digits with and "
        "without prior knowledge; the contrastive loss, and its collapse without repulsion",
        data=("mnist",),
        minutes=(0.2, 11.0),
    ),
    "koch2015": System(
        paper="Koch, Zemel, Salakhutdinov 2015, Siamese neural networks for one-shot image "
        "recognition, ICML deep learning workshop",
        shows="verification and 20-way one-shot on unseen alphabets, MNIST without more training",
        data=("omniglot", "mnist"),
        minutes=(0.5, 108.0),
        paper_size="the paper's layers on whole drawings of 105 x 105, about 1.4 TFLOP a step and "
        "up to 234,400 steps a seed: for a GPU",
    ),
    "norouzi2012": System(
        paper="Norouzi, Fleet, Salakhutdinov 2012, Hamming distance metric learning, NIPS",
        shows="binary codes of 16 to 256 bits: digits told by the nearest codes, photographs "
        "found by them, beside random hyperplanes and pixels; digits that no training saw",
        data=("mnist", "cifar10"),
        minutes=(0.8, 60.0),
    ),
    "schroff2015": System(
        paper="Schroff, Kalenichenko, Philbin 2015, FaceNet: a unified embedding for face "
        "recognition and clustering, CVPR",
        shows="triplet loss and semi-hard mining on a sphere: faces, one picture enrolled, symbols",
        data=("orl_faces",),
        minutes=(0.5, 74.0),
    ),
    "zagoruyko2015": System(
        paper="Zagoruyko, Komodakis 2015, Learning to compare image patches via convolutional "
        "neural networks, CVPR",
        shows="patches of unseen scenes: twins, pseudo-twins and joint comparers side by side, "
        "beside cross-correlation, RootSIFT and HardNet; needs gemel[patches]",
        data=("symbench", "oxford_affine"),
        minutes=(0.5, 55.0),
    ),
}
"""By the name of its file here."""


def reproduce(name: str, request: "Request") -> "Table":
    """Run a system: its table, after everything that it makes lies in `request.out`.

    Args:
        name: one of `SYSTEMS`.
        request: where the data are, how much to do, and where to put it.

    Raises:
        SettingsError: there is no such system.
        DataError: a data set is missing or is another one.
        TrainingError: `resume` finds models of another run.
        KeyboardInterrupt: passed on; with `resume` a later run goes on from there.
    """
    from gemel.systems.reproduction import run

    if name not in SYSTEMS:
        raise SettingsError(f"no system {name!r}; there are {', '.join(SYSTEMS)}")
    if request.paper_size and not SYSTEMS[name].paper_size:
        raise SettingsError(
            f"the full form of {name} has the paper's sizes: leave --paper-size out"
        )
    if request.paper_size and request.quick:
        raise SettingsError(
            "--quick has small sizes and --paper-size the paper's: give one of them"
        )
    for needed in SYSTEMS[name].data:
        request.folder(needed)  # before the long work
    return run(name, import_module(f"{__name__}.{name}").reproduce, request)
