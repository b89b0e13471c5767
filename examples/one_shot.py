"""Train on some made-up alphabets, recognise symbols of others from one drawing each."""

import gemel


def main(minutes: float = 1.0) -> float:
    symbols = gemel.data.drawn(alphabets=20, characters=12, drawers=10)
    train, unseen = symbols.split_classes(0.8, seed=0)
    model = gemel.Siamese(
        gemel.inputs.Images(size=28, channels=1, light_on_dark=True, trim=True),
        gemel.encoders.Conv(width=32, dim=64),
        gemel.metrics.Cosine(),
    )
    gemel.fit(model, train, augment=gemel.inputs.Warp(), minutes=minutes, progress=True)
    figure = gemel.one_shot(model, unseen, ways=5, shots=1, trials=400, within_groups=False)
    print(figure)
    return figure.value


if __name__ == "__main__":
    main()
