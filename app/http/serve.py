"""Runs the service until it is told to stop."""

import socket

import uvicorn
from starlette.types import ASGIApp

from app.bootstrap import build
from app.errors import ConfigError
from app.http.middleware import is_loopback
from app.http.server import create_app
from app.settings import Settings
from app.store.turns import KeyStore

GRACE_S = 10
"""How long requests may go on after the signal to stop."""


def address(settings: Settings) -> str:
    """Where a browser on this machine finds the page."""
    host = settings.http.host
    named = f"[{host}]" if ":" in host else host
    return f"http://{named}:{settings.port}"


def serve(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM. Prints nothing.

    Raises:
        ConfigError: The address cannot be used, or it is not loopback and there is no API key.
    """
    services = build(settings)
    try:
        require_key = keys_required(settings.http.host, services.keys)
        listener = listen(settings.http.host, settings.port)
    except ConfigError:
        services.close()
        raise
    with listener:
        server(create_app(services, require_key=require_key)).run(sockets=[listener])


def keys_required(host: str, keys: KeyStore) -> bool:
    """Whether API calls need a key: always beyond loopback, and on loopback once there is one.

    Raises:
        ConfigError: Keys are needed and there are none.
    """
    if keys.any():
        return True
    if is_loopback(host):
        return False
    raise ConfigError(
        f"Will not listen on {host} without API keys: anyone who reaches it could read your documents. "
        "Make a key with `assay keys create NAME`, or serve on 127.0.0.1."
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one.

    Raises:
        ConfigError: The address is taken, unknown or not ours.
    """
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(where[:2], family=family)
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {host}, port {port}: {error.strerror}. Choose another with ASSAY_PORT or --port."
        ) from None


def server(app: ASGIApp) -> uvicorn.Server:
    """The server, without uvicorn's own logs of requests: those would hold query strings."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=GRACE_S,
        )
    )
