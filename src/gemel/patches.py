"""Patches of pictures: keypoints, the frames around them, and the pixels that a frame holds.

A frame is an affine map [2, 3] from a patch's own coordinates, -1 to 1 in x and in y, to pixels of
a picture: its last column is the middle, the others are half the patch's sides. Pixels are counted
from the middle of the upper left one, x to the right and y down, as OpenCV does.

How patches are cut decides how hard it is to compare them. A frame that is carried over by the
true homography (`project`) shows the same of a plane; `similar` keeps of it only what a detector of
blobs can know (place, size, turn), and `jitter` adds what it gets wrong.

OpenCV finds keypoints and samples pixels: `pip install 'gemel[patches]'`.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy.typing import NDArray

from gemel.errors import DataError, MissingExtraError, SettingsError

if TYPE_CHECKING:
    from types import ModuleType

Grey = UInt8[np.ndarray, "height width"]
Frames = Float[np.ndarray, "N 2 3"]
Points = Float[np.ndarray, "N 2"]
Homography = Float[np.ndarray, "3 3"]

SIFT_WINDOW = 6.0
"""Sides of SIFT's window in sizes of its keypoint: 4 bins of 3 sigma, where the size is 2 sigma."""
FINEST, MOST_SAMPLES = 1e-6, 8
LEAST_PICTURE = 16
SURE, MOST_DRAWS = 0.9999, 20_000
"""RANSAC stops when it has drawn four inliers so surely, or after so many draws."""


@dataclass(frozen=True)
class Keypoints:
    """Places of a picture that stand out, the strongest first.

    Attributes:
        places: [N, 2] x and y, in pixels.
        sizes: [N] diameters, in pixels.
        angles: [N] which way each points: degrees from x towards y (clockwise as seen).
        strengths: [N] how much each stands out.
    """

    places: Points
    sizes: Float[np.ndarray, " N"]
    angles: Float[np.ndarray, " N"]
    strengths: Float[np.ndarray, " N"]

    def __len__(self) -> int:
        return len(self.sizes)

    def take(self, chosen: NDArray[Any]) -> "Keypoints":
        """The keypoints at these indices, or of this mask."""
        columns = (self.places, self.sizes, self.angles, self.strengths)
        return Keypoints(*(column[chosen] for column in columns))


@dataclass(frozen=True, kw_only=True)
class Jitter:
    """How far detectors miss the true frame.

    Attributes:
        shift: standard deviation of the middle in x and in y, in half sides of the patch.
        scale: of the size, as a natural logarithm.
        turn: of the angle, in degrees.
        stretch: of the logarithm of the ratio of the sides, in a direction drawn at random; 0 for
            detectors of circles.

    Raises:
        SettingsError: one is negative or not finite.
    """

    shift: float = 0.05
    scale: float = 0.1
    turn: float = 6.0
    stretch: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value < math.inf:
                raise SettingsError(f"`{name}` must be a finite number of 0 or more; got {value}")

    def __call__(self, frames: Frames, generator: np.random.Generator) -> Frames:
        """Each frame missed by an error of its own, drawn from `generator`."""
        count = len(frames)
        shift = self.shift * generator.standard_normal((count, 2, 1))
        scale = np.exp(self.scale * generator.standard_normal(count))
        turn = np.radians(self.turn) * generator.standard_normal(count)
        ratio = np.exp(0.5 * self.stretch * generator.standard_normal(count))
        across = rotations(generator.uniform(0, np.pi, count))
        stretch = across @ _diagonal(ratio, 1 / ratio) @ across.transpose(0, 2, 1)
        error = np.concatenate([scale[:, None, None] * (rotations(turn) @ stretch), shift], axis=2)
        return within(frames, error)


def keypoints(grey: Grey, *, most: int | None = None) -> Keypoints:
    """The keypoints of a grey picture by SIFT's detector (Lowe 2004), the strongest first.

    A place with several directions counts once for each.

    Args:
        grey: [H, W], 0 black.
        most: so many at most.

    Raises:
        MissingExtraError: OpenCV is not installed.
        SettingsError: `most` is below 1.
        DataError: the picture has less than 16 pixels a side.
    """
    if most is not None and most < 1:
        raise SettingsError(f"`most` must be 1 or more; got {most}")
    if min(grey.shape) < LEAST_PICTURE:
        raise DataError(
            f"expected a picture of {LEAST_PICTURE} x {LEAST_PICTURE} pixels or more, got "
            f"{grey.shape[1]} x {grey.shape[0]}: there is no room for keypoints"
        )
    # without `enable_precise_upscale` all places lie a quarter of a pixel too far right and below
    found = _cv2().SIFT_create(enable_precise_upscale=True).detect(np.ascontiguousarray(grey), None)
    rows = np.array(
        [(*one.pt, one.size, one.angle, one.response) for one in found], dtype=np.float64
    ).reshape(-1, 5)
    rows = rows[np.lexsort((rows[:, 3], rows[:, 1], rows[:, 0], -rows[:, 4]))][:most]
    return Keypoints(rows[:, :2], rows[:, 2], rows[:, 3], rows[:, 4])


def frames_of(points: Keypoints, *, magnification: float = 6.0, upright: bool = False) -> Frames:
    """The square frame around each keypoint.

    Args:
        points: N keypoints.
        magnification: the side of a frame in sizes of its keypoint; 6 is SIFT's own window.
        upright: leave the keypoints' angles aside.

    Raises:
        SettingsError: `magnification` is not above 0.
    """
    if not 0 < magnification < math.inf:
        raise SettingsError(f"`magnification` must be a number above 0; got {magnification}")
    turn = np.zeros(len(points)) if upright else np.radians(points.angles)
    half = 0.5 * magnification * points.sizes
    linear = half[:, None, None] * rotations(turn)
    return np.concatenate([linear, points.places[:, :, None]], axis=2)


def project(frames: Frames, homography: Homography) -> Frames:
    """Each frame as the homography carries it over: its best affine map at the frame's middle.

    A frame whose middle goes to infinity or behind it becomes NaN: it is `inside` no picture.

    Args:
        frames: of the first picture.
        homography: takes (x, y, 1) of the first picture to the second; not to a mirror image.
    """
    rows = np.asarray(homography, dtype=np.float64)
    middle = np.concatenate([frames[:, :, 2], np.ones((len(frames), 1))], axis=1)
    x, y, depth = (middle @ rows.T).T
    # what is seen from its front keeps its turning sense: the sign of det H / depth ** 3
    good = depth * np.sign(np.linalg.det(rows)) > FINEST
    depth = np.where(good, depth, np.nan)
    places = np.stack([x, y], axis=1) / depth[:, None]
    slopes = (rows[:2, :2] - places[:, :, None] * rows[2, :2]) / depth[:, None, None]
    return np.concatenate([slopes @ frames[:, :, :2], places[:, :, None]], axis=2)


def similar(frames: Frames) -> Frames:
    """Of each frame what a detector of blobs can know: place, area and turn; it is a square.

    The turn is that of the nearest rotation (polar decomposition); mirror images lose it.
    """
    linear = frames[:, :, :2]
    half = np.sqrt(np.abs(np.linalg.det(linear)))
    turn = np.arctan2(linear[:, 1, 0] - linear[:, 0, 1], linear[:, 0, 0] + linear[:, 1, 1])
    return np.concatenate([half[:, None, None] * rotations(turn), frames[:, :, 2:]], axis=2)


def within(frames: Frames, maps: Frames) -> Frames:
    """The frames whose patch coordinates `maps` first changes: frame o map."""
    linear = frames[:, :, :2] @ maps[:, :, :2]
    return np.concatenate([linear, frames[:, :, :2] @ maps[:, :, 2:] + frames[:, :, 2:]], axis=2)


def rotations(turns: Float[np.ndarray, " N"]) -> Float[np.ndarray, "N 2 2"]:
    """Rotation matrices of angles in radians, from x towards y."""
    cos, sin = np.cos(turns), np.sin(turns)
    return np.stack([np.stack([cos, -sin], axis=1), np.stack([sin, cos], axis=1)], axis=1)


def sides(frames: Frames) -> Float[np.ndarray, " N"]:
    """The side in pixels of a square as large as each frame."""
    linear = frames[:, :, :2]
    area: Float[np.ndarray, " N"] = 2 * np.sqrt(np.abs(np.linalg.det(linear)))
    return area


def inside(frames: Frames, shape: tuple[int, ...]) -> Bool[np.ndarray, " N"]:
    """Whether all of each frame lies in a picture of `shape` (height, width)."""
    corners = np.array([[-1, -1, 1, 1], [-1, 1, -1, 1], [1, 1, 1, 1]], dtype=np.float64)
    places = frames @ corners  # [N, 2, 4]
    most = np.array([shape[1] - 1, shape[0] - 1], dtype=np.float64)[:, None]
    return np.asarray(((places >= 0) & (places <= most)).all(axis=(1, 2)))


def cut(grey: Grey, frames: Frames, size: int = 64) -> UInt8[np.ndarray, "N {size} {size}"]:
    """The patches of `size` x `size` pixels that the frames hold.

    Each pixel of a patch is the mean over its own area of the picture, sampled on a grid that is
    as fine as the picture, or as a halved copy of it where even the frame's short side has more
    than two pixels to one of the patch: so what is shrunk does not alias. What is enlarged is
    interpolated.

    Args:
        grey: [H, W], 0 black.
        frames: N frames, inside the picture: leave out others first, `frames[inside(...)]`.
        size: pixels a side.

    Raises:
        MissingExtraError: OpenCV is not installed.
        SettingsError: `size` is below 1.
        DataError: a frame reaches outside the picture; all are counted, the first is named.
    """
    if size < 1:
        raise SettingsError(f"`size` must be 1 pixel or more; got {size}")
    outside = np.flatnonzero(~inside(frames, grey.shape))
    if len(outside):
        place = frames[outside[0], :, 2].round(1).tolist()
        raise DataError(
            f"{len(outside)} of {len(frames)} frames reach outside the picture of {grey.shape[1]} "
            f"x {grey.shape[0]} pixels, the first is number {outside[0]} around {place}: leave "
            "them out with patches.inside(frames, grey.shape)"
        )
    out = np.empty((len(frames), size, size), dtype=np.uint8)
    # the longest and the shortest way of a step of one patch pixel in the picture
    steps = np.linalg.svd(frames[:, :, :2], compute_uv=False) * (2 / size)  # [N, 2]
    levels = np.floor(np.log2(np.maximum(steps[:, 1], 1))).astype(int)
    for level in np.unique(levels):
        smaller = _halved(grey, int(level))
        for place in np.flatnonzero(levels == level):
            finer = min(max(math.ceil(steps[place, 0] / 2**level), 1), MOST_SAMPLES)
            out[place] = _sampled(smaller, frames[place], size, finer, int(level))
    return out


def root_sift(patches: UInt8[np.ndarray, "N size size"]) -> Float[np.ndarray, "N 128"]:
    """The RootSIFT descriptor of each whole patch; unit vectors, float32.

    SIFT's window is laid over the patch, upright; its numbers are divided by their sum and their
    roots taken (Arandjelovic and Zisserman 2012, "Three things everyone should know to improve
    object retrieval"). The Euclidean distance of two compares them.

    Raises:
        MissingExtraError: OpenCV is not installed.
    """
    cv2 = _cv2()
    sift = cv2.SIFT_create()
    size = patches.shape[1]
    middle = cv2.KeyPoint((size - 1) / 2, (size - 1) / 2, size / SIFT_WINDOW, 0.0)
    out = np.empty((len(patches), 128), dtype=np.float32)
    for place, patch in enumerate(patches):
        out[place] = sift.compute(np.ascontiguousarray(patch), [middle])[1][0]
    out /= np.maximum(out.sum(axis=1, keepdims=True), 1e-12)
    return np.sqrt(out, out=out)


def ransac(left: Points, right: Points, *, pixels: float, seed: int) -> Homography | None:
    """The homography from `left` to `right` on which most of the M matches agree, if any.

    RANSAC (Fischler and Bolles 1981) with local optimisation, by OpenCV: a match agrees when its
    left place comes to lie within `pixels` of its right one.

    Raises:
        MissingExtraError: OpenCV is not installed.
        SettingsError: `pixels` is not above 0.
    """
    if not 0 < pixels < math.inf:
        raise SettingsError(f"`pixels` must be a number above 0; got {pixels}")
    cv2 = _cv2()
    how = cv2.UsacParams()
    how.randomGeneratorState = seed % 2**31
    how.threshold = pixels
    how.confidence, how.maxIterations = SURE, MOST_DRAWS
    how.sampler, how.score = cv2.SAMPLING_UNIFORM, cv2.SCORE_METHOD_MSAC
    how.loMethod = cv2.LOCAL_OPTIM_INNER_LO
    found = cv2.findHomography(left, right, how)[0]
    return None if found is None else np.asarray(found, dtype=np.float64)


def _diagonal(
    first: Float[np.ndarray, " N"], second: Float[np.ndarray, " N"]
) -> Float[np.ndarray, "N 2 2"]:
    out = np.zeros((len(first), 2, 2))
    out[:, 0, 0], out[:, 1, 1] = first, second
    return out


def _halved(grey: Grey, times: int) -> UInt8[np.ndarray, "smaller_height smaller_width"]:
    """The picture shrunk `times` times by the mean of 2 x 2 pixels; odd sides lose their last."""
    for _ in range(times):
        height, width = (side // 2 * 2 for side in grey.shape)
        four = grey[:height, :width].reshape(height // 2, 2, width // 2, 2)
        grey = (four.mean(axis=(1, 3)) + 0.5).astype(np.uint8)
    return grey


def _sampled(grey: Grey, frame: Float[np.ndarray, "2 3"], size: int, finer: int, level: int) -> Any:
    """One patch, each of its pixels the mean of `finer` x `finer` samples of a halved picture."""
    cv2 = _cv2()
    many = size * finer
    # from the index of a sample to patch coordinates, to the picture, to the halved picture
    index = np.array([[2 / many, 0, 1 / many - 1], [0, 2 / many, 1 / many - 1], [0, 0, 1]])
    to_picture = (frame @ index + [[0, 0, 0.5]]) / 2**level - [[0, 0, 0.5]]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    samples = cv2.warpAffine(
        grey, to_picture, (many, many), flags=flags, borderMode=cv2.BORDER_REFLECT_101
    )
    if finer == 1:
        return samples
    return cv2.resize(samples, (size, size), interpolation=cv2.INTER_AREA)


def _cv2() -> Any:
    """OpenCV, imported when it is first needed.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import cv2
    except ImportError as error:
        raise MissingExtraError(
            "keypoints and patches need OpenCV: pip install 'gemel[patches]'"
        ) from error
    found: ModuleType = cv2
    return found
