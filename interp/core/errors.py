"""Errors that a user can fix: each message is one line that names the input and the remedy."""


class InterpError(Exception):
    """Input that cannot be used. The command line prints its message and exits with 2."""


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
