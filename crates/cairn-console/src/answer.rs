//! From an address to an answer: the page, its form, and the headers that hold for all.

use cairn_core::Hash;
use serde::Serialize;

use crate::address::{Address, Form};
use crate::error::ConsoleError;
use crate::map::{self, Cells};
use crate::pages::{self, Page};
use crate::reader::Reader;
use crate::rows::Rows;
use crate::source::Source;
use crate::{assets, basemap, csv, markup};

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const GEO_JSON: &str = "application/geo+json";
const CSV: &str = "text/csv; charset=utf-8";

/// Bytes that a packed file or tile unpacks to, at most.
const UNPACKED_BYTES_MAX: u64 = 8 << 20;

/// Pages are asked for again and again; whether they changed is told by their hash.
pub(crate) const ALWAYS_ASK: &str = "no-cache";
/// Assets are named by their content.
pub(crate) const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// No script, no frame, nothing from elsewhere; styles and pictures of this site's own; forms to it.
const STILL: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
    frame-ancestors 'none'";
/// The same for a page that has scripts: files of this site's own, which ask nobody else; never a script in the markup.
const SCRIPTED: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; worker-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// An answer to a GET.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers, by lower-case name.
    pub headers: Vec<(&'static str, String)>,
    /// The body, or how it begins.
    pub body: Vec<u8>,
    /// What follows it, of a table that is longer than a page.
    pub more: Option<Rows>,
    /// The stable code of a refusal.
    pub code: Option<&'static str>,
    /// What the operator should know, and the client is not told.
    pub failure: Option<String>,
}

impl Answer {
    pub(crate) fn of(status: u16, content_type: &str, cache: &str, body: Vec<u8>) -> Self {
        let tag = format!("\"{}\"", &Hash::of(&body).to_hex()[..32]);
        let headers = vec![
            ("content-type", content_type.to_owned()),
            ("cache-control", cache.to_owned()),
            ("etag", tag),
            ("content-security-policy", STILL.to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
            ("referrer-policy", "no-referrer".to_owned()),
            ("cross-origin-opener-policy", "same-origin".to_owned()),
            ("cross-origin-resource-policy", "same-origin".to_owned()),
        ];
        Self { status, headers, body, more: None, code: None, failure: None }
    }

    /// A page of HTML, under the policy that its scripts need.
    fn page<P: Page>(page: &P, address: &Address) -> Self {
        let mut answer = Self::of(200, HTML, ALWAYS_ASK, markup::layout::whole(page, address).into_bytes());
        if !page.scripts().is_empty() {
            answer.replace("content-security-policy", SCRIPTED);
        }
        answer
    }

    fn replace(&mut self, name: &str, value: &str) {
        if let Some((_, known)) = self.headers.iter_mut().find(|(known, _)| *known == name) {
            value.clone_into(known);
        }
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// A file of ours; a packed one says so.
    fn asset(asset: &assets::Asset) -> Self {
        let answer = Self::of(200, asset.content_type, FOR_EVER, asset.bytes.to_vec());
        if asset.is_packed { answer.packed() } else { answer }
    }

    /// The same, whose body is packed with gzip.
    pub(crate) fn packed(mut self) -> Self {
        self.headers.extend([("content-encoding", "gzip".to_owned()), ("vary", "accept-encoding".to_owned())]);
        self
    }

    /// The same for a client that takes no gzip. What is no gzip, or unpacks to more than is held of it, is refused.
    #[must_use]
    pub fn unpacked(mut self) -> Self {
        if self.header("content-encoding").is_none() {
            return self;
        }
        self.headers.retain(|(name, _)| *name != "content-encoding");
        match basemap::unpacked(&self.body, UNPACKED_BYTES_MAX).filter(|whole| whole.len() as u64 <= UNPACKED_BYTES_MAX)
        {
            Some(whole) => {
                self.replace("etag", &format!("\"{}\"", &Hash::of(&whole).to_hex()[..32]));
                self.body = whole;
            }
            None => {
                (self.status, self.code) = (500, Some("MAP-DAMAGED"));
                self.replace("cache-control", ALWAYS_ASK);
                self.failure = Some("a tile of the base map does not unpack, or to more than is held of it".to_owned());
                self.body.clear();
            }
        }
        self
    }

    /// The same without its body, where the client has it already: `if_none_match` is that header's value.
    #[must_use]
    pub fn unless_known(mut self, if_none_match: Option<&str>) -> Self {
        let known = |tag: &str| self.header("etag").is_some_and(|own| tag == own || tag == format!("W/{own}"));
        let is_known = |value: &str| value.trim() == "*" || value.split(',').any(|tag| known(tag.trim()));
        if self.status == 200 && if_none_match.is_some_and(is_known) {
            self.status = 304;
            self.body.clear();
            self.more = None;
        }
        self
    }
}

/// The page that a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place<'a> {
    Network,
    Epochs,
    Epoch(&'a str),
    Payouts(&'a str),
    Verdicts(&'a str),
    Sales(&'a str),
    Jobs,
    Job(&'a str),
    Auditors,
    Auditor(&'a str),
    Denials,
    Policies,
    Device(&'a str),
    Readings(&'a str),
    Account(&'a str),
    Tax(&'a str),
    Why(&'a str, &'a str),
    Map,
    /// Data alone: what a map asks for.
    MapCells,
    /// A tile of the operator's base map.
    MapTile([&'a str; 3]),
    Cell(&'a str),
    Entry(&'a str),
    Status,
    Search,
}

impl<'a> Place<'a> {
    /// The page of segments, in a form that it has.
    fn in_form(segments: &[&'a str], form: Form) -> Option<Self> {
        Self::of(segments).filter(|place| match place {
            Self::MapCells => form == Form::Json,
            Self::MapTile(_) => form == Form::Html,
            _ => true,
        })
    }

    fn of(segments: &[&'a str]) -> Option<Self> {
        Some(match *segments {
            ["network"] => Self::Network,
            ["epochs"] => Self::Epochs,
            ["epochs", number] => Self::Epoch(number),
            ["epochs", number, "payouts"] => Self::Payouts(number),
            ["epochs", number, "verdicts"] => Self::Verdicts(number),
            ["epochs", number, "sales"] => Self::Sales(number),
            ["jobs"] => Self::Jobs,
            ["jobs", id] => Self::Job(id),
            ["auditors"] => Self::Auditors,
            ["auditors", key] => Self::Auditor(key),
            ["denials"] => Self::Denials,
            ["policies"] => Self::Policies,
            ["devices", id] => Self::Device(id),
            ["devices", id, "readings"] => Self::Readings(id),
            ["accounts", id] => Self::Account(id),
            ["accounts", id, "tax"] => Self::Tax(id),
            ["why", device, epoch] => Self::Why(device, epoch),
            ["map"] => Self::Map,
            ["map", "cells"] => Self::MapCells,
            ["map", "tiles", zoom, x, y] => Self::MapTile([zoom, x, y]),
            ["cells", id] => Self::Cell(id),
            ["entries", index] => Self::Entry(index),
            ["status"] => Self::Status,
            ["search"] => Self::Search,
            _ => return None,
        })
    }
}

/// Whether a path leads to a page or an asset; what the page is about may still not be there.
#[must_use]
pub fn is_page(path: &str) -> bool {
    let address = || Address::read(path, "");
    assets::find(path).is_some()
        || address().is_some_and(|address| Place::in_form(&address.names(), address.form).is_some())
}

/// The answer to a GET of a path; `None` where [`is_page`] says that there is none, or where the query is no text.
#[must_use]
pub fn answer(reader: &Reader<'_>, path: &str, query: &str) -> Option<Answer> {
    if let Some(asset) = assets::find(path) {
        return Some(Answer::asset(asset));
    }
    let address = Address::read(path, query)?;
    let read = page(reader, Place::in_form(&address.names(), address.form)?, &address);
    Some(read.unwrap_or_else(|error| refusal(reader, &address, &error)))
}

fn page(reader: &Reader<'_>, place: Place<'_>, address: &Address) -> Result<Answer, ConsoleError> {
    match place {
        Place::Network => show(pages::network::Network::read(reader, address), address),
        Place::Epochs => show(pages::epochs::Epochs::read(reader, address), address),
        Place::Epoch(number) => show(pages::epoch::Epoch::read(reader, number, address), address),
        Place::Payouts(number) => show(pages::payouts::Payouts::read(reader, number, address), address),
        Place::Verdicts(number) => show(pages::verdicts::Verdicts::read(reader, number, address), address),
        Place::Sales(number) => show(pages::sales::Sales::read(reader, number, address), address),
        Place::Jobs => show(pages::jobs::Jobs::read(reader, address), address),
        Place::Job(id) => show(pages::job::Job::read(reader, id, address), address),
        Place::Auditors => show(pages::auditors::Auditors::read(reader, address), address),
        Place::Auditor(key) => show(pages::auditor::Auditor::read(reader, key, address), address),
        Place::Denials => show(pages::denials::Denials::read(reader, address), address),
        Place::Policies => show(pages::policies::Policies::read(reader, address), address),
        Place::Device(id) => show(pages::device::Device::read(reader, id, address), address),
        Place::Readings(id) => show(pages::readings::ReadingsPage::read(reader, id, address), address),
        Place::Account(id) => show(pages::account::Account::read(reader, id, address), address),
        Place::Tax(id) => show(pages::tax::Tax::read(reader, id, address), address),
        Place::Why(device, epoch) => show(pages::why::Why::read(reader, device, epoch, address), address),
        Place::Map => show(pages::map::Map::read(reader, address), address),
        Place::MapCells => {
            let cells = Cells::read(reader, address)?;
            let body = serde_json::to_vec(&cells).expect("cells are text, numbers and lists");
            Ok(Answer::of(200, GEO_JSON, ALWAYS_ASK, body))
        }
        Place::MapTile(names) => map::tile::answer(reader, names, address),
        Place::Cell(id) => show(pages::cell::Cell::read(reader, id, address), address),
        Place::Entry(index) => show(pages::entry::Entry::read(reader, index, address), address),
        Place::Status => show(pages::status::Status::read(reader, address), address),
        Place::Search => {
            let found = pages::search::Search::read(reader, address)?;
            match found.only() {
                Some(path) if address.form == Form::Html => Ok(redirect(path)),
                _ => form(&found, address),
            }
        }
    }
}

fn show<P: Page>(page: Result<P, ConsoleError>, address: &Address) -> Result<Answer, ConsoleError> {
    form(&page?, address)
}

/// What JSON twins look like: the source, then the page's own fields.
#[derive(Serialize)]
struct Twin<'a, P> {
    source: &'a Source,
    #[serde(flatten)]
    page: &'a P,
}

/// A page in the form that its address asks for.
fn form<P: Page>(page: &P, address: &Address) -> Result<Answer, ConsoleError> {
    let source = page.source();
    Ok(match address.form {
        Form::Html => Answer::page(page, address),
        Form::Json => {
            let body = serde_json::to_vec(&Twin { source, page }).expect("view models are text, numbers and lists");
            Answer::of(200, JSON, ALWAYS_ASK, body)
        }
        // How a longer table begins says which it is: it names the statement that has the root of all of it.
        Form::Csv => Answer {
            more: page.more(),
            ..Answer::of(200, CSV, ALWAYS_ASK, csv::file(source, &page.table()).into_bytes())
        },
    })
}

fn redirect(path: &str) -> Answer {
    let mut answer = Answer::of(303, "text/plain; charset=utf-8", ALWAYS_ASK, path.as_bytes().to_vec());
    answer.headers.push(("location", path.to_owned()));
    answer
}

/// A refusal: a page for people, a problem document (RFC 9457) for everybody else.
fn refusal(reader: &Reader<'_>, address: &Address, error: &ConsoleError) -> Answer {
    let (status, code, told) = (error.status(), error.code(), error.told());
    let mut answer = match (address.form, reader.source(None)) {
        (Form::Html, Ok(source)) => {
            let page = markup::layout::problem(&source, status, code, &told);
            Answer::of(status, HTML, ALWAYS_ASK, page.into_bytes())
        }
        _ => {
            let problem = cairn_api::Problem {
                kind: "about:blank".to_owned(),
                title: title(status).to_owned(),
                status,
                code: code.to_owned(),
                detail: told,
                hint: None,
            };
            let body = serde_json::to_vec(&problem).expect("a problem is strings and a number");
            Answer::of(status, "application/problem+json", ALWAYS_ASK, body)
        }
    };
    answer.code = Some(code);
    answer.failure = (status >= 500).then(|| error.to_string());
    answer
}

/// The phrase of a status that pages are refused with.
pub(crate) const fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        404 => "Not Found",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_body_is_not_sent_it_again() {
        let answer = Answer::of(200, HTML, ALWAYS_ASK, b"page".to_vec());
        let tag = answer.header("etag").unwrap().to_owned();
        for (asked, status) in [
            (None, 200),
            (Some("\"other\""), 200),
            (Some(tag.as_str()), 304),
            (Some("*"), 304),
            (Some(&*format!("\"other\", W/{tag}")), 304),
        ] {
            let answer = answer.clone().unless_known(asked);
            assert_eq!((answer.status, answer.body.is_empty()), (status, status == 304), "{asked:?}");
        }
    }
}
