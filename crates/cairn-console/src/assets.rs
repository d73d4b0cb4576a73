//! The style sheet, the sign of the browser's tab, scripts and what maps need: embedded, named by their content, and so cached for ever.
//!
//! Files of others are kept packed, as browsers take them; `assets/vendor/README.md` says where they came from.

use std::sync::LazyLock;

use cairn_core::Hash;

/// A file under `/assets/`.
pub(crate) struct Asset {
    /// Its address.
    pub path: String,
    pub content_type: &'static str,
    pub bytes: &'static [u8],
    /// Whether the bytes are packed with gzip.
    pub is_packed: bool,
}

fn asset(stem: &str, ending: &str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    let hash = Hash::of(bytes).to_hex();
    Asset { path: format!("/assets/{stem}-{}.{ending}", &hash[..16]), content_type, bytes, is_packed: false }
}

/// A file of others, which is kept packed.
fn packed(stem: &str, ending: &str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    Asset { is_packed: true, ..asset(stem, ending, content_type, bytes) }
}

/// The one style sheet.
pub(crate) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| asset("console", "css", "text/css; charset=utf-8", include_bytes!("../assets/console.css")));

/// The sign of the browser's tab.
pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| asset("cairn", "svg", "image/svg+xml", include_bytes!("../assets/cairn.svg")));

/// What tells a page of changes.
pub(crate) static LIVE: LazyLock<Asset> =
    LazyLock::new(|| asset("live", "js", "text/javascript; charset=utf-8", include_bytes!("../assets/live.js")));

/// The check in the browser: modules that import each other by name, so they stand in one folder that is named by the content of
/// all of them.
const VERIFY_FILES: [(&str, &[u8]); 14] = [
    ("auditors.mjs", include_bytes!("../assets/verify/auditors.mjs")),
    ("bytes.mjs", include_bytes!("../assets/verify/bytes.mjs")),
    ("cbor.mjs", include_bytes!("../assets/verify/cbor.mjs")),
    ("claims.mjs", include_bytes!("../assets/verify/claims.mjs")),
    ("curves.mjs", include_bytes!("../assets/verify/curves.mjs")),
    ("entry.mjs", include_bytes!("../assets/verify/entry.mjs")),
    ("epoch.mjs", include_bytes!("../assets/verify/epoch.mjs")),
    ("formats.mjs", include_bytes!("../assets/verify/formats.mjs")),
    ("hash.mjs", include_bytes!("../assets/verify/hash.mjs")),
    ("log.mjs", include_bytes!("../assets/verify/log.mjs")),
    ("shares.mjs", include_bytes!("../assets/verify/shares.mjs")),
    ("sources.mjs", include_bytes!("../assets/verify/sources.mjs")),
    ("steps.mjs", include_bytes!("../assets/verify/steps.mjs")),
    ("toml.mjs", include_bytes!("../assets/verify/toml.mjs")),
];
const VERIFY_PAGE: (&str, &[u8]) = ("page.mjs", include_bytes!("../assets/verify/page.mjs"));

/// The folder of the check in the browser.
static VERIFY_FOLDER: LazyLock<String> = LazyLock::new(|| {
    let files = VERIFY_FILES.iter().chain([&VERIFY_PAGE]);
    let hashes: Vec<u8> =
        files.flat_map(|(name, bytes)| [Hash::of(name.as_bytes()).0, Hash::of(bytes).0].concat()).collect();
    format!("/assets/verify-{}", &Hash::of(&hashes).to_hex()[..16])
});

fn module((name, bytes): (&str, &'static [u8])) -> Asset {
    Asset {
        path: format!("{}/{name}", *VERIFY_FOLDER),
        content_type: "text/javascript; charset=utf-8",
        bytes,
        is_packed: false,
    }
}

/// The check in the browser: the module that a page names.
static VERIFY: LazyLock<Asset> = LazyLock::new(|| module(VERIFY_PAGE));
/// The scripts of a page that can be checked in the browser.
pub(crate) static VERIFIABLE: [&LazyLock<Asset>; 1] = [&VERIFY];
/// The modules that it imports.
static VERIFY_MODULES: LazyLock<Vec<Asset>> = LazyLock::new(|| VERIFY_FILES.map(module).into());

/// Every asset.
fn all() -> impl Iterator<Item = &'static Asset> {
    [&*STYLE, &*ICON, &*LIVE, &*VERIFY, &*MAP, &*BASEMAP, &*MAPLIBRE, &*MAPLIBRE_WORKER, &*WORLD]
        .into_iter()
        .chain(VERIFY_MODULES.iter())
}

/// What draws maps, loaded by [`MAP`] where there is one.
pub(crate) static MAPLIBRE: LazyLock<Asset> = LazyLock::new(|| {
    packed("maplibre-gl", "mjs", "text/javascript", include_bytes!("../assets/vendor/maplibre-gl.mjs.gz"))
});

/// Its worker.
pub(crate) static MAPLIBRE_WORKER: LazyLock<Asset> = LazyLock::new(|| {
    packed("maplibre-gl-worker", "mjs", "text/javascript", include_bytes!("../assets/vendor/maplibre-gl-worker.mjs.gz"))
});

/// Land and borders.
pub(crate) static WORLD: LazyLock<Asset> =
    LazyLock::new(|| packed("world", "json", "application/json", include_bytes!("../assets/vendor/world.json.gz")));

/// The script of pages with a map.
pub(crate) static MAP: LazyLock<Asset> =
    LazyLock::new(|| asset("map", "mjs", "text/javascript; charset=utf-8", include_bytes!("../assets/map.mjs")));

/// How the operator's base map is drawn, loaded by [`MAP`] where there is one.
pub(crate) static BASEMAP: LazyLock<Asset> = LazyLock::new(|| {
    asset("basemap", "mjs", "text/javascript; charset=utf-8", include_bytes!("../assets/basemap.mjs"))
});

/// The asset of a path.
pub(crate) fn find(path: &str) -> Option<&'static Asset> {
    all().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_found_by_the_hash_of_their_content_alone_and_ask_nobody() {
        for asset in all().filter(|asset| !asset.is_packed) {
            assert!(find(&asset.path).is_some());
            let text = core::str::from_utf8(asset.bytes).unwrap();
            for outside in ["url(", "@import", "<script", "href=", "https:"] {
                assert!(!text.contains(outside), "{} has `{outside}`", asset.path);
            }
        }
        assert!(find("/assets/console.css").is_none());
    }

    #[test]
    fn modules_import_modules_that_are_served_beside_them_and_nothing_else() {
        let mut imports = 0;
        for asset in VERIFY_MODULES.iter().chain([&*VERIFY]) {
            let text = core::str::from_utf8(asset.bytes).unwrap();
            assert!(!text.contains("innerHTML") && !text.contains("eval("), "{}", asset.path);
            let lines = text.lines().filter(|line| line.starts_with("import ") || line.starts_with("} from "));
            let above = lines.filter(|line| line.contains(" from ")).map(|line| line.rsplit('\'').nth(1).unwrap());
            // What is loaded later is named in plain words, too.
            let later = text.split("import(").skip(1).map(|rest| {
                let name = rest.strip_prefix('\'').and_then(|rest| rest.split_once("')"));
                name.unwrap_or_else(|| panic!("{} imports what it does not name", asset.path)).0
            });
            for name in above.chain(later) {
                let path = format!("{}/{}", *VERIFY_FOLDER, name.strip_prefix("./").unwrap());
                assert!(find(&path).is_some(), "{} imports {name}", asset.path);
                imports += 1;
            }
        }
        assert!(imports > 20, "{imports}");
    }

    #[test]
    fn files_of_others_are_those_that_their_list_names() {
        let list = include_str!("../assets/vendor/README.md");
        for (file, asset) in [
            ("maplibre-gl.mjs.gz", &*MAPLIBRE),
            ("maplibre-gl-worker.mjs.gz", &*MAPLIBRE_WORKER),
            ("world.json.gz", &*WORLD),
        ] {
            let unpacked = crate::basemap::unpacked(asset.bytes, 8 << 20).unwrap();
            let line = list.lines().find(|line| line.starts_with(&format!("| `{file}` |"))).unwrap();
            assert!(line.contains(&format!("`{}`", Hash::of(&unpacked).to_hex())), "{file}");
        }
    }

    /// The colours that a block of the style sheet names, as they were before it where it does not.
    fn colours(css: &str, before: &[(String, [u8; 3])]) -> Vec<(String, [u8; 3])> {
        let mut colours = before.to_vec();
        for declaration in css.split(';') {
            let Some((name, value)) = declaration.split_once(": #") else { continue };
            let Some(at) = name.find("--") else { continue };
            let byte = |at: usize| u8::from_str_radix(&value[at..at + 2], 16).unwrap();
            colours.retain(|(known, _)| known != &name[at..]);
            colours.push((name[at..].to_owned(), [byte(0), byte(2), byte(4)]));
        }
        colours
    }

    /// The contrast of two colours (WCAG 2.2, "contrast ratio").
    #[expect(clippy::float_arithmetic, reason = "the standard has it so, and nothing is paid by it")]
    fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
        let linear = |byte: u8| {
            let part = f64::from(byte) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        let luminance = |[r, g, b]: [u8; 3]| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
        let (light, dark) = (luminance(one).max(luminance(other)), luminance(one).min(luminance(other)));
        (light + 0.05) / (dark + 0.05)
    }

    #[test]
    fn text_has_the_contrast_of_wcag_aa_in_light_dark_and_print() {
        let css = core::str::from_utf8(STYLE.bytes).unwrap();
        let block = |ahead: &str| css.split_once(ahead).unwrap().1.split('}').next().unwrap();
        let light = colours(block(":root {"), &[]);
        let dark = colours(block("(prefers-color-scheme: dark) {"), &light);
        let print = colours(block("@media print {"), &light);
        for (scheme, colours) in [("light", light), ("dark", dark), ("print", print)] {
            let of = |name: &str| colours.iter().find(|(known, _)| known == name).unwrap().1;
            let on = |ground: &'static str, names: &[&'static str]| {
                names.iter().map(|name| (*name, ground)).collect::<Vec<_>>()
            };
            let texts = ["--ink", "--quiet", "--link", "--bad", "--good"];
            let pairs = [on("--ground", &texts), on("--raised", &texts), on("--warn-ground", &["--warn-ink"])].concat();
            for (ink, ground) in pairs {
                let ratio = contrast(of(ink), of(ground));
                assert!(ratio >= 4.5, "{scheme}: {ink} on {ground} has {ratio:.2}");
            }
            assert!(contrast(of("--draw"), of("--ground")) >= 3.0, "{scheme}: what is drawn");
        }
    }
}
