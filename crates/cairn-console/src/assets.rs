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
