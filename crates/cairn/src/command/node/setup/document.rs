//! `node.toml` as `setup` writes it.

use std::path::PathBuf;

use cairn_api::NetworkInfo;
use cairn_core::DeviceId;

/// The document. `sources` are the tables of [`super::sources`], of which every `window_s` seconds become one report; `pem` is where the key is, if it is in a PKCS#8 file.
#[must_use]
pub fn text(
    gateways: &[String],
    network: &NetworkInfo,
    pem: &Option<PathBuf>,
    device: &DeviceId,
    servers: &[String],
    (sources, window_s): (&str, u64),
) -> String {
    let list = |all: &[String]| all.iter().map(|one| quoted(one)).collect::<Vec<_>>().join(", ");
    let (kind, file) = match pem {
        Some(path) => ("pem", path.display().to_string()),
        None => ("file", "device.key".to_owned()),
    };
    format!(
        "# What this node measures and sends. Written by `cairn node setup`; change it freely and start the node again.\n\
         # Every key is in the guide for contributors.\n\
         gateways = [{}]\n\
         network = {}\n\
         log_vkey = {}\n\
         promise_vkey = {}\n\
         \n\
         [key]\n\
         {kind} = {}\n\
         device = \"{device}\"\n\
         \n\
         [queue]\n\
         size_mib = 64\n\
         \n\
         [reduce]\n\
         window_s = {window_s}\n\
         \n\
         [clock]\n\
         servers = [{}]\n\
         \n\
         {sources}",
        list(gateways),
        quoted(&network.network_id),
        quoted(&network.log_vkey),
        quoted(&network.promise_vkey),
        quoted(&file),
        list(servers),
    )
}

/// A text as TOML writes it.
#[must_use]
pub fn quoted(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
            c => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use cairn_edge::source::SourceConfig;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Document {
        source: Vec<SourceConfig>,
    }

    #[test]
    fn what_is_written_is_read_whatever_is_in_a_path() {
        for odd in ["/dev/ttyUSB0", "/a b/\"c\"\\d", "tab\tand\u{7f}"] {
            let text = format!("[[source]]\nkind = \"machine\"\nroot = {}\n", quoted(odd));
            let document: Document = toml::from_str(&text).unwrap();
            let SourceConfig::Machine(machine) = &document.source[0] else { panic!("{text}") };
            assert_eq!(machine.root.as_deref(), Some(odd.as_ref()));
        }
    }
}
