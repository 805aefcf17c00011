"""Sums over windows: what they are, and that however a job ends, it goes on to the same sums."""

import errno
import json
import os
import random
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from interp.core.errors import CorpusError, InterpError
from interp.core.folders import RunFolder
from interp.corpus import Windows, gather
from interp.corpus.gathering import begun, opened
from interp.corpus.shards import measure, rows_of
from interp.corpus.store import Store
from interp.geometry.positions.position_sums import PositionSums
from interp.models import Site

SHARD = 3


def test_sums_are_those_of_a_plain_loop(tiny, windows_of_words):
    """In float64, window by window and position by position."""
    model, windows, skip = tiny("llama", "float64"), windows_of_words, 2
    found = gather(model, windows, PositionSums(skip), shard=SHARD)
    sites = [*model.sites("resid_pre"), Site("resid_post", model.dims.layers - 1)]
    positions, width = windows.width - skip, model.dims.d_model
    for layer, site in enumerate(sites):
        by_position, energy, contexts = np.zeros((positions, width)), 0.0, []
        for index in range(len(windows)):
            stream = model.run(windows[[index]], record=[site])[site][0].numpy()
            for position in range(positions):
                by_position[position] += stream[skip + position]
                energy += sum(float(value) ** 2 for value in stream[skip + position])
            contexts.append(sum(stream[skip:]) / positions)
        np.testing.assert_allclose(found.totals["by_position"][layer], by_position, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(found.totals["energy"][layer], energy, rtol=1e-10)
        context_energy = sum(float(context @ context) for context in contexts)
        np.testing.assert_allclose(found.totals["context_energy"][layer], context_energy, rtol=1e-10)
        np.testing.assert_allclose(found.rows(f"context-{layer:03}"), contexts, rtol=1e-6, atol=1e-6)
    assert found.totals["windows"] == len(windows)


def test_shards_merge_to_the_same_whatever_they_are(tiny, windows_of_words):
    model = tiny("llama", "float64")
    whole = gather(model, windows_of_words, PositionSums(), shard=len(windows_of_words))
    for shard in (1, 4):
        found = gather(model, windows_of_words, PositionSums(), shard=shard)
        for name, total in whole.totals.items():
            np.testing.assert_allclose(found.totals[name], total, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kept", [True, False])
def test_the_order_in_which_shards_come_changes_nothing(
    seed, kept, tiny, windows_of_words, same, monkeypatch, tmp_path
):
    """Nor does a shard that comes twice: to the last bit."""

    def measured(model, windows, statistic, shard, missing, workers, address):
        order = [*missing, *missing]
        random.Random(seed).shuffle(order)
        for index in order:
            yield index, measure(model, windows[rows_of(index, shard)], statistic, index * shard)

    monkeypatch.setattr("interp.corpus.gathering.measured_on_ray", measured)
    model = tiny("llama")
    plain = gather(model, windows_of_words, PositionSums(), shard=SHARD)
    out = tmp_path / "sums" if kept else None
    found = gather(model, windows_of_words, PositionSums(), shard=SHARD, workers=2, out=out)
    assert same(found, plain)
    assert found.totals["windows"] == len(windows_of_words)
    assert not list(found.store.path.glob("shard-*"))


@pytest.mark.parametrize("order", ["in turn", "backwards"])
def test_stopped_at_any_file_and_resumed(order, tiny, windows_of_words, same, monkeypatch, tmp_path):
    """Before or after each file that a job writes: what follows finds the sums of a job that was not stopped."""

    def measured(model, windows, statistic, shard, missing, workers, address):
        for index in reversed(missing):
            yield index, measure(model, windows[rows_of(index, shard)], statistic, index * shard)

    monkeypatch.setattr("interp.corpus.gathering.measured_on_ray", measured)
    model, workers = tiny("llama"), 0 if order == "in turn" else 2

    def job(out: Path):
        return gather(model, windows_of_words, PositionSums(), shard=SHARD, out=out, workers=workers)

    written, write = 0, RunFolder.write

    def count(*given) -> None:
        nonlocal written
        written += 1
        write(*given)

    monkeypatch.setattr(RunFolder, "write", count)
    plain = job(tmp_path / "plain")
    files = written
    assert files >= 2 + (1 if workers else 4)
    for stop in range(1, files + 1):
        for after in (False, True):
            written, out = 0, tmp_path / f"{stop}-{after}"

            def stopping(*given, stop=stop, after=after) -> None:
                nonlocal written
                written += 1
                if written < stop or after:
                    write(*given)
                if written == stop:
                    raise KeyboardInterrupt

            monkeypatch.setattr(RunFolder, "write", stopping)
            with pytest.raises(KeyboardInterrupt):
                job(out)
            monkeypatch.setattr(RunFolder, "write", write)
            assert same(job(out), plain), (stop, after)
            assert same(opened(out, model, PositionSums()), plain)


@dataclass(frozen=True)
class Stopping(PositionSums):
    """Stops where window `at` would be measured."""

    at: int = 0

    def measure(self, model, windows, first, into=None):
        if first <= self.at < first + len(windows):
            raise KeyboardInterrupt
        return super().measure(model, windows, first, into)


def test_only_what_is_missing_is_measured_again(tiny, windows_of_words, same, tmp_path):
    model = tiny("llama")
    with pytest.raises(KeyboardInterrupt):
        gather(model, windows_of_words, Stopping(at=7), shard=SHARD, out=tmp_path / "out")
    with pytest.raises(CorpusError, match=r"contains only 2 of 4 shards; finish with `interp corpus stats --out"):
        opened(tmp_path / "out", model, PositionSums())
    (tmp_path / "out" / ".0123.unfinished").touch()  # as a killed process leaves it
    found = gather(model, windows_of_words, Stopping(at=0), shard=SHARD, out=tmp_path / "out")
    assert same(found, gather(model, windows_of_words, PositionSums(), shard=SHARD))
    assert not list(found.store.path.glob(".*.unfinished"))


def test_windows_of_a_folder_are_those_that_were_cut(tiny, windows_of_words, tmp_path):
    model, asked = tiny("llama"), windows_of_words.asked
    assert begun(tmp_path, model, asked) is None
    gather(model, windows_of_words, PositionSums(), shard=SHARD, out=tmp_path)
    kept = begun(tmp_path, model, asked)
    assert kept is not None
    assert kept.hash == windows_of_words.hash
    for name in ("texts", "labels", "documents", "topics", "dropped", "unreadable", "asked", "corpus"):
        assert getattr(kept, name) == getattr(windows_of_words, name)
    with pytest.raises(CorpusError, match="made with length = 12, not 13; give another folder"):
        begun(tmp_path, model, {**asked, "length": 13})


def test_a_folder_of_another_job(tiny, windows_of_words, tmp_path):
    model, windows = tiny("llama"), windows_of_words
    gather(model, windows, PositionSums(), shard=SHARD, out=tmp_path)
    other = replace(windows, tokens=windows.tokens.flip(0))
    short = Windows.of_rows(model, windows.tokens[:, :9], corpus="", documents=(), topics=())
    refused = [
        (tiny("qwen2"), windows, PositionSums(), SHARD, "model = "),
        (model, other, PositionSums(), SHARD, "text = "),
        (model, windows[:8], PositionSums(), SHARD, "windows = 11, not 8"),
        (model, short, PositionSums(), SHARD, "length = 12, not 9"),
        (model, windows, PositionSums(skip=2), SHARD, "skip = 1, not 2"),
        (model, windows, PositionSums(name="other"), SHARD, "statistic = position-context, not other"),
        (model, windows, PositionSums(), 4, "shard = 3, not 4"),
    ]
    for its_model, its_windows, statistic, shard, message in refused:
        with pytest.raises(CorpusError, match=rf"was made with {message}.*; give another folder, or remove it"):
            gather(its_model, its_windows, statistic, shard=shard, out=tmp_path)
    with pytest.raises(CorpusError, match=f"made with model = {model.weight_hash}, not"):
        opened(tmp_path, tiny("qwen2"), PositionSums())
    with pytest.raises(CorpusError, match="made with skip = 1, not 2"):
        opened(tmp_path, model, PositionSums(skip=2))
    with pytest.raises(CorpusError, match="contains no statistics; create them with"):
        opened(tmp_path / "none", model, PositionSums())


@pytest.mark.parametrize("name", ["about.json", "windows.npy", "totals.npz", "context-001.npy"])
def test_a_file_that_is_damaged_is_named(name, tiny, windows_of_words, tmp_path):
    model, path = tiny("llama"), tmp_path / name
    gather(model, windows_of_words, PositionSums(), shard=SHARD, out=tmp_path)
    whole = path.read_bytes()
    damaged = [b"", whole[: len(whole) // 2], whole[:-1], b"\x93" * 200]
    if name != "context-001.npy":  # a row has no checksum: it is read where it stands, and only then
        damaged.append(whole[:-30] + bytes(byte ^ 1 for byte in whole[-30:]))
    if name == "totals.npz":
        damaged.append((tmp_path / "totals.npz").read_bytes().replace(b"shards", b"shreds"))
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(CorpusError, match=rf"{name} is damaged \(.*\); remove .* and run again"):
            opened(tmp_path, model, PositionSums()).rows("context-001")


def test_another_version_is_named(tiny, windows_of_words, tmp_path):
    """A record that lacks something, or has something more, is not damaged, and is not read either."""
    model, path = tiny("llama"), tmp_path / "about.json"
    gather(model, windows_of_words, PositionSums(), shard=SHARD, out=tmp_path)
    about = json.loads(path.read_text())
    for content, difference in (
        ({**about, "compression": "none"}, "compression: unexpected keyword argument"),
        ({name: value for name, value in about.items() if name != "shard"}, "shard: field required"),
    ):
        path.write_text(json.dumps(content))
        with pytest.raises(CorpusError, match=rf"about.json is of another version \({difference}\); remove"):
            opened(tmp_path, model, PositionSums())


def test_rows_that_are_damaged_are_not_written_into(tiny, windows_of_words, tmp_path):
    model = tiny("llama")
    with pytest.raises(KeyboardInterrupt):
        gather(model, windows_of_words, Stopping(at=7), shard=SHARD, out=tmp_path)
    np.save(tmp_path / "context-001.npy", np.zeros((2, 2)))
    with pytest.raises(CorpusError, match=r"context-001.npy is damaged \(it holds float64 \(2, 2\), not float32"):
        gather(model, windows_of_words, PositionSums(), shard=SHARD, out=tmp_path)


def test_a_full_disk_at_any_point(tiny, windows_of_words, same, monkeypatch, tmp_path):
    """One line that says so; with space freed the job goes on."""
    model, through, left = tiny("llama"), os.fsync, 0

    def full(file: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        through(file)

    plain = gather(model, windows_of_words, PositionSums(), shard=SHARD)
    for left in range(0, 22, 3):
        out, allowed = tmp_path / str(left), left
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            with pytest.raises(
                InterpError, match=r"cannot write .*: No space left on device; free some disk space or choose"
            ):
                gather(model, windows_of_words, PositionSums(), shard=SHARD, out=out)
        assert same(gather(model, windows_of_words, PositionSums(), shard=SHARD, out=out), plain), allowed


def test_a_folder_that_cannot_be_written(tiny, windows_of_words, tmp_path):
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(CorpusError, match=r"cannot write .*; free some disk space or choose another folder"):
            gather(tiny("llama"), windows_of_words, PositionSums(), out=out)


def test_two_jobs_on_one_folder(tiny, windows_of_words, tmp_path):
    """The second refuses, and leaves what the first wrote."""
    with Store(tmp_path).locked(), pytest.raises(CorpusError, match=r"another process is writing .*; wait for it"):
        gather(tiny("llama"), windows_of_words, PositionSums(), out=tmp_path)
    assert not list(tmp_path.iterdir())
    gather(tiny("llama"), windows_of_words, PositionSums(), out=tmp_path)


def test_nothing_stays_in_memory(tiny, windows_of_words):
    """Gradients are not kept, and rows are read from the disk."""
    found = gather(tiny("llama"), windows_of_words, PositionSums(), shard=SHARD)
    assert isinstance(found.rows("context-000"), np.memmap)
    assert torch.is_grad_enabled()
    folder = found.store.path
    del found
    assert not folder.exists()
