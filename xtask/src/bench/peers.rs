//! `cargo xtask bench peers`: the same reports into Cairn, into a message broker, and into a database, one after the other.
//!
//! Each takes the same bytes over loopback from the same number of connections in the same groups, and a group counts when
//! the last of it is acknowledged; the folder of each lies on the same disk. They do not do the same work: what each does
//! not do is printed beside its rate. What is not installed is left out, and said so. The clients are this program's own,
//! without any dependency; they share the machine's threads with the server that they measure.

mod bodies;
mod broker;
mod database;
mod gateway;
mod lanes;

use std::fmt::Write as _;

use super::{PAGE, keep, machine, section_of};
use crate::run::{Done, Failure, Scratch, cargo, root, wrong};
use bodies::Load;
use lanes::Measured;

/// The heading of the section.
pub const PEERS: &str = "\n## The same reports into a broker and into a database\n";
/// Devices that sign, in each load.
const DEVICES: u32 = 2_000;
/// Reports in a group, connections, and groups of 512 that are signed for it.
const SHAPES: [Shape; 2] =
    [Shape { group: 512, connections: 4, signed: 400 }, Shape { group: 1, connections: 64, signed: 100 }];

/// How a load is sent.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Reports that are acknowledged together.
    pub group: usize,
    /// Connections, each of which waits for its acknowledgement before it sends on.
    pub connections: usize,
    /// Requests of 512 reports to have signed.
    signed: u32,
}

/// What one of them took, or why it was left out.
struct Row {
    name: &'static str,
    /// What an acknowledgement says, and what is not done.
    does: &'static str,
    does_not: &'static str,
    found: Vec<Result<Measured, String>>,
}

const CAIRN: (&str, &str, &str) = (
    "Cairn",
    "acknowledged: signature verified against the enrolled key, name counted once, on disk, at its place in a public log, \
     promised with a signature",
    "replicate; answer queries over readings; deliver to subscribers",
);
const DATABASE: (&str, &str, &str) = (
    "PostgreSQL",
    "acknowledged: on disk, as a row of one table (bigserial, bytea), committed by each group",
    "verify a signature; know devices; notice a report that comes twice; order publicly; promise; show anybody that no row was \
     changed or removed",
);
const BROKER: (&str, &str, &str) = (
    "Mosquitto, QoS 1, persistence on",
    "acknowledged: in memory, queued for one subscriber that is away; written to disk at the end or every half hour, as it \
     comes",
    "have it on disk when it acknowledges; verify a signature; know devices; notice a report that comes twice; order publicly; \
     promise",
);

/// Measures, prints, and keeps the section if asked to.
pub fn run(flags: &[String]) -> Done {
    let write = match flags {
        [] => false,
        [flag] if flag == "--write" => true,
        _ => return Err(Failure::Usage("usage: cargo xtask bench peers [--write]\n".to_owned())),
    };
    crate::run::Program::of(&cargo(), ["build", "--quiet", "--release", "--package", "cairn"]).run()?;
    let scratch = Scratch::folder()?;
    let mut rows =
        [CAIRN, DATABASE, BROKER].map(|(name, does, does_not)| Row { name, does, does_not, found: Vec::new() });
    let mut reports = Vec::new();
    for (number, shape) in SHAPES.into_iter().enumerate() {
        let inner = |name: &str| scratch.path(&format!("{name}-{number}"));
        let gateway = gateway::Gateway::start(&inner("cairn"))?;
        let load = Load::signed_for(&gateway, &inner("bodies"), DEVICES, shape.signed)?;
        reports.push((load.reports.len(), load.bytes() / load.reports.len().max(1)));
        rows[0].found.push(lanes::measure(&load, shape, |_| gateway.connect(shape)));
        drop(gateway);
        rows[1].found.push(database::measure(&inner("postgres"), &load, shape));
        rows[2].found.push(broker::measure(&inner("mosquitto"), &load, shape));
    }
    let said = text(&rows, &reports);
    println!("\n{said}");
    if write { keep_section(&said) } else { Ok(()) }
}

fn text(rows: &[Row], reports: &[(usize, usize)]) -> String {
    let mut text = String::new();
    for (number, (shape, (count, bytes))) in SHAPES.iter().zip(reports).enumerate() {
        let Shape { group, connections, .. } = shape;
        let _ = writeln!(
            text,
            "{count} reports of {bytes} bytes from {DEVICES} devices, {group} acknowledged together, {connections} connections"
        );
        for row in rows {
            let _ = match &row.found[number] {
                Ok(Measured { per_s, half_us, most_us }) => writeln!(
                    text,
                    "  {:<34} {per_s:>8} a second   acknowledged within {} ms (half), {} ms (99 %)",
                    row.name,
                    ms(*half_us),
                    ms(*most_us)
                ),
                Err(why) => writeln!(text, "  {:<34} left out: {why}", row.name),
            };
        }
        text.push('\n');
    }
    for Row { name, does, does_not, .. } in rows {
        let _ = writeln!(text, "{name}\n  {does}\n  does not: {does_not}");
    }
    text
}

fn ms(us: u64) -> String {
    format!("{}.{:02}", us / 1_000, us % 1_000 / 10)
}

fn keep_section(said: &str) -> Done {
    let Ok(page) = std::fs::read_to_string(root().join(PAGE)) else { return wrong(format!("cannot read {PAGE}")) };
    let section = format!("{PEERS}\n`cargo xtask bench peers`\n\n```\n{}```\n\n```\n{said}```\n", machine());
    let kept = section_of(&page, PEERS);
    let judge = || section_of(&page, super::JUDGE).map_or(page.len(), |judge| judge.start);
    let at = kept.as_ref().map_or_else(judge, |kept| kept.start);
    let end = kept.map_or(at, |kept| kept.end);
    keep(&[&page[..at], &section, &page[end..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_says_why_and_what_is_not_done_stands_beside_every_rate() {
        let found = || Ok(Measured { per_s: 7, half_us: 1_230, most_us: 45_678 });
        let row = |found| Row { name: "One", does: "is there", does_not: "sing", found };
        let rows = [row(vec![found(), Err("it is not installed".to_owned())])];
        let said = text(&rows, &[(10, 147), (20, 147)]);
        assert!(said.contains("7 a second   acknowledged within 1.23 ms (half), 45.67 ms (99 %)"), "{said}");
        assert!(said.contains("left out: it is not installed") && said.contains("does not: sing"), "{said}");
    }
}
