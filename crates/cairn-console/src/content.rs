//! What others wrote, shown as what it is.
//!
//! Markup is escaped where text becomes HTML. Here is the rest: characters that are not seen, or that change how others are
//! seen, are written out.

/// The text with every character written out that is a control, changes the direction of text, or is not seen: `\u{202e}`.
#[must_use]
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            shown.push_str(&format!("\\u{{{:x}}}", u32::from(character)));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// The same for a text of several lines, which stay lines.
#[must_use]
pub(crate) fn visible_lines(text: &str) -> String {
    text.split('\n').map(|line| visible(line.strip_suffix('\r').unwrap_or(line))).collect::<Vec<_>>().join("\n")
}

/// Controls, format characters (directions, joiners, tags), separators of lines, variation selectors, fillers, and what is
/// private.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_seen_is_written_out() {
        for (text, shown) in [
            ("a station <b>", "a station <b>"),
            ("Größe 7 m²", "Größe 7 m²"),
            ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
            ("a\nb\0", "a\\u{a}b\\u{0}"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            ("zero\u{200b}width\u{feff}", "zero\\u{200b}width\\u{feff}"),
            ("\u{e0041}", "\\u{e0041}"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_hides_nothing_and_ascii_stays(text: String) {
            prop_assert!(!visible(&text).chars().any(is_hidden));
            let printable: String = text.chars().filter(|c| (' '..='~').contains(c)).collect();
            prop_assert_eq!(visible(&printable), printable);
            prop_assert!(!visible_lines(&text).chars().any(|c| c != '\n' && is_hidden(c)));
        }
    }
}
