"""A real server on a loopback port, for the clients that need one."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp

from app.http.serve import listen, server


@contextmanager
def running(app: ASGIApp) -> Iterator[str]:
    """Serve `app` in a thread and yield its address."""
    listener = listen("127.0.0.1", 0)
    service = server(app)
    thread = threading.Thread(target=service.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not service.started:
            assert thread.is_alive() and time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        service.should_exit = True
        thread.join(timeout=30)
        listener.close()
    assert not thread.is_alive(), "the server did not stop"
