//! Results under gas table 1, byte for byte. They never change: a fix is a gas table of another number.
//!
//! `goldens/gas-table-1.txt` has a paragraph for each job, a line `name value` for each field, bytes in hexadecimal.
//! `CAIRN_BLESS=1` appends the jobs of the table below that are not in it yet, and touches no other.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use cairn_core::Hash;
use cairn_wasm::{GAS_TABLE, Job, Limits, Profile, run};
use data_encoding::HEXLOWER;

/// A name, a module as text, and whether floats are allowed.
const JOBS: &[(&str, &str, bool)] = &[
    ("nothing", include_str!("jobs/nothing.wat"), false),
    ("host-calls", include_str!("jobs/host-calls.wat"), false),
    ("integers", include_str!("jobs/integers.wat"), false),
    ("floats", include_str!("jobs/floats.wat"), true),
    ("control", include_str!("jobs/control.wat"), false),
    ("memory", include_str!("jobs/memory.wat"), false),
    ("tables", include_str!("jobs/tables.wat"), false),
    ("sieve", include_str!("jobs/sieve.wat"), false),
    ("recursion", include_str!("jobs/recursion.wat"), false),
    ("endless", "(module (func (export \"run\") (loop (br 0))))", false),
    (
        "panic",
        "(module (memory 1) (func $s (i32.store (i32.const 0) (i32.const 1))) (start $s) (func (export \"run\") unreachable))",
        false,
    ),
    ("float-refused", "(module (func (export \"run\") (drop (f32.const 0))))", false),
    ("no-run", "(module (memory 1))", false),
];

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("goldens/gas-table-1.txt")
}

type Fields = BTreeMap<String, String>;

fn read(text: &str) -> Vec<Fields> {
    let paragraphs = text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty());
    let fields = |paragraph: &str| {
        let lines = paragraph.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split_once(' ').unwrap_or((line, ""))).map(|(a, b)| (a.into(), b.into())).collect()
    };
    paragraphs.map(fields).filter(|fields: &Fields| !fields.is_empty()).collect()
}

/// Runs the job of a paragraph, and writes the paragraph with its result.
fn paragraph(fields: &Fields) -> String {
    let bytes = |name: &str| HEXLOWER.decode(fields[name].as_bytes()).unwrap();
    let number = |name: &str| fields[name].parse::<u64>().unwrap();
    let (module, arguments) = (bytes("module"), bytes("arguments"));
    let inputs: Vec<Vec<u8>> = (0..)
        .map_while(|at| fields.contains_key(&format!("input-{at}")).then(|| bytes(&format!("input-{at}"))))
        .collect();
    let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
    let limits = Limits {
        gas: number("gas-limit"),
        pages: u32::try_from(number("pages")).unwrap(),
        output_bytes: u32::try_from(number("output-bytes")).unwrap(),
    };
    let profile = if fields["profile"] == "det-float" { Profile::DetFloat } else { Profile::DetInt };
    let seed: [u8; 32] = bytes("seed").try_into().unwrap();
    let ran = run(&Job { module: &module, inputs: &inputs, arguments: &arguments, profile, limits, seed }).unwrap();
    let order = Hash::of(fields["job"].as_bytes());
    let mut text = format!("job {}\nmodule {}\nprofile {}\n", fields["job"], fields["module"], fields["profile"]);
    for (at, input) in inputs.iter().enumerate() {
        text += &format!("input-{at} {}\n", HEXLOWER.encode(input));
    }
    text += &format!("arguments {}\nseed {}\n", fields["arguments"], fields["seed"]);
    text += &format!("gas-limit {}\npages {}\noutput-bytes {}\n", limits.gas, limits.pages, limits.output_bytes);
    text += &format!("order {order}\noutcome {} {}\ngas {}\n", ran.outcome.number(), ran.outcome.code(), ran.gas);
    text += &format!("output {}\ndigest {}\n", HEXLOWER.encode(&ran.output), ran.digest(&order));
    text
}

fn of_table(name: &str, module: &[u8], floats: bool) -> Fields {
    let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Fields::from([
        field("job", name),
        field("module", &HEXLOWER.encode(module)),
        field("profile", if floats { "det-float" } else { "det-int" }),
        field("input-0", &HEXLOWER.encode(b"an input of some length, and with a tail")),
        field("input-1", ""),
        field("arguments", &HEXLOWER.encode(b"arguments")),
        field("seed", &"2a".repeat(32)),
        field("gas-limit", "400000"),
        field("pages", "20"),
        field("output-bytes", "4096"),
    ])
}

#[test]
fn results_under_gas_table_1_never_change() {
    assert_eq!(GAS_TABLE, 1);
    let mut committed = std::fs::read_to_string(file()).unwrap_or_default();
    let known: Vec<Fields> = read(&committed);
    if std::env::var_os("CAIRN_BLESS").is_some() {
        for (name, text, floats) in JOBS {
            if known.iter().all(|fields| fields["job"] != *name) {
                committed += "\n";
                committed += &paragraph(&of_table(name, &wat::parse_str(text).unwrap(), *floats));
            }
        }
        std::fs::write(file(), &committed).unwrap();
    }
    let jobs = read(&committed);
    for fields in &jobs {
        let again = paragraph(fields);
        assert!(committed.contains(&format!("\n{again}")), "another result of `{}`:\n{again}", fields["job"]);
    }
    let names: Vec<&str> = jobs.iter().map(|fields| fields["job"].as_str()).collect();
    for (name, _, _) in JOBS {
        assert!(names.contains(name), "{name} is not in the golden file: run the tests with CAIRN_BLESS=1");
    }
}
