"""Opening the dashboard, which lives on top of the library and is reached by name only when it is asked for."""

from importlib import import_module
from typing import Any


def dashboard(model: Any = None, **settings: Any) -> Any:
    """Serve the dashboard over a model that is already loaded (the default model where none is given).

    Settings and return value are those of `interp_dashboard.serve.serve`.
    """
    return import_module("interp_dashboard.serve").serve(model, **settings)
