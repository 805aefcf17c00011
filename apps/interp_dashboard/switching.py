"""Which model the pages show, and loading another while it goes on answering."""

import gc
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

import torch
from flask import Flask, request
from pydantic.dataclasses import dataclass as form

from interp.checks import remember, remembered, support
from interp.core.errors import Cancelled, InterpError, ModelError, in_words
from interp.core.progress import reporting
from interp.models.hooked import HookedModel
from interp.models.inventory import BYTES, ModelFiles, files_of, inventory
from interp.models.load import DTYPES, load_files
from interp.models.memory import free_memory, give_back, require_memory_for_weights
from interp.models.sources import resolve
from interp_dashboard.bodies import well_formed
from interp_dashboard.workspace import Workspace


@dataclass(eq=False)
class Loading:
    """A model on its way; `process` is what its pages will be told apart by, `error` why it did not arrive."""

    name: str
    dtype: str
    process: str = field(default_factory=lambda: uuid.uuid4().hex)
    stage: str = "looking at its files"
    done: int = 0
    total: int = 0
    error: str = ""
    cancelled: bool = False

    def report(self, stage: str, done: int, total: int) -> None:
        """How far it is. Raises: Cancelled once somebody has cancelled it."""
        self.stage, self.done, self.total = stage, done, total
        if self.cancelled:
            raise Cancelled(f"loading {self.name} was cancelled")

    @property
    def about(self) -> dict[str, Any]:
        """What the pages show of it."""
        names = ("name", "dtype", "stage", "done", "total", "error", "cancelled")
        return {name: getattr(self, name) for name in names}


class Serving:
    """The workspace that answers. A request takes it once, so that no answer is made of two models.

    `fixed` says why no other model may take its place; empty where one may.
    """

    def __init__(self, model: HookedModel, fixed: str = "") -> None:
        self.workspace = Workspace(model)
        self.fixed = fixed
        self._loading: Loading | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """Which process serves which model, and which one is being loaded."""
        loading = self._loading
        return self.workspace.identity | {"loading": loading and loading.about}

    def listing(self, name: str = "") -> dict[str, Any]:
        """The models on this disk, the one that `name` stands for first; without those where it is fixed."""
        model = self.workspace.model
        now = {"name": model.name, "dtype": str(model.dtype).removeprefix("torch.")}
        if self.fixed:
            return {"fixed": f"The model cannot be changed: {self.fixed}.", "now": now}
        models, problem = inventory(), ""
        for wanted in (model.name, name):
            try:
                models = [files_of(wanted), *(each for each in models if each.name != wanted)] if wanted else models
            except InterpError as error:
                problem = str(error) if wanted == name else ""  # the present one's folder may have gone
        rows = [_row(files) for files in models]
        free = free_memory(model.device)
        return {"fixed": "", "now": now, "models": rows, "problem": problem, "free": free, "dtypes": list(BYTES)}

    def begin(self, name: str, dtype: str) -> Loading:
        """Load a model of this disk in the background; the present one answers until it has arrived.

        Raises: InterpError if the model is fixed, or another one is being loaded.
        """
        if self.fixed:
            raise InterpError(f"the model cannot be changed: {self.fixed}")
        if dtype not in BYTES:
            raise ModelError(f"unknown dtype {dtype[:40]!r}; choose one of {', '.join(BYTES)}")
        with self._lock:
            if self._loading is not None and not self._loading.error:
                raise InterpError(f"{self._loading.name} is being loaded; wait for it, or cancel it first")
            loading = self._loading = Loading(name, dtype)
        self._thread = threading.Thread(target=self._run, args=(loading,), name="interp-loading", daemon=True)
        self._thread.start()
        return loading

    def cancel(self) -> None:
        """Stop loading, at the next step; of one that has failed, forget why."""
        with self._lock:
            if self._loading is not None and self._loading.error:
                self._loading = None
            elif self._loading is not None:
                self._loading.cancelled = True

    def close(self) -> None:
        """Cancel what runs and what is being loaded."""
        self.cancel()
        self.workspace.close()

    def _run(self, loading: Loading) -> None:
        try:
            self._switch(loading)
        except Cancelled:
            self._loading = None
        except Exception as error:
            first_line = [*str(error).splitlines(), ""][0]
            loading.error = str(in_words(error) or InterpError(f"{loading.name} cannot be loaded: {first_line}"))
        gc.collect()  # what was let go of, the old model or half of a new one, is held together by circles
        give_back()

    def _switch(self, loading: Loading) -> None:
        device, dtype = self.workspace.model.device, loading.dtype
        files = files_of(loading.name)
        if files.problem:
            raise ModelError(f"{files.name} cannot be loaded: {files.problem}")
        require_memory_for_weights(files.parameters, BYTES[dtype], device, files.name)
        with reporting(loading.report):
            model = load_files(str(files.folder or resolve(files.name)), files.name, DTYPES[dtype], device)
            loading.report("asking the engines", 0, 0)
            remember(files, support(model))
            loading.report("changing over", 0, 0)
        old = self._change_over(Workspace(model), loading)
        old.close()
        if device.type == "cuda":
            torch.cuda.empty_cache()

    def _change_over(self, new: Workspace, loading: Loading) -> Workspace:
        """Let a workspace answer from now on. Returns the one that did; its work is cancelled when it is closed."""
        new.process = loading.process
        with self._lock:
            old, self.workspace, self._loading = self.workspace, new, None
        return old


def _row(files: ModelFiles) -> dict[str, Any]:
    held = remembered(files)
    about = {name: getattr(files, name) for name in ("name", "origin", "family", "parameters", "disk", "problem")}
    return about | {"memory": {dtype: files.memory(dtype) for dtype in BYTES}, "support": held}


@form
class _Wanted:
    name: str
    dtype: str


def connect(server: Flask, serving: Serving) -> None:
    """What the header's list asks of the server."""

    @server.get("/_models")
    def models() -> dict[str, Any]:
        return serving.listing(request.args.get("name", ""))

    @server.post("/_models/load")
    def load() -> dict[str, Any]:
        wanted = well_formed(_Wanted, request.get_json())
        try:
            return {"process": serving.begin(wanted["name"], wanted["dtype"]).process}
        except InterpError as error:
            return {"error": str(error)}

    @server.post("/_models/cancel")
    def cancel() -> tuple[str, int]:
        serving.cancel()
        return "", 204
