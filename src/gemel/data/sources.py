"""The data sets that `fetch` knows: their publishers' addresses, and the digests of what is right.

Each file is right when it is the publisher's own, byte for byte, or holds the same content packed
another way: the same drawings, pixel for pixel, or the same bytes once unpacked.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gemel.data.cifar10 import ARCHIVE as CIFAR10_ARCHIVE
from gemel.data.mnist import content_digest as idx_digest
from gemel.data.mnist import names_of
from gemel.data.omniglot import content_digest as drawings_digest
from gemel.data.orl_faces import ZIPS as ORL_ZIPS
from gemel.data.orl_faces import content_digest as faces_digest
from gemel.errors import DataError

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Source:
    """One file of a data set.

    Attributes:
        file: the name it is kept under.
        address: where it lies below the data set's base address.
        published: digest of the publisher's own file, "sha256:..." or "md5:..."; "" where it is
            not known: then the content alone is compared.
        content: what `digest` says of the right content, however it is packed.
        digest: from a file to the digest of its content; raises DataError for one it cannot read.
        also: other names under which the same content is taken as present.
    """

    file: str
    address: str
    published: str
    content: str
    digest: Callable[[Path], str]
    also: tuple[str, ...] = ()

    def flaw(self, path: Path) -> str:
        """What is wrong with the file at `path`, in words; "" where nothing is."""
        kind, _, published = self.published.partition(":")
        if published and _file_digest(path, kind) == published:
            return ""
        try:
            content = self.digest(path)
        except DataError as error:
            return f"it cannot be used: {error}"
        if content == self.content:
            return ""
        return f"it is not what was published: expected content {self.content}, got {content}"


@dataclass(frozen=True)
class DataSet:
    """A published data set: its files, and the address they lie under.

    `folders` are other names under which a folder that holds it, or a part of it, is met.
    """

    name: str
    title: str
    terms: str
    base: str
    files: tuple[Source, ...]
    folders: tuple[str, ...] = ()


def _file_digest(path: Path, kind: str) -> str:
    total = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            total.update(block)
    return total.hexdigest()


def _sha256(path: Path) -> str:
    return _file_digest(path, "sha256")


def _zip(file: str, published: str, content: str, folder: str = "") -> Source:
    return Source(file, folder + file, published, content, drawings_digest)


def _idx(name: str, published: str, content: str) -> Source:
    packed, *others = names_of(name)
    return Source(packed, packed, published, content, idx_digest, tuple(others))


OMNIGLOT = DataSet(
    name="omniglot",
    title="Omniglot (B. Lake, R. Salakhutdinov, J. Tenenbaum, 2015)",
    terms="MIT licence, copyright (c) 2015 Brenden Lake",
    base="https://raw.githubusercontent.com/brendenlake/omniglot/master/python/",
    files=(
        _zip(
            "images_background.zip",
            "md5:68d2efa1b9178cc56df9314c21c6e718",
            "52fd125c28ea88b67e45b300f85529f9b4058a82b9681ec6550df19d499676b3",
        ),
        _zip(
            "images_evaluation.zip",
            "md5:6b91aef0f799c5bb55b94e3f2daec811",
            "3e69c8b3903d70abeee19ab5ca8b745f647ac55ab8ebca30ec3770a9c3e94a17",
        ),
        _zip(
            "images_background_small1.zip",
            "sha256:f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4",
            "9ffc80424cb9639d4b02077a15d685b09a5dd602f9bbf18907fc75f642740c93",
        ),
        _zip(
            "images_background_small2.zip",
            "sha256:3ccaa407515a8778e5d0861875af38b17e418f301ad5bb3b5a6b65d901a41c7f",
            "d4e565fb3b27ebf9f7bd2bb8afac7c14f6619233acb3594de27a38385ba6d02f",
        ),
        _zip(
            "all_runs.zip",
            "sha256:437c1eeab0af8484112e1b4cc0f3d541ec727f7c47b9b202da738af9dfd6c325",
            "51aa76c9a057ff6293d45b3ba201d5bd65e162deb4b842ef2198b9b665bea471",
            folder="one-shot-classification/",
        ),
    ),
)

MNIST = DataSet(
    name="mnist",
    title="MNIST handwritten digits (Y. LeCun, C. Cortes, C. Burges, 1998)",
    terms="no licence in the files; commonly described as CC BY-SA 3.0",
    base="https://ossci-datasets.s3.amazonaws.com/mnist/",
    files=(
        _idx(
            "train-images-idx3-ubyte",
            "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        _idx(
            "train-labels-idx1-ubyte",
            "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        _idx(
            "t10k-images-idx3-ubyte",
            "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        _idx(
            "t10k-labels-idx1-ubyte",
            "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
)

ORL_FACES = DataSet(
    name="orl_faces",
    title="The ORL (AT&T) Database of Faces (F. Samaria, A. Harter, 1994)",
    terms='"please give credit to Olivetti Research Laboratory"; no further licence',
    # The historical address of the publisher, AT&T Laboratories Cambridge: it may go one day.
    base="https://www.cl.cam.ac.uk/Research/DTG/attarchive/pub/data/",
    files=(
        Source(
            file=ORL_ZIPS[0],
            address=ORL_ZIPS[1],
            published="",
            content="0ab5c14c4743c598440a40b65668f72410b004179ab7f3a5b5742e1eaeb6b589",
            digest=faces_digest,
            also=ORL_ZIPS[1:],
        ),
    ),
)

_CIFAR10_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"

CIFAR10 = DataSet(
    name="cifar10",
    title="CIFAR-10 (A. Krizhevsky, V. Nair, G. Hinton, 2009)",
    terms="no licence is stated; the publisher asks for the citation",
    base="https://www.cs.toronto.edu/~kriz/",
    # The publisher gives the MD5. The content's digest is the file's: what was packed again is
    # read, but not known to be right.
    files=(
        Source(
            file=CIFAR10_ARCHIVE,
            address=CIFAR10_ARCHIVE,
            published="md5:c32a1d4ab5d03f1284b67883e8d87530",
            content=_CIFAR10_SHA256,
            digest=_sha256,
        ),
    ),
    folders=("cifar10_jpeg",),
)

DATA_SETS = {data_set.name: data_set for data_set in (OMNIGLOT, MNIST, ORL_FACES, CIFAR10)}

ELSEWHERE = {
    "symbench": "https://www.cs.cornell.edu/projects/symfeat/",
    "oxford_affine": "https://www.robots.ox.ac.uk/~vgg/research/affine/",
    "svc2004": "http://www.cse.ust.hk/svc2004/",
}
"""Where their publishers offer the data sets that gemel reads and does not fetch."""
