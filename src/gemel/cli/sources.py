"""What a DATA argument on the command line names."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from gemel.items import Items, Pairs

HELP = (
    "A folder with a subfolder per class, of pictures or pen recordings, a CSV of items "
    "(path,label[,group]), a CSV of pairs "
    "(left,right,same), a folder with Omniglot's or MNIST's files, or the word `digits` "
    "(scikit-learn's) or `drawn` (symbols drawn by code)."
)


def open_source(
    name: str, *, use: Literal["train", "test"], skip_bad: bool = False, seed: int = 0
) -> "Items | Pairs":
    """The data that `name` stands for; sets with published parts give the part for `use`.

    Raises:
        DataError: there is no such data, it is bad, or it has one class only.
    """
    from gemel import data
    from gemel.checks import check_classes
    from gemel.items import Items

    path = Path(name)
    if name == "digits" and not path.exists():
        return data.digits()
    if name == "drawn" and not path.exists():
        # the two uses share no alphabet: the seeds differ
        alphabets = 100 if use == "train" else 20
        return data.drawn(alphabets=alphabets, seed=2 * seed + (use == "test"), name=f"drawn/{use}")
    if _holds(path, "images_background.zip", "images_evaluation.zip"):
        return data.omniglot(path, part="background" if use == "train" else "evaluation")
    if _holds(path, "train-images-idx3-ubyte*", "t10k-images-idx3-ubyte*"):
        return data.mnist(path, part="train" if use == "train" else "test")
    found = data.read(path, skip_bad=skip_bad)
    if isinstance(found, Items):
        check_classes(found)  # nothing is to be learned or measured of one
    return found


def _holds(folder: Path, *patterns: str) -> bool:
    return folder.is_dir() and any(any(folder.glob(pattern)) for pattern in patterns)
