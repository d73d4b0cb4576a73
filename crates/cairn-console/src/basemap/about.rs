//! What an archive says of itself: whose data it is, and which layers it has.

use serde::Deserialize;
use serde_json::Value;

use super::{BadBasemap, Kind};
use crate::content::visible;

/// Layers of Protomaps' basemap that are drawn: <https://docs.protomaps.com/basemaps/layers>.
const LAYERS: [&str; 7] = ["earth", "landuse", "water", "roads", "boundaries", "buildings", "places"];
/// Characters of an attribution.
const ATTRIBUTION_MAX: usize = 300;
/// Layers that a refusal names.
const NAMED_MAX: usize = 8;

/// What an archive says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct About {
    /// Whose data it is, in plain text; `None` where nothing is said.
    pub attribution: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    attribution: Value,
    #[serde(default)]
    vector_layers: Value,
}

impl About {
    /// Reads the metadata, JSON.
    ///
    /// # Errors
    /// [`BadBasemap::Damaged`] for what is no object, [`BadBasemap::Layers`] for vector tiles without a layer that is drawn.
    pub fn read(json: &[u8], kind: Kind) -> Result<Self, BadBasemap> {
        let is_object = json.trim_ascii_start().starts_with(b"{");
        let metadata = serde_json::from_slice(json).ok().filter(|_| is_object);
        let metadata: Metadata = metadata.ok_or(BadBasemap::Damaged("its metadata are no JSON object"))?;
        if let (Kind::Vector, Value::Array(layers)) = (kind, &metadata.vector_layers) {
            let ids: Vec<&str> = layers.iter().filter_map(|layer| layer.get("id")?.as_str()).collect();
            if !ids.is_empty() && !ids.iter().any(|id| LAYERS.contains(id)) {
                let named: Vec<&str> = ids.into_iter().take(NAMED_MAX).collect();
                return Err(BadBasemap::Layers(visible(&named.join(", ").chars().take(100).collect::<String>())));
            }
        }
        let attribution = metadata.attribution.as_str().map(text).filter(|text| !text.is_empty());
        Ok(Self { attribution })
    }
}

/// An attribution without the tags that it is often written with. What is left is text, whatever it looks like.
fn text(markup: &str) -> String {
    let mut rest = markup;
    let mut plain = String::new();
    while let Some((before, tag)) = rest.split_once('<') {
        plain.push_str(before);
        match tag.split_once('>') {
            Some((_, after)) => rest = after,
            None => {
                plain.push('<');
                rest = tag;
            }
        }
    }
    plain.push_str(rest);
    for (entity, character) in [
        ("&copy;", "©"),
        ("&#169;", "©"),
        ("&nbsp;", " "),
        ("&quot;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ] {
        plain = plain.replace(entity, character);
    }
    let words: Vec<&str> = plain.split_whitespace().collect();
    visible(&words.join(" ").chars().take(ATTRIBUTION_MAX).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribution_is_told_as_text() {
        for (attribution, told) in [
            ("\"© OpenStreetMap\"", Some("© OpenStreetMap")),
            (
                "\"<a href=\\\"https://protomaps.com\\\">Protomaps</a> &copy; <a href='x'>OpenStreetMap</a>\"",
                Some("Protomaps © OpenStreetMap"),
            ),
            ("\"a &lt;b&gt; c &amp;lt;\"", Some("a <b> c &lt;")),
            ("\"<script>harmed()</script>\"", Some("harmed()")),
            ("\"3 < 4\\n\\u202e5\"", Some("3 < 4 \\u{202e}5")),
            ("\"<br>\"", None),
            ("\"\"", None),
            ("7", None),
            ("null", None),
        ] {
            let json = format!("{{\"attribution\": {attribution}, \"other\": [[[]]]}}");
            let about = About::read(json.as_bytes(), Kind::Png).unwrap();
            assert_eq!(about.attribution.as_deref(), told, "{attribution}");
        }
        assert_eq!(About::read(b"{}", Kind::Vector).unwrap().attribution, None);
        let long = format!("{{\"attribution\": \"{}\"}}", "x".repeat(1_000));
        let about = About::read(long.as_bytes(), Kind::Png).unwrap();
        assert_eq!(about.attribution.unwrap().len(), ATTRIBUTION_MAX);
    }

    #[test]
    fn vector_tiles_have_a_layer_that_is_drawn_or_do_not_say_what_they_have() {
        for (json, kind, code) in [
            ("{}", Kind::Vector, None),
            ("{\"vector_layers\": []}", Kind::Vector, None),
            ("{\"vector_layers\": [{\"id\": \"pois\"}, {\"id\": \"earth\"}]}", Kind::Vector, None),
            ("{\"vector_layers\": [{\"id\": \"transportation\"}]}", Kind::Vector, Some("MAP-LAYERS")),
            ("{\"vector_layers\": [{\"id\": \"transportation\"}]}", Kind::Png, None),
            ("{\"vector_layers\": 7}", Kind::Vector, None),
            ("[]", Kind::Vector, Some("MAP-DAMAGED")),
            ("", Kind::Vector, Some("MAP-DAMAGED")),
        ] {
            let code_is = About::read(json.as_bytes(), kind).err().map(|error| error.code());
            assert_eq!(code_is, code, "{json}");
        }
    }
}
