"""The same job on a real Ray of two workers, started once for all tests here."""

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from interp import circuits, tasks
from interp.core.errors import CorpusError
from interp.corpus import gather, job
from interp.corpus.on_ray import _cluster, _ray
from interp.evaluation import mean_over
from interp.geometry.positions.position_sums import PositionSums

SHARD = 1


@dataclass(frozen=True)
class Failing(PositionSums):
    """Fails as often as `marks` lacks files: at window 4 it ends its process, at window 6 it raises."""

    marks: str = ""
    killed: int = 0
    raised: int = 0

    def measure(self, model, windows, first, into=None):
        if first == 4 and self.happens("killed", self.killed):
            os.kill(os.getpid(), signal.SIGKILL)
        if first == 6 and self.happens("raised", self.raised):
            raise ArithmeticError("it overflowed")
        return super().measure(model, windows, first, into)

    def happens(self, name: str, times: int) -> bool:
        mark = next(
            (path for path in (Path(self.marks, f"{name}-{n}") for n in range(times)) if not path.exists()), None
        )
        if mark:
            mark.touch()
        return mark is not None


def connections_of(process: psutil.Process) -> list:
    """None of one that has ended meanwhile: idle workers do."""
    try:
        return process.net_connections("tcp")
    except psutil.NoSuchProcess:
        return []


@pytest.fixture(scope="module", autouse=True)
def ray():
    """Two workers, which only this machine reaches; nothing of them is left in the end."""
    handler, before = signal.getsignal(signal.SIGTERM), set(psutil.Process().children(recursive=True))
    ray = _ray(None)
    with _cluster(ray, 2, None):
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield ray
        started = set(psutil.Process().children(recursive=True)) - before
        listening = {
            connection.laddr.ip
            for process in started
            for connection in connections_of(process)
            if connection.status == psutil.CONN_LISTEN
        }
    assert not psutil.wait_procs(started, timeout=20)[1]
    assert listening
    assert listening <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert signal.getsignal(signal.SIGTERM) is handler


@pytest.fixture
def model(tiny):
    return tiny("llama", "float64")


@pytest.fixture
def plain(model, windows_of_words):
    """What this process finds."""
    return gather(model, windows_of_words, PositionSums(), shard=SHARD)


def assert_equal(found, plain) -> None:
    for name, total in plain.totals.items():
        np.testing.assert_allclose(found.totals[name], total, rtol=1e-12, atol=1e-12, err_msg=name)
    names = [path.stem for path in plain.store.path.glob("context-*.npy")]
    assert names
    for name in names:
        np.testing.assert_allclose(found.rows(name), plain.rows(name), rtol=1e-6, err_msg=name)


def test_a_worker_killed_in_the_middle_and_a_shard_that_fails_again_and_again(model, windows_of_words, plain, tmp_path):
    """The shard of the first is run again, the other one named after three tries; what was done is kept, and goes on
    here: the sums are those of this process."""
    marks, out = tmp_path / "marks", tmp_path / "out"
    marks.mkdir()
    message = r"windows 6 to 6 failed 3 times on Ray \(ArithmeticError: it overflowed\); use smaller shards or fewer"
    with pytest.raises(CorpusError, match=message):
        gather(model, windows_of_words, Failing(marks=str(marks), killed=1, raised=4), shard=SHARD, workers=1, out=out)
    assert sorted(path.name for path in marks.iterdir()) == ["killed-0", "raised-0", "raised-1", "raised-2"]
    measured = []

    @dataclass(frozen=True)
    class Counting(PositionSums):
        def measure(self, model, windows, first, into=None):
            measured.append(first)
            return super().measure(model, windows, first, into)

    found = gather(model, windows_of_words, Counting(), shard=SHARD, out=out)
    assert measured == [6, 7, 8, 9, 10]
    assert_equal(found, plain)


def test_workers_with_other_weights(model, windows_of_words, monkeypatch):
    """What a worker refuses comes out as it is."""
    monkeypatch.setitem(model.__dict__, "_weight_hash", "0123")
    message = r"^the workers load different weights for .*llama \(\w+, not 0123\); give them the same files"
    with pytest.raises(CorpusError, match=message):
        gather(model, windows_of_words, PositionSums(), shard=SHARD, workers=1)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("ray://127.0.0.1:1", r"no Ray cluster responds at ray://127.0.0.1:1 \(.*refused\); check the address"),
        (
            "ray://no.such.host.invalid:10001",
            r"no Ray cluster responds at ray://no.such.host.invalid:10001 \(.*\); check",
        ),
        ("127.0.0.1:10001", "'127.0.0.1:10001' is not a Ray address; write ray://HOST:PORT"),
        ("ray://127.0.0.1", "'ray://127.0.0.1' is not a Ray address"),
        ("ray://127.0.0.1:high", "is not a Ray address; write ray://HOST:PORT"),
    ],
)
def test_an_address_that_does_not_answer(address, message, ray, model, windows_of_words):
    """In seconds; and the Ray of this process goes on."""
    with pytest.raises(CorpusError, match=message):
        gather(model, windows_of_words, PositionSums(), shard=SHARD, address=address)
    assert ray.is_initialized()


def test_without_ray(model, windows_of_words, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(CorpusError, match=r"workers need Ray, .*run `pip install 'interp\[ray\]'`, or run"):
        gather(model, windows_of_words, PositionSums(), shard=SHARD, workers=2)


def test_a_mean_over_prompts_by_workers(tiny, tmp_path):
    """Pairs with their question are shared out, and so is the engine."""
    model = tiny("gpt2", "float64")
    pairs = tasks.find("ioi")(model, n=5, seed=0)
    here = mean_over(circuits.eap, model, pairs)
    with job(workers=2, shard=2, folder=tmp_path) as made:
        found = mean_over(circuits.eap, model, pairs)
    assert made.sums == 1
    np.testing.assert_allclose(found.mean.score, here.mean.score, rtol=1e-9, atol=1e-12)
