"""Where a network is read from: an exported folder, or a gateway over HTTP. Nothing that they give is believed."""

from __future__ import annotations

import os
import urllib.error
import urllib.request

from trees import TILE_WIDTH, tile_path

# Of each table: its file beside the log, its path at a gateway, and the media type of its canonical bytes there.
TABLES = {
    "statement": ("statement.cbor", "/v1/epochs/{}", "application/cbor"),
    "verdicts": ("verdicts.cborseq", "/v1/epochs/{}/verdicts", "application/cbor-seq"),
    "payouts": ("payouts.cborseq", "/v1/epochs/{}/payouts", "application/cbor-seq"),
    "carry": ("carry.cborseq", "/v1/epochs/{}/carry", "application/cbor-seq"),
    "policy": ("policy.toml", None, None),
    "snapshot": ("snapshot.cbor", "/v1/snapshots/{}", "application/cbor"),
}


class SourceError(Exception):
    """A source that cannot be read: nobody knows what it would have said."""


class Folder:
    """A static `tlog-tiles` tree with `epochs/<n>/` beside it."""

    def __init__(self, path):
        self.path = path
        if not os.path.isdir(path):
            raise SourceError(f"{path} is not a folder")

    def read(self, name):
        """The bytes of a file, `None` if there is none."""
        try:
            with open(os.path.join(self.path, *name.split("/")), "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise SourceError(f"cannot read {name}: {error}") from None

    def checkpoint(self):
        """The signed note of the last checkpoint."""
        return self.read("checkpoint")

    def tile(self, path):
        """A tile or bundle."""
        return self.read(path)

    def table(self, epoch, name):
        """A table of an epoch."""
        return self.read(f"epochs/{epoch}/{TABLES[name][0]}")


class Gateway:
    """A running gateway."""

    def __init__(self, url):
        self.url = url.rstrip("/")

    def get(self, path, accept):
        """The body of an answer, `None` when there is no such thing."""
        request = urllib.request.Request(self.url + path, headers={"Accept": accept})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise SourceError(f"{self.url}{path}: {error}") from None
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise SourceError(f"{self.url}{path}: {error}") from None

    def checkpoint(self):
        """The signed note of the last checkpoint."""
        return self.get("/log/checkpoint", "text/plain")

    def tile(self, path):
        """A tile or bundle."""
        return self.get(f"/log/{path}", "application/octet-stream")

    def table(self, epoch, name):
        """A table of an epoch."""
        _, path, accept = TABLES[name]
        return None if path is None else self.get(path.format(epoch), accept)


def open_source(name):
    """The source of a folder or address."""
    if name.startswith(("http://", "https://")):
        return Gateway(name)
    return Folder(name)


def read_tile(source, level, index, width):
    """A tile or bundle of `width`; where a partial one was deleted, the full one, which the caller cuts."""
    data = source.tile(tile_path(level, index, width))
    if data is None and width < TILE_WIDTH:
        data = source.tile(tile_path(level, index, TILE_WIDTH))
    return data
