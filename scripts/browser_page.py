#!/usr/bin/env python3
"""Opens a folder's page in a headless browser and prints what it reports.

    browser_page.py FOLDER BROWSER [ARGUMENT...]

The page reports by posting lines to `report`, the last of them "end". Exits with 1 where one begins
with FAILED, or where nothing was heard for five minutes.
"""

import functools
import http.server
import queue
import subprocess
import sys
import tempfile
import threading

PATIENCE_SECONDS = 300


class Page(http.server.SimpleHTTPRequestHandler):
    """The files of a folder, and a place to report to."""

    def __init__(self, *args, reports, **kwargs):
        self.reports = reports
        super().__init__(*args, **kwargs)

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        self.reports.put(self.rfile.read(length).decode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def lines(folder, command):
    """What the page in `folder` reports when `command` opens it, line by line."""
    reports = queue.Queue()
    handler = functools.partial(Page, directory=folder, reports=reports)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/index.html"
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            browser = subprocess.Popen(
                [*command, f"--user-data-dir={profile}", address],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                while (line := reports.get(timeout=PATIENCE_SECONDS)) != "end":
                    yield line
            except queue.Empty:
                yield f"FAILED  the page said nothing for {PATIENCE_SECONDS} seconds"
            finally:
                browser.terminate()
                browser.wait()
                server.shutdown()


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    failed = False
    for line in lines(sys.argv[1], sys.argv[2:]):
        print(line, flush=True)
        failed |= line.startswith("FAILED")
    sys.exit(failed)


if __name__ == "__main__":
    main()
