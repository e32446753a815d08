#!/usr/bin/env python3
"""Takes pictures of the real TensorBoard's pages: what a person sees who opens a log directory.

    tensorboard_page.py LOGDIR OUTPUT [--pages timeseries,scalars,...] [--tags REGEX] [--chromium PROGRAM]

Starts `tensorboard --logdir LOGDIR` on a free port of this machine, opens each page in a headless Chromium, and saves it as
OUTPUT/PAGE.png when the picture has stopped changing. Before that it asks the server what it has for the page, prints it, and fails if
there is nothing: the picture of a page without data would be worth nothing.

Needs the Python package `tensorboard` and a Chromium or Chrome (Debian: `chromium`).
"""

import argparse
import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

# Each page with the server's address that lists what it shows.
PAGES = {
    "timeseries": "timeseries/tags",
    "scalars": "scalars/tags",
    "histograms": "histograms/tags",
    "distributions": "distributions/tags",
    "images": "images/tags",
    "text": "text/tags",
    "graphs": "graphs/info",
    "hparams": "hparams/experiment?request=%7B%7D",
    "pr_curves": "pr_curves/tags",
    "custom_scalars": "custom_scalars/layout",
}
# Without --pages: what a training run shows.
COMMON = "timeseries,scalars,histograms,distributions,images,text,graphs,hparams"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-quic", "--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    # The time series are drawn with WebGL, here on the CPU.
    "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
]  # fmt: skip


class Failure(Exception):
    """There is no picture, and why."""


@contextlib.contextmanager
def tensorboard(logdir):
    """The address of a TensorBoard that runs as long as the context."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", logdir, "--host", "127.0.0.1", "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        yield address_of(server)
    finally:
        server.terminate()
        server.wait(timeout=20)


def address_of(server):
    """Reads what the server says until it says where it is; a thread reads the rest, so that the pipe never fills."""
    said = []
    for line in server.stderr:
        said.append(line)
        found = re.search(r"at (http://\S+?)/? ", line)
        if found:
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return found.group(1)
    raise Failure("tensorboard ended: " + "".join(said[-3:]))


def ask(address):
    """The JSON object that the server gives; an empty one while it has no answer."""
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return {}


def has_data(page, answer):
    if page == "timeseries":
        return any(kind.get("runTagInfo") or kind.get("tagRunSampledInfo") for kind in answer.values())
    if page == "hparams":
        return bool(answer.get("hparamInfos"))
    return any(answer.values())


def wait_for_data(address, page, seconds=30.0):
    """What the server lists for the page; it loads the files after it has started."""
    end = time.monotonic() + seconds
    while not has_data(page, answer := ask(f"{address}/data/plugin/{PAGES[page]}")):
        if time.monotonic() > end:
            raise Failure(f"{page}: the server has no data for this page: {json.dumps(answer)[:200]}")
        time.sleep(0.25)
    return answer


def page_address(address, page, tags):
    """Some pages take the filter from the query, others from behind the hash."""
    filtered = f"tagFilter={urllib.parse.quote(tags)}" if tags else ""
    return f"{address}/?darkMode=false&{filtered}#{page}&{filtered}"


class Browser:
    """A Chromium, told what to do over a pair of pipes: JSON messages of the DevTools protocol, each ended by a zero byte."""

    def __init__(self, program):
        self.profile = tempfile.mkdtemp(prefix="tensorboard-page-")
        (theirs_in, self.requests), (self.answers, theirs_out) = os.pipe(), os.pipe()
        # It reads from descriptor 3 and writes to 4.
        shell = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        command = ["sh", "-c", shell, program, *FLAGS, f"--user-data-dir={self.profile}", "about:blank"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, pass_fds=[theirs_in, theirs_out], **quiet)
        os.close(theirs_in)
        os.close(theirs_out)
        self.number, self.received = 0, b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=20)
        shutil.rmtree(self.profile, ignore_errors=True)

    def message(self):
        while b"\0" not in self.received:
            part = os.read(self.answers, 1 << 20)
            if not part:
                raise Failure("the browser ended; is there a Chromium? See --chromium")
            self.received += part
        message, self.received = self.received.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, session=None, **parameters):
        """Waits for the answer to this call; what the browser says otherwise is passed over."""
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        if session:
            request["sessionId"] = session
        try:
            os.write(self.requests, json.dumps(request).encode() + b"\0")
        except BrokenPipeError:
            raise Failure("the browser ended; is there a Chromium? See --chromium") from None
        while (answer := self.message()).get("id") != self.number:
            pass
        if "error" in answer:
            raise Failure(f"{method}: {answer['error']}")
        return answer["result"]

    def picture(self, address, width, height):
        """A PNG of the page once it has looked the same for two seconds, at the earliest after four."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        shape = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", session, **shape)
        self.call("Page.navigate", session, url=address)
        begin, seen = time.monotonic(), []
        while time.monotonic() - begin < 4 or len(set(seen[-3:])) > 1:
            if time.monotonic() - begin > 60:
                raise Failure(f"{address}: the page does not come to rest")
            time.sleep(1)
            seen.append(self.call("Page.captureScreenshot", session, format="png")["data"])
        self.call("Target.closeTarget", targetId=target)
        return base64.b64decode(seen[-1])


def size(text):
    width, height = text.split(",")
    return int(width), int(height)


def arguments_given():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("logdir", metavar="LOGDIR")
    parser.add_argument("output", metavar="OUTPUT")
    parser.add_argument("--pages", default=COMMON, help=f"with commas, of {', '.join(PAGES)} [default: {COMMON}]")
    parser.add_argument("--tags", metavar="REGEX", default="", help="only these, their groups unfolded, on pages that can filter")
    parser.add_argument("--size", default=(1400, 1200), type=size, metavar="WIDTH,HEIGHT")
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("google-chrome") or "chromium")
    arguments = parser.parse_args()
    arguments.pages = arguments.pages.split(",")
    unknown = [page for page in arguments.pages if page not in PAGES]
    if unknown:
        parser.error(f"no such page: {', '.join(unknown)}")
    return arguments


def main():
    arguments = arguments_given()
    os.makedirs(arguments.output, exist_ok=True)
    try:
        with tensorboard(arguments.logdir) as address, Browser(arguments.chromium) as browser:
            for page in arguments.pages:
                print(page, json.dumps(wait_for_data(address, page))[:500], flush=True)
                picture = browser.picture(page_address(address, page, arguments.tags), *arguments.size)
                path = os.path.join(arguments.output, page + ".png")
                with open(path, "wb") as file:
                    file.write(picture)
                print(f"{path}: {len(picture)} bytes", flush=True)
    except Failure as failure:
        print(f"tensorboard_page: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
