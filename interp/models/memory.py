"""Memory that a run will need, estimated before it starts."""

import ctypes
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Protocol

import psutil
import torch

from interp.core.errors import MemoryLimitError
from interp.core.prompts import Prompts
from interp.models.dims import Dims
from interp.models.sites import SITES, Site


class Sized(Protocol):
    """What an estimate asks of a model."""

    dims: Dims

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """The weights' precision."""
        ...


def require_free(size: int, device: torch.device, work: str, remedy: str) -> None:
    """Refuse `work`, a plural, that needs more bytes than are free. Raises: MemoryLimitError with both numbers."""
    free = free_memory(device)
    if size > free:
        raise MemoryLimitError(
            f"{work} need {size / 2**30:.1f} GiB, but only {free / 2**30:.1f} GiB are free; {remedy}"
        )


def memory_for_weights(parameters: int, itemsize: int) -> int:
    """Bytes that loading so many weights takes: a quarter more than they hold (659 MiB for 513, measured)."""
    return parameters * itemsize * 5 // 4


def require_memory_for_weights(parameters: int, itemsize: int, device: torch.device, name: str) -> None:
    """Refuse to load weights that do not fit in the memory that is free. Raises: MemoryLimitError with both numbers."""
    remedy = "choose a smaller model, or a dtype of fewer bytes"
    require_free(memory_for_weights(parameters, itemsize), device, f"the weights of {name}", remedy)


def require_memory(model: Sized, prompts: Prompts, record: Iterable[Site], *, logits_at: int) -> None:
    """Refuse a run that cannot fit in the memory that is free.

    Counted: every recorded site twice (a result is a copy of it), one layer's attention (scores, mask and
    probabilities), and the logits of `logits_at` positions a prompt, twice (a softmax is a copy).
    Raises: MemoryLimitError with both numbers.
    """
    sizes = _sizes(model, prompts)
    activations = sum(prod(sizes[axis] for axis in SITES[site.name].axes.split()) for site in record)
    attention = 3 * prod(sizes[axis] for axis in SITES["pattern"].axes.split())
    logits = len(prompts) * logits_at * model.dims.vocab
    _require(model, prompts, (2 * activations + attention + 2 * logits) * model.dtype.itemsize)


def _require(model: Sized, prompts: Prompts, size: int) -> None:
    work = f"{len(prompts)} prompts of {prompts.width} tokens"
    require_free(size, model.device, work, "shorten the prompts, or use fewer prompts or layers")


def require_memory_for_gradient(model: Sized, prompts: Prompts, *, patterns: bool = True, beside: int = 0) -> None:
    """Refuse a backward pass that cannot fit in the memory that is free.

    Counted: what every layer keeps until the gradient has passed, which is about sixteen vectors of the stream and six
    of the neurons a position (measured on the default model), its attention probabilities if `patterns` are kept, and
    as many numbers `beside`.
    Raises: MemoryLimitError with both numbers.
    """
    sizes = _sizes(model, prompts)
    pattern = prod(sizes[axis] for axis in SITES["pattern"].axes.split())
    rows = len(prompts) * prompts.width * (16 * model.dims.d_model + 6 * model.dims.neurons)
    numbers = model.dims.layers * (patterns * pattern + rows) + 4 * pattern + beside
    _require(model, prompts, numbers * model.dtype.itemsize)


def require_memory_for_parts(model: Sized, parts: int, width: int, itemsize: int) -> None:
    """Refuse to carry `parts` parts of every position's stream through the layers, if they cannot fit.

    Counted: eight tensors of the stream's size a part, which attention takes at its widest; MLPs go by blocks.
    Raises: MemoryLimitError with both numbers.
    """
    size = parts * width * 8 * max(model.dims.d_model, model.dims.heads * model.dims.d_head) * itemsize
    work = f"{parts} parts of {width} positions"
    require_free(size, model.device, work, "shorten the prompt, or follow fewer parts at a time")


def _sizes(model: Sized, prompts: Prompts) -> dict[str, int]:
    positions = dict.fromkeys(("pos", "query_pos", "key_pos"), prompts.width)
    return {"batch": len(prompts), **positions, **model.dims.axes, "one": 1, "d_rotary": model.dims.d_head}  # at most


def free_memory(device: torch.device) -> int:
    """Bytes that are free on a device; on the host, no more than the process' own limit and its container's leave."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return max(0, min(psutil.virtual_memory().available, _left_to_process(), *_left_to_groups()))


def _left_to_process() -> int:
    """Of the address space (`ulimit -v`), which Linux counts and others do not."""
    if not hasattr(psutil, "RLIMIT_AS"):
        return sys.maxsize
    process = psutil.Process()
    limit = process.rlimit(psutil.RLIMIT_AS)[0]
    return sys.maxsize if limit == psutil.RLIM_INFINITY else limit - process.memory_info().vms


def _left_to_groups(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> Iterator[int]:
    """Of the memory of every control group that the process is in; what the system can drop from there is free."""
    with suppress(OSError):  # no Linux
        for line in own.read_text().splitlines():
            number, kind, path = line.split(":", 2)
            if number != "0" and "memory" not in kind.split(","):
                continue
            top, names = (root, ("memory.max", "memory.current", "inactive_file")) if number == "0" else (
                root / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            )  # fmt: skip
            place = top / path.strip("/")
            for group in (place, *place.parents):
                if group.is_relative_to(top):
                    yield from _left_to_group(group, *names)


def _left_to_group(group: Path, limit: str, usage_file: str, droppable: str) -> Iterator[int]:
    with suppress(OSError, ValueError, KeyError):  # the root has no limit, and others may have none ("max")
        most = int((group / limit).read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        yield most - int((group / usage_file).read_text()) + int(stat[droppable])


def give_back() -> None:
    """Return freed memory to the system, where the C library can.

    Large tensors that come and go leave holes, which glibc keeps: of a long run's peak they are up to a third.
    """
    trim = getattr(ctypes.pythonapi, "malloc_trim", None)
    if trim is not None:
        trim(0)
