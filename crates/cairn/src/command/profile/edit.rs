//! Integers of a TOML document replaced where they stand, so that its comments and layout stay, and what differs then.

use toml::de::{DeTable, DeValue};

/// One integer to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The keys that lead to it.
    pub path: Vec<String>,
    /// What stands there instead.
    pub to: i64,
}

/// The document with its integers replaced; `None` when one of them is not there.
pub fn apply(document: &str, edits: &[Edit]) -> Option<String> {
    let root = DeTable::parse(document).ok()?;
    let mut spans = Vec::new();
    for edit in edits {
        let mut table = root.get_ref();
        let (last, parents) = edit.path.split_last()?;
        for name in parents {
            table = match find(table, name)?.get_ref() {
                DeValue::Table(inner) => inner,
                _ => return None,
            };
        }
        let value = find(table, last)?;
        value.get_ref().as_integer()?;
        spans.push((value.span(), grouped(edit.to)));
    }
    spans.sort_by_key(|(span, _)| core::cmp::Reverse(span.start));
    let mut text = document.to_owned();
    for (span, number) in spans {
        text.replace_range(span, &number);
    }
    Some(text)
}

fn find<'a, 'i>(table: &'a DeTable<'i>, name: &str) -> Option<&'a toml::Spanned<DeValue<'i>>> {
    table.iter().find(|(key, _)| key.get_ref().as_ref() == name).map(|(_, value)| value)
}

/// An integer with its digits in threes, as the profiles write them: `2_678_400_000`.
fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push('_');
        }
        text.push(digit);
    }
    if value < 0 { format!("-{text}") } else { text }
}

/// A unified diff with three lines of context of two texts of as many lines; empty when they are equal.
pub fn diff(name: &str, before: &str, after: &str) -> String {
    const CONTEXT: usize = 3;
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let changed: Vec<usize> = (0..old.len().min(new.len())).filter(|&line| old[line] != new[line]).collect();
    if changed.is_empty() {
        return String::new();
    }
    let mut text = format!("--- {name}\n+++ {name}\n");
    for hunk in changed.chunk_by(|a, b| b - a <= 2 * CONTEXT) {
        let from = hunk[0].saturating_sub(CONTEXT);
        let to = (hunk[hunk.len() - 1] + CONTEXT + 1).min(old.len());
        let (first, lines) = (from + 1, to - from);
        text.push_str(&format!("@@ -{first},{lines} +{first},{lines} @@\n"));
        for together in (from..to).collect::<Vec<_>>().chunk_by(|&a, &b| (old[a] == new[a]) == (old[b] == new[b])) {
            if old[together[0]] == new[together[0]] {
                together.iter().for_each(|&line| text.push_str(&format!(" {}\n", old[line])));
            } else {
                together.iter().for_each(|&line| text.push_str(&format!("-{}\n", old[line])));
                together.iter().for_each(|&line| text.push_str(&format!("+{}\n", new[line])));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str =
        "# top\na = 1 # one\n\n[b.c]\n# kept\nd = { min = -5_000, max = 6_000 }\ne = 7\n\n\n\n\n\n\nf = 8\n";

    fn edit(path: &str, to: i64) -> Edit {
        Edit { path: path.split('.').map(str::to_owned).collect(), to }
    }

    #[test]
    fn integers_are_replaced_where_they_stand_and_nothing_else() {
        let edits = [edit("b.c.d.max", 12_345_678), edit("a", -1_000), edit("b.c.d.min", 0)];
        let text = apply(DOCUMENT, &edits).unwrap();
        let expected =
            DOCUMENT.replace("a = 1 ", "a = -1_000 ").replace("min = -5_000, max = 6_000", "min = 0, max = 12_345_678");
        assert_eq!(text, expected);
        for missing in ["x", "b.c.d", "b.c.d.mean", "a.b"] {
            assert_eq!(apply(DOCUMENT, &[edit(missing, 1)]), None, "{missing}");
        }
    }

    #[test]
    fn a_difference_is_shown_as_patch_reads_it() {
        let after = apply(DOCUMENT, &[edit("a", 2), edit("b.c.e", 8), edit("b.c.f", 9)]).unwrap();
        let expected = "--- x\n+++ x\n@@ -1,10 +1,10 @@\n # top\n-a = 1 # one\n+a = 2 # one\n \n [b.c]\n # kept\n d = { min = \
                        -5_000, max = 6_000 }\n-e = 7\n+e = 8\n \n \n \n@@ -11,4 +11,4 @@\n \n \n \n-f = 8\n+f = 9\n";
        assert_eq!(diff("x", DOCUMENT, &after), expected);
        assert_eq!(diff("x", DOCUMENT, DOCUMENT), "");
    }
}
