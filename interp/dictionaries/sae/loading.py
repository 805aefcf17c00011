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
from interp.dictionaries.sae.dictionary import Dictionary
from interp.dictionaries.sae.lens import import_sae_lens
from interp.models.finite_weights import LARGEST, largest_parameter

CONFIGS = ("cfg.json", "config.json", "sae_cfg.json")
_ONE_PLACE = ("standard", "gated", "topk", "abstopk", "jumprelu", "matching_pursuit")
_ACTIVATIONS = ("activation_fn", "activation_fn_str", "activation")  # where configs name it
_PICKLES = ("connor_rob_hook_z", "deepseek_r1", "dictionary_learning_1", "goodfire", "qwen_scope")  # sae-lens' loaders


def load(name: str | Path, sae_id: str | None = None) -> Dictionary:
    """Load a dictionary: a folder, or with `sae_id` a release of sae-lens' list or a repository of the hub.

    A folder holds what sae-lens saves, or one .safetensors file with W_enc, b_enc, W_dec and b_dec (and threshold for
    JumpReLU) beside a JSON config; what the config leaves out is read off the shapes. A config without an architecture
    is a JumpReLU or gated where its weights are, a TopK where it has a k or names topk, standard where it names relu or
    no activation. Weights become float32. No pickle is read: releases that are kept as one are refused.
    Raises: DictionaryError if it is not there, damaged, not finite, a pickle, or no autoencoder of one place.
    """
    import_sae_lens()
    from sae_lens import SAE

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other ways to load a model; `attach` looks at what matters here
            if sae_id is None:
                sae = SAE.load_from_disk(_folder(Path(name)), dtype="float32", converter=_read)
            else:
                _refuse_pickle(str(name))
                sae = SAE.from_pretrained(str(name), sae_id, dtype="float32")
    except DictionaryError:
        raise
    except Exception as error:  # sae-lens, safetensors and the hub raise many kinds; each means that it is unusable
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        where = name if sae_id is None else f"{name}, {sae_id}"
        raise DictionaryError(
            f"cannot load the dictionary {where}: {reason} — check its name, and that its files are complete "
            "(nothing is downloaded while HF_HUB_OFFLINE is set)"
        ) from error
    source = str(name) if sae_id is None else f"{name}/{sae_id}"
    _require_usable(sae, source)
    sae.turn_off_forward_pass_hook_z_reshaping()  # heads are joined here, whatever stands before them
    return Dictionary(sae.eval().requires_grad_(False), source)


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise DictionaryError(f"there is no folder {path}; give one saved by sae-lens, or a release and its sae_id")
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
            f"{folder} contains {len(files)} .safetensors files and {len(configs)} of {', '.join(CONFIGS)}; it needs "
            "exactly one of each"
        )
    state = load_file(files[0], device=device or "cpu")
    if whole := sorted(key for key, value in state.items() if not value.is_floating_point()):
        raise DictionaryError(f"{files[0]}: {whole[0]} is {state[whole[0]].dtype}, not floating point; fetch it again")
    weights = {key: value.to(torch.float32) for key, value in state.items()}
    if "scaling_factor" in weights and (weights["scaling_factor"] == 1).all():
        del weights["scaling_factor"]  # older versions wrote it whether it was fitted or not
    config = json.loads(configs[0].read_text())
    config.setdefault("architecture", _architecture(folder, config, weights))
    untrained = {"W_enc"} if config["architecture"] == "matching_pursuit" else set()
    missing = [key for key in ("W_enc", "W_dec", "b_dec") if key not in {*weights, *untrained}]
    if missing:
        raise DictionaryError(f"{files[0]} has no {missing[0]}; it contains {', '.join(sorted(weights))}")
    if config["architecture"] in ("topk", "abstopk"):
        config["k"] = _k(config)
        if not config["k"]:  # sae-lens would take 100
            raise DictionaryError(f"{folder}: its config does not state the k of a TopK; add k to it")
    decoder = weights["W_dec"].shape
    encoder = weights["W_enc"].shape if "W_enc" in weights else decoder[::-1]
    sizes = config.get("d_in", encoder[0]), config.get("d_sae", encoder[1])
    if sizes != tuple(encoder) or sizes != tuple(decoder[::-1]):
        raise DictionaryError(
            f"{folder}: its config says {sizes[1]} features of {sizes[0]}, its weights are "
            f"{' × '.join(map(str, encoder))} and {' × '.join(map(str, decoder))}"
        )
    config |= {"d_in": sizes[0], "d_sae": sizes[1], "device": device or "cpu"} | (cfg_overrides or {})
    if "metadata" in config:  # of a config that names no version, sae-lens would read the flat form of old ones
        config["metadata"].setdefault("sae_lens_version", version("sae-lens"))
    return config, weights


def _architecture(folder: Path, config: dict[str, Any], weights: dict[str, Tensor]) -> str:
    """What the names of its weights say, then what the config says of its activation.

    Raises: DictionaryError for an activation that no architecture has.
    """
    if "threshold" in weights or "b_gate" in weights:
        return "jumprelu" if "threshold" in weights else "gated"
    activation = next((str(config[key]) for key in _ACTIVATIONS if config.get(key)), "relu")
    kind = "".join(filter(str.isalnum, activation.lower()))
    if kind not in ("relu", "topk"):
        raise DictionaryError(
            f"{folder}: its config gives the activation {activation!r} but no architecture; add one of "
            f"{', '.join(_ONE_PLACE)}"
        )
    return "topk" if kind == "topk" or _k(config) else "standard"


def _k(config: dict[str, Any]) -> int | None:
    """How many features a TopK keeps, where its config says so."""
    return config.get("k") or (config.get("activation_fn_kwargs") or {}).get("k")


def _refuse_pickle(release: str) -> None:
    from sae_lens.loading.pretrained_sae_loaders import get_conversion_loader_name

    if get_conversion_loader_name(release) in _PICKLES:
        raise DictionaryError(
            f"{release} is stored as a pickle, which is never read; load it with sae-lens, save it with save_model, "
            "and give that folder"
        )


def _require_usable(sae: Any, name: str) -> None:
    architecture = sae.cfg.architecture()
    if architecture not in _ONE_PLACE:
        raise DictionaryError(
            f"{name} is a {architecture}, not an autoencoder of a single site; supported are {', '.join(_ONE_PLACE)}"
        )
    if sae.cfg.normalize_activations in ("expected_average_only_in", "covariance_whitening"):
        raise DictionaryError(
            f"{name} was trained on activations rescaled by {sae.cfg.normalize_activations}, and the scale is not "
            "folded into its weights; save it with sae-lens' own trainer, which folds it in"
        )
    key, value = largest_parameter(sae)
    if not abs(value) <= LARGEST:  # NaN neither
        raise DictionaryError(f"{name} cannot be used: its {key} holds {value:g}; train or download it anew")
