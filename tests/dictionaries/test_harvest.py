"""A harvest holds what a plain loop over the windows finds; stopped and resumed it is the same, byte for byte."""

import errno
import os

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from asking import prompts_for
from tiny import FAMILIES

from interp import Prompts, dictionaries
from interp.core.errors import Cancelled, CorpusError, DictionaryError
from interp.core.progress import reporting
from interp.corpus import Windows
from interp.dictionaries.cards.harvesting import Harvest, harvest

TEXT = "When Mary and John went to the store, John gave a drink to Mary. The keys to the cabinet are lent. " * 40


@pytest.fixture
def windows(tiny, tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    return Windows.cut(tiny("llama"), str(tmp_path / "text.txt"), windows=10, length=24)


def rows_of(found: Harvest) -> np.ndarray:
    """Everything there, in the order of the text."""
    tables = [pq.read_table(found.path(shard)).to_pandas() for shard in found.shards]
    rows = np.concatenate([table[["window", "pos", "feature", "value"]].to_numpy() for table in tables])
    return rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]


def by_loop(attached, prompts, skip=1) -> np.ndarray:
    """One window at a time, place by place."""
    rows = []
    for window in range(len(prompts)):
        one = prompts[[window]]
        features = attached.features(one)[0]
        for pos in range(skip, one.width):
            for feature in features[pos].nonzero()[:, 0].tolist():
                rows.append((window, pos, feature, float(features[pos, feature])))
    return np.array(rows)


@pytest.mark.parametrize("family", FAMILIES)
def test_everything_active_is_there(tiny, family, tmp_path):
    """Prompts of different lengths: padding has no features."""
    model = tiny(family)
    attached, prompts = dictionaries.attached(model), prompts_for(model, family)
    found = harvest(attached, prompts, tmp_path / "features", shard=1)
    assert found.shards == [0, 1]
    np.testing.assert_allclose(rows_of(found), by_loop(attached, prompts), rtol=1e-4, atol=1e-5)
    assert [row.tolist() for row in found.tokens()] == [
        row[keep].tolist() for row, keep in zip(prompts.tokens, prompts.mask, strict=True)
    ]


@pytest.mark.parametrize("cells", [2**25, 24 * 24])
def test_shards_of_many_windows(tiny, windows, tmp_path, monkeypatch, cells):
    """Whatever is run or encoded together; every shard ordered by feature."""
    monkeypatch.setattr("interp.dictionaries.cards.harvesting.CELLS", cells)
    monkeypatch.setattr("interp.corpus.batches.TOKENS", 48)
    attached = dictionaries.attached(tiny("llama"))
    found = harvest(attached, windows, tmp_path / "features", shard=4, skip=3)
    kept = windows[windows.distinct()]
    np.testing.assert_allclose(rows_of(found), by_loop(attached, kept, 3), rtol=1e-4, atol=1e-5)
    for shard in found.shards:
        table = pq.read_table(found.path(shard)).to_pandas()
        assert table["feature"].is_monotonic_increasing
        assert set(table["window"] // 4) == {shard}


def test_a_window_that_comes_twice_counts_once(tiny, tmp_path):
    model = tiny("llama")
    attached, one = dictionaries.attached(model), prompts_for(model, "llama")[[0]]
    found = harvest(attached, one[[0, 0, 0]], tmp_path / "features")
    assert found.about.windows == 1
    np.testing.assert_allclose(rows_of(found), by_loop(attached, one), rtol=1e-4, atol=1e-5)


def bytes_of(found: Harvest) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(found.folder.glob("[!.]*"))}


def test_stopped_and_resumed(tiny, windows, tmp_path):
    """What was whole is kept, not written again, and the end is what it would have been."""
    attached = dictionaries.attached(tiny("llama"))
    plain = harvest(attached, windows, tmp_path / "plain", shard=1)
    folder = tmp_path / "stopped"

    def stop(label, done, total):
        if done == 3:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled), reporting(stop):
        harvest(attached, windows, folder, shard=1)
    part = Harvest.open(folder)
    written = {shard: part.path(shard).stat().st_mtime_ns for shard in part.shards}
    assert len(written) in (2, 3)
    assert part.all_shards == plain.all_shards == len(plain.shards)
    whole = harvest(attached, windows, folder, shard=1)
    assert bytes_of(whole) == bytes_of(plain)
    assert {shard: whole.path(shard).stat().st_mtime_ns for shard in written} == written
    assert whole.missing == []


def test_a_full_disk(tiny, windows, tmp_path, monkeypatch):
    attached, through, left = dictionaries.attached(tiny("llama")), os.fsync, 0

    def full(file):
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        through(file)

    plain = harvest(attached, windows, tmp_path / "plain", shard=2)
    for allowed in range(4):
        left, folder = allowed, tmp_path / str(allowed)
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            with pytest.raises(CorpusError, match="No space left on device; free some disk space"):
                harvest(attached, windows, folder, shard=2)
        if allowed > 1:
            assert len(Harvest.open(folder).shards) == allowed - 2
        assert bytes_of(harvest(attached, windows, folder, shard=2)) == bytes_of(plain)


def test_a_folder_of_something_else(tiny, saved, windows, tmp_path):
    model, folder = tiny("llama"), tmp_path / "features"
    attached = dictionaries.attached(model)
    harvest(attached, windows, folder, shard=4)
    width = model.dims.heads * model.dims.d_head
    other = dictionaries.load(saved("standard", width, model=model.name, hook="blocks.1.attn.hook_z")[0]).attach(model)
    same = dictionaries.load(saved("topk", width, model=model.name, hook="blocks.1.attn.hook_z", k=3)[0]).attach(model)
    for refused, words in (
        (lambda: harvest(other, windows, folder, shard=4), "made with dictionary = "),
        (lambda: harvest(same, windows, folder, shard=4), "made with dictionary = "),
        (lambda: harvest(attached, windows[:3], folder, shard=4), "made with text = "),
        (lambda: harvest(attached, windows, folder, shard=4, skip=2), "made with skip = 1, not 2"),
        (lambda: harvest(attached, windows, folder, shard=5), "made with shard = 4, not 5"),
        (lambda: harvest(dictionaries.attached(tiny("qwen2")), windows, folder, shard=4), "made with model = "),
        (lambda: Harvest.open(tmp_path), "holds no features"),
    ):
        with pytest.raises(CorpusError, match=words) as caught:
            refused()
        assert "\n" not in str(caught.value)
    (folder / "about.json").write_text("{")
    with pytest.raises(CorpusError, match="damaged"):
        harvest(attached, windows, folder, shard=4)


def test_features_that_go_below_zero(tiny, saved, windows, tmp_path):
    model = tiny("llama")
    attached = dictionaries.attached(model)
    attached.sae.cfg.architecture = lambda: "abstopk"
    with pytest.raises(DictionaryError, match="below zero"):
        harvest(attached, windows, tmp_path / "features")


def test_named_after_what_it_holds(tiny, windows):
    """The same folder when asked again, another for other prompts; nothing is left of the gradient or the hooks."""
    model = tiny("llama")
    attached = dictionaries.attached(model)
    found, again = harvest(attached, windows), harvest(attached, windows)
    assert found.folder == again.folder
    assert harvest(attached, Prompts.of(model, "When Mary")).folder != found.folder
    assert torch.is_grad_enabled()
