"""Makes the archives of this folder with the reference implementation of PMTiles, and lists what is in them.

    python3 -m venv venv && venv/bin/pip install pmtiles==3.8.1 mapbox-vector-tile==2.2.0
    venv/bin/python goldens/basemap/make.py

Both have tiles of the western hemisphere alone, from zoom 0 to 3, with some missing, and directories below their root.
"""

import gzip
import hashlib
import struct
import zlib
from pathlib import Path

import mapbox_vector_tile
import pmtiles.writer
from pmtiles.reader import MmapSource, Reader
from pmtiles.tile import Compression, TileType, zxy_to_tileid

FOLDER = Path(__file__).parent
ZOOMS = range(4)
# Small leaves, so that there are some.
pmtiles.writer.optimize_directories = lambda entries, _: pmtiles.writer.build_roots_leaves(entries, 2)


def square(west, north, east, south):
    """A polygon within a tile of 4,096 steps, in tile coordinates (y grows to the south)."""
    return f"POLYGON(({west} {north}, {east} {north}, {east} {south}, {west} {south}, {west} {north}))"


def vector(zoom):
    """All layers that are drawn. The tile of zoom 0 reaches beyond the western hemisphere, and has land in it alone."""
    east = 2048 if zoom == 0 else 4096
    layer = lambda name, geometry, kind: {
        "name": name, "features": [{"geometry": geometry, "properties": {"kind": kind, "zoom": zoom}}]}
    layers = [
        layer("earth", square(0, 0, east, 4096), "earth"),
        layer("landuse", square(200, 200, 900, 900), "park"),
        layer("water", square(1000, 200, 1800, 900), "lake"),
        layer("roads", f"LINESTRING(0 1200, {east} 1200)", "highway"),
        layer("boundaries", f"LINESTRING(0 3000, {east} 3000)", "country"),
        layer("buildings", square(200, 1400, 900, 2000), "building"),
        layer("places", "POINT(1500 2500)", "locality"),
        layer("pois", "POINT(500 500)", "cafe"),
    ]
    return gzip.compress(mapbox_vector_tile.encode(layers, default_options={"y_coord_down": True}), mtime=0)


def raster(zoom):
    """A picture of one colour, the redder the closer."""
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    row = b"\0" + bytes([180 + 20 * zoom, 20, 90]) * 16
    head = struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(row * 16, 9)) + chunk(b"IEND", b"")


def places():
    """The western tiles in the archive's order, without every eleventh."""
    west = [(z, x, y) for z in ZOOMS for x in range(max(1, 2**z // 2)) for y in range(2**z)]
    ordered = sorted(west, key=lambda place: zxy_to_tileid(*place))
    return [place for at, place in enumerate(ordered) if at % 11 != 10]


def write(name, tile, kind, compression, layers):
    with open(FOLDER / name, "wb") as file:
        writer = pmtiles.writer.Writer(file)
        for z, x, y in places():
            writer.write_tile(zxy_to_tileid(z, x, y), tile(z))
        header = {
            "tile_type": kind, "tile_compression": compression,
            "min_lon_e7": -1800000000, "min_lat_e7": -850511287, "max_lon_e7": 0, "max_lat_e7": 850511287,
            "center_zoom": 1, "center_lon_e7": -900000000, "center_lat_e7": 0,
        }
        # Written with tags, as is usual; and with what a page must not take for any.
        attribution = '<a href="https://example.org/?a=1&amp;b=2">Made up</a> &copy; &lt;script&gt;window.harmed=7&lt;/script&gt;'
        writer.finalize(header, {"attribution": attribution, **layers})


def listed(name):
    with open(FOLDER / name, "rb") as file:
        reader = Reader(MmapSource(file))
        for z in ZOOMS:
            for at in range(4**z):
                x, y = at % 2**z, at // 2**z
                tile = reader.get(z, x, y)
                yield f"{name} {z}/{x}/{y} {hashlib.sha256(tile).hexdigest() if tile else 'none'}\n"


NAMES = ["earth", "landuse", "water", "roads", "boundaries", "buildings", "places", "pois"]
write("vector.pmtiles", vector, TileType.MVT, Compression.GZIP, {"vector_layers": [{"id": name, "fields": {}} for name in NAMES]})
write("raster.pmtiles", raster, TileType.PNG, Compression.NONE, {})
(FOLDER / "tiles.txt").write_text("".join(line for name in ["vector.pmtiles", "raster.pmtiles"] for line in listed(name)))
