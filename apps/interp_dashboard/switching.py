"""Which model the pages show, and loading another while it goes on answering."""

import gc
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import torch
from flask import Flask, request
from pydantic.dataclasses import dataclass as form

from interp import groundtruth
from interp.checks import remember, remembered, support
from interp.core.errors import Cancelled, InterpError, ModelError, in_words
from interp.core.progress import reporting
from interp.models.hooked import HookedModel
from interp.models.inventory import BYTES, ModelFiles, files_of, inventory
from interp.models.load import DTYPES, load_files
from interp.models.memory import free_memory, give_back, require_memory_for_weights
from interp.models.sources import resolve
from interp.tasks.rasp import meaning
from interp_dashboard.bodies import well_formed
from interp_dashboard.workspace import Workspace

LONGEST_COMPILING = 120  # seconds
EXAMPLE = {
    "source": "# How often each token occurs (Weiss et al. 2021)\n"
    "same = select(tokens, tokens, ==);\nhist = selector_width(same);\n",
    "vocabulary": "a b c d",
    "longest": 5,
    "causal": False,
}


@dataclass(eq=False)
class Loading:
    """A model on its way; `process` is what its pages will be told apart by, `error` why it did not arrive.

    `program` is what is compiled first, RASP with its vocabulary and length; the `name` is known after that.
    """

    name: str
    dtype: str
    process: str = field(default_factory=lambda: uuid.uuid4().hex)
    stage: str = "looking at its files"
    done: int = 0
    total: int = 0
    error: str = ""
    cancelled: bool = False
    program: dict[str, Any] | None = None
    ends: float = field(default_factory=lambda: time.monotonic() + LONGEST_COMPILING)

    def report(self, stage: str, done: int, total: int) -> None:
        """How far it is. Raises: Cancelled once somebody has cancelled it."""
        self.stage, self.done, self.total = stage, done, total
        if self.cancelled:
            raise Cancelled(f"loading {self.name} was cancelled")
        if self.program is not None and time.monotonic() > self.ends:
            raise ModelError(f"compiling takes more than {LONGEST_COMPILING} s; make the program or its inputs smaller")

    @property
    def about(self) -> dict[str, Any]:
        """What the pages show of it."""
        names = ("process", "name", "dtype", "stage", "done", "total", "error", "cancelled")
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
        about = {"now": now, "models": rows, "problem": problem, "free": free, "dtypes": list(BYTES)}
        return about | {"fixed": "", "rasp": {"obstacle": groundtruth.compiling_obstacle(), "example": EXAMPLE}}

    def begin(self, name: str, dtype: str, program: dict[str, Any] | None = None) -> Loading:
        """Load a model of this disk, or compile `program`, in the background; the present one answers meanwhile.

        Raises: InterpError if the model is fixed, another one is being loaded, or the program means nothing.
        """
        if self.fixed:
            raise InterpError(f"the model cannot be changed: {self.fixed}")
        if dtype not in BYTES:
            raise ModelError(f"unknown dtype {dtype[:40]!r}; choose one of {', '.join(BYTES)}")
        if program is not None:
            meaning(**program)
        with self._lock:
            if self._loading is not None and not self._loading.error:
                raise InterpError(f"{self._loading.name} is being loaded; wait for it, or cancel it first")
            loading = self._loading = Loading(name, dtype, program=program)
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
        if loading.program is not None:
            with reporting(loading.report):
                loading.report("compiling", 0, 0)
                loading.name = groundtruth.compiled_name(**loading.program)
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


@form
class _Program:
    source: str
    vocabulary: str
    longest: int
    causal: bool
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

    @server.post("/_models/compile")
    def compile_program() -> dict[str, Any]:
        program = dict(well_formed(_Program, request.get_json()))
        dtype, program["vocabulary"] = program.pop("dtype"), program["vocabulary"].split()
        try:
            return {"process": serving.begin("a RASP program", dtype, program).process}
        except InterpError as error:
            return {"error": str(error)}

    @server.post("/_models/cancel")
    def cancel() -> tuple[str, int]:
        serving.cancel()
        return "", 204
