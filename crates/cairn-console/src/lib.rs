//! The explorer: a network's pages, made from the ledger and the log and nothing else.
//!
//! What it promises:
//! * **One number, one source.** Every number that counts comes from one epoch statement, which the page names and links to.
//!   What is no part of a statement yet (the log's size, the open epoch) says so.
//! * **One struct, three forms.** A page is a view model; HTML, `.json` and `.csv` are made from the same one.
//! * **Nothing pretends.** What is rehearsed stands on every page and in every twin.
//! * **Content cannot speak as the page.** Models, names and documents are text: no markup, no direction, no invisible
//!   characters, and no formulas in CSV. Scripts are files of this crate's own, named by their content; a page that has
//!   none allows none, and no page allows one in its markup (content security policy).
//! * **Everything is said without script**, but for the map and what the reader's own browser checks.
//! * **Bounded.** A page reads and shows so many rows, whatever the tables hold; further ones have a cursor. A whole table is
//!   handed out as CSV in pieces ([`Rows`]).
//!
//! What it does not do: HTTP, limits and time-outs (the gateway's), writing anything, asking anybody else. Pages are views:
//! whoever doubts one runs `cairn audit` over the served log.
//!
//! How it is built: [`answer`](fn@answer) finds the page of a path; each page is one module of `pages` with its view model
//! and its markup; `markup` holds the components; [`Reader`] is all that pages know of the network.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod address;
mod answer;
mod assets;
pub mod basemap;
mod beside;
mod content;
mod csv;
mod error;
mod map;
mod markup;
mod money;
mod newcomer;
mod pages;
mod reader;
mod rows;
pub mod settled;
mod source;
pub mod why;
pub mod word;
pub mod words;
mod work;

pub use address::{Address, Form};
pub use answer::{Answer, answer, is_page};
pub use error::ConsoleError;
pub use reader::{Reader, Standing};
pub use rows::Rows;
