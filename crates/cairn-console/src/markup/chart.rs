//! Charts as SVG that is nothing but elements and attributes: no script, no style, whole numbers only.
//!
//! Colours and strokes are the style sheet's. Every chart has words for those who do not see it, and stands beside a table
//! or a list of the same numbers.

use maud::{Markup, html};

/// The width of what is drawn, in its own units.
const WIDTH: i64 = 720;
/// The height,
const HEIGHT: i64 = 180;
/// that of a strip,
const STRIP_HEIGHT: i64 = 32;
/// and room at the sides, for marks.
const EDGE: i64 = 8;

/// A bar: how high it is, and in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bar {
    pub height: u64,
    pub title: String,
}

/// Bars side by side, from zero.
pub(crate) fn bars(label: &str, bars: &[Bar], axes: &Axes) -> Markup {
    let most = bars.iter().map(|bar| bar.height).max().unwrap_or(0).max(1);
    let count = i64::try_from(bars.len()).unwrap_or(1).max(1);
    let (inner, full) = (WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE);
    let drawn = (0..).zip(bars).map(|(at, bar): (i64, &Bar)| {
        let (left, right) = (EDGE + inner * at / count, EDGE + inner * (at + 1) / count);
        let height = scaled(i128::from(bar.height), 0, i128::from(most), full);
        // Something is seen of whatever is not nothing.
        let height = if bar.height > 0 { height.max(1) } else { 0 };
        (left + 1, (right - left - 2).max(1), HEIGHT - EDGE - height, height, bar)
    });
    let drawn: Vec<_> = drawn.collect();
    let picture = html! {
        svg.chart viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(label) {
            (self::axes())
            @for (x, y_width, y, height, bar) in &drawn {
                rect.bar x=(x) y=(y) width=(y_width) height=(height) { title { (bar.title) } }
            }
        }
    };
    worded(axes, &picture)
}

/// A point of a line: where, how high, and whether it stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    pub x: i128,
    pub y: i128,
    pub is_flagged: bool,
}

/// What lies behind a line: from where to where, and between which values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Behind {
    pub from: i128,
    pub to: i128,
    pub low: i128,
    pub high: i128,
}

/// What a chart's axes say. The words stand beside the picture, as large as all others on any screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Axes {
    /// Left and right.
    pub x: (String, String),
    /// Bottom and top, as values and as words.
    pub y: ((i128, String), (i128, String)),
}

/// A line through points that ascend in `x`, with those that stand out marked.
pub(crate) fn line(label: &str, points: &[Point], axes: &Axes) -> Markup {
    line_over(label, points, &[], axes)
}

/// The same before spans that ascend in `x` and do not overlap.
pub(crate) fn line_over(label: &str, points: &[Point], behind: &[Behind], axes: &Axes) -> Markup {
    let ends = |from: fn(&Behind) -> i128| behind.iter().map(from);
    let first = points.iter().map(|point| point.x).chain(ends(|span| span.from)).min().unwrap_or(0);
    let last = points.iter().map(|point| point.x).chain(ends(|span| span.to)).max().unwrap_or(0);
    let ((low, _), (high, _)) = &axes.y;
    let across = |x: i128| EDGE + scaled(x, first, last, WIDTH - 2 * EDGE);
    let up = |y: i128| HEIGHT - EDGE - scaled(y, *low, *high, HEIGHT - 2 * EDGE);
    let place = |point: &Point| (across(point.x), up(point.y));
    let path: Vec<String> = points.iter().map(&place).map(|(x, y)| format!("{x},{y}")).collect();
    let picture = html! {
        svg.chart viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(label) {
            @for span in behind {
                @let (left, top) = (across(span.from), up(span.high));
                rect.behind x=(left) y=(top) width=((across(span.to) - left).max(1)) height=((up(span.low) - top).max(1)) {}
            }
            (self::axes())
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
    };
    worded(axes, &picture)
}

/// A part of a strip: from where to where, how high in fourths, whether it stands out, and in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub from: i128,
    pub to: i128,
    pub fourths: u8,
    pub is_flagged: bool,
    pub title: String,
}

/// Spans one after the other, from left to right.
pub(crate) fn strip(label: &str, spans: &[Span], ends: &(String, String)) -> Markup {
    let (first, last) = (spans.first().map_or(0, |span| span.from), spans.last().map_or(0, |span| span.to));
    let across = |x: i128| EDGE + scaled(x, first, last, WIDTH - 2 * EDGE);
    let drawn = spans.iter().filter(|span| span.fourths > 0).map(|span| {
        let (left, height) = (across(span.from), STRIP_HEIGHT * i64::from(span.fourths.min(4)) / 4);
        (left, (across(span.to) - left).max(1), STRIP_HEIGHT - height, height, span)
    });
    html! {
        div.drawn {
            svg.chart.strip viewBox={ "0 0 " (WIDTH) " " (STRIP_HEIGHT + 2) } role="img" aria-label=(label) {
                line.axis-line x1=(EDGE) y1=(STRIP_HEIGHT + 1) x2=(WIDTH - EDGE) y2=(STRIP_HEIGHT + 1) {}
                @for (x, width, y, height, span) in drawn {
                    @if span.is_flagged {
                        rect.bar.lost x=(x) y=(y) width=(width) height=(height) { title { (span.title) } }
                    } @else {
                        rect.bar x=(x) y=(y) width=(width) height=(height) { title { (span.title) } }
                    }
                }
            }
            (along(ends))
        }
    }
}

/// A picture with the words of its axes: how far up it goes, and from where to where.
fn worded(axes: &Axes, picture: &Markup) -> Markup {
    let ((_, low), (_, high)) = &axes.y;
    html! {
        div.drawn {
            @if !high.is_empty() { p.axis { "Bottom to top: " (low) " to " (high) } }
            (picture)
            (along(&axes.x))
        }
    }
}

fn along((left, right): &(String, String)) -> Markup {
    html! {
        @if !left.is_empty() || !right.is_empty() { p.axis.along { span { (left) } span { (right) } } }
    }
}

fn axes() -> Markup {
    html! {
        line.axis-line x1=(EDGE) y1=(EDGE) x2=(EDGE) y2=(HEIGHT - EDGE) {}
        line.axis-line x1=(EDGE) y1=(HEIGHT - EDGE) x2=(WIDTH - EDGE) y2=(HEIGHT - EDGE) {}
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
        let axes = Axes { x: (String::new(), String::new()), y: ((0, String::new()), (0, String::new())) };
        for chart in [bars("none", &[], &axes), line("none", &[], &axes), strip("none", &[], &axes.x)] {
            assert!(chart.into_string().contains("<svg"));
        }
    }

    #[test]
    fn words_stand_beside_the_picture_and_not_in_it() {
        let axes = Axes { x: ("left".into(), "right".into()), y: ((0, "low".into()), (9, "high".into())) };
        let point = |x| Point { x, y: 3, is_flagged: true };
        let behind = [Behind { from: 0, to: 4, low: 2, high: 5 }];
        let html = line_over("label", &[point(1), point(2)], &behind, &axes).into_string();
        let picture = html.split_once("<svg").unwrap().1.split_once("</svg>").unwrap().0;
        for word in ["left", "right", "low", "high"] {
            assert!(html.contains(word) && !picture.contains(word), "{word} in {html}");
        }
        assert!(picture.contains("behind") && picture.matches("<circle").count() == 2);
    }

    proptest! {
        #[test]
        fn nothing_is_drawn_outside(value: i128, low: i128, high: i128, length in 1i64..1_000) {
            prop_assert!((0..=length).contains(&scaled(value, low, high, length)));
        }
    }
}
