"""The folder of a training: what it was begun with, its last checkpoint, and the dictionary at its end."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors import SafetensorError

from interp.core.errors import DictionaryError
from interp.core.files import write_whole

REPORT = "report.json"
_PROGRESS = "progress.json"
_FINISHED = ("sae_weights.safetensors", "cfg.json")  # the config goes last: who finds it finds all
_UNFINISHED = ".unfinished"


class TrainingFolder:
    """One training's folder. A checkpoint is there whole or not at all; the one before goes when it is."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out. Raises: DictionaryError if one is in, or the folder cannot be written."""
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise DictionaryError(
                f"another process is training in {self.path}; wait for it, or give another folder"
            ) from None
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            yield
        finally:
            shutil.rmtree(self.path / _UNFINISHED, ignore_errors=True)
            lock.release()

    @property
    def finished(self) -> bool:
        """Whether the dictionary is there."""
        return (self.path / _FINISHED[-1]).is_file()

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Take the folder for this training, or go on with it. Raises: DictionaryError if it holds another."""
        report = self.path / REPORT
        if not report.is_file():
            others = sorted(path.name for path in self.path.iterdir() if not path.name.startswith("."))
            if others:
                raise DictionaryError(
                    f"{self.path} holds {others[0]} and no {REPORT} of a training; give a new folder, or an empty one"
                )
            self.report({"settings": settings})
            return
        try:
            there = json.loads(report.read_text(encoding="utf-8"))["settings"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DictionaryError(f"{report} is damaged, or of another program; give another folder") from error
        for name, value in settings.items():
            if name != "model" and there.get(name) != value:  # the hash of its weights decides, whatever it is called
                raise DictionaryError(
                    f"{self.path} was begun with {name} = {there.get(name)}, not {value}; give another folder, or "
                    "remove it"
                )

    def report(self, report: Mapping[str, Any]) -> None:
        """Write what is to be known of the training."""
        write_whole(self.path / REPORT, json.dumps(report, indent=1).encode())

    @property
    def checkpoint(self) -> Path | None:
        """The last checkpoint; None before the first."""
        return max(self.path.glob("checkpoint-*"), default=None)

    def keep(self, trainer: Any, progress: Mapping[str, Any]) -> None:
        """Write a checkpoint. Raises: DictionaryError if the disk is full; the one before is still there then."""
        older = list(self.path.glob("checkpoint-*"))
        with self._written() as unfinished:
            trainer.save_checkpoint(unfinished.name, base_path=unfinished.parent)
            (unfinished / _PROGRESS).write_text(json.dumps(progress), encoding="utf-8")
            for file in unfinished.iterdir():
                _settle(file)
            os.replace(unfinished, self.path / f"checkpoint-{trainer.n_training_samples:012}")
        for folder in older:
            shutil.rmtree(folder, ignore_errors=True)

    def restore(self, trainer: Any) -> dict[str, Any]:
        """Put the last checkpoint into the trainer; what was kept with it, nothing if there is none.

        Raises: DictionaryError if it is damaged.
        """
        folder = self.checkpoint
        if folder is None:
            return {}
        try:
            trainer.load_trainer_state(folder)
            trainer.sae.load_weights_from_checkpoint(folder)
            return json.loads((folder / _PROGRESS).read_text(encoding="utf-8"))
        except Exception as error:  # torch, pickle and safetensors raise many kinds; each means that it is unusable
            reason = " ".join(str(error).split())[:200]
            raise DictionaryError(f"{folder} is damaged ({reason}); remove {self.path} and train again") from error

    @contextmanager
    def finishing(self) -> Iterator[Path]:
        """A folder to make the dictionary in, which is put in place when the block has ended well."""
        with self._written() as unfinished:
            unfinished.mkdir()
            yield unfinished
            for name in _FINISHED:
                _settle(unfinished / name)
                os.replace(unfinished / name, self.path / name)
        for folder in self.path.glob("checkpoint-*"):
            shutil.rmtree(folder, ignore_errors=True)

    def left(self) -> str:
        """What is there to go back to, in words."""
        return f"the last good state is {self.checkpoint}" if self.checkpoint else "no checkpoint had been made yet"

    @contextmanager
    def _written(self) -> Iterator[Path]:
        unfinished = self.path / _UNFINISHED
        shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed
        try:
            yield unfinished
        except (OSError, SafetensorError) as error:
            raise self._unwritable(error) from error
        except RuntimeError as error:  # torch's writer, for a disk that is full
            if "writ" not in str(error):
                raise
            raise self._unwritable(error) from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _unwritable(self, error: Exception) -> DictionaryError:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:100]
        return DictionaryError(
            f"cannot write {self.path}: {reason}; free some space or choose another folder ({self.left()})"
        )


def _settle(file: Path) -> None:
    """Make sure that it is on the disk before its name is."""
    with open(file, "rb+") as opened:
        os.fsync(opened.fileno())
