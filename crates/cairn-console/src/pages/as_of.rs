//! "As of epoch N": a page that shows nothing later than an epoch, and so never changes what it counts.

use maud::{Markup, html};

use crate::address::Address;
use crate::error::ConsoleError;
use crate::reader::Reader;

/// The parameter that names the epoch.
pub(crate) const AS_OF: &str = "as_of";

/// The last epoch that a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AsOf {
    /// The epoch; `None` before the first has closed.
    pub epoch: Option<u64>,
    /// Whether the address names it: then nothing later is shown, whatever closes.
    pub is_fixed: bool,
}

impl AsOf {
    /// The epoch that an address names, or else the last closed one.
    ///
    /// # Errors
    /// [`ConsoleError`] for an epoch that has not closed.
    pub fn read(reader: &Reader<'_>, address: &Address) -> Result<Self, ConsoleError> {
        if let Some(epoch) = address.number(AS_OF)? {
            reader.epoch_ref(epoch)?;
            return Ok(Self { epoch: Some(epoch), is_fixed: true });
        }
        Ok(Self { epoch: reader.last_closed()?, is_fixed: false })
    }

    /// The `before` of a history: that of the address, but nothing past this epoch.
    pub fn before(self, before: Option<u64>) -> Option<u64> {
        let end = self.epoch.map(|epoch| epoch.saturating_add(1));
        match (before, end) {
            (Some(before), Some(end)) => Some(before.min(end)),
            (before, end) => before.or(end),
        }
    }

    /// A path with this epoch, where the address names it, and further parameters.
    pub fn path(self, path: &str, further: Option<(&str, u64)>) -> String {
        let fixed = self.epoch.filter(|_| self.is_fixed).map(|epoch| (AS_OF, epoch));
        let parts: Vec<String> =
            fixed.into_iter().chain(further).map(|(name, value)| format!("{name}={value}")).collect();
        if parts.is_empty() { path.to_owned() } else { format!("{path}?{}", parts.join("&")) }
    }

    /// The link that stays, or the one back to now.
    pub fn markup(self, path: &str) -> Markup {
        html! {
            @if let Some(epoch) = self.epoch {
                p.quiet {
                    @if self.is_fixed {
                        "Nothing that was stated after epoch " (epoch) " is shown here. "
                        a href=(path) { "The page as of the last closed epoch" }
                    } @else {
                        a href={ (path) "?" (AS_OF) "=" (epoch) } rel="bookmark" { "Permanent link: this page as of epoch " (epoch) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_past_the_epoch_is_asked_for() {
        let at = |epoch| AsOf { epoch, is_fixed: true };
        for (epoch, before, expected) in [
            (None, None, None),
            (None, Some(3), Some(3)),
            (Some(4), None, Some(5)),
            (Some(4), Some(3), Some(3)),
            (Some(4), Some(9), Some(5)),
            (Some(u64::MAX), None, Some(u64::MAX)),
        ] {
            assert_eq!(at(epoch).before(before), expected, "{epoch:?} {before:?}");
        }
    }

    #[test]
    fn links_from_a_fixed_page_stay_fixed() {
        let fixed = AsOf { epoch: Some(7), is_fixed: true };
        let last = AsOf { is_fixed: false, ..fixed };
        assert_eq!(fixed.path("/x", Some(("before", 3))), "/x?as_of=7&before=3");
        assert_eq!(fixed.path("/x", None), "/x?as_of=7");
        assert_eq!(last.path("/x", Some(("before", 3))), "/x?before=3");
        assert_eq!(last.path("/x", None), "/x");
    }
}
