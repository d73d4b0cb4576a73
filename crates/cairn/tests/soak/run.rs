//! The run: life after life, and the reckoning.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::books::Books;
use crate::honest::Honest;
use crate::hostile::{Attacker, Flooder, Sluggard};
use crate::network::{Facts, make};
use crate::plan::{End, Phase, Plan, Random};
use crate::server::{Server, start_and_kill};
use crate::stage::{Gossip, Stage};
use crate::summary::{Summary, answers, memory};
use crate::verify::{add_up, audit, bytes_below, holds, read_log};
use crate::watch::{Sample, Watch, compare, drain};
use crate::witness::Witness;

/// Senders of each kind.
const HONEST: u8 = 3;
const ATTACKERS: u8 = 2;
const SLUGGARDS: u8 = 2;
/// Between two looks at the checkpoint.
const CHECKPOINT_PAUSE: Duration = Duration::from_millis(200);

/// How long senders make haste before the process is killed; far less than it takes to meet a rate.
const HASTE: Duration = Duration::from_millis(150);

/// Everything that outlives the process.
struct Run<'a> {
    plan: &'a Plan,
    folder: &'a Path,
    books: Books,
    gossip: Gossip,
    facts: Facts,
    honest: Vec<Honest>,
    attackers: Vec<Attacker>,
    sluggards: Vec<Sluggard>,
    flooder: Flooder,
    witness: Witness,
    random: Random,
    started: Instant,
    samples: Vec<Sample>,
    lives: u64,
    ends: BTreeMap<String, u64>,
    has_met_rates: bool,
}

/// Runs the plan in a folder.
pub fn run(plan: &Plan, folder: &Path) -> Summary {
    make(folder, plan);
    let facts = {
        let server = Server::start(folder).unwrap();
        Facts::of(folder, &server.url)
    };
    let each = plan.devices / usize::from(HONEST);
    let mut run = Run {
        plan,
        folder,
        books: Books::default(),
        gossip: Gossip::default(),
        facts,
        honest: (0..HONEST).map(|number| Honest::of(number, each, plan.seed)).collect(),
        attackers: (0..ATTACKERS).map(|number| Attacker::of(number, plan.seed)).collect(),
        sluggards: (0..SLUGGARDS).map(|number| Sluggard::of(number, plan.seed)).collect(),
        flooder: Flooder::of(plan.seed, plan.sample * 3),
        witness: Witness::default(),
        random: Random::of(plan.seed, 1),
        started: Instant::now(),
        samples: Vec::new(),
        lives: 0,
        ends: BTreeMap::new(),
        has_met_rates: false,
    };
    while let Some(phase) = run.plan.phase_at(run.started.elapsed()).filter(|_| !run.books.is_hopeless()) {
        run.life(phase);
    }
    let traffic_s = run.started.elapsed().as_secs();
    run.reckon(traffic_s)
}

impl Run<'_> {
    fn start(&self) -> Option<Server> {
        match Server::start(self.folder) {
            Ok(server) => Some(server),
            Err(said) => {
                self.books.wrong(said);
                None
            }
        }
    }

    /// One life of the process: started, held to its promises, under traffic, ended.
    fn life(&mut self, phase: Phase) {
        let end = End::of(&mut self.random);
        let (least, more) = self.plan.life_requests;
        let requests = least + self.random.below(more);
        if let End::Unborn(ms) = end {
            start_and_kill(self.folder, Duration::from_millis(ms));
        }
        let Some(mut server) = self.start() else { return self.books.wrong("the process does not start") };
        self.lives += 1;
        self.books.new_life();
        let began = Instant::now();
        self.meet(&server);
        let rate_mhz = self.plan.rate * 1_000 / u64::from(HONEST);
        let mut stage = Stage::of(server.address, &self.books, &self.facts, &self.gossip, rate_mhz);
        // What is at full speed later in this life meets rates, and so may what was told then to come later.
        stage.may_meet_rates = !phase.restarts || self.has_met_rates;
        self.has_met_rates |= !phase.restarts;
        let watch_stop = AtomicBool::new(false);
        let (stage, stop) = (&stage, &watch_stop);
        let (witness, url) = (&mut self.witness, server.url.clone());
        std::thread::scope(|threads| {
            let mut senders = Vec::new();
            for sender in &mut self.honest {
                senders.push(threads.spawn(move || sender.send(stage)));
            }
            for attacker in &mut self.attackers {
                senders.push(threads.spawn(move || attacker.send(stage)));
            }
            for sluggard in &mut self.sluggards {
                senders.push(threads.spawn(move || sluggard.send(stage)));
            }
            let flooder = &mut self.flooder;
            senders.push(threads.spawn(move || flooder.send(stage)));
            senders.push(threads.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    witness.watch(&url, stop, CHECKPOINT_PAUSE);
                    std::thread::sleep(CHECKPOINT_PAUSE);
                }
            }));
            let watch = Watch { began, life: self.lives, server: &server };
            self.samples.extend(conduct(self.plan, stage, &watch, self.started, phase, requests));
            if !server.is_alive() {
                stage.books.wrong("the process ended by itself");
            }
            finish(stage, server, end, senders, stop);
        });
        *self.ends.entry(end.word().to_owned()).or_default() += 1;
        let (at, lives) = (self.started.elapsed().as_secs(), self.lives);
        let (promised, resident) =
            (self.books.promises().len(), self.samples.last().map_or(0, |last| last.resident_bytes >> 20));
        let lived = began.elapsed().as_secs();
        eprintln!(
            "{at:>5} s  life {lives} of {lived} s ({}) ends by {}; {promised} promised, {resident} MiB",
            phase.name,
            end.word()
        );
    }

    /// A last life in which only what is owed is sent; then it is drained, and its counters compared.
    fn close(&mut self) {
        let Some(server) = self.start() else { return };
        self.lives += 1;
        self.books.new_life();
        self.meet(&server);
        let rate_mhz = self.plan.rate * 1_000;
        let mut stage = Stage::of(server.address, &self.books, &self.facts, &self.gossip, rate_mhz);
        (stage.is_closing, stage.may_meet_rates) = (true, true);
        std::thread::scope(|threads| {
            let stage = &stage;
            let senders = self.honest.iter_mut().map(|sender| threads.spawn(move || sender.send(stage)));
            let senders: Vec<_> = senders.collect();
            let told = senders.into_iter().filter_map(|sender| sender.join().err());
            told.for_each(|panic| stage.books.wrong(format!("a sender: {}", words_of(&*panic))));
        });
        drain(&server, &self.books);
        compare(&server, &self.books);
        server.terminate();
        if server.ended() != Some(0) {
            self.books.wrong("a drained process did not end well");
        }
    }

    /// Holds the process to every promise and every checkpoint before.
    fn meet(&mut self, server: &Server) {
        let promises = self.books.promises();
        let (witness, url) = (&mut self.witness, &server.url);
        let met = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| witness.meet(url, &promises)));
        if let Err(panic) = met {
            self.books.wrong(format!("after a restart: {}", words_of(&*panic)));
        }
    }

    /// What is owed, a last start, and everything held against everything.
    fn reckon(mut self, traffic_s: u64) -> Summary {
        self.close();
        let books = &self.books;
        self.honest.iter_mut().for_each(|sender| sender.leave(books));
        let mut money = crate::verify::Money::default();
        if let Some(server) = self.start() {
            self.meet(&server);
            let client = cairn_client::Client::at(&server.url).unwrap();
            money = add_up(&client, &self.books);
            audit(self.folder, &self.books, &self.facts.id, &server.url);
            server.terminate();
            if server.ended() != Some(0) {
                self.books.wrong("the process did not end well");
            }
        }
        let books = &self.books;
        holds(self.folder, books, &["log", "check", "net"]);
        holds(self.folder, books, &["ledger", "rebuild", "net", "--check", "--json"]);
        holds(self.folder, books, &["log", "export", "net", "exported"]);
        audit(self.folder, books, &self.facts.id, "exported");
        let in_log = read_log(self.folder, books);
        if money.paying_epochs == 0 || in_log.epoch_statements == 0 || in_log.reports < 100 {
            books.wrong("nothing was judged and paid, or there was no traffic to speak of");
        }
        let memory = memory(&self.samples, books);
        let disk_bytes = bytes_below(&self.folder.join("net"));
        let answers = answers(books);
        let (honest_answers, hostile_answers) = Summary::split(&answers);
        if hostile_answers == 0 {
            books.wrong("no attacker was ever answered, so nothing was held against attacks");
        }
        let signatures = ["reports signed with Ed25519", "reports signed with P-256"];
        let wrong = books.wrongs();
        Summary {
            passed: wrong.is_empty(),
            seed: self.plan.seed,
            minutes: self.plan.minutes,
            traffic_s,
            rate: self.plan.rate,
            devices: self.plan.devices,
            epoch_s: self.plan.epoch_s,
            lives: self.lives,
            ends: self.ends,
            lives_whose_counters_agree: books.count_of("lives whose counters were compared"),
            honest_answers,
            hostile_answers,
            lost_honest_requests: books.lost_requests(),
            checkpoints: self.witness.words(),
            disk_bytes_per_report: disk_bytes / in_log.reports.max(1),
            in_log,
            money,
            memory,
            most_resident_mib: self.samples.iter().map(|sample| sample.resident_bytes >> 20).max().unwrap_or(0),
            disk_bytes,
            signed: signatures.iter().map(|what| ((*what).to_owned(), books.count_of(what))).collect(),
            answers,
            wrong,
            kept: None,
            samples: self.samples,
        }
    }
}

/// Looks at the process until its life is over: after so many requests, or with the phases that it may go through.
fn conduct(
    plan: &Plan,
    stage: &Stage,
    watch: &Watch<'_>,
    started: Instant,
    phase: Phase,
    requests: u64,
) -> Vec<Sample> {
    let (mut samples, mut next) = (Vec::new(), Instant::now() + plan.sample);
    loop {
        let now = plan.phase_at(started.elapsed()).filter(|now| now.restarts == phase.restarts);
        let Some(now) = now.filter(|_| !stage.is_over()) else { return samples };
        if phase.restarts && stage.requests.load(Ordering::Relaxed) >= requests {
            return samples;
        }
        stage.is_full_speed.store(now.is_full_speed, Ordering::Relaxed);
        if Instant::now() >= next {
            samples.extend(watch.look(stage, started, now.name));
            next = Instant::now() + plan.sample;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Ends a life, and waits for everybody to go home.
fn finish(
    stage: &Stage,
    server: Server,
    end: End,
    senders: Vec<std::thread::ScopedJoinHandle<'_, ()>>,
    stop: &AtomicBool,
) {
    let books = stage.books;
    if end == End::Kill {
        stage.is_hasty.store(true, Ordering::Relaxed);
        std::thread::sleep(HASTE);
    }
    stage.is_ending.store(true, Ordering::Relaxed);
    let go_home = |senders: Vec<std::thread::ScopedJoinHandle<'_, ()>>| {
        stage.is_over.store(true, Ordering::Relaxed);
        stop.store(true, Ordering::Relaxed);
        for sender in senders {
            if let Err(panic) = sender.join() {
                books.wrong(format!("a sender: {}", words_of(&*panic)));
            }
        }
    };
    match end {
        End::Kill | End::Unborn(_) => {
            server.kill();
            go_home(senders);
        }
        End::Terminate => {
            server.terminate();
            let code = server.ended();
            go_home(senders);
            if code != Some(0) {
                books.wrong(format!("after SIGTERM under load the process ended with {code:?}"));
            }
        }
        End::Drain => {
            drain(&server, books);
            go_home(senders);
            compare(&server, books);
            server.terminate();
            if server.ended() != Some(0) {
                books.wrong("a drained process did not end well");
            }
        }
    }
}

/// What a panic said.
fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panicked").to_owned()
}
