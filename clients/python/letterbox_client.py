"""How to reach Letterbox, who is calling, and how to try again."""

import os
import pathlib
import random
import sys
import time

import grpc

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE / "gen"))

TARGET = os.environ.get("LETTERBOX_TARGET", "127.0.0.1:50051")

# In development a header says who calls; with tokens this is who they are for.
ME = os.environ.get("LETTERBOX_USER", "ana")

# gRPC's own retries: reads, and writes that carry a request id, on UNAVAILABLE.
SERVICE_CONFIG = (HERE.parent / "service_config" / "reads_and_writes.json").read_text()

OPTIONS = [
    ("grpc.service_config", SERVICE_CONFIG),
    # A connection that has died in silence is noticed, also while nobody calls but a watch.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A server that is restarted is back within seconds: do not wait for minutes before looking.
    ("grpc.max_reconnect_backoff_ms", 5_000),
]


def credentials() -> list[tuple[str, str]]:
    """Who is calling. Asked anew for each call, so that a fresh token is used once it is there."""
    if path := os.environ.get("LETTERBOX_TOKEN_FILE"):
        return [("authorization", f"Bearer {pathlib.Path(path).read_text().strip()}")]
    return [("x-user-id", ME)]


def pushback(error: grpc.RpcError) -> float | None:
    """How long the server says to wait, at least, in seconds; none where it does not say."""
    millis = dict(error.trailing_metadata() or []).get("grpc-retry-pushback-ms")
    return None if millis is None else int(millis) / 1000


def is_passing(error: grpc.RpcError) -> bool:
    """Whether it can be tried again: the server or the connection failed, and not the request."""
    if error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED:
        return pushback(error) is not None  # over a limit, for now, where it says until when
    return error.code() in {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,  # a proxy that answers in HTML, a connection cut amid an answer
    }


class Backoff:
    """How long to wait before the next try: twice as long each time, by chance up to that.

    The chance keeps many clients from coming back at the same moment.
    """

    def __init__(self, first: float = 0.2, longest: float = 20.0) -> None:
        self.first, self.longest, self.tries = first, longest, 0

    def reset(self) -> None:
        self.tries = 0

    def next(self, error: grpc.RpcError | None = None) -> float:
        """Seconds to wait: at least as long as the server has said, where it has."""
        most = min(self.longest, self.first * 2**self.tries)
        self.tries += 1
        said = pushback(error) if error else None
        return (said or 0.0) + random.uniform(0, most)


def retrying(call, request, *, patience: float = 60.0):
    """Makes a call that is safe to repeat, again and again until it is answered.

    gRPC's own four tries are over within seconds, which is less than a database takes to fail
    over. So this is for reads, and for writes with a `request_id`: it is the same request each time.
    """
    backoff, give_up = Backoff(), time.monotonic() + patience
    while True:
        try:
            return call(request, timeout=10, metadata=credentials())
        except grpc.RpcError as error:
            wait = backoff.next(error)
            if not is_passing(error) or time.monotonic() + wait > give_up:
                raise
            time.sleep(wait)
