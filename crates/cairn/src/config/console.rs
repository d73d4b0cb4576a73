//! `[console]` of `network.toml`: what the console's pages show beside the network.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairn_console::basemap::{BadBasemap, Basemap};
use serde::Deserialize;

use crate::failure::Failure;

/// What the console's pages show beside the network.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleConfig {
    /// The base map of its maps, a PMTiles archive beside `network.toml` unless the path is absolute; left out, maps have the
    /// outlines of the world.
    pub basemap: Option<PathBuf>,
}

impl ConsoleConfig {
    /// Opens the base map; files are beside `network.toml`, in the folder at `root`.
    ///
    /// # Errors
    /// `NET-IO` for a file that cannot be read, and a code that begins with `MAP-` for one that is no base map.
    pub fn open_basemap(&self, root: &Path) -> Result<Option<Arc<Basemap>>, Failure> {
        let Some(path) = &self.basemap else { return Ok(None) };
        let path = root.join(path);
        let refused = |error: BadBasemap| {
            let failure = match &error {
                BadBasemap::Io(source) => Failure::io("read", &path, source),
                _ => Failure::wrong(error.code(), format!("[console] basemap, {}: {error}", path.display())),
            };
            failure.maybe_hint(error.hint())
        };
        Basemap::open(&path).map(|map| Some(Arc::new(map))).map_err(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;

    #[test]
    fn the_base_map_is_a_file_that_is_one_or_the_network_does_not_start() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/basemap");
        for (text, found) in [
            ("", Ok(false)),
            ("basemap = \"vector.pmtiles\"", Ok(true)),
            ("basemap = \"raster.pmtiles\"", Ok(true)),
            ("basemap = \"none.pmtiles\"", Err("NET-IO")),
            ("basemap = \"make.py\"", Err("MAP-FORMAT")),
        ] {
            let config: ConsoleConfig = toml::from_str(text).unwrap();
            let opened = config.open_basemap(&root);
            if let Err(failure) = &opened {
                assert_eq!(failure.exit, Exit::Wrong, "{failure}");
                assert!(failure.hint.is_some() && failure.message.contains("goldens/basemap/"), "{failure}");
            }
            let shown = opened.as_ref().map(Option::is_some).map_err(|failure| failure.code.as_str());
            assert_eq!(shown, found, "{text}");
        }
        assert!(toml::from_str::<ConsoleConfig>("base_map = \"x\"").is_err());
    }
}
