"""The HTTP server process: every function on one port, each in a functions-framework app.

Run by ``infra/local/supervisor.py`` as ``python -m infra.local.serving PLAN`` with a JSON plan.
"""

from __future__ import annotations

import contextlib
import hmac
import importlib.util
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from pkgutil import resolve_name
from types import FunctionType, ModuleType
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import functions_framework
from flask import Flask
from functions_framework import _function_registry
from gunicorn.app.base import BaseApplication
from werkzeug.exceptions import Forbidden, NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.routing import Rule

from infra import logs
from infra.clock import utc_now
from infra.environment import settings_from
from infra.local.blob_serving import BlobServing
from infra.local.blobs import ROUTE, LocalBlobs
from infra.local.lanes import INTERNAL_HEADER
from infra.local.threads import PoolWorker, leave_pool, streams_leave
from shared.errors import Rejected

Functions = Mapping[str, tuple[str, str]]
"""The name under which a function is served → the name in the module, and its signature type."""

SECRET_VARIABLE = "INTERNAL_SECRET"  # noqa: S105 - the name of a variable
"""The environment variable that tells the functions' process the dispatcher's secret."""

_SECRET_IN_ENVIRON = "HTTP_" + INTERNAL_HEADER.upper().replace("-", "_")
_GRACEFUL_SECONDS = 3


@dataclass(frozen=True, slots=True)
class ServingPlan:
    """What the server process is told. The numbers ending in ``_fd`` are inherited files."""

    source: str
    functions: dict[str, tuple[str, str]] | None
    root: str
    workers: int
    threads: int
    front: str | None = None
    listen_fd: int = -1
    ready_fd: int = -1
    parent_fd: int = -1

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> ServingPlan:
        return cls(**json.loads(text))


def discover(source: Path) -> dict[str, tuple[str, str]]:
    """The functions that a module exports and that functions-framework decorators have marked.

    Raises Rejected for one exported under another name: the framework knows it by its own only.
    """
    found: dict[str, tuple[str, str]] = {}
    module = _load(source)
    for name in getattr(module, "__all__", None) or dir(module):
        function = getattr(module, name)
        if name.startswith("_") or not isinstance(function, FunctionType):
            continue
        signature = _function_registry.REGISTRY_MAP.get(function.__name__)
        if signature is None:
            continue
        if function.__name__ != name:
            raise Rejected(
                f"{source.name} exports {function.__name__!r} as {name!r}. Give the function that "
                "name itself, or it would be served as plain HTTP."
            )
        found[name] = (name, signature)
    return found


def build_app(
    source: Path, functions: Functions, root: str, blobs: Path, front: str | None = None
) -> WSGIApplication:
    """The function ``root`` at ``/``, the others under their names for the platform alone.

    ``blobs`` is the folder of what is handed out to whoever has a link, ``front`` the name, as
    ``package.module:attribute``, of what wraps all this to answer some requests itself.
    """
    apps = {name: _app(source, *function) for name, function in functions.items()}
    public = apps.pop(root, NotFound())
    guarded = {f"/{name}": _for_the_platform(app) for name, app in apps.items()}
    handed_out = BlobServing(LocalBlobs(blobs, now=utc_now))
    served = streams_leave(DispatcherMiddleware(public, {ROUTE: handed_out, **guarded}))
    return served if front is None else resolve_name(front)(served)


def _for_the_platform(app: WSGIApplication) -> WSGIApplication:
    """The app as IAM would guard it: only the dispatcher, which knows the secret, gets through.

    It is called without the redirect from ``/name`` to ``/name/``, which callers take for failure.
    """
    secret = os.environ.get(SECRET_VARIABLE, "")

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        given = environ.get(_SECRET_IN_ENVIRON, "")
        if not secret or not hmac.compare_digest(given, secret):
            return Forbidden("Only the platform may call this function.")(environ, start_response)
        leave_pool()
        return app({**environ, "PATH_INFO": environ["PATH_INFO"] or "/"}, start_response)

    return call


def _load(source: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(source.stem, source)
    if spec is None or spec.loader is None or not source.is_file():
        raise Rejected(f"There are no functions in {source}: it is not a Python file.")
    sys.path.append(str(source.parent))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _app(source: Path, target: str, signature: str) -> WSGIApplication:
    # The framework leaves both behind as defaults for the next function, which has its own.
    for variable in ("FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE"):
        os.environ.pop(variable, None)
    create_app: Callable[..., object] = functions_framework.create_app
    app = create_app(target, str(source), signature)
    if not isinstance(app, Flask):
        raise Rejected(f"{target!r} is an asynchronous function; only plain ones are served here.")
    if signature == _function_registry.HTTP_SIGNATURE_TYPE:
        # The framework routes no request for a WebSocket, which a function may well answer.
        app.url_map.add(Rule("/<path:path>", endpoint="run", websocket=True))
    return app


class _Server(BaseApplication):  # type: ignore[misc]
    """Gunicorn workers with threads that load the functions after the fork."""

    def __init__(self, plan: ServingPlan) -> None:
        self._plan = plan
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": f"fd://{self._plan.listen_fd}",
            "workers": self._plan.workers,
            "worker_class": PoolWorker,
            "threads": self._plan.threads,
            "timeout": 0,
            "graceful_timeout": _GRACEFUL_SECONDS,
            "limit_request_line": 0,
            "loglevel": "error",
            "control_socket_disable": True,
            "post_worker_init": self._ready,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        # Before the first request: some are answered, and logged, without any service.
        settings = settings_from(os.environ)
        logs.configure(settings)
        source = Path(self._plan.source)
        functions = self._plan.functions
        return build_app(
            source,
            discover(source) if functions is None else functions,
            self._plan.root,
            settings.data_dir / "blobs",
            self._plan.front,
        )

    def _ready(self, worker: Any) -> None:
        """Tell the parent that requests are answered, and watch it from now on."""
        threading.Thread(
            target=_end_with_parent, args=(self._plan.parent_fd, worker.ppid), daemon=True
        ).start()
        # The first one is enough; later ones, and who replaces one that died, have nobody to tell.
        with contextlib.suppress(OSError):
            os.write(self._plan.ready_fd, b"1")


def _end_with_parent(parent_fd: int, master: int) -> None:
    """Stop the server when the process that supervises it is gone, however it went."""
    os.read(parent_fd, 1)
    # Once the master is gone too its id may belong to somebody else.
    if os.getppid() == master:
        os.kill(master, signal.SIGTERM)


if __name__ == "__main__":
    _Server(ServingPlan.from_json(sys.argv[1])).run()
