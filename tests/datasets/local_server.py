"""A web server on this machine that behaves as each test tells it to."""

import contextlib
import http.server
import threading
from collections.abc import Callable


class LocalServer:
    """Answers requests with ``routes[path](handler)``; remembers every request.

    Attributes:
        routes: path to a function that writes the answer to a ``BaseHTTPRequestHandler``.
        requests: the paths that were asked for, in order.
        released: event for answers that wait; set when the server closes.
    """

    def __init__(self):
        self.routes: dict[str, Callable] = {}
        self.requests: list[str] = []
        self.released = threading.Event()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.requests.append(self.path)
                answer = owner.routes.get(self.path, status(404))
                with contextlib.suppress(ConnectionError):  # the client may give up
                    answer(self)
                self.close_connection = True

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def send(handler, body: bytes, length: int | None, kind: str = "application/octet-stream"):
    """A 200 answer that announces ``length`` bytes (None: does not say) and sends ``body``."""
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    if length is not None:
        handler.send_header("Content-Length", str(length))
    handler.end_headers()
    handler.wfile.write(body)
    handler.wfile.flush()


def data(body: bytes, kind: str = "application/octet-stream") -> Callable:
    """An honest answer."""
    return lambda handler: send(handler, body, len(body), kind)


def status(code: int) -> Callable:
    return lambda handler: handler.send_error(code)


def redirect(address: str) -> Callable:
    def answer(handler):
        handler.send_response(302)
        handler.send_header("Location", address)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def in_turn(*answers: Callable) -> Callable:
    """The first answer for the first request, and so on; the last one for all that follow."""
    left = list(answers)
    return lambda handler: (left.pop(0) if len(left) > 1 else left[0])(handler)
