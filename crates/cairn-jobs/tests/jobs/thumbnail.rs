//! `thumbnail` against the box filter written down plainly, and against pictures that are none.

use cairn_jobs::THUMBNAIL;
use cairn_wasm::{Outcome, run};
use proptest::prelude::*;

use crate::running::{job, output, text};

/// A picture from the top, red first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<[u8; 3]>,
}

impl Plain {
    /// A picture whose pixels follow from their place alone.
    pub fn pattern(width: usize, height: usize) -> Self {
        let pixel = |at: usize| {
            let (x, y) = (at % width, at / width);
            [x * 7 + y, x ^ (y * 3), x * y].map(|colour| u8::try_from(colour % 256).unwrap())
        };
        Self { width, height, pixels: (0..width * height).map(pixel).collect() }
    }

    pub fn ppm(&self) -> Vec<u8> {
        let mut bytes = format!("P6\n{} {}\n255\n", self.width, self.height).into_bytes();
        bytes.extend(self.pixels.iter().flatten());
        bytes
    }

    pub fn bmp(&self, top_down: bool) -> Vec<u8> {
        let stride = (self.width * 3).next_multiple_of(4);
        let long = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
        let mut bytes = b"BM".to_vec();
        bytes.extend([long(54 + stride * self.height), long(0), long(54), long(40), long(self.width)].concat());
        let height = i32::try_from(self.height).unwrap();
        bytes.extend(if top_down { -height } else { height }.to_le_bytes());
        bytes.extend([1, 0, 24, 0]);
        bytes.extend([0; 24]);
        let mut rows: Vec<&[[u8; 3]]> = self.pixels.chunks(self.width).collect();
        if !top_down {
            rows.reverse();
        }
        for row in rows {
            let start = bytes.len();
            bytes.extend(row.iter().flat_map(|[red, green, blue]| [*blue, *green, *red]));
            bytes.resize(start + stride, 0xaa);
        }
        bytes
    }

    /// The mean of the part that each new pixel covers: every old pixel is cut into `width * height` equal parts.
    fn shrunk(&self, width: usize, height: usize) -> Self {
        let overlap = |at: usize, old: usize, new: usize, pixel: usize| {
            let (start, end) = ((at * old).max(pixel * new), ((at + 1) * old).min((pixel + 1) * new));
            end.saturating_sub(start)
        };
        let pixel = |at: usize| {
            let mut sums = [0usize; 3];
            for (from, colours) in self.pixels.iter().enumerate() {
                let weight = overlap(at % width, self.width, width, from % self.width)
                    * overlap(at / width, self.height, height, from / self.width);
                (0..3).for_each(|colour| sums[colour] += weight * usize::from(colours[colour]));
            }
            let area = self.width * self.height;
            sums.map(|sum| u8::try_from((sum + area / 2) / area).unwrap())
        };
        Self { width, height, pixels: (0..width * height).map(pixel).collect() }
    }
}

#[test]
fn a_thumbnail_fits_the_square_and_keeps_its_proportions() {
    let cases = [
        ((40, 30), "16", (16, 12)),
        ((30, 40), "16", (12, 16)),
        ((100, 1), "10", (10, 1)),
        ((1, 100), "10", (1, 10)),
        ((3, 2), "3", (3, 2)),
        ((2, 2), "5", (5, 5)),
        ((4, 4), "1 7", (1, 7)),
        ((5, 3), " 2  2 ", (2, 2)),
    ];
    for ((width, height), arguments, (new_width, new_height)) in cases {
        let picture = Plain::pattern(width, height);
        let wanted = picture.shrunk(new_width, new_height).ppm();
        assert_eq!(output(THUMBNAIL, &[&picture.ppm()], arguments), wanted, "{width} x {height} to {arguments}");
    }
}

#[test]
fn headers_may_have_comments_and_any_white_space() {
    let picture = Plain::pattern(4, 3);
    for header in ["P6 4 3 255 ", "P6\r\n4\t3\n255\n", "P6#a\n# b 9\n4 #c\n3\n#\n#\n255 "] {
        let bytes = [header.as_bytes(), picture.pixels.as_flattened()].concat();
        assert_eq!(output(THUMBNAIL, &[&bytes], "4 3"), picture.ppm(), "{header:?}");
    }
}

#[test]
fn what_is_no_picture_is_refused_with_the_reason() {
    let ppm = Plain::pattern(3, 2).ppm();
    let pixels = &ppm[ppm.len() - 18..];
    let with = |header: &str| [header.as_bytes(), pixels].concat();
    let bmp = Plain::pattern(3, 2).bmp(false);
    let patched = |at: usize, bytes: &[u8]| {
        let mut bmp = bmp.clone();
        bmp[at..at + bytes.len()].copy_from_slice(bytes);
        bmp
    };
    let cases: &[(Vec<u8>, &str)] = &[
        (vec![], "neither a PPM"),
        (b"P5\n3 2\n255\n".to_vec(), "neither a PPM"),
        (b"\x89PNG\r\n\x1a\n".to_vec(), "neither a PPM"),
        (b"P6".to_vec(), "header"),
        (b"P63 2 255\n".to_vec(), "header"),
        (with("P6 3 2 \n"), "header"),
        (with("P6 3 -2 255\n"), "header"),
        (with("P6 3 2 65535\n"), "other colours"),
        (with("P6 0 2 255\n"), "sides"),
        (with("P6 3 16385 255\n"), "sides"),
        (with("P6 999999 999999 255\n"), "sides"),
        (with("P6 9999999 2 255\n"), "header"),
        (with("P6 3 2 255#"), "white space"),
        (with("P6 3 3 255\n"), "as many pixels"),
        (with("P6 3 1 255\n"), "as many pixels"),
        (b"P6 3 2 255".to_vec(), "no pixels"),
        (b"BM".to_vec(), "shorter"),
        (bmp[..bmp.len() - 1].to_vec(), "as many pixels"),
        (patched(14, &[12, 0, 0, 0]), "without an information header"),
        (patched(28, &[32, 0]), "24 bits"),
        (patched(30, &[1]), "24 bits"),
        (patched(18, &[0; 4]), "sides"),
        (patched(18, &[0xff; 4]), "sides"),
        (patched(22, &[0, 0, 0, 0x80]), "sides"),
        (patched(18, &[0, 0x40, 0, 0]), "as many pixels"),
        (patched(10, &[0xff; 4]), "as many pixels"),
        (patched(10, &[0; 4]), "as many pixels"),
    ];
    for (bytes, why) in cases {
        let said = text(THUMBNAIL, &[bytes], "2");
        assert!(said.starts_with("refused: ") && said.contains(why), "{why}: {said}");
    }
    for arguments in ["", "0", "4097", "2 0", "2 3 4", "two"] {
        assert!(text(THUMBNAIL, &[&ppm], arguments).starts_with("refused: arguments"), "{arguments}");
    }
    assert!(text(THUMBNAIL, &[], "2").starts_with("refused: there is one input"));
}

#[test]
fn no_cut_or_flipped_byte_of_a_picture_traps() {
    for picture in [Plain::pattern(3, 2).ppm(), Plain::pattern(3, 2).bmp(false)] {
        let cuts = (0..picture.len()).map(|end| picture[..end].to_vec());
        let flips = (0..54.min(picture.len()) * 8).map(|bit| {
            let mut flipped = picture.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        });
        for bytes in cuts.chain(flips) {
            assert_eq!(run(&job(THUMBNAIL, &[&bytes], b"2")).unwrap().outcome, Outcome::Done, "{bytes:02x?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_pixel_is_the_mean_of_what_it_covers_in_any_format(
        (width, height, pixels) in (1usize..24, 1usize..24)
            .prop_flat_map(|(w, h)| (Just(w), Just(h), prop::collection::vec(any::<[u8; 3]>(), w * h))),
        new_width in 1usize..30,
        new_height in 1usize..30,
    ) {
        let picture = Plain { width, height, pixels };
        let wanted = picture.shrunk(new_width, new_height).ppm();
        let arguments = format!("{new_width} {new_height}");
        for file in [picture.ppm(), picture.bmp(false), picture.bmp(true)] {
            prop_assert_eq!(&output(THUMBNAIL, &[&file], &arguments), &wanted);
        }
    }
}
