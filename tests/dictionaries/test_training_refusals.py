"""What a training refuses, and what it leaves behind when something goes wrong."""

import errno
import json
import shutil

import pytest
import torch
from dictionaries.trainings import Z, options, same, stopping, weights_of, windows_of
from filelock import FileLock
from safetensors import SafetensorError

import interp
from interp import dictionaries
from interp.core.errors import Cancelled, CorpusError, DictionaryError, MemoryLimitError, OptionError
from interp.core.progress import reporting
from interp.dictionaries.training.folder import TrainingFolder
from interp.models import Site
from interp.models.hooked import HookedModel


def test_a_loss_that_is_no_number(trained, tmp_path, monkeypatch):
    """Training stops, the checkpoint before stays good, and what mends the input goes on from it."""
    trained("plain")
    real, calls = HookedModel.vectors, 0

    def broken(model, windows, site):
        nonlocal calls
        calls += 1
        return real(model, windows, site) * (float("nan") if calls > 10 else 1.0)

    with monkeypatch.context() as patched:
        patched.setattr(HookedModel, "vectors", broken)
        with pytest.raises(DictionaryError, match=r"loss became nan after \d+ tokens.*the last good state is .*checkp"):
            trained()
    kept = TrainingFolder(tmp_path / "out").checkpoint
    assert kept is not None
    assert all(torch.isfinite(value).all() for value in weights_of(kept).values())
    trained()
    assert same(tmp_path / "plain", tmp_path / "out")


TORCH = "[enforce fail at inline_container.cc:672] . "  # its writer's words, read on a full disk


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError(f"{TORCH}unexpected pos 64 vs 0: file write failed"),
        RuntimeError(f"{TORCH}unexpected pos 3136 vs 3028"),
        RuntimeError("basic_ios::clear: iostream error"),
    ],
)
def test_a_full_disk(error, trained, tmp_path, monkeypatch):
    """One line; the checkpoint before is whole, and training goes on from it."""
    trained("plain")
    real, calls = torch.save, 0

    def full(*arguments, **named):
        nonlocal calls
        calls += 1
        if calls == 3:
            raise error
        return real(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(torch, "save", full)
        with pytest.raises(
            DictionaryError, match=r"cannot write .*free some disk space.*checkpoint-000000000256"
        ) as caught:
            trained()
    assert "\n" not in str(caught.value)
    assert [path.name for path in (tmp_path / "out").glob("*checkpoint*")] == ["checkpoint-000000000256"]
    assert not list((tmp_path / "out").glob(".*"))
    trained()
    assert same(tmp_path / "plain", tmp_path / "out")


def test_a_damaged_checkpoint(trained, tmp_path):
    with reporting(stopping(6)), pytest.raises(Cancelled):
        trained()
    kept = TrainingFolder(tmp_path / "out").checkpoint
    (kept / "trainer_state.pt").write_bytes((kept / "trainer_state.pt").read_bytes()[:100])
    with pytest.raises(DictionaryError, match="is damaged .*run again"):
        trained()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"lr": 0.01}, "made with lr = 0.001, not 0.01"),
        ({"saved_dtype": "float16"}, "made with saved_dtype = float32, not float16"),
        ({"tokens": 2000}, "made with tokens = 1000, not 2000"),
        ({"architecture": "topk"}, "made with architecture = batchtopk, not topk"),
        ({"site": Site("resid_post", 0)}, r"made with site = z\[1\], not resid_post\[0\]"),
    ],
)
def test_a_folder_of_another_training(given, says, trained):
    with reporting(stopping(4)), pytest.raises(Cancelled):
        trained()
    with pytest.raises(DictionaryError, match=says):
        trained(**given)


def test_a_finished_folder_in_another_precision(trained):
    """What was saved stays as it is, and is not given out for what was asked."""
    trained()
    with pytest.raises(DictionaryError, match="made with saved_dtype = float32, not float16; give another folder"):
        trained(saved_dtype="float16")


def test_the_same_weights_under_another_name(trained, tiny, checkpoint, tmp_path):
    """A model that has moved meanwhile is the same model."""
    trained("plain")
    with reporting(stopping(6)), pytest.raises(Cancelled):
        trained()
    assert TrainingFolder(tmp_path / "out").checkpoint is not None
    moved = interp.load(str(shutil.copytree(checkpoint("llama"), tmp_path / "moved")))
    assert moved.name != tiny("llama").name
    dictionaries.train(moved, windows_of(moved), Z, out=tmp_path / "out", options=options())
    assert same(tmp_path / "plain", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "report.json").read_text())["settings"]["model"] == moved.name


def test_other_folders_that_cannot_be_used(trained, tmp_path):
    for name in ("cfg.json", "checkpoint-500", "notes"):
        (tmp_path / name / name).mkdir(parents=True)
        with pytest.raises(DictionaryError, match=rf"holds {name} but no report.json of a training run; give a new"):
            trained(name)
        assert [path.name for path in (tmp_path / name).iterdir() if path.name != ".lock"] == [name]
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "report.json").write_text("{")
    with pytest.raises(DictionaryError, match=r"report.json is damaged \(.*\); give another folder"):
        trained("damaged")
    (tmp_path / "used").mkdir()
    with FileLock(tmp_path / "used" / ".lock"), pytest.raises(DictionaryError, match="another process is writing"):
        trained("used")
    (tmp_path / "file").write_text("")
    with pytest.raises(DictionaryError, match="cannot write .*file"):
        trained("file")


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"batch": 500}, CorpusError, r"random holds 384 tokens \(24 windows of 17\), fewer than one batch of 500"),
        ({"k": 25}, OptionError, "k = 25 is more than the 24 features"),
        ({"l1": 0.5}, OptionError, "l1 is no setting of batchtopk, which takes k; leave l1 out"),
        ({"architecture": "gated"}, OptionError, "k is no setting of gated, which takes l1; leave k out"),
        ({"skip": 17}, OptionError, "skip = 17 leaves nothing of windows of 17 tokens"),
        ({"site": Site("nowhere", 1)}, DictionaryError, "there is no site 'nowhere'"),
        ({"site": Site("pattern", 1)}, DictionaryError, "one vector a position"),
        ({"site": Site("z", 7)}, DictionaryError, "z needs a layer from 0 to 2, not 7"),
        ({"site": Site("embed")}, DictionaryError, r"no dictionary of embed: .*one vector a position"),
    ],
)
def test_what_cannot_be_trained(given, error, says, trained, tmp_path):
    with pytest.raises(error, match=says) as caught:
        trained(**given)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_too_little_memory(trained, monkeypatch):
    monkeypatch.setattr("interp.models.memory.free_memory", lambda device: 2**10)
    with pytest.raises(MemoryLimitError, match=r"24 features of 32, trained on batches of 64 tokens, need .* are free"):
        trained()
