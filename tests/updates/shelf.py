"""A web server that gives one file, in parts when asked, and breaks off when told to."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Shelf(ThreadingHTTPServer):
    """`content` is the file; `breaks` are numbers of bytes after which an answer is cut, used up one by one; `asked` are the Range headers."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Giver)
        self.content, self.status, self.has_ranges = content, 200, True
        self.breaks: list[int] = []
        self.asked: list[str] = []
        self.address = f"http://127.0.0.1:{self.server_address[1]}/bentevi.update"


class Giver(BaseHTTPRequestHandler):
    """One answer."""

    server: Shelf

    def log_message(self, *_words: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        """The file, or the part of it that was asked for."""
        shelf, wanted = self.server, self.headers.get("Range", "")
        shelf.asked.append(wanted)
        content, status = shelf.content, shelf.status
        if status == 200 and shelf.has_ranges and (part := re.fullmatch(r"bytes=(\d+)-(\d+)", wanted)):
            start, end = int(part[1]), min(int(part[2]) + 1, len(content))
            content, status = content[start:end], 206
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(shelf.content)}")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: shelf.breaks.pop(0)] if shelf.breaks else content)


@contextmanager
def shelf(content: bytes) -> Iterator[Shelf]:
    """It answers as long as this lasts."""
    server = Shelf(content)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
