//! `[[witness]]` and `[witnessing]` of `network.toml`: who is asked to cosign the log's checkpoints, and how.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use cairn_gateway::WitnessingOptions;
use cairn_merkle::{NoteVerifier, TrustPolicy};
use cairn_witness::WitnessClient;
use serde::Deserialize;

use super::{bad_duration, duration_ms};
use crate::failure::Failure;

/// Each witness has a thread and a line in every checkpoint.
const WITNESSES_MAX: usize = 16;

/// A witness.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessConfig {
    /// Its key, a C2SP vkey of type 4.
    pub vkey: String,
    /// Where it takes checkpoints.
    pub url: String,
}

/// How witnesses are asked. Times are written as `2s`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WitnessingConfig {
    /// Checkpoints are published at most so often.
    pub interval: String,
    /// For the witnesses to answer.
    pub timeout: String,
    /// While the log does not grow its checkpoint is shown again so often.
    pub refresh: String,
    /// The history keeps at most one checkpoint in so long.
    pub history: String,
}

impl Default for WitnessingConfig {
    fn default() -> Self {
        let options = WitnessingOptions::in_folder(PathBuf::new());
        let text = |duration: Duration| format!("{}ms", duration.as_millis());
        Self {
            interval: text(options.interval),
            timeout: text(options.timeout),
            refresh: text(options.refresh),
            history: text(options.history_every),
        }
    }
}

impl WitnessingConfig {
    /// What the gateway is started with; the history is in `folder`.
    ///
    /// # Errors
    /// `NET-CONFIG`, and those of keys and addresses.
    pub fn options(&self, witnesses: &[WitnessConfig], folder: PathBuf) -> Result<WitnessingOptions, Failure> {
        if witnesses.len() > WITNESSES_MAX {
            return Err(Failure::wrong("NET-CONFIG", format!("there are more than {WITNESSES_MAX} witnesses")));
        }
        let mut read = Vec::new();
        for WitnessConfig { vkey, url } in witnesses {
            let verifier: NoteVerifier = vkey.parse()?;
            WitnessClient::of(verifier.clone(), url)
                .map_err(|error| Failure::wrong("NET-CONFIG", format!("[[witness]]: {error}")))?;
            read.push((verifier, url.clone()));
        }
        let keys = read.iter().map(|(verifier, _)| verifier.clone()).collect();
        TrustPolicy::majority_of(keys)
            .map_err(|_| Failure::wrong("NET-CONFIG", "[[witness]]: a key is there twice, or is no witness's"))?;
        Ok(WitnessingOptions {
            witnesses: read,
            // A checkpoint that is not renewed for long makes the gateway look ill.
            interval: within("interval", &self.interval, 100..=15_000)?,
            timeout: within("timeout", &self.timeout, 100..=10_000)?,
            refresh: within("refresh", &self.refresh, 1_000..=240_000)?,
            history_every: within("history", &self.history, 1_000..=86_400_000)?,
            folder,
            evidence: None,
        })
    }
}

fn within(key: &str, text: &str, range_ms: RangeInclusive<u64>) -> Result<Duration, Failure> {
    let ms = duration_ms(text).ok_or_else(|| bad_duration(key, text))?;
    if range_ms.contains(&ms) {
        return Ok(Duration::from_millis(ms));
    }
    let (least, most) = (range_ms.start(), range_ms.end());
    Err(Failure::wrong("NET-CONFIG", format!("[witnessing] {key} = \"{text}\" is not from {least} ms to {most} ms")))
}

#[cfg(test)]
mod tests {
    use cairn_core::ed25519::SigningKey;
    use cairn_merkle::note::KeyKind;

    use super::*;

    fn vkey(kind: KeyKind, seed: u8) -> String {
        NoteVerifier::new("w.example", kind, SigningKey::from_seed([seed; 32]).verifying_key()).unwrap().to_string()
    }

    #[test]
    fn what_is_left_out_is_as_the_gateway_has_it() {
        let read = WitnessingConfig::default().options(&[], PathBuf::new()).unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", WitnessingOptions::in_folder(PathBuf::new())));
    }

    #[test]
    fn the_operators_guide_shows_every_value_with_its_default() {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Shown {
            witness: Vec<WitnessConfig>,
            witnessing: WitnessingConfig,
        }
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/operator.md");
        let guide = std::fs::read_to_string(path).unwrap();
        let block = guide.split("```toml\n").find(|block| block.starts_with("[[witness]]")).unwrap();
        let block = block.split("```").next().unwrap();
        let shown: Shown = toml::from_str(block).unwrap();
        let options = |config: &WitnessingConfig| format!("{:?}", config.options(&[], PathBuf::new()).unwrap());
        assert_eq!(options(&shown.witnessing), options(&WitnessingConfig::default()));
        assert_eq!((shown.witness.len(), block.lines().filter(|line| line.contains(" = ")).count()), (1, 6));
        shown.witnessing.options(&shown.witness, PathBuf::new()).unwrap();
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        let (one, two) = (vkey(KeyKind::Cosignature, 1), vkey(KeyKind::Cosignature, 2));
        let url = "https://w.example";
        type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, Option<&'a str>);
        let cases: [Case<'_>; 9] = [
            (&[(&one, url), (&two, url)], "", None),
            (&[(&one, url)], "interval = \"5s\"\ntimeout = \"1s\"", None),
            (&[(&one, url), (&one, url)], "", Some("NET-CONFIG")),
            (&[(&vkey(KeyKind::Ed25519, 1), url)], "", Some("NET-CONFIG")),
            (&[("w.example", url)], "", Some("LOG-VKEY")),
            (&[(&one, "w.example")], "", Some("NET-CONFIG")),
            (&[], "interval = \"1m\"", Some("NET-CONFIG")),
            (&[], "timeout = \"1ms\"", Some("NET-CONFIG")),
            (&[], "history = \"often\"", Some("NET-CONFIG")),
        ];
        for (witnesses, text, code) in cases {
            let config: WitnessingConfig = toml::from_str(text).unwrap();
            let witness = |(vkey, url): &(&str, &str)| WitnessConfig { vkey: (*vkey).into(), url: (*url).into() };
            let witnesses: Vec<WitnessConfig> = witnesses.iter().map(witness).collect();
            let refused = config.options(&witnesses, PathBuf::new()).err().map(|failure| failure.code);
            assert_eq!(refused.as_deref(), code, "{witnesses:?} {text}");
        }
    }
}
