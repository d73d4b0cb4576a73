//! Windows that are open: what comes is put into the one of its time, and each is closed when its time is over.
//!
//! Pure: the time is handed in. A window closes when it is over by the wall's clock and nothing more comes for it, or has been
//! open for its length by the clock that is never set, whichever comes first, so that no jump of the wall's clock keeps one open. What comes later for
//! the same window makes a further one. A reading that says when it was measured belongs to that time, which is believed to be
//! told by somebody else's clock (source *network*); as long as the own time is not known it is not taken, since nothing can
//! be said of it.
//!
//! A window says its start as the time of its report. The one that is open when the time becomes known says that moment: what was
//! measured until then has been given a report that is numbered lower, and judges take order seriously.

use std::collections::BTreeMap;

use cairn_classes::sensing::{Quantity, SCHEMA};
use cairn_core::Hash;

use super::config::Align;
use super::raw::{LENGTH_MS_MAX, Payload, RAW_BYTES_MAX, RawWindow, SAMPLES_MAX, SOURCES_MAX, Sample, Span};
use super::recipe::Recipe;
use super::trail::Trail;
use crate::{ClockSource, Item, Mark, Raw, Stamp, When};

/// How long after its end a window waits for what is under way.
const LINGER_MS: u64 = 2_000;
/// The most windows that are open at once.
const OPEN_MAX: usize = 64;
/// The most bytes that the samples of a window take, with room for what is around them.
const SAMPLE_BYTES_MAX: usize = RAW_BYTES_MAX - 65_536;
/// The least error of a time that somebody else told.
const SAID_ERROR_MS: u64 = 1_000;

/// A window that is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The canonical raw input, to be kept before the item is queued.
    pub raw: Vec<u8>,
    /// What is to be reported; field 12 of it names the raw input. `None` where the reducers say nothing.
    pub item: Option<Item>,
}

/// A reading that says its time, while the own time is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotYet;

/// Where a time comes from, and its error bound in ms; `None` where the time is not known.
type Sure = Option<(ClockSource, u64)>;

#[derive(Debug)]
struct Open {
    sources: Vec<String>,
    samples: Vec<Sample>,
    bytes: usize,
    left_out: u64,
    opened_boot_ms: u64,
    latest_boot_ms: u64,
    /// The weakest source of the times in it, and the greatest error.
    clock: Sure,
}

/// The windows of one device.
#[derive(Debug)]
pub struct Windows {
    recipe: Recipe,
    align: Align,
    length_ms: u64,
    open: BTreeMap<Span, Open>,
    trails: BTreeMap<String, Trail>,
    /// The time of the last reading that told none of its own, ms since 1970, and its error bound in ms.
    arrived: (u64, u64),
    /// When the device joined its network, ms since 1970.
    joined_ms: u64,
    /// When the time became known, ms since 1970, after something had been measured without it.
    known_ms: u64,
}

impl Windows {
    /// None open yet. `length_ms` is 1 to a day; others are brought within.
    #[must_use]
    pub fn of(recipe: Recipe, align: Align, length_ms: u64) -> Self {
        let length_ms = length_ms.clamp(1, LENGTH_MS_MAX);
        let (open, trails) = (BTreeMap::new(), BTreeMap::new());
        Self { recipe, align, length_ms, open, trails, arrived: (0, 0), joined_ms: 0, known_ms: 0 }
    }

    /// Leaves the window out in which the device joined its network, at a time in ms since 1970: its report would be of an earlier
    /// time, and be refused.
    #[must_use]
    pub const fn but_of(mut self, joined_ms: u64) -> Self {
        self.joined_ms = joined_ms;
        self
    }

    /// Goes on where sources, by their names, did before a restart.
    #[must_use]
    pub fn going_on(mut self, marks: BTreeMap<String, Mark>) -> Self {
        self.trails = marks.into_iter().map(|(source, mark)| (source, Trail::going_on(mark))).collect();
        self
    }

    /// Puts what came from `source` at `now` into its window. Answers the windows that are closed by that.
    ///
    /// # Errors
    /// [`NotYet`]: it was not taken, and should be offered again.
    pub fn take(&mut self, source: &str, raw: Raw, now: Stamp) -> Result<Vec<Closed>, NotYet> {
        if let (true, Some(mark)) = (raw.is_nothing(), &raw.mark) {
            self.trails.entry(source.to_owned()).or_default().pass(mark.clone());
            return Ok(self.tick(now));
        }
        let (span, at_ms, clock) = self.place(raw.said_ms, now)?;
        let mut closed = self.tick(now);
        let before_ms = self.joined_ms.saturating_sub(span.start_ms);
        if !span.is_since_boot && (1..span.length_ms).contains(&before_ms) {
            return Ok(closed);
        }
        if !self.open.contains_key(&span) && self.open.len() >= OPEN_MAX {
            closed.extend(self.open.pop_first().map(|(span, open)| self.close(span, open)));
        }
        let open = self.open.entry(span).or_insert_with(|| Open::at(now.boot_ms));
        open.latest_boot_ms = now.boot_ms;
        // What is left out is counted, and lies in no window that a mark would wait for; the next mark stands for it.
        if open.take(source, at_ms.saturating_sub(span.start_ms), clock, &raw) {
            self.trails.entry(source.to_owned()).or_default().step(span, raw.mark);
            closed.extend(self.shorten(source));
        }
        Ok(closed)
    }

    /// Closes the windows that hold a source's mark up, where what is kept beyond it takes too much.
    fn shorten(&mut self, source: &str) -> Vec<Closed> {
        let mut closed = Vec::new();
        if !self.trails.get(source).is_some_and(Trail::is_too_long) {
            return closed;
        }
        while let Some(span) = self.trails.get(source).and_then(Trail::holds_up) {
            let Some(open) = self.open.remove(&span) else { break };
            closed.push(self.close(span, open));
        }
        if let Some(trail) = self.trails.get_mut(source) {
            trail.shorten();
        }
        closed
    }

    /// The windows whose time is over at `now`, in order of their start.
    pub fn tick(&mut self, now: Stamp) -> Vec<Closed> {
        // The wall's clock, where it is known and windows follow it.
        let known = now.wall.filter(|(_, source, _)| self.align == Align::Utc && *source != ClockSource::None);
        let is_over = |span: &Span, open: &Open| {
            // What comes from now on has a window of its own; what came before goes before it.
            if span.is_since_boot && known.is_some() {
                return true;
            }
            let end_ms = span.start_ms.saturating_add(span.length_ms).saturating_add(LINGER_MS);
            let clock_ms = if span.is_since_boot { Some(now.boot_ms) } else { now.wall.map(|(wall_ms, ..)| wall_ms) };
            let open_ms = now.boot_ms.saturating_sub(open.opened_boot_ms);
            // A file of last week is read line by line: its windows are over, and still what comes belongs to them.
            let is_quiet = now.boot_ms.saturating_sub(open.latest_boot_ms) >= LINGER_MS;
            (is_quiet && clock_ms.is_some_and(|clock_ms| clock_ms >= end_ms)) || open_ms >= span.length_ms + LINGER_MS
        };
        let over: Vec<Span> =
            self.open.iter().filter(|(span, open)| is_over(span, open)).map(|(span, _)| *span).collect();
        if let Some((wall_ms, ..)) = known.filter(|_| over.iter().any(|span| span.is_since_boot)) {
            self.known_ms = wall_ms;
        }
        over.into_iter()
            .filter_map(|span| {
                let open = self.open.remove(&span)?;
                Some(self.close(span, open))
            })
            .collect()
    }

    /// Closes everything as it is: before a process ends.
    pub fn finish(&mut self) -> Vec<Closed> {
        let mut closed = Vec::with_capacity(self.open.len());
        while let Some((span, open)) = self.open.pop_first() {
            closed.push(self.close(span, open));
        }
        closed
    }

    /// The window of a reading, its time on that window's clock, and how sure that is.
    fn place(&mut self, said_ms: Option<u64>, now: Stamp) -> Result<(Span, u64, Sure), NotYet> {
        let known = now.wall.filter(|(_, source, _)| *source != ClockSource::None);
        let length_ms = self.length_ms;
        let span = |is_since_boot, at_ms: u64| Span { is_since_boot, start_ms: at_ms - at_ms % length_ms, length_ms };
        match (said_ms, known) {
            (Some(_), None) => Err(NotYet),
            (Some(said_ms), Some((wall_ms, _, error_ms))) if said_ms <= wall_ms.saturating_add(error_ms) => {
                let error_ms = error_ms.max(SAID_ERROR_MS);
                Ok((span(false, said_ms), said_ms, Some((ClockSource::Network, error_ms))))
            }
            // A time that is yet to come is none, and arrival counts.
            (_, Some((wall_ms, source, error_ms))) if self.align == Align::Utc => {
                // Where the clock is told better it may go back. As far as both were unsure what came later stays later, and
                // its bound says so.
                let ahead_ms = self.arrived.0.saturating_sub(wall_ms);
                let ahead_ms = if ahead_ms <= self.arrived.1.saturating_add(error_ms) { ahead_ms } else { 0 };
                let (at_ms, error_ms) = (wall_ms.saturating_add(ahead_ms), error_ms.saturating_add(ahead_ms));
                self.arrived = (at_ms, error_ms);
                Ok((span(false, at_ms), at_ms, Some((source, error_ms))))
            }
            _ => Ok((span(true, now.boot_ms), now.boot_ms, None)),
        }
    }

    fn close(&mut self, span: Span, open: Open) -> Closed {
        let Open { sources, mut samples, left_out, clock, .. } = open;
        let mut names = Vec::new();
        samples.sort_by_key(|sample| sample.after_ms);
        for sample in &mut samples {
            let name = &sources[sample.source];
            sample.source = names.iter().position(|own| own == name).unwrap_or_else(|| {
                names.push(name.clone());
                names.len() - 1
            });
        }
        let used: Vec<Quantity> = samples.iter().flat_map(|sample| sample.values.keys().copied()).collect();
        let window = RawWindow { recipe: self.recipe.only(used), span, sources: names, samples, left_out };
        let raw = window.encode();
        self.trails.values_mut().for_each(|trail| trail.advance(|span| self.open.contains_key(span)));
        let when = match clock {
            Some((source, error_ms)) if !span.is_since_boot => {
                let is_within = (span.start_ms..span.start_ms.saturating_add(span.length_ms)).contains(&self.known_ms);
                let time_ms = if is_within { self.known_ms } else { span.start_ms };
                When::At { time_ms, source, error_ms }
            }
            _ => When::Since { boot_ms: span.start_ms },
        };
        let item = window.reduce().map(|body| {
            let mut item = Item::of(when, SCHEMA, body.encode());
            item.blobs = vec![(Hash::of(&raw), raw.len() as u64)];
            // Where the reducers say nothing, marks go with the next item; and so do those of more sources than an item has.
            let news = self.trails.iter_mut().filter_map(|(source, trail)| Some((source.clone(), trail.news()?)));
            item.marks = news.take(SOURCES_MAX).collect();
            item
        });
        Closed { raw, item }
    }
}

impl Open {
    const fn at(boot_ms: u64) -> Self {
        Self {
            sources: Vec::new(),
            samples: Vec::new(),
            bytes: 0,
            left_out: 0,
            opened_boot_ms: boot_ms,
            latest_boot_ms: boot_ms,
            clock: None,
        }
    }

    /// Takes what came, unless it is full; answers which.
    fn take(&mut self, source: &str, after_ms: u64, clock: Sure, raw: &Raw) -> bool {
        let payload = Payload::of(raw.bytes.clone());
        let bytes = payload.bytes() + 24 + 12 * raw.readings.len();
        let known = self.sources.iter().position(|own| own == source);
        let is_full = self.samples.len() >= SAMPLES_MAX
            || self.bytes + bytes > SAMPLE_BYTES_MAX
            || (known.is_none() && self.sources.len() >= SOURCES_MAX);
        if is_full {
            self.left_out += 1;
            return false;
        }
        let source = known.unwrap_or_else(|| {
            self.sources.push(source.to_owned());
            self.sources.len() - 1
        });
        let values = raw.readings.iter().map(|reading| (reading.quantity, reading.value)).collect();
        self.bytes += bytes;
        self.samples.push(Sample { after_ms, source, payload, values, said_ms: raw.said_ms });
        self.clock = match (self.clock, clock) {
            (Some((own, own_ms)), Some((source, error_ms))) => {
                let weaker = if source.number() < own.number() { source } else { own };
                Some((weaker, own_ms.max(error_ms)))
            }
            (own, clock) => own.or(clock),
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use cairn_classes::sensing::Body;
    use proptest::prelude::*;

    use super::*;
    use crate::Reading;
    use crate::reduce::recompute;

    const NOON: u64 = 1_700_000_040_000;

    fn stamp(boot_ms: u64, wall_ms: Option<u64>) -> Stamp {
        Stamp { boot_ms, wall: wall_ms.map(|wall_ms| (wall_ms, ClockSource::Ntp, 40)) }
    }

    fn raw(value: i64, said_ms: Option<u64>) -> Raw {
        let readings = vec![Reading { quantity: Quantity::AirTemperature, value }];
        Raw { bytes: value.to_string().into_bytes(), said_ms, readings, mark: Some(value.to_string().into_bytes()) }
    }

    fn windows() -> Windows {
        Windows::of(Recipe::default(), Align::Utc, 60_000)
    }

    fn values(closed: &[Closed]) -> Vec<(When, i64)> {
        let of = |item: &Item| {
            let cairn_core::cbor::Value::Map(pairs) = &item.body else { panic!("no map") };
            (item.when, pairs[0].1.as_int().unwrap())
        };
        closed.iter().filter_map(|closed| closed.item.as_ref()).map(of).collect()
    }

    /// The marks of one item: where its source goes on, and what is kept beyond that.
    fn told(marks: &[(String, Mark)]) -> String {
        let shown = |mark: &Vec<u8>| String::from_utf8(mark.clone()).unwrap();
        let of = |(_, mark): &(String, Mark)| {
            let beyond = mark.beyond.iter().map(|own| format!("{} to {}", shown(&own.first), shown(&own.last)));
            core::iter::once(shown(&mark.at)).chain(beyond).collect::<Vec<_>>().join(", ")
        };
        marks.iter().map(of).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn windows_begin_at_multiples_of_utc_and_close_when_they_are_over() {
        let mut open = windows();
        for (after, value) in [(0, 2000), (30_000, 2010), (59_999, 2020)] {
            assert!(open.take("stdin", raw(value, None), stamp(after, Some(NOON + after))).unwrap().is_empty());
        }
        assert!(open.tick(stamp(61_999, Some(NOON + 61_999))).is_empty());
        let closed = open.take("stdin", raw(2500, None), stamp(62_000, Some(NOON + 62_000))).unwrap();
        let at = |time_ms| When::At { time_ms, source: ClockSource::Ntp, error_ms: 40 };
        assert_eq!(values(&closed), [(at(NOON), 2010)]);
        let item = closed[0].item.as_ref().unwrap();
        assert_eq!(item.blobs, [(Hash::of(&closed[0].raw), closed[0].raw.len() as u64)]);
        assert_eq!(values(&open.finish()), [(at(NOON + 60_000), 2500)]);
        assert!(open.finish().is_empty());
    }

    #[test]
    fn the_window_in_which_the_device_joined_is_left_out() {
        for (joined_ms, expected) in
            [(0, 3), (NOON, 3), (NOON + 1, 2), (NOON + 59_999, 2), (NOON + 60_000, 3), (NOON + 200_000, 3)]
        {
            let mut open = windows().but_of(joined_ms);
            let mut closed = 0;
            for (after, said_ms) in [(30_000, None), (61_000, None), (150_000, Some(NOON + 149_000))] {
                closed += open.take("stdin", raw(2000, said_ms), stamp(after, Some(NOON + after))).unwrap().len();
            }
            assert_eq!(closed + open.finish().len(), expected, "joined {}", joined_ms.saturating_sub(NOON));
        }
    }

    #[test]
    fn what_is_measured_before_the_time_is_known_says_when_since_the_start() {
        let mut open = windows();
        open.take("stdin", raw(2000, None), stamp(61_000, None)).unwrap();
        assert_eq!(open.take("stdin", raw(2000, Some(NOON)), stamp(61_000, None)), Err(NotYet));
        let known = stamp(90_000, Some(NOON));
        // It goes before what is measured from then on.
        let closed = open.take("stdin", raw(3000, None), known).unwrap();
        assert_eq!(values(&closed), [(When::Since { boot_ms: 60_000 }, 2000)]);
        let at = When::At { time_ms: NOON, source: ClockSource::Ntp, error_ms: 40 };
        assert_eq!(values(&open.finish()), [(at, 3000)]);
    }

    #[test]
    fn what_is_measured_once_the_time_is_known_is_not_dated_before_what_was_measured_until_then() {
        let mut open = windows();
        // Half a minute into a minute, and it takes two seconds until somebody tells the time.
        open.take("stdin", raw(2000, None), stamp(500, None)).unwrap();
        let mut closed = open.take("stdin", raw(3000, None), stamp(2_000, Some(NOON + 32_000))).unwrap();
        closed.extend(open.take("stdin", raw(4000, None), stamp(40_000, Some(NOON + 70_000))).unwrap());
        closed.extend(open.finish());
        let at = |time_ms| When::At { time_ms, source: ClockSource::Ntp, error_ms: 40 };
        let expected = [(When::Since { boot_ms: 0 }, 2000), (at(NOON + 32_000), 3000), (at(NOON + 60_000), 4000)];
        assert_eq!(values(&closed), expected);
        // Where it is in the raw input stays what the window is.
        let first = recompute(&closed[1].raw).unwrap().raw;
        assert_eq!((first.span.start_ms, first.samples[0].after_ms), (NOON, 32_000));
    }

    #[test]
    fn a_clock_that_is_told_better_turns_no_order_around_and_one_that_was_wrong_is_not_followed() {
        let unsure = |boot_ms, wall_ms| Stamp { boot_ms, wall: Some((wall_ms, ClockSource::Network, 1_750)) };
        for (back_ms, error_ms, expected) in
            [(1_000, 1_750, [2000, 3000]), (1_700, 40, [2000, 3000]), (10_000, 1_750, [3000, 2000])]
        {
            let mut open = Windows::of(Recipe::default(), Align::Utc, 1_000);
            assert!(open.take("file", raw(2000, None), unsure(0, NOON + 900)).unwrap().is_empty());
            let wall_ms = NOON + 1_000 - back_ms;
            let later = Stamp { boot_ms: 100, wall: Some((wall_ms, ClockSource::Network, error_ms)) };
            assert!(open.take("file", raw(3000, None), later).unwrap().is_empty());
            let closed = open.tick(unsure(9_000, NOON + 9_900 - back_ms));
            // All that the clock said then is within what is claimed of the later one.
            let later_at = expected.iter().position(|value| *value == 3000).unwrap().min(closed.len() - 1);
            let Some(When::At { time_ms, error_ms: claimed_ms, .. }) =
                closed[later_at].item.as_ref().map(|item| item.when)
            else {
                panic!("nothing is claimed")
            };
            assert!(time_ms + 1_000 + claimed_ms >= wall_ms + error_ms, "{back_ms}");
            assert!(time_ms.saturating_sub(claimed_ms) <= wall_ms - error_ms, "{back_ms}");
            let recomputed: Vec<i64> = closed
                .iter()
                .flat_map(|closed| recompute(&closed.raw).unwrap().raw.samples)
                .flat_map(|sample| sample.values.into_values())
                .collect();
            assert_eq!(recomputed, expected, "{back_ms}");
        }
    }

    #[test]
    fn a_mark_is_kept_only_with_all_that_came_up_to_it() {
        let mut open = windows();
        let marks = |closed: &[Closed]| -> Vec<String> {
            closed.iter().filter_map(|closed| closed.item.as_ref()).map(|item| told(&item.marks)).collect()
        };
        let at = |ms| stamp(ms, Some(NOON + ms));
        assert!(open.take("file", raw(2000, None), at(59_000)).unwrap().is_empty());
        assert!(open.take("file", raw(2100, None), at(61_000)).unwrap().is_empty());
        // The next window is open already, and what is in it is on no disk.
        assert_eq!(marks(&open.tick(at(63_100))), ["2000"]);
        // What is late for a window that is closed has another, which is closed first; what came before it is not kept then.
        assert!(open.take("file", raw(2200, Some(NOON)), at(64_000)).unwrap().is_empty());
        assert!(open.take("file", raw(2300, Some(NOON)), at(64_000)).unwrap().is_empty());
        assert!(open.take("file", raw(2400, None), at(65_000)).unwrap().is_empty());
        assert_eq!(marks(&open.finish()), ["2000, 2200 to 2300", "2400"]);
    }

    #[test]
    fn what_is_kept_beyond_a_mark_is_told_in_so_many_bytes_and_windows_close_for_that() {
        let mut open = windows();
        let mut closed = open.take("file", Raw::passed(0u32.to_be_bytes().to_vec()), stamp(0, Some(NOON))).unwrap();
        // Two sensors of which one is an hour behind take turns, and a third window, that is over, closes now and then.
        for number in 1..=3_000u32 {
            let said_ms = [NOON - 3_600_000, NOON, NOON - 7_200_000][number as usize % 3];
            let raw = Raw { mark: Some(number.to_be_bytes().repeat(8)), ..raw(i64::from(number), Some(said_ms)) };
            closed.extend(open.take("file", raw, stamp(u64::from(number), Some(NOON + u64::from(number)))).unwrap());
            if number % 40 == 0 {
                let third = Span { is_since_boot: false, start_ms: NOON - 7_200_000, length_ms: 60_000 };
                let one = open.open.remove(&third).map(|one| open.close(third, one));
                closed.extend(one);
            }
        }
        closed.extend(open.finish());
        let marks = |closed: &Closed| closed.item.as_ref().unwrap().marks.clone();
        let beyond = |closed: &Closed| marks(closed).iter().map(|(_, mark)| mark.beyond.len()).max().unwrap_or(0);
        let most = closed.iter().map(beyond).max().unwrap();
        assert!((100..=16_384 / 48).contains(&most), "{most}");
        assert!(closed.len() < 75 + 40, "no more windows than are needed: {}", closed.len());
        let samples = closed.iter().map(|closed| recompute(&closed.raw).unwrap().raw.samples.len()).sum::<usize>();
        assert_eq!(samples, 3_000);
        let last = marks(closed.last().unwrap());
        assert_eq!(last, [("file".to_owned(), 3_000u32.to_be_bytes().repeat(8).into())]);
    }

    #[test]
    fn a_reading_that_says_its_time_belongs_there_unless_that_is_yet_to_come() {
        let mut open = windows();
        let now = stamp(1_000, Some(NOON));
        open.take("file", raw(1000, Some(NOON - 600_000)), now).unwrap();
        open.take("file", raw(2000, Some(NOON + 600_000)), now).unwrap();
        let said = When::At { time_ms: NOON - 600_000, source: ClockSource::Network, error_ms: 1_000 };
        let arrived = When::At { time_ms: NOON, source: ClockSource::Ntp, error_ms: 40 };
        assert!(open.tick(now).is_empty());
        assert_eq!(values(&open.tick(stamp(3_000, Some(NOON + 2_000)))), [(said, 1000)]);
        assert_eq!(values(&open.finish()), [(arrived, 2000)]);
    }

    #[test]
    fn no_jump_of_the_wall_keeps_a_window_open() {
        let mut open = windows();
        open.take("stdin", raw(1000, None), stamp(0, Some(NOON + 86_400_000))).unwrap();
        assert!(open.tick(stamp(61_999, Some(NOON))).is_empty());
        assert_eq!(open.tick(stamp(62_000, Some(NOON))).len(), 1);
    }

    #[test]
    fn a_full_window_counts_what_it_leaves_out_and_old_ones_make_room() {
        let mut open = windows();
        let now = stamp(0, Some(NOON));
        let long = |value| Raw { bytes: vec![b'x'; 1_000], ..raw(value, None) };
        for value in 0..2_000 {
            assert!(open.take("stdin", long(value), now).unwrap().is_empty());
        }
        let closed = open.finish();
        let recomputed = recompute(&closed[0].raw).unwrap();
        assert_eq!(recomputed.raw.left_out + recomputed.raw.samples.len() as u64, 2_000);
        assert!(recomputed.raw.left_out > 0);
        // What was left out is no part of what a mark waits for, and moves none.
        let marks = &closed[0].item.as_ref().unwrap().marks;
        assert_eq!(told(marks), (recomputed.raw.samples.len() - 1).to_string());
        let mut closed = Vec::new();
        for minute in 0..=OPEN_MAX as u64 {
            // All said at once by a file, as if a week was read in a moment; only their own clock would close them.
            let said_ms = NOON - (1 + minute) * 60_000;
            closed.extend(open.take("file", raw(1, Some(said_ms)), stamp(0, Some(NOON))).unwrap());
            assert!(open.open.len() <= OPEN_MAX);
        }
        assert_eq!(closed.len() + open.finish().len(), OPEN_MAX + 1);
    }

    proptest! {
        /// Whatever comes in whatever order: what is closed can be recomputed, nothing is lost, and marks go with the last item.
        #[test]
        fn what_is_closed_is_what_its_raw_input_gives(
            came in proptest::collection::vec((0u64..400_000, any::<bool>(), 0u8..3, -5_000i64..5_000, any::<bool>()), 1..60),
        ) {
            let mut open = windows();
            let (mut closed, mut boot_ms, mut taken) = (Vec::new(), 0, 0);
            for (wait, is_known, source, value, says) in came {
                boot_ms += wait / 8;
                let now = stamp(boot_ms, is_known.then_some(NOON + boot_ms));
                let said_ms = says.then_some(NOON + boot_ms.saturating_sub(wait));
                match open.take(&format!("s{source}"), raw(value, said_ms), now) {
                    Ok(more) => {
                        closed.extend(more);
                        taken += 1;
                    }
                    Err(NotYet) => prop_assert!(!is_known && says),
                }
            }
            closed.extend(open.finish());
            let mut found = 0;
            for Closed { raw, item } in closed {
                let recomputed = recompute(&raw).unwrap();
                prop_assert_eq!(recomputed.raw.encode(), raw);
                let item = item.unwrap();
                prop_assert_eq!(&item.blobs, &[recomputed.blob]);
                prop_assert_eq!(Body::parse(&item.body).unwrap(), recomputed.body);
                found += recomputed.raw.samples.len();
            }
            prop_assert_eq!(found, taken);
        }
    }
}
