//! Charts as SVG that is nothing but elements and attributes: no script, no style, whole numbers only.
//!
//! Colours and strokes are the style sheet's. Every chart has words for those who do not see it, and stands beside a table
//! or a list of the same numbers.

use maud::{Markup, html};

/// The width of what is drawn, in its own units.
const WIDTH: i64 = 720;
/// The height.
const HEIGHT: i64 = 200;
/// Room for words at the left,
const LEFT: i64 = 90;
/// at the bottom,
const BOTTOM: i64 = 24;
/// and at the other sides.
const EDGE: i64 = 10;

/// A bar: what it stands for, how high it is, and in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bar {
    pub label: String,
    pub height: u64,
    pub title: String,
}

/// Bars side by side, from zero.
pub(crate) fn bars(label: &str, bars: &[Bar]) -> Markup {
    let most = bars.iter().map(|bar| bar.height).max().unwrap_or(0).max(1);
    let count = i64::try_from(bars.len()).unwrap_or(1).max(1);
    let (inner, full) = (WIDTH - LEFT - EDGE, HEIGHT - BOTTOM - EDGE);
    let drawn = (0..).zip(bars).map(|(at, bar): (i64, &Bar)| {
        let (left, right) = (LEFT + inner * at / count, LEFT + inner * (at + 1) / count);
        let height = scaled(i128::from(bar.height), 0, i128::from(most), full);
        // Something is seen of whatever is not nothing.
        let height = if bar.height > 0 { height.max(1) } else { 0 };
        (left + 1, (right - left - 2).max(1), HEIGHT - BOTTOM - height, height, bar)
    });
    let drawn: Vec<_> = drawn.collect();
    // Words below every bar would overlap where there are many.
    let every = usize::try_from(count).unwrap_or(1).div_ceil(8);
    html! {
        svg.chart viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(label) {
            (axes())
            text.axis x=(LEFT - 6) y=(EDGE + 10) text-anchor="end" { (most) }
            text.axis x=(LEFT - 6) y=(HEIGHT - BOTTOM) text-anchor="end" { "0" }
            @for (at, (x, width, y, height, bar)) in drawn.iter().enumerate() {
                rect.bar x=(x) y=(y) width=(width) height=(height) { title { (bar.title) } }
                @if at % every == 0 {
                    text.axis x=(x) y=(HEIGHT - 8) { (bar.label) }
                }
            }
        }
    }
}

/// A point of a line: where, how high, and whether it stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    pub x: i128,
    pub y: i128,
    pub is_flagged: bool,
}

/// What a line's axes say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Axes {
    /// Left and right.
    pub x: (String, String),
    /// Bottom and top, as values and as words.
    pub y: ((i128, String), (i128, String)),
}

/// A line through points that ascend in `x`, with those that stand out marked.
pub(crate) fn line(label: &str, points: &[Point], axes: &Axes) -> Markup {
    let (first, last) = (points.first().map_or(0, |point| point.x), points.last().map_or(0, |point| point.x));
    let ((low, low_words), (high, high_words)) = &axes.y;
    let place = |point: &Point| {
        let x = LEFT + scaled(point.x, first, last, WIDTH - LEFT - EDGE);
        let y = HEIGHT - BOTTOM - scaled(point.y, *low, *high, HEIGHT - BOTTOM - EDGE);
        (x, y)
    };
    let path: Vec<String> = points.iter().map(&place).map(|(x, y)| format!("{x},{y}")).collect();
    html! {
        svg.chart viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(label) {
            (self::axes())
            text.axis x=(LEFT - 6) y=(EDGE + 10) text-anchor="end" { (high_words) }
            text.axis x=(LEFT - 6) y=(HEIGHT - BOTTOM) text-anchor="end" { (low_words) }
            text.axis x=(LEFT) y=(HEIGHT - 8) { (axes.x.0) }
            text.axis x=(WIDTH - EDGE) y=(HEIGHT - 8) text-anchor="end" { (axes.x.1) }
            polyline.line points=(path.join(" ")) fill="none" {}
            @if let [only] = points {
                @let (x, y) = place(only);
                circle.point cx=(x) cy=(y) r="3" {}
            }
            @for point in points.iter().filter(|point| point.is_flagged) {
                @let (x, y) = place(point);
                circle.flagged cx=(x) cy=(y) r="5" {}
            }
        }
    }
}

fn axes() -> Markup {
    html! {
        line.axis-line x1=(LEFT) y1=(EDGE) x2=(LEFT) y2=(HEIGHT - BOTTOM) {}
        line.axis-line x1=(LEFT) y1=(HEIGHT - BOTTOM) x2=(WIDTH - EDGE) y2=(HEIGHT - BOTTOM) {}
    }
}

/// Where `value` lies between `low` and `high`, on a length; what is outside stands at the end it passed, and where there is
/// no between, everything stands in the middle.
fn scaled(value: i128, low: i128, high: i128, length: i64) -> i64 {
    if high <= low {
        return length / 2;
    }
    let inside = value.clamp(low, high);
    // Far apart values lose bits that no screen shows.
    let (mut part, mut whole) = (inside.abs_diff(low), high.abs_diff(low));
    while whole > u128::from(u64::MAX) {
        (part, whole) = (part >> 1, whole >> 1);
    }
    let at = part * u128::from(length.unsigned_abs()) / whole;
    i64::try_from(at).unwrap_or(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_stand_where_they_belong() {
        for (value, low, high, expected) in [
            (0, 0, 10, 0),
            (10, 0, 10, 100),
            (5, 0, 10, 50),
            (-5, -10, 0, 50),
            (11, 0, 10, 100),
            (-1, 0, 10, 0),
            (7, 7, 7, 50),
            (i128::MAX, i128::MIN, i128::MAX, 100),
            (0, i128::MIN, i128::MAX, 50),
        ] {
            assert!((scaled(value, low, high, 100) - expected).abs() <= 1, "{value} in {low}..{high}");
        }
    }

    #[test]
    fn empty_charts_are_charts() {
        assert!(bars("none", &[]).into_string().starts_with("<svg"));
        let axes = Axes { x: (String::new(), String::new()), y: ((0, String::new()), (0, String::new())) };
        assert!(line("none", &[], &axes).into_string().starts_with("<svg"));
    }

    proptest! {
        #[test]
        fn nothing_is_drawn_outside(value: i128, low: i128, high: i128, length in 1i64..1_000) {
            prop_assert!((0..=length).contains(&scaled(value, low, high, length)));
        }
    }
}
