//! The box filter, exact: weights are lengths in units in which both pictures' pixels have whole ones.
//!
//! Along a side of `old` pixels that becomes one of `new`, an old pixel is `new` units long and a new one `old` units. The
//! overlap of two pixels is a number of units, and all overlaps of a new pixel add up to `old`. Rows first, then columns: a
//! sum over a row is below 2^14 * 255, a sum over both below 2^28 * 255.

use guest::zeroed;

use crate::picture::Picture;

/// Computes the rows of the new picture from the top, each into `row` (three bytes a pixel), and hands each to `write`.
pub fn rows(picture: &Picture, width: usize, height: usize, row: &mut [u8], write: impl Fn(&[u8])) {
    let sums: &mut [u32] = zeroed(width * 3);
    let totals: &mut [u64] = zeroed(width * 3);
    let area = picture.width as u64 * picture.height as u64;
    // The row whose sums stand in `sums`.
    let mut summed = usize::MAX;
    for at in 0..height {
        totals.fill(0);
        for (from_top, weight) in overlaps(at, picture.height, height) {
            if summed != from_top {
                sum_row(picture, from_top, width, sums);
                summed = from_top;
            }
            for (total, sum) in totals.iter_mut().zip(&*sums) {
                *total += u64::from(*sum) * weight as u64;
            }
        }
        for (byte, total) in row.iter_mut().zip(&*totals) {
            *byte = ((total + area / 2) / area) as u8;
        }
        write(row);
    }
}

/// Sums a row of the old picture over the pixels of the new one, red first.
fn sum_row(picture: &Picture, from_top: usize, width: usize, sums: &mut [u32]) {
    let pixels = picture.row(from_top);
    let (red, blue) = if picture.blue_first { (2, 0) } else { (0, 2) };
    for (at, sum) in sums.chunks_exact_mut(3).enumerate() {
        sum.fill(0);
        for (column, weight) in overlaps(at, picture.width, width) {
            let pixel = &pixels[column * 3..column * 3 + 3];
            sum[0] += u32::from(pixel[red]) * weight as u32;
            sum[1] += u32::from(pixel[1]) * weight as u32;
            sum[2] += u32::from(pixel[blue]) * weight as u32;
        }
    }
}

/// The old pixels that the new one at `at` overlaps, and by how many units.
fn overlaps(at: usize, old: usize, new: usize) -> impl Iterator<Item = (usize, usize)> {
    let (start, end) = (at * old, (at + 1) * old);
    (start / new..end.div_ceil(new)).map(move |pixel| (pixel, end.min((pixel + 1) * new) - start.max(pixel * new)))
}
