//! Names of things, linked to their pages; and text that others wrote.

use cairn_api::EpochRef;
use maud::{Markup, html};

use crate::address::encode;
use crate::content::visible;
use crate::pages::as_of::AsOf;
use crate::words::{grouped, utc};

/// Text that others wrote: on its own as to direction, with what is not seen written out.
pub(crate) fn text(words: &str) -> Markup {
    html! { bdi { (visible(words)) } }
}

/// A hash or key, to be copied.
pub(crate) fn code(hash: &str) -> Markup {
    html! { code { (visible(hash)) } }
}

/// A device, linked.
pub(crate) fn device(id: &str) -> Markup {
    html! { a href={ "/devices/" (encode(id)) } { code { (id) } } }
}

/// An account, linked.
pub(crate) fn account(id: &str) -> Markup {
    html! { a href={ "/accounts/" (encode(id)) } { code { (id) } } }
}

/// A job, linked.
pub(crate) fn job(id: &str) -> Markup {
    html! { a href={ "/jobs/" (encode(id)) } { code { (id) } } }
}

/// A job that an epoch settled, linked, so that it is found however long ago that was.
pub(crate) fn job_in(id: &str, epoch: u64) -> Markup {
    html! { a href={ "/jobs/" (encode(id)) "?epoch=" (epoch) } { code { (id) } } }
}

/// A cell, linked.
pub(crate) fn cell_as_of(id: &str, as_of: AsOf) -> Markup {
    html! { a href=(as_of.path(&format!("/cells/{}", encode(id)), None)) { code.cell { (id) } } }
}

/// An auditor by its address, linked.
pub(crate) fn auditor(address: &str) -> Markup {
    html! { a href={ "/auditors/" (encode(address)) } { code { (address) } } }
}

/// An entry of the log, linked.
pub(crate) fn entry(index: u64) -> Markup {
    html! { a href={ "/entries/" (index) } { (index) } }
}

/// An epoch, linked.
pub(crate) fn epoch(number: u64) -> Markup {
    html! { a href={ "/epochs/" (number) } { (number) } }
}

/// An epoch's statement by its hash, linked.
pub(crate) fn statement(epoch: &EpochRef) -> Markup {
    html! { a href={ "/epochs/" (epoch.number) } { code { (epoch.statement) } } }
}

/// A cell of the map by its index in hexadecimal, linked where there is a page of it.
pub(crate) fn cell(index: &str) -> Markup {
    let path = format!("/cells/{}", encode(index));
    html! {
        @if crate::is_page(&path) { a href=(path) { code { (index) } } } @else { code { (index) } }
    }
}

/// Why a device got what it got, linked.
pub(crate) fn why(device: &str, epoch: u64, words: &str) -> Markup {
    html! { a href={ "/why/" (encode(device)) "/" (epoch) } { (words) } }
}

/// A point in time.
pub(crate) fn time(ms: u64) -> Markup {
    let words = utc(ms);
    html! { time datetime=(words.replace(' ', "T")) { (words) } }
}

/// A count, digits in threes; the element's value is the same without.
pub(crate) fn count(number: u64) -> Markup {
    html! { data value=(number) { (grouped(&number.to_string())) } }
}

/// A score; where there is none, that it was not scored. A score of 0 is one.
pub(crate) fn score(ppm: Option<u32>) -> Markup {
    html! { @match ppm { Some(ppm) => { (self::ppm(ppm)) } None => { "not scored" } } }
}

/// Parts per million of a whole, with the same as a percentage.
pub(crate) fn ppm(parts: u32) -> Markup {
    html! { data.ppm value=(parts) { (percent(parts)) " %" } }
}

/// Parts per million as an exact percentage, `97.31` for 973,100.
pub(crate) fn percent(parts: u32) -> String {
    cairn_core::Amount(parts.into()).display(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_text_and_stays_in_its_place() {
        for (found, expected) in [
            (text("<b>&\u{202e}\""), "<bdi>&lt;b&gt;&amp;\\u{202e}&quot;</bdi>"),
            (
                device("x\"><script>"),
                "<a href=\"/devices/x%22%3E%3Cscript%3E\"><code>x&quot;&gt;&lt;script&gt;</code></a>",
            ),
            (account("eip155:1:0xab"), "<a href=\"/accounts/eip155:1:0xab\"><code>eip155:1:0xab</code></a>"),
            (count(1_000_000), "<data value=\"1000000\">1\u{202f}000\u{202f}000</data>"),
            (ppm(973_100), "<data class=\"ppm\" value=\"973100\">97.31 %</data>"),
            (ppm(1_000_000), "<data class=\"ppm\" value=\"1000000\">100 %</data>"),
            (time(0), "<time datetime=\"1970-01-01T00:00:00Z\">1970-01-01 00:00:00Z</time>"),
        ] {
            assert_eq!(found.into_string(), expected);
        }
    }
}
