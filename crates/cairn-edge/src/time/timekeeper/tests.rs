use std::sync::atomic::{AtomicU64, Ordering};

use cairn_testkit::disk::{Faults, FaultyDisk};
use proptest::prelude::*;

use super::super::status::UNKNOWN;
use super::super::{AskError, gateway, sntp, system};
use super::*;

const UTC_US: i64 = 1_790_000_000_000_000;
const S: i64 = 1_000_000;
const HOUR: i64 = 3_600 * S;

/// How somebody answers.
#[derive(Debug, Clone, Copy)]
enum Manner {
    /// Off by so much, which it says, after so long on the way there and back, in µs.
    Honest {
        off_us: i64,
        there_us: i64,
        back_us: i64,
    },
    /// Off by so much, which it does not say.
    Liar(i64),
    Silent,
    Denies,
    TooOften,
}

#[derive(Clone)]
struct State {
    utc_us: i64,
    ticks: Ticks,
    drift_ppm: i64,
    slew_ppm: i64,
    servers: Vec<Manner>,
    gateways: Vec<Manner>,
    /// When something last synchronised the system's clock.
    marked_us: Option<i64>,
    rtc_ahead_s: Option<i64>,
    asked: Vec<u32>,
}

/// A world whose true time is known.
#[derive(Clone)]
struct Virtual(Arc<(Mutex<State>, AtomicU64)>);

impl Virtual {
    fn of(servers: &[Manner], gateways: &[Manner]) -> Self {
        let ticks = Ticks { wall_us: Some(17 * S), ..Ticks::default() };
        let state = State {
            utc_us: UTC_US,
            ticks,
            drift_ppm: 0,
            slew_ppm: 0,
            servers: servers.to_vec(),
            gateways: gateways.to_vec(),
            marked_us: None,
            rtc_ahead_s: None,
            asked: vec![0; servers.len()],
        };
        Self(Arc::new((Mutex::new(state), AtomicU64::new(1))))
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut lock(&self.0.0))
    }

    /// Lets true time go on, awake.
    fn pass(&self, us: i64) {
        self.change(|state| {
            state.utc_us += us;
            let raw_us = us + us * state.drift_ppm / 1_000_000;
            let boot_us = raw_us + raw_us * state.slew_ppm / 1_000_000;
            state.ticks.raw_us += raw_us;
            state.ticks.awake_us += boot_us;
            state.ticks.boot_us += boot_us;
            state.ticks.wall_us = state.ticks.wall_us.map(|wall_us| wall_us + boot_us);
        });
    }

    /// Lets it go on asleep: only one clock counts, and the system's clock is set when it wakes.
    fn sleep(&self, us: i64) {
        self.change(|state| {
            state.utc_us += us;
            state.ticks.boot_us += us;
            state.ticks.wall_us = state.ticks.wall_us.map(|wall_us| wall_us + us);
        });
    }

    /// A time as somebody tells it, and how long the ways took.
    fn tell(&self, manner: Manner) -> Result<(i64, i64, Ticks, Ticks), AskError> {
        let (off_us, said_us, there_us, back_us) = match manner {
            Manner::Honest { off_us, there_us, back_us } => (off_us, off_us.abs(), there_us, back_us),
            Manner::Liar(off_us) => (off_us, 0, 1_000, 1_000),
            Manner::Denies => return Err(AskError::Denied),
            Manner::TooOften => return Err(AskError::TooOften),
            Manner::Silent => {
                self.pass(3 * S);
                return Err(AskError::Failed("it does not answer".to_owned()));
            }
        };
        let asked = self.ticks();
        self.pass(there_us);
        let told_us = self.change(|state| state.utc_us) + off_us;
        self.pass(back_us);
        Ok((told_us, said_us, asked, self.ticks()))
    }

    fn truth_ms(&self) -> i128 {
        i128::from(self.change(|state| state.utc_us) / 1_000)
    }
}

impl World for Virtual {
    fn ticks(&self) -> Ticks {
        self.change(|state| state.ticks)
    }

    fn ntp(&self, server: &str) -> Result<Sample, AskError> {
        let n: usize = server.parse().unwrap();
        let manner = self.change(|state| {
            state.asked[n] += 1;
            state.servers[n]
        });
        let (told_us, said_us, asked, came) = self.tell(manner)?;
        let number = self.random();
        let mut answer = sntp::tests::answer(&sntp::request(number), told_us);
        let dispersion = u32::try_from((said_us << 16) / S + 1).unwrap();
        answer[8..12].copy_from_slice(&dispersion.to_be_bytes());
        let offset = sntp::read(&answer, number).unwrap().offset(asked.boot_us, came.boot_us);
        offset.map(|offset| Sample::told(offset, &asked, came)).map_err(|_| AskError::Failed("impossible".to_owned()))
    }

    fn gateway(&self, url: &str) -> Result<Sample, AskError> {
        let manner = self.change(|state| state.gateways[url.parse::<usize>().unwrap()]);
        let (told_us, _, asked, came) = self.tell(manner)?;
        let date = http_date(told_us / S);
        let offset = gateway::offset(&date, None, asked.boot_us, came.boot_us).map_err(AskError::Failed)?;
        Ok(Sample::told(offset, &asked, came))
    }

    fn synchronised(&self) -> Option<Sample> {
        system::sample(self.change(|state| state.marked_us)?, self.ticks())
    }

    fn rtc_s(&self) -> Option<i64> {
        self.change(|state| Some(state.utc_us.div_euclid(S) + state.rtc_ahead_s?))
    }

    fn random(&self) -> u64 {
        self.0.1.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst)
    }
}

fn http_date(seconds: i64) -> String {
    let text = crate::map::format_time(u64::try_from(seconds * 1_000).unwrap());
    let (date, time) = text.split_once('T').unwrap();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months[date[5..7].parse::<usize>().unwrap() - 1];
    format!("Sat, {} {month} {} {} GMT", &date[8..], &date[..4], &time[..8])
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| n.to_string()).collect()
}

fn keeper(world: &Virtual, disk: Option<&FaultyDisk>) -> Timekeeper {
    let (servers, gateways) = world.change(|state| (state.servers.len(), state.gateways.len()));
    let config = ClockConfig { servers: names(servers), ..ClockConfig::default() };
    let disk = disk.map(|disk| Arc::new(disk.clone()) as Arc<dyn Disk>);
    Timekeeper::of(&config, &names(gateways), Box::new(world.clone()), disk)
}

const GOOD: Manner = Manner::Honest { off_us: 0, there_us: 5_000, back_us: 5_000 };

#[test]
fn the_best_source_that_most_of_its_kind_agree_on_is_the_time() {
    use Manner::{Denies, Liar, Silent};
    let (ntp, network) = (("ntp", 0..30), ("network", 1_750..1_800));
    let none = ("none", 0..1);
    for (servers, gateways, (source, error_ms), outvoted) in [
        (&[][..], &[][..], none.clone(), 0),
        (&[GOOD], &[], ntp.clone(), 0),
        (&[GOOD, GOOD, GOOD], &[GOOD], ntp.clone(), 0),
        (&[GOOD, GOOD, Liar(9 * S)], &[], ntp.clone(), 1),
        (&[GOOD, GOOD, Silent], &[], ntp.clone(), 0),
        (&[GOOD, Denies, Silent], &[], none.clone(), 0),
        (&[GOOD, Liar(9 * S)], &[], none.clone(), 0),
        (&[GOOD, Liar(9 * S)], &[GOOD], network.clone(), 0),
        (&[GOOD], &[Liar(9 * S)], ntp.clone(), 1),
        (&[Silent], &[GOOD], network.clone(), 0),
        (&[], &[GOOD, GOOD, Liar(90 * S)], network.clone(), 1),
        (&[], &[GOOD, Liar(90 * S)], none.clone(), 0),
    ] {
        let world = Virtual::of(servers, gateways);
        let keeper = keeper(&world, None);
        keeper.step();
        let (case, status) = (format!("{servers:?} {gateways:?}"), keeper.status());
        assert_eq!((status.source, status.error_ms.is_some()), (source, source != "none"), "{case}");
        assert!(status.error_ms.is_none_or(|found| error_ms.contains(&found)), "{case}: {:?}", status.error_ms);
        let marked = status.servers.iter().chain(&status.gateways).filter(|asked| asked.is_outvoted).count();
        assert_eq!(marked, outvoted, "{case}");
    }
}

#[test]
fn a_clock_that_something_keeps_is_believed_where_no_server_was_named() {
    let world = Virtual::of(&[], &[Manner::Liar(20 * S)]);
    world.change(|state| {
        state.ticks.wall_us = Some(UTC_US);
        state.marked_us = Some(UTC_US - 100 * S);
    });
    let keeper = keeper(&world, None);
    keeper.step();
    assert_eq!((keeper.status().source, keeper.status().error_ms), ("ntp", Some(5_412)));
    assert!(keeper.status().gateways[0].is_outvoted);
}

#[test]
fn nobody_is_asked_more_often_than_he_wants() {
    let world = Virtual::of(&[GOOD, Manner::Denies, Manner::TooOften], &[]);
    let keeper = keeper(&world, None);
    let mut days = 0;
    for _ in 0..2_000 {
        let wait = keeper.step();
        assert!(wait >= Duration::from_secs(14), "{wait:?}");
        world.pass(i64::try_from(wait.as_micros()).unwrap());
        days = world.change(|state| u32::try_from((state.utc_us - UTC_US) / (24 * HOUR)).unwrap());
        let asked = world.change(|state| state.asked.clone());
        assert!(asked[1] <= days + 1 && asked[2] < days + 8, "{asked:?} in {days} days");
    }
    // Who denies is asked again, and when he has changed his mind he counts again: two of three agree.
    assert!(days > 20 && world.change(|state| state.asked[1]) >= days);
    assert_eq!(keeper.status().source, "none");
    world.change(|state| state.servers[1] = GOOD);
    world.pass(24 * HOUR);
    keeper.step();
    assert_eq!(keeper.status().source, "ntp");
}

#[test]
fn a_step_of_the_systems_clock_voids_the_time_until_somebody_told_it_again() {
    let world = Virtual::of(&[GOOD], &[]);
    let keeper = keeper(&world, None);
    keeper.step();
    assert!(keeper.now().wall.is_some());
    world.pass(100 * S);
    world.change(|state| state.ticks.wall_us = Some(UTC_US));
    assert_eq!(keeper.now().wall, None);
    assert_eq!((keeper.status().steps, keeper.status().troubles()[0].0), (1, UNKNOWN));
    keeper.step();
    assert!(keeper.now().wall.is_some() && keeper.status().troubles().is_empty());
    // What was heard before it is not heard again.
    world.change(|state| {
        state.ticks.wall_us = Some(UTC_US + HOUR);
        state.servers[0] = Manner::Silent;
    });
    world.pass(100 * S);
    keeper.step();
    assert_eq!(keeper.now().wall, None);
}

#[test]
fn a_battery_backed_clock_is_believed_after_it_was_compared_and_not_before() {
    let disk = FaultyDisk::new(1, Faults::default());
    let world = Virtual::of(&[GOOD], &[]);
    world.change(|state| {
        state.rtc_ahead_s = Some(3);
        state.servers[0] = Manner::Silent;
    });
    let first = keeper(&world, Some(&disk));
    first.step();
    assert_eq!(first.now().wall, None);
    world.change(|state| state.servers[0] = GOOD);
    world.pass(60 * S);
    first.step();
    assert_eq!(first.status().source, "ntp");
    drop(first);

    world.sleep(24 * HOUR);
    world.change(|state| state.servers[0] = Manner::Silent);
    let second = keeper(&world, Some(&disk));
    second.step();
    let (time_ms, source, error_ms) = second.now().wall.unwrap();
    assert_eq!(source, ClockSource::Rtc);
    assert!((i128::from(time_ms) - world.truth_ms()).abs() <= i128::from(error_ms) && error_ms < 13_000, "{error_ms}");
    world.change(|state| state.servers[0] = GOOD);
    world.pass(60 * S);
    second.step();
    assert_eq!(second.status().source, "ntp");
}

#[test]
fn whoever_stops_waits_for_nobody_who_was_not_asked_yet() {
    let world = Virtual::of(&[GOOD, GOOD], &[]);
    let (keeper, stop) = (keeper(&world, None), Stop::default());
    stop.set();
    keeper.step_until(&stop);
    assert_eq!(world.change(|state| state.asked.clone()), [0, 0]);
    keeper.step();
    assert_eq!(world.change(|state| state.asked.clone()), [1, 1]);
}

#[test]
fn troubles_are_told_once_until_they_are_over() {
    let world = Virtual::of(&[Manner::Silent], &[]);
    let (keeper, stop) = (keeper(&world, None), Stop::default());
    let said = Mutex::new(Vec::new());
    let told = |trouble: SourceTrouble| {
        lock(&said).push((trouble.code, trouble.is_over));
        stop.set();
    };
    keeper.run(&told, &stop);
    assert_eq!(*lock(&said), [(UNKNOWN, false)]);
}

fn honest() -> impl Strategy<Value = Manner> {
    (-300_000i64..300_000, 0i64..900_000, 0i64..900_000).prop_map(|(off_us, there_us, back_us)| Manner::Honest {
        off_us,
        there_us,
        back_us,
    })
}

fn dishonest() -> impl Strategy<Value = Manner> {
    prop_oneof![
        (-100_000_000i64..100_000_000).prop_map(Manner::Liar),
        (-2_000_000i64..2_000_000).prop_map(Manner::Liar),
        Just(Manner::Silent),
        Just(Manner::Denies),
        Just(Manner::TooOften),
    ]
}

/// Sources of which more than half are honest, or none at all.
fn mostly_honest() -> impl Strategy<Value = Vec<Manner>> {
    (proptest::collection::vec(honest(), 0..5), proptest::collection::vec(dishonest(), 0..4)).prop_map(
        |(mut honest, dishonest)| {
            let liars = honest.len().saturating_sub(1);
            honest.extend(dishonest.into_iter().take(liars));
            honest
        },
    )
}

#[derive(Debug, Clone)]
enum Happens {
    Step,
    Pass(i64),
    Sleep(i64),
    Set(i64),
    Slew(i64),
    Away(bool),
    Restart,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => Just(Happens::Step),
        3 => (0i64..40 * HOUR).prop_map(Happens::Pass),
        2 => (0i64..2_000 * S).prop_map(Happens::Pass),
        1 => (0i64..200 * HOUR).prop_map(Happens::Sleep),
        1 => (-100 * HOUR..100 * HOUR).prop_map(Happens::Set),
        1 => (-80_000i64..80_000).prop_map(Happens::Slew),
        2 => any::<bool>().prop_map(Happens::Away),
        1 => Just(Happens::Restart),
    ]
}

proptest! {
    #[test]
    fn the_true_time_is_within_the_bound_while_most_sources_are_honest(
        servers in mostly_honest(), gateways in mostly_honest(), drift_ppm in -99i64..=99,
        rtc in proptest::option::of(-40i64..40), events in proptest::collection::vec(happens(), 1..40),
    ) {
        let disk = FaultyDisk::new(1, Faults::default());
        let world = Virtual::of(&servers, &gateways);
        world.change(|state| (state.drift_ppm, state.rtc_ahead_s) = (drift_ppm, rtc));
        let mut clock = keeper(&world, Some(&disk));
        for event in events {
            match event {
                Happens::Step => { clock.step(); }
                Happens::Pass(us) => world.pass(us),
                Happens::Sleep(us) => world.sleep(us),
                Happens::Set(by_us) => world.change(|state| state.ticks.wall_us = state.ticks.wall_us.map(|us| us + by_us)),
                Happens::Slew(ppm) => world.change(|state| state.slew_ppm = ppm),
                Happens::Away(is_away) => world.change(|state| {
                    let silent = |all: &[Manner]| vec![Manner::Silent; all.len()];
                    (state.servers, state.gateways) =
                        if is_away { (silent(&servers), silent(&gateways)) } else { (servers.clone(), gateways.clone()) };
                }),
                Happens::Restart => clock = keeper(&world, Some(&disk)),
            }
            let stamp = clock.now();
            if let Some((time_ms, source, error_ms)) = stamp.wall {
                let off_ms = (i128::from(time_ms) - world.truth_ms()).abs();
                prop_assert!(off_ms <= i128::from(error_ms), "off by {off_ms} ms, claimed {error_ms} by {source:?}");
                prop_assert!(error_ms <= 300_001);
            }
        }
    }
}
