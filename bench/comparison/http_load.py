"""Callers of an HTTP server, each waiting for its answer before it asks again.

Sockets and bytes, and no HTTP library: what a call costs here is taken from the server's share of
the machine. A connection a call, as gunicorn's plain workers close it after each.
"""

import socket
import threading
import time

from .figures import percentile


def request(method, path, user, body=b""):
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-User-Id: {user}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def answer(port, message):
    """The whole answer, up to the connection's end."""
    pieces = []
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(message)
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def load(port, next_request, callers, seconds):
    """Calls for so long; `next_request` is asked for each call's bytes."""
    times, errors = [], []
    start = time.monotonic()
    end = start + seconds

    def call():
        while (begun := time.monotonic()) < end:
            try:
                status = answer(port, next_request())[:12]
            except OSError as error:
                status = str(error).encode()
            if status.startswith(b"HTTP/1.1 2"):
                times.append(time.monotonic() - begun)
            else:
                errors.append(status)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.monotonic() - start
    if errors:
        raise RuntimeError(f"{len(errors)} answers were not 2xx, such as {errors[0]!r}")
    return {
        "requests": len(times),
        "requests_per_second": len(times) / elapsed,
        "p50_us": percentile(times, 50) * 1e6,
        "p99_us": percentile(times, 99) * 1e6,
    }
