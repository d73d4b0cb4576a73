//! What is wrong now: each thing that is watched is bad, good, or neither, which leaves it as it was. Pure.

use super::{BROKEN, CLOCK, LOST, OFFLINE, QUEUE, REFUSED, SCORE, Watched};

/// Scores that say what is usual.
pub(super) const SCORES: usize = 9;
/// How far above its floor a score is that is good again.
const FLOOR_STEP_PPM: u32 = 50_000;
/// How far below its mark a queue is that has room again, per cent.
const QUEUE_STEP_PERCENT: u32 = 20;
/// How long sending has to work before it is said to.
const CALM_MS: u64 = 120_000;
/// How long nothing more may be refused or lost before that is said to be over.
const GROWTH_MS: u64 = 3_600_000;
/// Codes of refusals that are told apart; a gateway could make up any number.
const CODES_MAX: usize = 16;
/// The most characters of somebody else's words.
const WORDS_MAX: usize = 300;

/// When what is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// For how long nothing can be sent, ms.
    pub offline_after_ms: u64,
    /// For how long the time is not known well, ms.
    pub clock_after_ms: u64,
    /// The bound above which it is not, ms.
    pub clock_error_ms: u64,
    /// A score below this, ppm.
    pub score_below_ppm: u32,
    /// A score lower than the usual one by this, ppm.
    pub score_drop_ppm: u32,
    /// A queue as full as this, per cent.
    pub queue_percent: u32,
    /// How long the same thing is not told to have begun again, ms.
    pub quiet_ms: u64,
}

/// What something is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Level {
    /// Bad, in these words.
    Bad(String),
    /// Good, in these words.
    Good(String),
    /// As it was.
    Same,
    /// A number that should not grow, and what its growth means in words.
    Count(u64, String),
}

/// Something that is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sign {
    /// Its code, and what tells it from others of the same code.
    pub key: String,
    pub level: Level,
    /// How long it has to be bad before it is told, ms.
    pub after_ms: u64,
    /// How long it has to be good before that is told, ms.
    pub calm_ms: u64,
    /// Whether it is told again each time, and never over.
    pub is_final: bool,
}

impl Sign {
    fn of(key: &str, level: Level) -> Self {
        Self { key: key.to_owned(), level, after_ms: 0, calm_ms: 0, is_final: false }
    }
}

/// Everything that is watched. `scores` are those of the epochs before the last, newest last.
pub(super) fn signs(rules: &Rules, watched: &Watched, scores: &[u32]) -> Vec<Sign> {
    let mut signs = vec![
        Sign { calm_ms: CALM_MS, ..Sign::of(OFFLINE, offline(rules, watched)) },
        Sign { after_ms: rules.clock_after_ms, calm_ms: CALM_MS, ..Sign::of(CLOCK, clock(rules, watched)) },
        Sign::of(QUEUE, queue(rules, watched)),
        Sign::of(SCORE, score(rules, watched, scores)),
        Sign::of(REFUSED, refusing(watched)),
        Sign {
            calm_ms: GROWTH_MS,
            ..Sign::of(
                LOST,
                Level::Count(watched.lost, "the oldest of what waited was given up: there was no room".into()),
            )
        },
        Sign {
            is_final: true,
            ..Sign::of(BROKEN, Level::Count(watched.broken, "a gateway broke its promise; the evidence is kept".into()))
        },
    ];
    let mut others = 0;
    for (n, (code, count)) in watched.refused.iter().enumerate() {
        if n >= CODES_MAX || !is_code(code) {
            others += count;
            continue;
        }
        let reason = watched.reasons.get(code).map(|reason| format!(": {}", words(reason))).unwrap_or_default();
        let level = Level::Count(*count, format!("reports are refused for good with {code}{reason}"));
        signs.push(Sign { calm_ms: GROWTH_MS, ..Sign::of(&format!("{REFUSED}/{code}"), level) });
    }
    let level = Level::Count(others, "reports are refused for good with other codes; see `cairn node status`".into());
    signs.push(Sign { calm_ms: GROWTH_MS, ..Sign::of(&format!("{REFUSED}/OTHER"), level) });
    signs
}

fn is_code(code: &str) -> bool {
    (1..=40).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Somebody else's words, with nothing in them that moves a cursor or fills a page.
fn words(text: &str) -> String {
    text.chars().take(WORDS_MAX).map(|sign| if sign.is_control() { ' ' } else { sign }).collect()
}

fn because(why: Option<&String>) -> String {
    why.map(|why| format!(": {}", words(why))).unwrap_or_default()
}

fn offline(rules: &Rules, watched: &Watched) -> Level {
    match watched.stuck_ms {
        Some(stuck_ms) if stuck_ms >= rules.offline_after_ms => {
            let minutes = stuck_ms / 60_000;
            Level::Bad(format!("nothing could be sent for {minutes} min{}", because(watched.stuck_why.as_ref())))
        }
        Some(_) => Level::Same,
        None => Level::Good("reports are taken again".to_owned()),
    }
}

fn refusing(watched: &Watched) -> Level {
    match &watched.refusing {
        Some(why) => Level::Bad(format!(
            "a gateway refuses whatever it is sent and is left alone; what is measured waits, and nothing is lost: {}",
            words(why)
        )),
        None => Level::Good("no gateway refuses everything".to_owned()),
    }
}

fn clock(rules: &Rules, watched: &Watched) -> Level {
    match watched.clock_error_ms {
        Some(error_ms) if error_ms <= rules.clock_error_ms => Level::Good("the time is known".to_owned()),
        Some(error_ms) => Level::Bad(format!("the clock may be off by {} s", error_ms.div_ceil(1_000))),
        None => Level::Bad(format!(
            "the time is not known, and no report claims one{}",
            because(watched.clock_why.as_ref())
        )),
    }
}

fn queue(rules: &Rules, watched: &Watched) -> Level {
    let (bytes, bytes_max) = watched.queue_bytes;
    let percent = u128::from(bytes) * 100 / u128::from(bytes_max.max(1));
    if percent >= u128::from(rules.queue_percent) {
        Level::Bad(format!("the queue is {percent} % full; when there is no room the oldest goes"))
    } else if percent <= u128::from(rules.queue_percent.saturating_sub(QUEUE_STEP_PERCENT)) {
        Level::Good(format!("the queue is {percent} % full"))
    } else {
        Level::Same
    }
}

fn score(rules: &Rules, watched: &Watched, scores: &[u32]) -> Level {
    let Some((epoch, score)) = watched.score else { return Level::Same };
    let usual = usual(scores);
    let percent = |ppm: u32| format!("{}.{:02} %", ppm / 10_000, ppm % 10_000 / 100);
    let drop = usual.map_or(0, |usual| usual.saturating_sub(score));
    if score < rules.score_below_ppm {
        Level::Bad(format!("the score of epoch {epoch} is {}", percent(score)))
    } else if drop >= rules.score_drop_ppm {
        let usual = percent(usual.unwrap_or(0));
        Level::Bad(format!("the score of epoch {epoch} is {}, where {usual} is usual", percent(score)))
    } else if (rules.score_below_ppm == 0
        || score >= rules.score_below_ppm.saturating_add(FLOOR_STEP_PPM).min(1_000_000))
        && drop <= rules.score_drop_ppm / 2
    {
        Level::Good(format!("the score of epoch {epoch} is {}", percent(score)))
    } else {
        Level::Same
    }
}

/// The lower median of at least three.
fn usual(scores: &[u32]) -> Option<u32> {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable();
    (sorted.len() >= 3).then(|| sorted[(sorted.len() - 1) / 2])
}

#[cfg(test)]
mod tests {
    use super::super::AlertConfig;
    use super::*;

    fn level(key: &str, watched: &Watched, scores: &[u32]) -> &'static str {
        let signs = signs(&AlertConfig::default().rules(), watched, scores);
        match signs.into_iter().find(|sign| sign.key == key).unwrap().level {
            Level::Bad(_) => "bad",
            Level::Good(_) => "good",
            Level::Same => "same",
            Level::Count(..) => "count",
        }
    }

    #[test]
    fn between_bad_and_good_there_is_room() {
        let none = Watched { clock_error_ms: Some(10), ..Watched::default() };
        let stuck = |ms| Watched { stuck_ms: ms, ..none.clone() };
        let known = |ms| Watched { clock_error_ms: ms, ..none.clone() };
        let full = |percent: u64| Watched { queue_bytes: (percent * 10, 1_000), ..none.clone() };
        let scored = |ppm| Watched { score: Some((7, ppm)), ..none.clone() };
        let high = [950_000, 940_000, 100_000, 960_000];
        for (key, watched, scores, expected) in [
            (OFFLINE, stuck(None), &[][..], "good"),
            (OFFLINE, stuck(Some(899_999)), &[], "same"),
            (OFFLINE, stuck(Some(900_000)), &[], "bad"),
            (CLOCK, known(Some(30_000)), &[], "good"),
            (CLOCK, known(Some(30_001)), &[], "bad"),
            (CLOCK, known(None), &[], "bad"),
            (QUEUE, full(60), &[], "good"),
            (QUEUE, full(61), &[], "same"),
            (QUEUE, full(80), &[], "bad"),
            (QUEUE, Watched { queue_bytes: (0, 0), ..none.clone() }, &[], "good"),
            (SCORE, none.clone(), &[], "same"),
            (SCORE, scored(499_999), &[], "bad"),
            (SCORE, scored(549_999), &[], "same"),
            (SCORE, scored(550_000), &[], "good"),
            (SCORE, scored(690_000), &high, "bad"),
            (SCORE, scored(690_001), &high, "same"),
            (SCORE, scored(815_000), &high, "good"),
            (SCORE, scored(600_000), &high[..2], "good"),
            (REFUSED, none.clone(), &[], "good"),
            (REFUSED, Watched { refusing: Some("a: 20 in a row (EDGE-REFUSED)".into()), ..none.clone() }, &[], "bad"),
            (LOST, none.clone(), &[], "count"),
            (BROKEN, none.clone(), &[], "count"),
        ] {
            assert_eq!(level(key, &watched, scores), expected, "{key} {watched:?}");
        }
    }

    #[test]
    fn a_gateway_cannot_make_up_more_codes_than_are_told_apart_nor_words_that_do_more_than_say() {
        let mut watched = Watched::default();
        for n in 0..1_000u64 {
            watched.refused.insert(format!("RPT-{n:04}"), 1);
        }
        watched.refused.insert("x\u{1b}[2J".to_owned(), 5);
        watched.reasons.insert("RPT-0003".to_owned(), format!("\u{1b}[2J\n{}", "long ".repeat(1_000)));
        let signs = signs(&AlertConfig::default().rules(), &watched, &[]);
        assert_eq!(signs.len(), 7 + CODES_MAX + 1);
        assert_eq!(
            signs.last().unwrap().level,
            Level::Count(
                1_000 - 16 + 5,
                "reports are refused for good with other codes; see `cairn node status`".into()
            )
        );
        for sign in signs {
            if let Level::Count(_, words) = sign.level {
                assert!(words.len() < 400 && !words.contains(char::is_control), "{words}");
            }
        }
    }
}
