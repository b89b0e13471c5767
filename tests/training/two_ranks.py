"""Two processes that train as one: `two_ranks.py FOLDER`, which gets `0.npz` and `1.npz`.

The test imports `encoder`, `batch` and `train` to do the same work in one process.
"""

import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.multiprocessing import start_processes

from gemel.losses import SupervisedContrastive
from gemel.training.gather import gather_rows, share_batch_norms, unshare_batch_norms

WORLD = 2
STEPS = 2


def encoder() -> nn.Sequential:
    """Convolution, linear layers, and a batch norm of each kind, in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        net = nn.Sequential(
            nn.Conv2d(2, 4, 3, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(4 * 6 * 6, 12),
            nn.BatchNorm1d(12, momentum=None),
            nn.Tanh(),
            nn.Linear(12, 8),
            nn.BatchNorm1d(8, affine=False),
        )
    return net.double()


def batch(step: int) -> tuple[Tensor, Tensor]:
    """24 images of 6 classes; each class lies on both ranks, and the ranks differ in scale."""
    generator = torch.Generator().manual_seed(step)
    images = torch.randn(24, 2, 8, 8, generator=generator, dtype=torch.float64)
    images[12:] = 3 * images[12:] + 1
    return images, torch.arange(24) % 6


def train(
    net: nn.Module, embed: Callable[[Tensor], Tensor], prefix: str = ""
) -> dict[str, np.ndarray]:
    """The gradients of each of a few steps of plain descent, and all that is left after them."""
    loss = SupervisedContrastive(temperature=0.5)
    facts: dict[str, np.ndarray] = {}
    net.train()
    for step in range(STEPS):
        images, labels = batch(step)
        value = loss(embed(images), labels)
        net.zero_grad()
        value.backward()
        facts[f"{prefix}loss/{step}"] = value.detach().numpy()
        for name, weight in net.named_parameters():
            assert weight.grad is not None
            facts[f"{prefix}grad/{step}/{name}"] = weight.grad.numpy().copy()
            weight.data -= 0.1 * weight.grad
    for name, value in net.state_dict().items():
        facts[f"{prefix}state/{name}"] = value.numpy().copy()
    return facts


def main(rank: int, folder: Path) -> None:
    dist.init_process_group(
        "gloo",
        init_method=(folder / "store").as_uri(),
        rank=rank,
        world_size=WORLD,
        timeout=timedelta(seconds=30),
    )

    def share_of(images: Tensor) -> Tensor:
        return images.chunk(WORLD)[rank]

    net = encoder()
    share_batch_norms(net)
    wrapped = nn.parallel.DistributedDataParallel(net)
    facts = train(net, lambda images: gather_rows(wrapped(share_of(images))))
    unshare_batch_norms(net)
    facts["embedded"] = net.eval()(batch(0)[0]).detach().numpy()

    apart = encoder()
    wrapped_apart = nn.parallel.DistributedDataParallel(apart)
    facts |= train(apart, lambda images: gather_rows(wrapped_apart(share_of(images))), "apart/")
    np.savez(folder / f"{rank}.npz", **facts)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    # A fork imports torch once for both; macOS does not bear forks of programs like this.
    method = "spawn" if sys.platform == "darwin" else "fork"
    start_processes(main, (Path(sys.argv[1]),), nprocs=WORLD, start_method=method)
