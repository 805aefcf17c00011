"""The folder of a training: what it was begun with, its last checkpoint, and the dictionary at its end."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from interp.core.errors import DictionaryError
from interp.core.folders import RunFolder

REPORT = "report.json"
_PROGRESS = "progress.json"
_CONFIG = "cfg.json"


class TrainingFolder(RunFolder):
    """One training's folder. A checkpoint is there whole or not at all; the one before goes when it is."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, DictionaryError)

    @property
    def finished(self) -> bool:
        """Whether the dictionary is there."""
        return (self.path / _CONFIG).is_file()

    def begin(self, settings: Mapping[str, Any]) -> None:
        """Take the folder for this training, or resume it. Raises: DictionaryError if it holds another."""
        report = self.record(REPORT, dict[str, Any], "give another folder")
        if report is None:
            others = sorted(path.name for path in self.path.iterdir() if not path.name.startswith("."))
            if others:
                raise DictionaryError(
                    f"{self.path} holds {others[0]} but no {REPORT} of a training run; give a new or empty folder"
                )
            self.write_record(REPORT, {"settings": settings})
            return
        there = report.get("settings")
        if not isinstance(there, dict):
            raise self.damaged(self.path / REPORT, "it is not of a training", "give another folder")
        deciding = {name: value for name, value in settings.items() if name != "model"}  # its weights decide
        self.require_same({name: there.get(name) for name in deciding}, deciding)

    @property
    def checkpoint(self) -> Path | None:
        """The last checkpoint; None before the first."""
        return max(self.path.glob("checkpoint-*"), default=None)

    def save(self, trainer: Any, progress: Mapping[str, Any]) -> None:
        """Write a checkpoint. Raises: DictionaryError if the disk is full; the one before is still there then."""
        older, name = list(self.path.glob("checkpoint-*")), f"checkpoint-{trainer.n_training_samples:012}"
        with self.making(name) as scratch:
            try:
                trainer.save_checkpoint(name, base_path=scratch)
            except RuntimeError as error:  # torch's writer has many words for a disk that is full
                raise self.unwritable(error) from error
            (scratch / name / _PROGRESS).write_text(json.dumps(progress), encoding="utf-8")
        for folder in older:
            shutil.rmtree(folder, ignore_errors=True)

    def restore(self, trainer: Any) -> dict[str, Any]:
        """Put the last checkpoint into the trainer; what was written with it, nothing if there is none.

        Raises: DictionaryError if it is damaged.
        """
        folder = self.checkpoint
        if folder is None:
            return {}
        with self.reading(folder):
            trainer.load_trainer_state(folder)
            trainer.sae.load_weights_from_checkpoint(folder)
            return json.loads((folder / _PROGRESS).read_text(encoding="utf-8"))

    @contextmanager
    def finishing(self) -> Iterator[Path]:
        """A folder to make the dictionary in, which is put in place when the block has ended well."""
        with self.making(_CONFIG) as scratch:
            yield scratch
        for folder in self.path.glob("checkpoint-*"):
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def last_state(self) -> str:
        """What there is to go back to, in words."""
        return f"the last good state is {self.checkpoint}" if self.checkpoint else "there is no checkpoint yet"
