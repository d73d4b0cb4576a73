//! How long every kind of page takes, beside reading as many bytes as it reads.
//!
//! `cargo run --release -p cairn-console --example page_speed`, or with `-- DEVICES EPOCHS` behind it. Linux only: what was read and
//! how long the processor took is the kernel's word. Every report of the network is signed, checked, folded and judged.
//!
//! `first` is the first page of its kind that the process makes; all others are of other devices, accounts and epochs. `ratio` is
//! the processor's time for a page over that for reading as many bytes again, which are in memory by then.

mod ask;
mod judged;

use std::error::Error;

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => judged::run(1_000, 100),
        [devices, epochs] => judged::run(devices.parse()?, epochs.parse()?),
        _ => Err("page_speed [DEVICES EPOCHS]".into()),
    }
}
