"""Rows of numbers: are two wines of one cultivar? Learned from half of the bottles of each."""

import numpy as np
from sklearn.datasets import load_wine

import gemel


def main(steps: int = 60) -> float:
    wine = load_wine()
    labels = np.array([f"cultivar {kind}" for kind in wine.target])
    items = gemel.data.arrays(wine.data, labels, name="wine")
    train, held_out = items.split_items(0.5, seed=0)
    model = gemel.Siamese(
        gemel.inputs.Numbers(13), gemel.encoders.Dense(dim=8), gemel.metrics.Euclidean()
    )
    gemel.fit(model, train, loss=gemel.losses.Contrastive(margin=2.0), steps=steps)
    found = gemel.evaluate(model, held_out, ways=3)
    print(found)
    return found.verification.auc.value


if __name__ == "__main__":
    main()
