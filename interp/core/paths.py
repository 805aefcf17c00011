"""Paths that people type: every one goes through here before anything is read or written."""

from pathlib import Path

from interp.core.errors import PathError


def typed_path(text: str | Path) -> Path:
    """The path, `~` standing for a person's home.

    Raises: PathError for one that the system cannot look up: too long, of an unknown person, in a closed folder.
    """
    try:
        path = Path(text).expanduser()
        path.exists()
    except RuntimeError:
        raise PathError(f"there is no home folder for the path {str(text)!r}; write it in full") from None
    except OSError as error:
        raise PathError(f"cannot use the path {str(text)!r}: {error.strerror}; give another") from None
    if "\0" in str(text):
        raise PathError(f"the path {str(text)!r} holds a null character; remove it")
    return path


def typed_file(text: str | Path) -> Path:
    """The path of a file to read, which need not be there. Raises: PathError also for a folder."""
    path = typed_path(text)
    if path.is_dir():
        raise PathError(f"{path} is a folder; give a file")
    return path
