"""Enrols until it is killed, and says each number once it is stored: PATH SEED."""

import sys

from small_galleries import drawn_rows, numbers_model

from gemel import Gallery, metrics

path, seed = sys.argv[1:]
with Gallery.open(path, numbers_model(metrics.Euclidean())) as gallery:
    for place, row in enumerate(drawn_rows(100_000, int(seed))):
        number = gallery.enrol(f"{seed}.{place % 3}", row)
        if place % 5 == 4:
            gallery.remove(number)
        else:
            print(place, number, flush=True)
