"""What HTTP costs: `identify` by the service beside the bare network and the bare search.

    python benchmarks/service_speed.py                      # a network of 105 x 105 pixels
    python benchmarks/service_speed.py --network small      # the demo's: 28 x 28, four views
    python benchmarks/service_speed.py --network koch

One client: the median time of an answer over the median time of the encoder on one picture and of
faiss on one embedding. 32 clients: answers a second over the pictures a second that the encoder
takes in batches of 32. The weights are untrained, but for the last layer, which is standardised
on the pictures: their embeddings are then apart, as those of a trained network are, and the search
measures as few of them. The service runs in a process of its own on loopback; clients write
prepared bytes to sockets, and share the machine.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import faiss
import numpy as np
import torch
from PIL import Image

from gemel import Gallery, Siamese, encoders, inputs, metrics
from gemel.items import Items

NETWORKS: dict[str, Callable[[], Siamese]] = {
    "small": lambda: Siamese(
        inputs.Images(28, channels=1, light_on_dark=True, trim=True),
        encoders.Conv(width=64, dim=128),
        metrics.Cosine(),
        views=4,
    ),
    "conv": lambda: Siamese(
        inputs.Images(105, channels=1), encoders.Conv(width=64, dim=128), metrics.Cosine()
    ),
    "koch": lambda: Siamese(inputs.Images(105, channels=1), encoders.Koch(), metrics.Cosine()),
}
FORM = (
    b'--gemel\r\nContent-Disposition: form-data; name="item"; filename="a.png"\r\n'
    b"Content-Type: image/png\r\n\r\n"
)


def pictures(count: int, side: int, seed: int) -> list[np.ndarray]:
    """Smooth noise, of which no two are alike."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (count, 8, 8), dtype=np.uint8)
    return [np.asarray(Image.fromarray(one).resize((side, side))) for one in coarse]


def spread(model: Siamese, shown: list[np.ndarray]) -> None:
    """Give each output of the last linear layer mean 0 and standard deviation 1 on the pictures."""
    last = [layer for layer in model.encoder.modules() if isinstance(layer, torch.nn.Linear)][-1]
    seen: list[torch.Tensor] = []
    hook = last.register_forward_hook(lambda _, __, out: seen.append(out))
    model.embed(shown[:64])
    hook.remove()
    sd, mean = torch.std_mean(torch.cat(seen), dim=0)
    with torch.no_grad():
        last.weight /= sd[:, None] + 1e-6
        last.bias.sub_(mean).div_(sd + 1e-6)


def request(picture: np.ndarray) -> bytes:
    """The bytes of a request to identify a picture."""
    file = BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    body = FORM + file.getvalue() + b"\r\n--gemel--\r\n"
    head = (
        "POST /v1/identify HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: multipart/form-data; boundary=gemel\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes) -> None:
    """One answer, which must be good."""
    writer.write(sent)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    if b" 200 " not in head.split(b"\r\n")[0] or "verdict" not in json.loads(body):
        raise RuntimeError(f"{head!r} {body!r}")


async def load(port: int, requests: list[bytes], clients: int, seconds: float) -> list[float]:
    """The seconds that each answer took, of clients that ask again as soon as they are answered."""
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        place = number
        while time.perf_counter() < end:
            begun = time.perf_counter()
            await ask(reader, writer, requests[place % len(requests)])
            took.append(time.perf_counter() - begun)
            place += clients
        writer.close()

    await asyncio.gather(*(client(number) for number in range(clients)))
    return took


def bare(model: Siamese, batch: torch.Tensor) -> torch.Tensor:
    """The encoder alone, on the views that the model takes of each picture."""
    views = model.input.views(batch, model.views).flatten(0, 1) if model.views > 1 else batch
    found: torch.Tensor = model.encoder(views)
    return found.reshape(model.views, len(batch), -1).mean(0)


def bare_single(model: Siamese, batch: torch.Tensor, index: faiss.Index, times: int) -> np.ndarray:
    """Seconds of one picture's forward pass and search, each time."""
    took = []
    with torch.inference_mode():
        for place in range(times):
            begun = time.perf_counter()
            found = bare(model, batch[place % len(batch)][None])
            index.search(found.numpy(), 5)
            took.append(time.perf_counter() - begun)
    return np.array(took)


def bare_rate(model: Siamese, batch: torch.Tensor, seconds: float) -> float:
    """Pictures a second in batches of 32."""
    done, begun = 0, time.perf_counter()
    with torch.inference_mode():
        while time.perf_counter() - begun < seconds:
            bare(model, batch[:32])
            done += 32
    return done / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=NETWORKS, default="conv")
    parser.add_argument("--references", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    model = NETWORKS[given.network]()
    model.threshold = 0.1
    shown = pictures(given.references, model.input.height, given.seed)
    spread(model, shown)
    batch = model.input.tensor(
        torch.from_numpy(np.stack([model.input.read(p) for p in shown[:64]]))
    )
    vectors = torch.nn.functional.normalize(model.embed(shown)).numpy()
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    requests = [request(picture) for picture in shown[:64]]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        model.save(place / "m.gemel")
        with Gallery.open(place / "g.gallery", model) as gallery:
            labels = np.array([f"identity {number}" for number in range(len(shown))])
            gallery.enrol_items(Items(np.stack(shown), labels, kind="images"))
        command = [sys.executable, "-m", "gemel", "serve", "m.gemel", "g.gallery", "--port", "0"]
        service = subprocess.Popen(
            [*command, "--rate", "1000000", "--log-format", "json"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert service.stdout is not None
            port = urlsplit(service.stdout.readline().split()[4]).port or 0
            asyncio.run(load(port, requests, 4, 2.0))  # warm
            bare_single(model, batch, index, 20)
            print(
                f"{given.network}: {given.references} references, {torch.get_num_threads()} "
                f"threads, seed {given.seed}"
            )
            for _ in range(given.rounds):
                single = bare_single(model, batch, index, 200)
                one = asyncio.run(load(port, requests, 1, given.seconds))
                rate = bare_rate(model, batch, given.seconds)
                many = asyncio.run(load(port, requests, 32, given.seconds))
                a, b = 1000 * np.median(single), 1000 * np.median(one)
                served = len(many) / given.seconds
                p50, p95 = 1000 * np.quantile(many, [0.5, 0.95])
                print(
                    f"  1 client: p50 {b:.2f} ms ({len(one)} answers), bare {a:.2f} ms, ratio "
                    f"{b / a:.2f};  32 clients: {served:.0f}/s (p50 {p50:.0f}, p95 {p95:.0f} ms), "
                    f"bare batches {rate:.0f}/s, ratio {served / rate:.2f}"
                )
        finally:
            service.terminate()
            service.wait()


if __name__ == "__main__":
    main()
