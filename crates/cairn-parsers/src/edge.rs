//! What a node reads: payloads of sensors, what a reduction was made of, times, and configurations.

use std::sync::LazyLock;

use cairn_classes::sensing::VALUE_MAX;
use cairn_edge::map::{Decimal, Linear, Mapping, MappingConfig, PRESETS, TimeForm, format_time, parse_time, preset};
use cairn_edge::reduce::{RawWindow, ReduceConfig, recompute};
use cairn_edge::source::SourceConfig;

/// Every preset, a line of CSV, of pairs, after a pattern, and a bare number.
static MAPPINGS: LazyLock<Vec<Mapping>> = LazyLock::new(|| {
    let forms = [
        "format = \"csv\"\nfield = [{ quantity = \"temperature\", at = \"2\", unit = \"degF\" }, { quantity = \"rain\", at = \"3\" }]",
        "format = \"key_value\"\ntime = { at = \"at\" }\nfield = [{ quantity = \"pressure\", at = \"p\", unit = \"hPa\" }]",
        "format = \"pattern\"\npattern = \"{} T={t}C {h} %\"\nfield = [{ quantity = \"temperature\", at = \"t\", scale = \"0.1\", offset = -40 }]",
        "format = \"number\"\nfield = [{ quantity = \"co2\" }]",
    ];
    let formed = forms.iter().map(|text| {
        let config: MappingConfig = toml::from_str(text).expect("it is a configuration");
        Mapping::of(&config).expect("it is a mapping")
    });
    let presets = PRESETS.iter().map(|(name, ..)| preset(name).expect("it is a preset"));
    formed.chain(presets).collect()
});

pub fn payload(bytes: &[u8]) {
    for mapping in &*MAPPINGS {
        let Ok(mapped) = mapping.read(bytes) else { continue };
        for reading in &mapped.readings {
            assert!(reading.value.unsigned_abs() <= VALUE_MAX.unsigned_abs(), "{reading:?}");
        }
        assert!(mapped.readings.windows(2).all(|pair| pair[0].quantity < pair[1].quantity), "{mapped:?}");
        assert!(mapped.said_ms.is_none_or(|said_ms| parse_time(&format_time(said_ms), TimeForm::Auto) == Ok(said_ms)));
    }
}

/// A number: read again with its sign turned it is the same distance from zero.
pub fn decimal(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    let Ok(number) = Decimal::parse(text) else { return };
    let text = text.trim();
    let bare = text.strip_prefix(['-', '+']).unwrap_or(text);
    let turned = if text.starts_with('-') { bare.to_owned() } else { format!("-{bare}") };
    // Turned it may be a sign too long.
    let Ok(turned) = Decimal::parse(&turned) else { return };
    for function in [Linear::SAME, Linear::of(1_000, 0, 9).expect("it is small")] {
        match (function.at(number), function.at(turned)) {
            (Ok(value), Ok(other)) => assert_eq!(value, -other, "{text}"),
            (Err(error), Err(other)) => assert_eq!(error.code(), other.code(), "{text}"),
            (one, other) => panic!("{text}: {one:?} and {other:?}"),
        }
    }
}

pub fn edge_time(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    for form in [TimeForm::Auto, TimeForm::Ms, TimeForm::S, TimeForm::Epoch, TimeForm::Rfc3339, TimeForm::Utc] {
        if let Ok(time_ms) = parse_time(text, form) {
            assert_eq!(parse_time(&format_time(time_ms), TimeForm::Rfc3339), Ok(time_ms), "{text}");
        }
    }
}

pub fn edge_raw(bytes: &[u8]) {
    let Ok(raw) = RawWindow::decode(bytes) else { return };
    assert_eq!(raw.encode(), bytes);
    if let Ok(recomputed) = recompute(bytes) {
        assert_eq!(recomputed.body.readings().len(), 1);
    }
}

/// Tables of a configuration; what is refused has a code and a hint.
pub fn edge_config(bytes: &[u8]) {
    let Some(text) = crate::text(bytes) else { return };
    if let Ok(config) = toml::from_str::<MappingConfig>(text)
        && let Err(error) = Mapping::of(&config)
    {
        assert!(error.code().starts_with("EDGE-") && !error.hint().is_empty());
    }
    if let Ok(config) = toml::from_str::<ReduceConfig>(text) {
        if let Ok(recipe) = config.recipe() {
            assert!(recipe.reducers().all(|(quantity, reducer)| reducer.suits(quantity)));
        }
        assert!(config.length_ms().is_ok_and(|ms| ms > 0) || config.window_s.is_some());
    }
    if let Ok(config) = toml::from_str::<SourceConfig>(text) {
        assert!(!config.name().is_empty());
    }
}
