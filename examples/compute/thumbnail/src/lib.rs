//! `thumbnail SIZE` or `thumbnail WIDTH HEIGHT`: a small picture of a large one, by an exact box filter.
//!
//! Input 0 is a PPM (`P6`, 255) or an uncompressed BMP of 24 bits; output is a PPM. With SIZE the picture fits a square of
//! that side and keeps its proportions; with WIDTH and HEIGHT it gets just these. Each pixel of the output is the mean of the
//! part of the input that it covers, in integers, halves rounded up; so making a picture larger repeats its pixels. Sides are at
//! most 16,384 in the input and 4,096 in the output. What is no such picture is refused before a pixel is computed.

#![no_std]

mod bmp;
mod picture;
mod ppm;
mod shrink;

use guest::{Output, Words, arguments, input, inputs, refuse, write, zeroed};
use picture::Picture;

/// The longest side of the output.
const SIDE_MAX: u64 = 4_096;

/// Runs the job.
#[unsafe(no_mangle)]
pub extern "C" fn run() {
    let Some(asked) = arguments().and_then(asked) else {
        return refuse("arguments are SIZE or WIDTH HEIGHT, each 1 to 4096");
    };
    if inputs() != 1 {
        return refuse("there is one input, the picture");
    }
    let bytes = input(0);
    let picture = match bytes {
        [b'P', b'6', ..] => ppm::read(bytes),
        [b'B', b'M', ..] => bmp::read(bytes),
        _ => Err("the picture is neither a PPM (P6) nor a BMP"),
    };
    match picture {
        Ok(picture) => thumbnail(&picture, asked),
        Err(why) => refuse(why),
    }
}

/// What size is wanted.
enum Asked {
    Within(u64),
    Exactly(u64, u64),
}

fn asked(arguments: &[u8]) -> Option<Asked> {
    let mut words = Words::of(arguments);
    let first = words.number()?;
    let mut rest = words.clone();
    let asked = match rest.next() {
        None => Asked::Within(first),
        Some(_) => Asked::Exactly(first, words.number()?),
    };
    let (Asked::Within(last) | Asked::Exactly(_, last)) = asked;
    let sane = |side: u64| (1..=SIDE_MAX).contains(&side);
    (sane(first) && sane(last) && words.next().is_none()).then_some(asked)
}

fn thumbnail(picture: &Picture, asked: Asked) {
    let (width, height) = (picture.width as u64, picture.height as u64);
    let (new_width, new_height) = match asked {
        Asked::Exactly(new_width, new_height) => (new_width, new_height),
        Asked::Within(size) if width >= height => (size, (height * size / width).max(1)),
        Asked::Within(size) => ((width * size / height).max(1), size),
    };
    let mut header = Output::new();
    header.write(b"P6\n");
    header.number(new_width);
    header.write(b" ");
    header.number(new_height);
    header.write(b"\n255\n");
    header.flush();
    let row = zeroed(new_width as usize * 3);
    shrink::rows(picture, new_width as usize, new_height as usize, row, write);
}
