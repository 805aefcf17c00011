"""Loading dictionaries: folders that sae-lens wrote, bare safetensors with a config, and the hub."""

import json
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from interp.core.errors import DictionaryError
from interp.dictionaries.dictionary import Dictionary

CONFIGS = ("cfg.json", "config.json", "sae_cfg.json")
_ONE_PLACE = ("standard", "gated", "topk", "abstopk", "jumprelu", "matching_pursuit")


def load(name: str | Path, sae_id: str | None = None) -> Dictionary:
    """Load a dictionary: a folder, or with `sae_id` a release of sae-lens' list or a repository of the hub.

    A folder holds what sae-lens saves, or one .safetensors file with W_enc, b_enc, W_dec and b_dec (and threshold for
    JumpReLU) beside a JSON config; what the config leaves out is read off the shapes. Weights become float32. No pickle
    is read.
    Raises: DictionaryError if it is not there, damaged, not finite, or no autoencoder of one place.
    """
    from sae_lens import SAE  # takes seconds to import

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other ways to load a model; `attach` looks at what matters here
            if sae_id is None:
                sae = SAE.load_from_disk(_folder(Path(name)), dtype="float32", converter=_read)
            else:
                sae = SAE.from_pretrained(str(name), sae_id, dtype="float32")
    except DictionaryError:
        raise
    except Exception as error:  # sae-lens, safetensors and the hub raise many kinds; each means that it is unusable
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        where = name if sae_id is None else f"{name}, {sae_id}"
        raise DictionaryError(
            f"cannot load the dictionary {where}: {reason} — check its name, or that its files are complete (nothing "
            "is downloaded while HF_HUB_OFFLINE is set)"
        ) from error
    said = str(name) if sae_id is None else f"{name}/{sae_id}"
    _require_usable(sae, said)
    sae.turn_off_forward_pass_hook_z_reshaping()  # heads are joined here, whatever stands before them
    return Dictionary(sae.eval().requires_grad_(False), said)


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise DictionaryError(f"there is no folder {path}; give one that sae-lens saved, or a release and its sae_id")
    return path


def _read(
    path: str | Path, device: str | None = None, cfg_overrides: dict[str, Any] | None = None
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Config and weights of a folder, in sae-lens' terms."""
    folder = Path(path)
    configs = [folder / each for each in CONFIGS if (folder / each).is_file()]
    files = sorted(folder.glob("*weights*.safetensors")) or sorted(folder.glob("*.safetensors"))
    if not configs or len(files) != 1:
        raise DictionaryError(
            f"{folder} holds {len(files)} .safetensors files and {len(configs)} of {', '.join(CONFIGS)}; it needs one "
            "of each"
        )
    weights = {key: value.to(torch.float32) for key, value in load_file(files[0], device=device or "cpu").items()}
    missing = [key for key in ("W_enc", "W_dec", "b_dec") if key not in weights]
    if missing:
        raise DictionaryError(f"{files[0]} has no {missing[0]}; it holds {', '.join(sorted(weights))}")
    config = json.loads(configs[0].read_text())
    d_in, features = weights["W_enc"].shape
    said = config.get("d_in", d_in), config.get("d_sae", features)
    if tuple(said) != (d_in, features) or weights["W_dec"].shape != (features, d_in):
        raise DictionaryError(
            f"{folder}: its config says {said[1]} features of {said[0]}, its weights are {d_in} × {features} and "
            f"{' × '.join(map(str, weights['W_dec'].shape))}"
        )
    config |= {"d_in": d_in, "d_sae": features, "device": device or "cpu"} | (cfg_overrides or {})
    config.setdefault("architecture", _architecture(weights))
    if "metadata" in config:  # of a config that names no version, sae-lens would read the flat form of old ones
        config["metadata"].setdefault("sae_lens_version", version("sae-lens"))
    return config, weights


def _architecture(weights: dict[str, Tensor]) -> str:
    """What the names of its weights say."""
    return "jumprelu" if "threshold" in weights else "gated" if "b_gate" in weights else "standard"


def _require_usable(sae: Any, name: str) -> None:
    architecture = sae.cfg.architecture()
    if architecture not in _ONE_PLACE:
        raise DictionaryError(
            f"{name} is a {architecture}, not an autoencoder of one place; those are {', '.join(_ONE_PLACE)}"
        )
    if sae.cfg.normalize_activations in ("expected_average_only_in", "covariance_whitening"):
        raise DictionaryError(
            f"{name} was trained on activations rescaled by {sae.cfg.normalize_activations}, and its weights do not "
            "have that folded in; save it with sae-lens' own trainer, which folds it"
        )
    for key, value in sae.state_dict().items():
        if not torch.isfinite(value).all():
            raise DictionaryError(f"{name}: {key} holds NaN or infinite numbers; train or download it anew")
