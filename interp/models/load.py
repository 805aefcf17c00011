"""Loading: a name becomes a hooked model."""

from typing import Any

import torch

from interp.core.errors import InterpError, ModelError
from interp.core.progress import tell
from interp.models.bridging import build_bridge
from interp.models.checkpoint import read_model, read_tokenizer
from interp.models.classifiers import as_language_model
from interp.models.finite_weights import require_usable_weights
from interp.models.hooked import HookedModel
from interp.models.identifying import architecture_of
from interp.models.memory import require_memory_for_weights
from interp.models.proof import PlainRun, prove
from interp.models.sources import DEFAULT_MODEL, resolve

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load(
    name: str = DEFAULT_MODEL, *, dtype: str | torch.dtype = "float32", device: str | torch.device | None = None
) -> HookedModel:
    """Load a model by name: a packaged one (`smollm2-135m`), a Hugging Face id, a local folder or a GGUF file.

    `device` None takes a GPU where there is one. Only safetensors weights are read and no remote code is run.
    Raises: ModelError if the name or the device is unknown, files are missing or damaged, or the architecture cannot
    be hooked.
    """
    if isinstance(dtype, str):
        if dtype not in DTYPES:
            raise ModelError(f"unknown dtype {dtype!r}; choose one of {', '.join(DTYPES)}")
        dtype = DTYPES[dtype]
    return load_files(resolve(name), name, dtype, _usable_device(device))


def load_files(source: str, name: str, dtype: torch.dtype, device: torch.device) -> HookedModel:
    """Load the files of a folder or hub id as the model called `name`; a reporter is told of every stage.

    Raises: ModelError as `load` does; MemoryLimitError if the weights do not fit in the memory that is free.
    """
    try:
        original: Any = read_model(source, dtype=dtype, attn_implementation="eager", experts_implementation="eager")
        tokenizer = read_tokenizer(source)
    except InterpError:  # such as Cancelled
        raise
    except Exception as error:  # transformers and safetensors raise many kinds; each means the files are unusable
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelError(
            f"cannot load {name!r}: {reason} — check the name, and that its files are complete (nothing is "
            "downloaded while HF_HUB_OFFLINE is set)"
        ) from error
    tell("checking the weights", 0, 3)
    require_usable_weights(original, name)
    if device.type == "cuda":
        parameters = sum(each.numel() for each in original.parameters())
        require_memory_for_weights(parameters, dtype.itemsize, device, name)
    plain = PlainRun.of(original.to(device), name)
    tell("placing the hooks", 1, 3)
    original = as_language_model(original, name)
    bridge = build_bridge(original, name)
    # Only now: for fused projections the bridge makes parameters of its own.
    for module in (bridge, original):
        module.eval().requires_grad_(False)
    model = HookedModel(
        bridge,
        tokenizer,
        architecture_of(bridge, plain.tokens),
        name=name,
    )
    tell("comparing with the plain model", 2, 3)
    model.obstacles = prove(model, plain)
    return model


def _usable_device(device: str | torch.device | None) -> torch.device:
    if device is None:
        return torch.device("cuda") if torch.cuda.is_available() else torch.get_default_device()
    try:
        usable = torch.empty(0, device=device).device
        if usable.type != "meta":  # which holds no numbers
            return usable
    except (AssertionError, RuntimeError) as error:  # torch raises either, as the device is unknown or absent
        raise _unusable(device) from error
    raise _unusable(device)


def _unusable(device: str | torch.device) -> ModelError:
    return ModelError(f"the device {str(device)!r} is not available on this machine; leave it out, or use cpu")
