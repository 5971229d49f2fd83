"""A receiver of events: verifies them, and handles each exactly once however often it comes.

WEBHOOK_SECRET=whsec_… python3 docs/examples/receiver.py 4100 events.db

It needs nothing but Python 3.9 or newer.
"""

import base64
import hmac
import json
import os
import sqlite3
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, DATABASE = int(sys.argv[1]), sys.argv[2]
KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"), validate=True)
TOLERANCE_S = 300
BODY_BYTES_MAX = 4 * 2**20


def is_signed(headers, body: bytes) -> bool:
    """Verifies a request as Standard Webhooks 1.0 says, over the very bytes of its body."""
    id_, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not id_ or not (timestamp.isascii() and timestamp.isdigit()):
        return False
    if abs(time.time() - int(timestamp)) > TOLERANCE_S:
        return False
    signed = f"{id_}.{timestamp}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.digest(KEY, signed, "sha256"))
    # While a secret is rotated there are two signatures.
    given = headers.get("webhook-signature", "").encode().split(b" ")
    return any(hmac.compare_digest(expected, one) for one in given)


def handle(event: dict) -> None:
    """Your own work for an event. It is part of the transaction that remembers the event."""
    print(event["type"], event["subject"], event["data"]["paymentRequestId"], flush=True)


def take(events: list) -> None:
    """Remembers the events and handles those that are new: all of them, or none."""
    database = sqlite3.connect(DATABASE, timeout=10, isolation_level=None)
    try:
        database.execute("PRAGMA synchronous = FULL")
        database.execute("BEGIN IMMEDIATE")
        for event in events:
            insert = "INSERT OR IGNORE INTO events VALUES (?, ?)"
            if database.execute(insert, (event["id"], json.dumps(event))).rowcount == 1:
                handle(event)
        database.execute("COMMIT")
    finally:
        database.close()  # What is not committed is undone.


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        if not 0 <= length <= BODY_BYTES_MAX:
            self.close_connection = True
            return self.answer(413)
        body = self.rfile.read(length)
        if not is_signed(self.headers, body):
            return self.answer(401)
        # An exception closes the connection, and the request is sent again.
        content = json.loads(body)
        take(content if isinstance(content, list) else [content])
        # 2xx only once the events are kept, for they are not sent again then.
        self.answer(204)

    def answer(self, status: int) -> None:
        self.send_response(status)
        if status != 204:
            self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_) -> None:
        pass


with sqlite3.connect(DATABASE) as tables:
    tables.execute("CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, event TEXT)")
server = ThreadingHTTPServer(("127.0.0.1", PORT), Receiver)
print("receiving", flush=True)
server.serve_forever()
