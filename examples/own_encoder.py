"""Your own encoder and your own loss: any nn.Module, any function of embeddings and labels."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

import gemel


class Tiny(nn.Module):
    """Two layers over the pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 16))

    def forward(self, batch: Tensor) -> Tensor:
        """Embeddings [B, 16] of pictures [B, 1, 16, 16]."""
        return self.layers(batch)


def pull_to_centres(embeddings: Tensor, labels: Tensor) -> Tensor:
    """Each embedding should be nearer to its class's mean than to any other."""
    classes, place = labels.unique(return_inverse=True)
    centres = torch.stack([embeddings[labels == label].mean(0) for label in classes])
    return nn.functional.cross_entropy(-torch.cdist(embeddings, centres), place)


def main(steps: int = 100) -> float:
    symbols = gemel.data.drawn(alphabets=6, characters=8, drawers=8, size=16)
    train, unseen = symbols.split_classes(0.75, seed=0)
    model = gemel.Siamese(gemel.inputs.Images(16), Tiny(), gemel.metrics.Euclidean())
    gemel.fit(model, train, loss=pull_to_centres, steps=steps, validation=None)
    figure = gemel.one_shot(model, unseen, ways=5, trials=200, within_groups=False)
    print(figure)
    with TemporaryDirectory() as folder:
        model.save(Path(folder) / "tiny.gemel")
        again = gemel.load(Path(folder) / "tiny.gemel", encoder=Tiny())  # a file holds no code
    assert again.fingerprint == model.fingerprint
    return figure.value


if __name__ == "__main__":
    main()
