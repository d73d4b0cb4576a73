//! The line that says whether a page is live, and where it hears of a closed epoch. Without its script it says what is true
//! then: that the page stays as it was made.

use std::sync::LazyLock;

use maud::{Markup, html};

use crate::assets::{Asset, LIVE};

/// The scripts of a page that is live.
pub(crate) static SCRIPTS: [&LazyLock<Asset>; 1] = [&LIVE];

/// The line, for a page that was made while `open` was the open epoch.
pub(crate) fn line(open: u64) -> Markup {
    html! {
        p.live { "Changes as they come: " span.live-state data-live="state" data-open=(open) { "reload this page to see them" } }
        p.news data-live="news" aria-live="polite" {}
    }
}

/// A number as the log stands now, that changes while the page is open.
pub(crate) fn field(name: &str, value: impl core::fmt::Display) -> Markup {
    html! { span data-live=(name) { (value) } }
}
