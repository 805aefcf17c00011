"""Which models are on this disk, and what their files say before anything of them is loaded."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from interp.core.errors import ModelError
from interp.core.paths import typed_path
from interp.models.memory import memory_for_weights
from interp.models.sources import (
    PACKAGED,
    cache_folder,
    compiled_models,
    known_models,
    resolve,
    runs,
)
from interp.models.step_files import at_step, beside, steps_of

BYTES = {"float32": 4, "float64": 8, "bfloat16": 2, "float16": 2}
_LONGEST_HEADER = 100 << 20  # bytes, as safetensors itself allows


@dataclass(frozen=True)
class ModelFiles:
    """One model on this disk.

    `folder` is None for a packaged one that has not been pulled and for a GGUF file, and the file of its weights for a
    step of a training; `problem` is one line.
    """

    name: str
    origin: str
    folder: Path | None = None
    family: str = ""
    parameters: int = 0
    disk: int = 0
    problem: str = ""

    def memory(self, dtype: str = "float32") -> int:
        """Bytes that loading it takes."""
        return memory_for_weights(self.parameters, BYTES[dtype])

    @property
    def fingerprint(self) -> str:
        """What tells its files from others, without reading them all: config, and the weights' sizes and times."""
        if self.folder is None:
            return ""
        told = hashlib.blake2b(Path(beside(str(self.folder)), "config.json").read_bytes(), digest_size=8)
        for path in _weights(self.folder):
            about = path.stat()
            told.update(f"{path.name} {about.st_size} {about.st_mtime_ns}".encode())
        return told.hexdigest()


def inventory() -> list[ModelFiles]:
    """The packaged models, those of known truth, compiled ones, then those in our cache and that of Hugging Face."""
    packaged = [_packaged(name) for name in PACKAGED]
    folders = sorted(path.parent for path in cache_folder().glob("gguf-*/config.json"))
    converted = [_described(str(folder), "cached", folder) for folder in folders]
    hub = [_described(name, "cached", folder) for name, folder in sorted(_in_hub_cache())]
    known = [_described(name, "packaged", folder) for name, folder in known_models().items()]
    compiled = [_described(name, "compiled", folder) for name, folder in compiled_models().items()]
    trained = [
        _described(name, "trained", at_step(name, folder, "")) for name, folder in runs().items() if steps_of(folder)
    ]
    return packaged + trained + known + compiled + converted + hub


def files_of(name: str) -> ModelFiles:
    """The files that `name` stands for: a packaged model, a folder, a GGUF file or an id in the local cache.

    Nothing is downloaded. Raises: ModelError if there is none.
    """
    if name in PACKAGED:
        return _packaged(name)
    path = typed_path(name)
    if path.suffix == ".gguf" and path.is_file():  # read when it is loaded
        return ModelFiles(name, "file", family="gguf", disk=path.stat().st_size)
    source = resolve(name)
    if Path(source).exists():
        return _described(name, "folder", Path(source))
    folder = dict(_in_hub_cache()).get(name)
    if folder is None:
        raise ModelError(
            f"{name!r} is neither a packaged model nor a folder, and not in the local cache of Hugging Face; give one "
            "that is on this disk"
        )
    return _described(name, "cached", folder)


def _packaged(name: str) -> ModelFiles:
    folder = cache_folder() / name
    if not (folder / "config.json").exists():
        return ModelFiles(name, "packaged", problem=f"not pulled; run `interp models pull {name}` once")
    return _described(name, "packaged", folder)


def _in_hub_cache() -> Iterator[tuple[str, Path]]:
    """Ids and newest snapshots of the models in Hugging Face's cache."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repositories = scan_cache_dir().repos
    except CacheNotFound:
        return
    for repository in repositories:
        snapshots = [each for each in repository.revisions if (each.snapshot_path / "config.json").exists()]
        if repository.repo_type == "model" and snapshots:
            yield repository.repo_id, max(snapshots, key=lambda each: each.last_modified).snapshot_path


def _weights(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors")) if folder.is_dir() else [folder]


def _described(name: str, origin: str, folder: Path) -> ModelFiles:
    paths = _weights(folder)
    try:
        config = json.loads(Path(beside(str(folder)), "config.json").read_text())
        family = str(config.get("model_type") or "")
        parameters = sum(map(_numbers, paths))
        disk = sum(path.stat().st_size for path in paths)
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        problem = "its config.json or weights are damaged; download it again"
        return ModelFiles(name, origin, folder, problem=problem)
    problem = "" if paths else "has no .safetensors weights, and no other format is read"
    return ModelFiles(name, origin, folder, family, parameters, disk, problem)


def _numbers(path: Path) -> int:
    """How many numbers a .safetensors file holds, by its header. Raises: ValueError if that is damaged."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LONGEST_HEADER:
            raise ValueError(f"{path} has no header")
        header: dict[str, Any] = json.loads(file.read(length))
    header.pop("__metadata__", None)
    if header and 8 + length + max(each["data_offsets"][1] for each in header.values()) != path.stat().st_size:
        raise ValueError(f"{path} is cut off")
    return sum(prod(each["shape"]) for each in header.values())
