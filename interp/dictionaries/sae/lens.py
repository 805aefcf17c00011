"""Importing sae-lens, which takes seconds, without what it brings along."""

import sys
from functools import cache

# Modules of wandb, on which nothing is logged here, and their temporary folders: a kill would leave those for ever.
_FOLDERS = {
    "wandb.sdk.artifacts.artifact": "Artifact._TMP_DIR",
    "wandb.sdk.data_types._private": "MEDIA_TMP",
}


@cache
def import_sae_lens() -> None:
    """Import sae-lens and remove the temporary folders that importing wandb makes."""
    import sae_lens  # noqa: F401

    for module, path in _FOLDERS.items():
        folder = sys.modules.get(module)
        for name in path.split("."):
            folder = getattr(folder, name, None)
        if folder is not None:
            folder.cleanup()
