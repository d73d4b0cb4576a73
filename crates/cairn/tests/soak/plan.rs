//! What the seed and the length decide: phases, lives, which end, and every sender's own stream of choices.

use std::time::Duration;

/// A stream of choices: xorshift64* (Vigna 2016), begun from a seed and a name so that no two senders share one.
pub struct Random(u64);

impl Random {
    /// The stream of `name` under `seed`.
    pub fn of(seed: u64, name: u64) -> Self {
        // splitmix64 (Steele and others 2014) spreads neighbouring seeds; a state of 0 would stay 0.
        let mut z = seed.wrapping_add(name.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((z ^ (z >> 31)) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }

    /// An index into something of `length` things, of which there is at least one.
    pub fn at(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let at = self.at(of.len());
        &of[at]
    }

    /// `length` bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[3]).collect()
    }

    pub fn seed_32(&mut self) -> [u8; 32] {
        self.bytes(32).try_into().unwrap()
    }
}

/// How the process ends a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// SIGKILL under load.
    Kill,
    /// SIGTERM under load: it must end by itself with exit code 0.
    Terminate,
    /// Drained over the operator's listener, held to its counters, then SIGTERM.
    Drain,
    /// SIGKILL after so many ms, before it serves, and at once another start.
    Unborn(u64),
}

impl End {
    /// One of them.
    pub fn of(random: &mut Random) -> Self {
        match random.below(10) {
            0..4 => Self::Kill,
            4..6 => Self::Terminate,
            6..9 => Self::Drain,
            _ => Self::Unborn(random.below(120)),
        }
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Kill => "SIGKILL",
            Self::Terminate => "SIGTERM",
            Self::Drain => "drain",
            Self::Unborn(_) => "SIGKILL while starting",
        }
    }
}

/// The name of the phase whose memory is judged.
pub const UNBROKEN: &str = "unbroken";

/// A part of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Phase {
    pub name: &'static str,
    pub length: Duration,
    /// Whether lives end after some requests; otherwise one life goes on through the phase and those like it.
    pub restarts: bool,
    /// Whether honest senders do not pace themselves.
    pub is_full_speed: bool,
}

/// The run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    /// `None` is the short form.
    pub minutes: Option<u64>,
    /// Honest reports a second while paced; half as many hostile requests.
    pub rate: u64,
    pub devices: usize,
    pub epoch_s: u64,
    pub grace_s: u64,
    /// Honest requests of a life that is to end: from, and how many more at most.
    pub life_requests: (u64, u64),
    /// Between two looks at the process.
    pub sample: Duration,
    pub phases: Vec<Phase>,
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

impl Plan {
    /// The plan that the environment asks for.
    pub fn of_environment() -> Self {
        let seed = variable("CAIRN_SEED").unwrap_or_else(|| u64::from(std::process::id()));
        let mut plan = match variable("CAIRN_SOAK_MINUTES") {
            Some(minutes) => Self::long(seed, minutes.max(1)),
            None => Self::short(seed),
        };
        plan.rate = variable("CAIRN_SOAK_RATE").unwrap_or(plan.rate).max(1);
        plan
    }

    fn short(seed: u64) -> Self {
        let phase = |name, s, restarts, is_full_speed| {
            let length = Duration::from_secs(s);
            Phase { name, length, restarts, is_full_speed }
        };
        Self {
            seed,
            minutes: None,
            rate: 40,
            devices: 24,
            epoch_s: 3,
            grace_s: 1,
            life_requests: (10, 30),
            sample: Duration::from_secs(1),
            phases: vec![phase("restarts", 12, true, false), phase("full speed", 3, false, true)],
        }
    }

    /// A fifth with restarts; more than half without, with some of it at full speed and the rest after that; again restarts.
    fn long(seed: u64, minutes: u64) -> Self {
        let all = Duration::from_secs(minutes * 60);
        let phase = |name, percent: u32, restarts, is_full_speed| {
            let length = all * percent / 100;
            Phase { name, length, restarts, is_full_speed }
        };
        let phases = vec![
            phase("restarts", 20, true, false),
            phase(UNBROKEN, 55, false, false),
            phase("full speed", 4, false, true),
            phase("after full speed", 6, false, false),
            phase("restarts again", 15, true, false),
        ];
        Self {
            minutes: Some(minutes),
            devices: 240,
            epoch_s: 20,
            grace_s: 5,
            life_requests: (100, 500),
            sample: Duration::from_secs(5),
            phases,
            ..Self::short(seed)
        }
    }

    /// The phase at a time after the start; `None` when all are over.
    pub fn phase_at(&self, elapsed: Duration) -> Option<Phase> {
        let mut end = Duration::ZERO;
        self.phases.iter().copied().find(|phase| {
            end += phase.length;
            elapsed < end
        })
    }
}
