"""A reverse proxy before a web UI, as --share's, Colab's and nginx's are."""

from __future__ import annotations

import http.client
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


@contextmanager
def proxy(url: str, keeps_host: bool) -> Iterator[str]:
    """Its address. It asks the web UI by the name that it was asked by, or by the web UI's own, and adds theirs."""
    there = urlsplit(url)

    class Handler(http.server.BaseHTTPRequestHandler):
        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told = dict(self.headers)
            told["X-Forwarded-Host"] = self.headers["Host"]
            told["X-Forwarded-Proto"], told["X-Forwarded-For"] = "https", "203.0.113.9"
            if not keeps_host:
                told["Host"] = there.netloc
            connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=60)
            connection.request(self.command, self.path, body or None, told)
            answer = connection.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_OPTIONS = pass_on  # noqa: N815 (the library's names)

        def log_message(self, *told: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
