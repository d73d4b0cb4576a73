//! Pages over an operator's base map: what they say of it, and the tiles that are served.

use std::io::Read;
use std::path::Path;

use cairn_console::basemap::{Basemap, Place};
use flate2::read::GzDecoder;

use crate::support::{PLAIN, Site, Tag, parse, small};

const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// A network with an archive as its base map, and the archive once more.
fn mapped(archive: &str) -> (Site, Basemap) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/basemap").join(archive);
    let mut site = small(&PLAIN);
    site.basemap = Some(Basemap::open(&path).unwrap());
    (site, Basemap::open(&path).unwrap())
}

fn map_of(html: &str) -> Tag {
    parse(html).0.into_iter().find(|tag| tag.attribute("id") == Some("map")).unwrap()
}

#[test]
fn pages_with_a_map_say_where_its_tiles_are_and_whose_they_are_in_words() {
    for (archive, kind) in [("vector.pmtiles", "vector"), ("raster.pmtiles", "raster")] {
        let (site, map) = mapped(archive);
        for address in ["/map", "/network"] {
            let html = site.page(address);
            let section = map_of(&html);
            let says = |name: &str| section.attribute(name).unwrap().to_owned();
            assert_eq!(says("data-base-kind"), kind);
            assert_eq!(says("data-base-zooms"), "0,3");
            assert_eq!(says("data-base-bounds"), "-180,-85.0511287,0,85.0511287");
            assert_eq!(says("data-base-tiles"), format!("/map/tiles/{{z}}/{{x}}/{{y}}?of={}", map.name()));
            let (tags, text) = parse(&html);
            assert!(text.contains("Base map: Made up © <script>window.harmed=7</script>"), "{address}");
            let scripts = tags.iter().filter(|tag| tag.name == "script");
            assert!(scripts.into_iter().all(|tag| tag.attribute("src").unwrap().starts_with("/assets/")), "{address}");
            let drawing = site.get(&says("data-base"));
            assert_eq!((drawing.status, drawing.header("cache-control")), (200, Some(FOR_EVER)));
        }
        let twin = site.json("/map.json");
        assert!(twin.get("base").is_none(), "a twin has numbers of the network alone");
    }
}

#[test]
fn tiles_are_served_as_the_archive_has_them() {
    for (archive, content_type) in
        [("vector.pmtiles", "application/vnd.mapbox-vector-tile"), ("raster.pmtiles", "image/png")]
    {
        let (site, map) = mapped(archive);
        let (mut there, mut missing) = (0, 0);
        for (zoom, at) in (0..=4u64).flat_map(|zoom| (0..1u64 << (2 * zoom)).map(move |at| (zoom, at))) {
            let (x, y) = (at & ((1 << zoom) - 1), at >> zoom);
            let answer = site.get(&format!("/map/tiles/{zoom}/{x}/{y}?of={}", map.name()));
            assert_eq!(answer.header("cache-control"), Some(FOR_EVER), "{zoom}/{x}/{y}");
            let Some(tile) = map.tile(Place::of(zoom, x, y).unwrap()).unwrap() else {
                assert_eq!((answer.status, answer.body.len()), (204, 0), "{zoom}/{x}/{y}");
                missing += 1;
                continue;
            };
            assert_eq!((answer.status, answer.header("content-type")), (200, Some(content_type)));
            assert_eq!(answer.body, tile, "{zoom}/{x}/{y}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
            let is_packed = answer.header("content-encoding") == Some("gzip");
            assert_eq!((is_packed, answer.header("vary").is_some()), (map.are_tiles_packed(), map.are_tiles_packed()));
            let tag = answer.header("etag").unwrap().to_owned();
            assert_eq!(answer.clone().unless_known(Some(&tag)).status, 304);
            let plain = answer.unpacked();
            assert_eq!((plain.status, plain.header("content-encoding")), (200, None));
            let mut unpacked = Vec::new();
            if is_packed {
                GzDecoder::new(&*tile).read_to_end(&mut unpacked).unwrap();
                assert_ne!(plain.header("etag"), Some(&*tag), "other bytes have another tag");
            }
            assert_eq!(plain.body, if is_packed { unpacked } else { tile });
            there += 1;
        }
        assert_eq!((there, missing), (40, 301), "{archive}");
        // Without the archive's name nobody knows how long a tile stays what it is.
        for address in ["/map/tiles/0/0/0", "/map/tiles/0/0/0?of=another"] {
            assert_eq!(site.get(address).header("cache-control"), Some("no-cache"), "{address}");
        }
    }
}

#[test]
fn what_is_no_tile_is_refused_with_a_code() {
    let (site, _) = mapped("raster.pmtiles");
    for (address, status, code) in [
        ("/map/tiles/0/1/0", 400, "MAP-TILE"),
        ("/map/tiles/27/0/0", 400, "MAP-TILE"),
        ("/map/tiles/3/8/0", 400, "MAP-TILE"),
        ("/map/tiles/3/0/18446744073709551616", 400, "NET-NUMBER"),
        ("/map/tiles/-1/0/0", 400, "NET-NUMBER"),
        ("/map/tiles/0/0/0?style=x", 400, "NET-QUERY"),
    ] {
        let answer = site.get(address);
        assert_eq!((answer.status, answer.code), (status, Some(code)), "{address}");
    }
    for path in ["/map/tiles", "/map/tiles/0/0", "/map/tiles/0/0/0.json", "/map/tiles/0/0/0.csv", "/map/tiles/0/0/0/0"]
    {
        assert!(!cairn_console::is_page(path), "{path}");
    }
    let answer = small(&PLAIN).get("/map/tiles/0/0/0");
    assert_eq!((answer.status, answer.code), (404, Some("MAP-NONE")));
}

#[test]
fn what_does_not_unpack_is_told_to_the_operator_and_not_to_the_client() {
    // The tiles' bytes are the last ones of the file: they are no gzip any more.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/basemap/vector.pmtiles");
    let mut bytes = std::fs::read(path).unwrap();
    let tiles = usize::try_from(u64::from_le_bytes(bytes[56..64].try_into().unwrap())).unwrap();
    bytes[tiles..].fill(7);
    let mut site = small(&PLAIN);
    site.basemap = Some(Basemap::over(Box::new(bytes), b"").unwrap());
    let answer = site.get("/map/tiles/0/0/0");
    assert_eq!((answer.status, answer.header("content-encoding")), (200, Some("gzip")));
    let answer = answer.unpacked();
    assert_eq!((answer.status, answer.code, answer.body.len()), (500, Some("MAP-DAMAGED"), 0));
    assert!(answer.failure.is_some());
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
}
