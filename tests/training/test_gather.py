"""Several processes train as one: gradients and statistics are those of the whole batch."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import two_ranks
from torch import nn

import gemel
from gemel.training.gather import gather_rows, share_batch_norms, unshare_batch_norms

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="this torch has no gloo"
)


def loopback() -> str:
    names = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    return names[0]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, np.ndarray]]:
    """What each of two processes got. They meet in a file, and talk on the loopback."""
    folder = tmp_path_factory.mktemp("ranks")
    source = str(Path(gemel.__file__).parents[1])
    path = os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])])
    own = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": loopback()}
    done = subprocess.run(
        [sys.executable, two_ranks.__file__, str(folder)],
        env=os.environ | own,
        timeout=120,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [dict(np.load(folder / f"{rank}.npz")) for rank in range(two_ranks.WORLD)]


@pytest.fixture(scope="module")
def alone() -> dict[str, np.ndarray]:
    net = two_ranks.encoder()
    facts = two_ranks.train(net, net)
    facts["embedded"] = net.eval()(two_ranks.batch(0)[0]).detach().numpy()
    return facts


class TestTwoProcesses:
    def test_gradients_and_statistics_are_those_of_the_whole_batch(
        self, ranks: list[dict[str, np.ndarray]], alone: dict[str, np.ndarray]
    ) -> None:
        kinds = {name.split("/")[0] for name in alone}
        assert kinds == {"loss", "grad", "state", "embedded"}
        for facts in ranks:
            for name, wanted in alone.items():
                scale = max(float(np.abs(wanted).max()), 1e-3)
                # The bias of a linear layer before a batch norm has gradient 0: hence the floor.
                np.testing.assert_allclose(facts[name], wanted, atol=1e-6 * scale, err_msg=name)

    def test_ranks_agree_to_the_bit(self, ranks: list[dict[str, np.ndarray]]) -> None:
        """Else their weights would drift apart in a long run."""
        first, second = ranks
        for name in first:
            if not name.startswith("apart/"):
                np.testing.assert_array_equal(first[name], second[name], err_msg=name)

    def test_sharing_is_what_does_it(
        self, ranks: list[dict[str, np.ndarray]], alone: dict[str, np.ndarray]
    ) -> None:
        """With statistics of its own on each rank, the gradients are others by far."""
        name = "grad/0/0.weight"
        off = np.abs(ranks[0][f"apart/{name}"] - alone[name]).max()
        assert off > 0.01 * np.abs(alone[name]).max()


@pytest.fixture
def one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A world of one, so that what is summed over it can be compared with torch's own layers."""
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", loopback())
    store = (tmp_path / "store").as_uri()
    dist.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(*shape, generator=generator, dtype=torch.float64) + 1


NORMS = {
    "rows": (lambda: nn.BatchNorm1d(5), (7, 5)),
    "sequence": (lambda: nn.BatchNorm1d(5, momentum=0.3), (4, 5, 3)),
    "images": (lambda: nn.BatchNorm2d(5, eps=0.1), (4, 5, 3, 2)),
    "volumes": (lambda: nn.BatchNorm3d(5), (2, 5, 2, 3, 2)),
    "no weights": (lambda: nn.BatchNorm2d(5, affine=False), (4, 5, 3, 2)),
    "mean of all": (lambda: nn.BatchNorm1d(5, momentum=None), (7, 5)),
    "no statistics": (lambda: nn.BatchNorm1d(5, track_running_stats=False), (7, 5)),
}


@pytest.mark.usefixtures("one_process")
class TestOneProcess:
    @pytest.mark.parametrize("kind", NORMS)
    def test_shared_norm_is_batch_norm(self, kind: str) -> None:
        make, shape = NORMS[kind]
        shared, plain = make().double(), make().double()
        if plain.affine:
            for norm in (shared, plain):
                nn.init.uniform_(norm.weight, generator=torch.Generator().manual_seed(1))
                nn.init.uniform_(norm.bias, generator=torch.Generator().manual_seed(2))
        share_batch_norms(shared)
        pull = noise(*shape, seed=9)
        for step in range(3):
            left = noise(*shape, seed=step).requires_grad_()
            right = left.detach().clone().requires_grad_()
            got, wanted = shared(left), plain(right)
            torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-9)
            (got * pull).sum().backward()
            (wanted * pull).sum().backward()
            torch.testing.assert_close(left.grad, right.grad, rtol=1e-9, atol=1e-9)
            assert shared.state_dict().keys() == plain.state_dict().keys()
            for name, value in plain.state_dict().items():
                torch.testing.assert_close(shared.state_dict()[name], value, msg=name)
        for got_weight, weight in zip(shared.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(got_weight.grad, weight.grad, rtol=1e-9, atol=1e-9)
        plain.load_state_dict(shared.state_dict())
        shared.eval()
        plain.eval()
        assert torch.equal(shared(noise(*shape)), plain(noise(*shape)))

    def test_gradients_by_finite_differences(self) -> None:
        norm = nn.BatchNorm1d(3, track_running_stats=False).double()
        share_batch_norms(norm)
        assert torch.autograd.gradcheck(norm, (noise(5, 3).requires_grad_(),))
        assert torch.autograd.gradcheck(gather_rows, (noise(5, 3).requires_grad_(),))

    @pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
    def test_halves_do_not_overflow(self, kind: torch.dtype) -> None:
        """There are more than 65,504 numbers a channel, the largest that a float16 can hold."""
        norm = nn.BatchNorm2d(1)
        share_batch_norms(norm)
        images = noise(32, 1, 48, 48).to(kind)
        got = norm(images)
        assert got.dtype == kind
        wanted = nn.BatchNorm2d(1)(images.float())
        torch.testing.assert_close(got.float(), wanted, rtol=0.01, atol=0.01)
        assert norm.running_var is not None
        torch.testing.assert_close(norm.running_var, torch.tensor([1.3]), rtol=0.01, atol=0)

    def test_only_batch_norms_and_only_until_unshared(self) -> None:
        net = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.BatchNorm1d(3)), nn.LayerNorm(3))
        share_batch_norms(net)
        shared = [name for name, part in net.named_modules() if "forward" in vars(part)]
        assert shared == ["1.0"]
        unshare_batch_norms(net)
        assert not [name for name, part in net.named_modules() if "forward" in vars(part)]
        unshare_batch_norms(net)  # twice does no harm
        assert net(torch.ones(2, 3)).shape == (2, 3)

    def test_gathered_rows_of_one_process_are_its_own(self) -> None:
        rows = torch.arange(6.0).reshape(2, 3).T  # not contiguous
        assert torch.equal(gather_rows(rows), rows)
