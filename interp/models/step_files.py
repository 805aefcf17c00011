"""The weights that a training keeps by step: `steps/STEP.safetensors` in its folder."""

from pathlib import Path

from interp.core.errors import ModelError


def steps_of(folder: Path) -> tuple[int, ...]:
    """The steps whose weights a training has kept."""
    return tuple(sorted(int(path.stem) for path in folder.glob("steps/*.safetensors") if path.stem.isdecimal()))


def at_step(name: str, folder: Path, step: str) -> Path:
    """The weights after a step of a training; the last ones where none is named.

    Raises: ModelError naming the nearest steps if that one is not there.
    """
    steps = steps_of(folder)
    if not steps:
        raise ModelError(f"{name} has no weights yet; wait for its training, or train it again")
    if not step.isdecimal() and step:
        raise ModelError(f"{name}@{step} names no step; give a number, such as {name}@{steps[-1]}")
    wanted = int(step) if step else steps[-1]
    if wanted not in steps:
        nearest = [*[each for each in steps if each < wanted][-1:], *[each for each in steps if each > wanted][:1]]
        raise ModelError(f"{name} has no step {wanted}; the nearest: {' and '.join(map(str, nearest))}")
    return folder / "steps" / f"{wanted}.safetensors"


def beside(source: str) -> str:
    """Where the other files are: for a step of a training, which is given by the file of its weights, its folder."""
    path = Path(source)
    return str(path.parents[1]) if path.suffix == ".safetensors" and path.is_file() else source
