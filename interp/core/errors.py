"""Errors that a user can fix: each message is one line that names the input and the remedy."""

import re

_LONGEST_WORD = 160
_LONGEST_LINE = 1200
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "can't start new thread")


class InterpError(Exception):
    """Input that cannot be used. The command line prints its message, which is one line, and exits with 2.

    What a message quotes is shortened in the middle where it is very long.
    """

    def __str__(self) -> str:
        line = " ".join(map(str.strip, super().__str__().splitlines()))
        line = re.sub(rf"\S{{{_LONGEST_WORD + 1},}}", lambda match: shortened(match[0], _LONGEST_WORD // 2), line)
        return shortened(line, _LONGEST_LINE)


class PromptError(InterpError):
    """A prompt, or a pair of prompts, that cannot be run."""


class TargetError(InterpError):
    """An answer or contrast that is missing, or is not one token of the model's vocabulary."""


class ModelError(InterpError):
    """A model that is unknown, incomplete, or cannot be loaded."""


class SiteError(InterpError):
    """A site that the model does not have, or whose edit it would ignore."""


class EngineError(InterpError):
    """An engine that is unknown, or that does not support this model exactly."""


class OptionError(InterpError):
    """An option that an engine does not have, or an invalid value."""


class PathError(InterpError):
    """A path that cannot be used."""


class ResultError(InterpError):
    """A result that does not match its kind, or a file that cannot be written or read."""


class MemoryLimitError(InterpError):
    """Work that would not fit in the free memory."""


class Cancelled(InterpError):
    """The work was cancelled by the person who started it."""


class DictionaryError(InterpError):
    """A dictionary that cannot be read, or does not belong to the site it is attached to."""


class CorpusError(InterpError):
    """A corpus that is empty, cannot be read or does not fit, or sums that belong to another model or corpus."""


def shortened(text: str, most: int) -> str:
    """`text`, or where it is longer than `most` characters its two ends and how many are left out between them."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}…({len(text) - 2 * (most // 2):,} characters)…{text[-(most // 2) :]}"


def in_words(error: BaseException) -> InterpError | None:
    """What a person can mend of an error that a library or the system raised; None for a failure of the program."""
    if isinstance(error, InterpError):
        return error
    if isinstance(error, MemoryError) or any(phrase in str(error) for phrase in _NO_MEMORY):
        return MemoryLimitError(
            f"the memory that is free was used up ({error or type(error).__name__}); give fewer or shorter prompts, or "
            "lower counts"
        )
    if isinstance(error, OSError) and error.strerror:
        what = "the system refuses" if error.filename is None else f"cannot use {error.filename}"
        return PathError(f"{what}: {error.strerror}")
    return None
