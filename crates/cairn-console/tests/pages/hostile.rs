//! What others wrote is text: it makes no element, no attribute and no line of its own.

use crate::support::{PLAIN, Site, Words, parse, small};

/// Elements that pages are made of.
const ELEMENTS: &[&str] = &[
    "a", "aside", "bdi", "body", "button", "caption", "circle", "code", "data", "dd", "div", "dl", "dt", "fieldset",
    "footer", "form", "h1", "h2", "h3", "head", "header", "html", "input", "label", "legend", "li", "line", "link",
    "main", "meta", "nav", "p", "polyline", "pre", "rect", "script", "section", "span", "strong", "svg", "table",
    "tbody", "td", "text", "th", "thead", "time", "title", "tr", "ul",
];

/// Attributes that they have: none that scripts, styles or loads.
const ATTRIBUTES: &[&str] = &[
    "action",
    "aria-current",
    "aria-label",
    "aria-live",
    "autocomplete",
    "charset",
    "checked",
    "class",
    "content",
    "cx",
    "cy",
    "data-as-of",
    "data-bounds",
    "data-epoch",
    "data-layer",
    "data-library",
    "data-live",
    "data-map-state",
    "data-open",
    "data-verify",
    "data-verify-account",
    "data-verify-claim-cumulative",
    "data-verify-claim-domain",
    "data-verify-claim-proof",
    "data-verify-device",
    "data-verify-epoch",
    "data-verify-index",
    "data-verify-keys",
    "data-verify-leaf",
    "data-verify-network",
    "data-verify-paid",
    "data-verify-statement",
    "data-worker",
    "data-world",
    "datetime",
    "defer",
    "fill",
    "for",
    "height",
    "href",
    "id",
    "lang",
    "maxlength",
    "method",
    "name",
    "points",
    "r",
    "rel",
    "role",
    "scope",
    "spellcheck",
    "src",
    "tabindex",
    "text-anchor",
    "title",
    "type",
    "value",
    "viewbox",
    "viewBox",
    "width",
    "x",
    "x1",
    "x2",
    "y",
    "y1",
    "y2",
];

fn pages(site: &Site) -> Vec<String> {
    let device = &site.devices[1];
    let mut pages: Vec<String> = [
        "/network",
        "/epochs",
        "/epochs/1",
        "/epochs/1/payouts",
        "/epochs/1/verdicts",
        "/status",
        "/search",
        "/map",
        "/jobs",
        "/auditors",
        "/denials",
        "/policies",
    ]
    .map(str::to_owned)
    .into();
    pages.extend(site.devices.iter().map(|device| format!("/devices/{}", device.id)));
    let account = format!("/accounts/{}", device.account);
    pages.extend(["/readings?epoch=1", "?epoch=0", "?as_of=1"].map(|rest| format!("/devices/{}{rest}", device.id)));
    pages.extend(site.cells().iter().map(|cell| format!("/cells/{cell}")));
    pages.extend([format!("{account}/tax"), account, format!("/why/{}/0", device.id)]);
    pages.extend((0..site.log.size()).map(|index| format!("/entries/{index}")));
    pages
}

/// Every printable character of ASCII that a model may hold, in pieces of 64 bytes.
fn everything_allowed() -> Vec<String> {
    let all: Vec<u8> = (0x20..0x7f).collect();
    all.chunks(64).map(|piece| String::from_utf8(piece.to_vec()).unwrap()).collect()
}

#[test]
fn no_element_and_no_attribute_comes_from_content() {
    let plain = small(&PLAIN);
    let skeleton = |html: &str| -> Vec<(String, Vec<String>)> {
        let (tags, _) = parse(html);
        tags.into_iter().map(|tag| (tag.name, tag.attributes.into_iter().map(|(name, _)| name).collect())).collect()
    };
    let mut models = everything_allowed();
    models.extend(
        [
            "<script>alert(1)</script>",
            "\"><img src=x onerror=alert(1)>",
            "' onmouseover='alert(1)' x='",
            "</title></style></svg><svg/onload=alert(1)>",
            "<!-- -->&lt;b&gt;&#x3c;script&#x3e;",
            "javascript:alert(1)",
            &"W".repeat(64),
        ]
        .map(str::to_owned),
    );
    for model in models.iter().map(|model| model.trim().to_owned()) {
        let words = Words { model: &model, reason: "<B>&\"'", rehearsed: &model, name: &model };
        let site = small(&words);
        let device = format!("/devices/{}", site.devices[1].id);
        for page in pages(&site)
            .iter()
            .filter(|page| page.starts_with(&device) || page.starts_with("/entries/1") || *page == "/denials")
        {
            let html = site.page(page);
            assert_eq!(skeleton(&html), skeleton(&plain.page(page)), "{page} with `{model}`");
            let (_, text) = parse(&html);
            assert!(*page != device || text.contains(&model), "{page} shows `{model}` as it is");
        }
    }
}

#[test]
fn pages_are_made_of_harmless_elements_that_ask_nobody_else() {
    let site = small(&PLAIN);
    for page in pages(&site) {
        let html = site.page(&page);
        for tag in parse(&html).0 {
            assert!(ELEMENTS.contains(&tag.name.as_str()), "<{}> in {page}", tag.name);
            // A script is a file of this site's own, and no word of it stands in the page.
            let source = tag.attribute("src").unwrap_or_default();
            assert!(tag.name != "script" || source.starts_with("/assets/"), "a script of `{source}` in {page}");
            for (name, value) in &tag.attributes {
                assert!(ATTRIBUTES.contains(&name.as_str()), "{name} of <{}> in {page}", tag.name);
                let is_address = ["href", "action", "src"].contains(&name.as_str());
                let stays = (value.starts_with('/') && !value.starts_with("//")) || value == "#main";
                assert!(!is_address || stays, "{name}={value} in {page}");
            }
        }
    }
}

#[test]
fn what_is_asked_for_is_text_too() {
    let site = small(&PLAIN);
    let hostile = "%3Cscript%3Ealert(1)%3C%2Fscript%3E%E2%80%AE%22%27";
    for address in [
        format!("/search?q={hostile}"),
        format!("/devices/{hostile}"),
        format!("/epochs/{hostile}"),
        format!("/status?{hostile}=1"),
    ] {
        let answer = site.get(&address);
        let html = String::from_utf8(answer.body).unwrap();
        let (tags, text) = parse(&html);
        assert!(tags.iter().all(|tag| tag.name != "script"), "{address}");
        assert!(!html.contains('\u{202e}') && text.contains("\\u{202e}"), "{address}");
    }
}

#[test]
fn what_is_rehearsed_stands_on_every_page_and_in_every_twin() {
    let site = small(&PLAIN);
    for page in pages(&site) {
        let (tags, text) = parse(&site.page(&page));
        assert!(tags.iter().any(|tag| tag.attribute("class") == Some("rehearsed")), "{page}");
        let (path, query) = page.split_once('?').map_or((page.as_str(), String::new()), |(p, q)| (p, format!("?{q}")));
        let twin = |form: &str| site.page(&format!("{path}{form}{query}"));
        for (form, text) in [("", text), (".json", twin(".json")), (".csv", twin(".csv"))] {
            assert!(text.contains(PLAIN.rehearsed), "{page}{form}");
        }
    }
}
