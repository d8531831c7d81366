"""What the examples share: a client for each member, and what to do when one gives no answer.

python-etcd3 talks to one member. A cluster has several so that one may die, so somebody must go on with the next: that
is Cluster here.

A request has three outcomes: done, refused, and unclear. Unclear means that the member or the leader went away after the
request had left; it may have happened. Cluster.call repeats it at the next member, so what is called must do no harm when
it happens twice.
"""

import itertools
import os
import threading
import time

import etcd3
import grpc
from etcd3 import exceptions

ENDPOINTS = os.environ.get("ENDPOINTS", "http://localhost:2379")  # unless --endpoints says otherwise
ATTEMPT = 3  # seconds one request may take; an election takes one to two

_UNCLEAR = (exceptions.ConnectionFailedError, exceptions.ConnectionTimeoutError, exceptions.WatchTimedOut)


def unclear(error: Exception) -> bool:
    """Whether a request that failed like this may have been done all the same."""
    if isinstance(error, grpc.RpcError):
        return error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    return isinstance(error, _UNCLEAR)


class Cluster:
    """A cluster's members, of which one is talked to."""

    def __init__(self, endpoints: str):
        self._members = itertools.cycle([e.split("//")[-1].rsplit(":", 1) for e in endpoints.split(",")])
        self.client = self._open()

    def _open(self):
        host, port = next(self._members)
        return etcd3.client(host=host, port=int(port), timeout=ATTEMPT)

    def next(self):
        """Goes on with the next member. The client of the last one is closed: a client that has watched asks a dead
        member for a new stream again and again, without a pause, for as long as it is open."""
        self.client.close()
        self.client = self._open()

    def call(self, request):
        """Returns request(client), repeated at other members until its outcome is clear."""
        wait = 0.05
        while True:
            try:
                return request(self.client)
            except Exception as error:
                if not unclear(error):
                    raise
            self.next()
            time.sleep(wait)
            wait = min(2 * wait, 1)


def _thread_died(args):
    """The thread of a closed client's watches ends with an error, which is no news."""
    if not (args.thread and args.thread.name.startswith("etcd3_watch") and isinstance(args.exc_value, ValueError)):
        threading.__excepthook__(args)


threading.excepthook = _thread_died
