//! What is on every page: where one is, where the numbers come from, what is rehearsed, and the twins.

use maud::{DOCTYPE, Markup, html};

use crate::address::{Address, encode};
use crate::answer::title;
use crate::assets::{ICON, STYLE};
use crate::markup::link;
use crate::pages::Page;
use crate::source::Source;

/// Where the main links lead.
const PLACES: [(&str, &str); 6] = [
    ("/network", "Network"),
    ("/map", "Map"),
    ("/epochs", "Epochs"),
    ("/jobs", "Jobs"),
    ("/auditors", "Auditors"),
    ("/status", "Status"),
];

/// A whole page.
pub(crate) fn whole<P: Page>(page: &P, address: &Address) -> String {
    let heading = page.title();
    let path: String = address.segments.iter().map(|segment| format!("/{}", encode(segment))).collect();
    let query: Vec<String> =
        address.query.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let twins = html! {
        nav aria-label="This page as data" {
            "This page as data: "
            a href={ (path) ".json" (query) } rel="alternate" type="application/json" { "JSON" }
            ", "
            a href={ (path) ".csv" (query) } rel="alternate" type="text/csv" { "CSV" }
        }
    };
    let files = html! {
        @for style in page.styles() { link rel="stylesheet" href=(style.path); }
        @for script in page.scripts() {
            @if script.path.ends_with(".mjs") { script type="module" src=(script.path) {} } @else { script src=(script.path) defer {} }
        }
    };
    frame(page.source(), &heading, &path, &html! { (as_of(page.source())) (page.main()) }, &twins, &files)
}

/// A page that says why there is none.
pub(crate) fn problem(source: &Source, status: u16, code: &str, told: &str) -> String {
    let main = html! {
        p { (link::text(told)) }
        p.quiet { "Code " code { (code) } }
    };
    frame(source, title(status), "", &main, &html! {}, &html! {})
}

fn frame(source: &Source, heading: &str, path: &str, main: &Markup, twins: &Markup, files: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (crate::content::visible(heading)) " · " (crate::content::visible(&source.network)) }
                link rel="stylesheet" href=(STYLE.path);
                link rel="icon" type="image/svg+xml" href=(ICON.path);
                (files)
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    p.brand { a href="/network" { (link::text(&source.network)) } }
                    nav aria-label="Main" {
                        ul {
                            @for (to, words) in PLACES {
                                li {
                                    @if to == path { a href=(to) aria-current="page" { (words) } } @else { a href=(to) { (words) } }
                                }
                            }
                        }
                    }
                    form action="/search" method="get" role="search" {
                        label for="q" { "Device, account, cell, epoch, entry or hash" }
                        input #q name="q" type="search" maxlength="200" autocomplete="off" spellcheck="false";
                        button type="submit" { "Search" }
                    }
                }
                (rehearsed(source))
                main #main {
                    h1 { (link::text(heading)) }
                    (main)
                }
                footer {
                    (twins)
                    p {
                        "Network " (link::code(&source.network_id)) ". Every page is a view that may be wrong: "
                        "the log is the truth, and " code { "cairn audit" } " recomputes every number from it."
                    }
                }
            }
        }
    };
    page.into_string()
}

/// What is not real; it stands on every page.
fn rehearsed(source: &Source) -> Markup {
    html! {
        aside.rehearsed aria-label="What is rehearsed" {
            @if source.rehearsed.is_empty() {
                p { "Nothing of this network is declared as rehearsed." }
            } @else {
                p { strong { "Rehearsed" } ": this network declares that it is not all real." }
                ul { @for what in &source.rehearsed { li { (link::text(what)) } } }
            }
        }
    }
}

/// The statement that the numbers come from.
fn as_of(source: &Source) -> Markup {
    html! {
        p.as-of {
            @match &source.as_of {
                Some(epoch) => { "As of epoch " (epoch.number) ", statement " (link::statement(epoch)) }
                None => { "No epoch has closed yet: there is no statement that numbers could come from." }
            }
        }
    }
}
