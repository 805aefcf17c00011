"""The names that hooks have elsewhere, as sites."""

import re

from interp.models.sites import SITES, Site

# transformer-lens' older model has names of its own.
_OLDER = {
    "hook_resid_pre": "resid_pre",
    "hook_resid_mid": "resid_mid",
    "hook_resid_post": "resid_post",
    "hook_attn_out": "attn_write",
    "hook_mlp_out": "mlp_write",
    "attn.hook_z": "z",
    "attn.hook_q": "q",
    "attn.hook_k": "k",
    "attn.hook_v": "v",
    "mlp.hook_post": "mlp_post",
}
_NAMES = {spec.hook.removeprefix("{}."): name for name, spec in SITES.items() if spec.hook.startswith("{}.")}


def site_of(hook: str) -> Site | None:
    """The site that `blocks.5.attn.hook_z` stands for; None if there is none."""
    match = re.fullmatch(r"blocks\.(\d+)\.(.+)", hook)
    name = match and (_OLDER.get(match[2]) or _NAMES.get(match[2]))
    return Site(name, int(match[1])) if match and name else None


def hook_of(site: Site) -> str:
    """What other tools call a site of a layer: `blocks.5.attn.hook_z`."""
    older = next((hook for hook, name in _OLDER.items() if name == site.name), None)
    return SITES[site.name].hook.format(f"blocks.{site.layer}") if older is None else f"blocks.{site.layer}.{older}"
