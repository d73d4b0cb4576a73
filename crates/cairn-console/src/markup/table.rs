//! Tables, lists of facts, and the links from one page of a table to the next.

use maud::{Markup, html};

/// A column: its name, and whether it holds numbers.
pub(crate) type Column = (&'static str, bool);

/// A column of words.
pub(crate) const fn words(name: &'static str) -> Column {
    (name, false)
}

/// A column of numbers.
pub(crate) const fn numbers(name: &'static str) -> Column {
    (name, true)
}

/// A table with a caption; `empty` is said where it has no rows.
pub(crate) fn table(caption: &str, columns: &[Column], rows: &[Vec<Markup>], empty: &str) -> Markup {
    if rows.is_empty() {
        return html! { p.empty { (empty) } };
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr {
                    @for (name, is_number) in columns {
                        @if *is_number { th.number scope="col" { (name) } } @else { th scope="col" { (name) } }
                    }
                } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (cell, (_, is_number)) in row.iter().zip(columns) {
                                @if *is_number { td.number { (cell) } } @else { td { (cell) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Names with what they are.
pub(crate) fn facts(rows: &[(&str, Markup)]) -> Markup {
    html! {
        dl {
            @for (name, value) in rows {
                div { dt { (name) } dd { (value) } }
            }
        }
    }
}

/// The links to the first page of a table and to the next.
pub(crate) fn pager(first: Option<&str>, next: Option<&str>, words: &str) -> Markup {
    html! {
        @if first.is_some() || next.is_some() {
            nav.pager aria-label="Pages" {
                @if let Some(first) = first { a href=(first) rel="first" { "First page" } }
                @if let Some(next) = next { a href=(next) rel="next" { (words) } }
            }
        }
    }
}
