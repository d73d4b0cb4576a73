//! The style sheet and the sign of the browser's tab: embedded, named by their content, and so cached for ever.

use std::sync::LazyLock;

use cairn_core::Hash;

/// A file under `/assets/`.
pub(crate) struct Asset {
    /// Its address.
    pub path: String,
    pub content_type: &'static str,
    pub bytes: &'static [u8],
}

fn asset(stem: &str, ending: &str, content_type: &'static str, bytes: &'static [u8]) -> Asset {
    let hash = Hash::of(bytes).to_hex();
    Asset { path: format!("/assets/{stem}-{}.{ending}", &hash[..16]), content_type, bytes }
}

/// The one style sheet.
pub(crate) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| asset("console", "css", "text/css; charset=utf-8", include_bytes!("../assets/console.css")));

/// The sign of the browser's tab.
pub(crate) static ICON: LazyLock<Asset> =
    LazyLock::new(|| asset("cairn", "svg", "image/svg+xml", include_bytes!("../assets/cairn.svg")));

/// The asset of a path.
pub(crate) fn find(path: &str) -> Option<&'static Asset> {
    [&*STYLE, &*ICON].into_iter().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_found_by_the_hash_of_their_content_alone_and_ask_nobody() {
        for asset in [&*STYLE, &*ICON] {
            assert!(find(&asset.path).is_some());
            let text = core::str::from_utf8(asset.bytes).unwrap();
            for outside in ["url(", "@import", "<script", "href=", "https:"] {
                assert!(!text.contains(outside), "{} has `{outside}`", asset.path);
            }
        }
        assert!(find("/assets/console.css").is_none());
    }
}
