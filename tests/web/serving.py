"""Applications of each framework, served over HTTP by a thread of this process."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import uvicorn
import waitress
import waitress.wasyncore
from fastapi import FastAPI
from fasthtml.core import FastHTML
from flask import Flask
from starlette.applications import Starlette

FRAMEWORKS = ("fastapi", "starlette", "fasthtml", "flask")

#: Seconds after which a server that does not stop fails its tests.
PATIENCE = 30


def application(framework: str) -> Any:
    """An application of a framework, without any route."""
    if framework == "fastapi":
        return FastAPI()
    if framework == "starlette":
        return Starlette()
    if framework == "fasthtml":
        return FastHTML(secret_key="for tests", default_hdrs=False)
    return Flask("flasked")


@contextmanager
def served_here(app: Any, **settings: Any) -> Generator[str]:
    """Gives the address at which an application answers: by waitress one of Flask, by uvicorn any other.

    Args:
        app: The application.
        settings: Of the server.
    """
    is_wsgi = isinstance(app, Flask) or getattr(app, "is_wsgi", False)
    with _waitress(app, settings) if is_wsgi else _uvicorn(app, settings) as address:
        yield address


@contextmanager
def _uvicorn(app: Any, settings: dict[str, Any]) -> Generator[str]:
    # The socket listens before the server runs: who connects meanwhile waits for it.
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        # On a busy machine clients of tests are slow.
        quiet: dict[str, Any] = {"log_config": None, "log_level": "critical", "access_log": False}
        config = uvicorn.Config(app, lifespan="on", timeout_keep_alive=60, **quiet, **settings)
        server = uvicorn.Server(config)
        with _running(lambda: server.run([listening]), lambda: setattr(server, "should_exit", True)):
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def _waitress(app: Any, settings: dict[str, Any]) -> Generator[str]:
    server: Any = waitress.create_server(app, host="127.0.0.1", port=0, threads=8, connection_limit=1000, **settings)

    def run() -> None:
        server.run()
        server.task_dispatcher.shutdown()

    def stop() -> None:
        # As pull_trigger does, but whoever else has woken the server finds the thunk no sooner than it is pulled.
        with server.trigger.lock:
            server.trigger.thunks.append(lambda: waitress.wasyncore.close_all(server._map))
            server.trigger._physical_pull()

    with _running(run, stop):
        yield f"http://127.0.0.1:{server.effective_port}"


@contextmanager
def _running(run: Any, stop: Any) -> Generator[None]:
    raised: list[BaseException] = []

    def running() -> None:
        try:
            run()
        except BaseException as error:
            raised.append(error)
            raise

    thread = threading.Thread(target=running, name="server")
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(PATIENCE)
    assert not thread.is_alive(), "the server does not stop"
    assert not raised
