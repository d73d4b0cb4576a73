//! `[refused]`, in `node.toml` and in `bridge.toml`.

use serde::Deserialize;

use super::SendOptions;

/// The least and the most of what is set aside, in MiB.
const SIZE_MIB: core::ops::RangeInclusive<u64> = 1..=1 << 20;
/// The longest that a second gateway is waited for: a month.
const SECOND_S_MAX: u64 = 30 * 86_400;

/// What becomes of reports that are refused for good.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RefusedConfig {
    /// MiB on disk of what is set aside; beyond, the oldest go first, and are counted.
    size_mib: u64,
    /// So many one after the other are believed of no gateway.
    in_a_row: u32,
    /// For how long every other gateway has to be out of reach before one alone is believed, in seconds.
    second_after_s: u64,
}

impl Default for RefusedConfig {
    /// 8 MiB, 20, a quarter of an hour.
    fn default() -> Self {
        Self { size_mib: 8, in_a_row: 20, second_after_s: 900 }
    }
}

impl RefusedConfig {
    /// Sending by this, and else as usual.
    #[must_use]
    pub fn options(&self) -> SendOptions {
        SendOptions {
            aside_bytes_max: self.size_mib << 20,
            refused_in_a_row: self.in_a_row,
            second_after_ms: self.second_after_s * 1_000,
            ..SendOptions::default()
        }
    }

    /// Whether it can be meant.
    ///
    /// # Errors
    /// What cannot, in words.
    pub fn check(&self) -> Result<(), String> {
        if !SIZE_MIB.contains(&self.size_mib) || self.in_a_row == 0 || self.second_after_s > SECOND_S_MAX {
            return Err(format!(
                "[refused] size_mib and in_a_row are at least 1, second_after_s at most {SECOND_S_MAX}: a month"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_as_usual_and_what_cannot_be_meant_is_refused() {
        let shown = |text: &str| -> Result<(u64, u32, u64), String> {
            let config: RefusedConfig = toml::from_str(text).map_err(|error| error.to_string())?;
            config.check()?;
            let options = config.options();
            Ok((options.aside_bytes_max, options.refused_in_a_row, options.second_after_ms))
        };
        let usual = SendOptions::default();
        assert_eq!(shown(""), Ok((usual.aside_bytes_max, usual.refused_in_a_row, usual.second_after_ms)));
        assert_eq!(shown("size_mib = 1\nin_a_row = 3\nsecond_after_s = 0"), Ok((1 << 20, 3, 0)));
        for wrong in ["size_mib = 0", "size_mib = 1048577", "in_a_row = 0", "second_after_s = 2592001", "size = 1"] {
            assert!(shown(wrong).is_err(), "{wrong}");
        }
    }
}
