//! Which of several forms a client wants (RFC 9110, section 12.5.1).

use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};

use crate::problem::Refused;

/// The offer that `Accept` prefers; the first one when it has no preference.
///
/// # Errors
/// `NET-ACCEPT` when it wants none of them.
pub(crate) fn choose(headers: &HeaderMap, offers: &'static [&'static str]) -> Result<&'static str, Refused> {
    let wanted: Vec<&str> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    if wanted.is_empty() {
        return Ok(offers[0]);
    }
    let ranges: Vec<(&str, u32)> = wanted.iter().flat_map(|value| value.split(',')).filter_map(parse_range).collect();
    let mut best = (offers[0], 0);
    for offer in offers {
        let quality = quality(offer, &ranges);
        if quality > best.1 {
            best = (offer, quality);
        }
    }
    if best.1 > 0 {
        return Ok(best.0);
    }
    let detail = format!("`{}` is asked for; there is {}", wanted.join(", "), offers.join(", "));
    Err(Refused::of(StatusCode::NOT_ACCEPTABLE, "NET-ACCEPT", detail).hint("ask for one of these in `Accept`"))
}

/// A media range and its quality in thousandths.
fn parse_range(range: &str) -> Option<(&str, u32)> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some((name, quality.map_or(1_000, thousandths)))
}

/// `0`, `1`, or `0.` and up to three digits; anything else counts as unwanted.
fn thousandths(text: &str) -> u32 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    let fraction: u32 = format!("{fraction:0<3}").parse().unwrap_or(0);
    match whole {
        "0" => fraction,
        "1" => 1_000,
        _ => 0,
    }
}

/// The quality that the most specific range gives an offer.
fn quality(offer: &str, ranges: &[(&str, u32)]) -> u32 {
    let kind = offer.split('/').next().unwrap_or_default();
    let of = |wanted: &dyn Fn(&str) -> bool| ranges.iter().find(|(name, _)| wanted(name)).map(|(_, quality)| *quality);
    of(&|name| name.eq_ignore_ascii_case(offer))
        .or_else(|| of(&|name| name.strip_suffix("/*").is_some_and(|range| range.eq_ignore_ascii_case(kind))))
        .or_else(|| of(&|name| name == "*/*"))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_form_is_chosen_and_the_first_one_by_default() {
        const JSON: &str = "application/json";
        const CBOR: &str = "application/cbor";
        let cases = [
            (None, Some(JSON)),
            (Some("*/*"), Some(JSON)),
            (Some("application/*"), Some(JSON)),
            (Some("application/cbor"), Some(CBOR)),
            (Some("Application/CBOR;q=0.5"), Some(CBOR)),
            (Some("application/json;q=0.5, application/cbor"), Some(CBOR)),
            (Some("application/json;q=0.5, application/cbor;q=0.25"), Some(JSON)),
            (Some("text/html,application/xhtml+xml,*/*;q=0.8"), Some(JSON)),
            (Some("application/json;q=0, */*;q=0.1"), Some(CBOR)),
            (Some("text/html"), None),
            (Some("application/json;q=0"), None),
            (Some("application/json;q=2"), None),
            (Some("application/json;q=0.1234"), None),
        ];
        for (accept, chosen) in cases {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(choose(&headers, &[JSON, CBOR]).ok(), chosen, "{accept:?}");
        }
    }
}
