//! The reference page says what the code does: its tables and examples are written from here. `CAIRN_BLESS=1` writes
//! them anew.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use cairn_wasm::gas::*;
use cairn_wasm::host::Call;
use cairn_wasm::{Outcome, Refusal};
use wasmparser::{BinaryReader, Operator};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The text between the marks of a part replaced.
fn put(page: &str, part: &str, text: &str) -> String {
    let mark = format!("<!-- {part} -->\n");
    let (before, rest) = page.split_once(&mark).unwrap_or_else(|| panic!("no part `{part}`"));
    let (_, after) = rest.split_once("<!-- end -->").unwrap();
    format!("{before}{mark}{text}<!-- end -->{after}")
}

fn calls() -> String {
    let mut text = "| call | gives | gas |\n| --- | --- | --- |\n".to_owned();
    for call in Call::ALL {
        let (parameters, gives, bytes) = match call {
            Call::InputCount => ("", "how many inputs there are", String::new()),
            Call::InputLen => ("input", "the length of an input", String::new()),
            Call::InputRead => {
                ("input, offset, ptr, len", "how many bytes were copied", format!(" + len / {BULK_BYTES}"))
            }
            Call::ArgumentsLen => ("", "the length of the arguments", String::new()),
            Call::ArgumentsRead => ("offset, ptr, len", "how many bytes were copied", format!(" + len / {BULK_BYTES}")),
            Call::OutputWrite => ("ptr, len", "nothing", format!(" + {GAS_OUTPUT_BYTE} len")),
            Call::Random => ("ptr, len", "nothing", format!(" + {GAS_RANDOM_BYTE} len")),
        };
        assert_eq!(parameters.split(", ").filter(|name| !name.is_empty()).count(), call.parameters());
        assert_eq!(gives != "nothing", call.answers());
        writeln!(text, "| `{}({parameters})` | {gives} | {GAS_HOST_CALL}{bytes} |", call.name()).unwrap();
    }
    text + "\nTo each the gas of the call itself is added, as to any call. Divisions are rounded up.\n"
}

/// Every operation there is, by its name, with what it costs: decoded from all opcodes.
fn operations() -> BTreeMap<u64, Vec<String>> {
    let mut by_gas = BTreeMap::<u64, Vec<String>>::new();
    // Immediates: enough zeros for any. A typed select names one type; reference types and references need a valid one.
    let zeros = [0u8; 16];
    let codes = (0u8..=0xfb).map(|code| vec![code]).chain((0u8..=17).map(|code| vec![0xfc, code]));
    for code in codes {
        for immediate in [&zeros[..], &[1, 0x7f, 0, 0, 0, 0][..], &[0x70, 0, 0][..], &[0x40, 0, 0][..]] {
            let bytes = [&code[..], immediate].concat();
            let Ok(operator) = BinaryReader::new(&bytes, 0).read_operator() else { continue };
            if allowed(&operator) {
                let debug = format!("{operator:?}");
                let name = debug.split([' ', '{', '(']).next().unwrap().to_owned();
                let names = by_gas.entry(operation(&operator)).or_default();
                if !names.contains(&name) {
                    names.push(name);
                }
                break;
            }
        }
    }
    by_gas
}

/// Whether the features allow it: what came later is never charged, since it is refused.
fn allowed(operator: &Operator<'_>) -> bool {
    let debug = format!("{operator:?}");
    let later =
        ["ReturnCall", "CallRef", "RefAs", "BrOn", "RefEq", "Try", "Catch", "Throw", "Rethrow", "Delegate", "Discard"];
    !later.iter().any(|name| debug.starts_with(name))
}

fn gas() -> String {
    let mut text = "| gas | of |\n| --- | --- |\n".to_owned();
    let mut row = |gas: String, of: &str| writeln!(text, "| {gas} | {of} |").unwrap();
    row(GAS_JOB.to_string(), "a job");
    row(GAS_MODULE_BYTE.to_string(), "each byte of the module");
    row(GAS_INPUT_BYTE.to_string(), "each byte of the inputs and of the arguments");
    row(GAS_PAGE.to_string(), "each page of memory, at the beginning and when it grows");
    row(
        GAS_ELEMENT.to_string(),
        "each element of a table, at the beginning and when it grows, and each that is filled, copied or initialised",
    );
    row(format!("1 for {BULK_BYTES}"), "bytes that are filled, copied or initialised, rounded up");
    row(GAS_ENTRY.to_string(), "entering a function, and 1 for each local that it declares besides its parameters");
    row("1".to_owned(), "each parameter and each result of a call, besides the call");
    row(
        "1".to_owned(),
        "each value that a branch or a return carries, besides the branch; of a `br_table`, by its widest target",
    );
    text += "\nOf the operations themselves, by their names in WebAssembly's index of instructions:\n\n| gas | operations |\n| --- | --- |\n";
    for (gas, names) in operations() {
        writeln!(text, "| {gas} | {} |", names.join(" ")).unwrap();
    }
    text
}

fn limits() -> String {
    let mut text = "| limit | most |\n| --- | --- |\n".to_owned();
    let rows: &[(&str, u64)] = &[
        ("gas of a job", GAS_MAX),
        ("bytes of a module", MODULE_BYTES_MAX as u64),
        ("inputs", INPUTS_MAX as u64),
        ("bytes of all inputs together", INPUT_BYTES_MAX as u64),
        ("bytes of arguments", ARGUMENTS_BYTES_MAX as u64),
        ("pages of memory (65,536 bytes each)", u64::from(PAGES_MAX)),
        ("bytes of output", u64::from(OUTPUT_BYTES_MAX)),
        ("function types", u64::from(TYPES_MAX)),
        ("parameters, and results, of a type", VALUES_MAX as u64),
        ("imports", u64::from(IMPORTS_MAX)),
        ("functions of its own", u64::from(FUNCTIONS_MAX)),
        ("locals of a function, parameters included", u64::from(LOCALS_MAX)),
        ("values on a function's operand stack", u64::from(OPERANDS_MAX)),
        ("depth of blocks in a function, itself included", u64::from(NESTING_MAX)),
        ("targets of a `br_table`, besides the default", u64::from(BRANCH_TARGETS_MAX)),
        (
            "metered places: blocks, calls of its own functions, one more for each 8 values of a block or of all targets of a `br_table`",
            u64::from(SITES_MAX),
        ),
        ("globals", u64::from(GLOBALS_MAX)),
        ("exports", u64::from(EXPORTS_MAX)),
        ("tables", u64::from(TABLES_MAX)),
        ("elements of a table", u64::from(TABLE_ELEMENTS_MAX)),
        ("element segments; data segments", u64::from(SEGMENTS_MAX)),
        ("elements in all segments together", u64::from(SEGMENT_ELEMENTS_MAX)),
        ("slots of the stack", STACK_SLOTS.unsigned_abs()),
    ];
    for (limit, most) in rows {
        writeln!(text, "| {limit} | {most} |").unwrap();
    }
    text
}

fn outcomes() -> String {
    let mut text = "| number | code | what happened |\n| --- | --- | --- |\n".to_owned();
    let refused = Refusal::ALL.iter().map(|why| Outcome::Refused(*why));
    for outcome in Outcome::RUNNING.iter().copied().chain(refused) {
        writeln!(text, "| {} | `{}` | {} |", outcome.number(), outcome.code(), outcome.text()).unwrap();
    }
    text
}

fn example(language: &str, path: &str) -> String {
    let source = std::fs::read_to_string(root().join("examples/compute").join(path)).unwrap();
    assert!(source.lines().count() < 45, "{path} is no small example");
    format!("```{language}\n{source}```\n")
}

#[test]
fn the_reference_page_says_what_the_code_does() {
    let path = root().join("docs/reference/compute-abi.md");
    let committed = std::fs::read_to_string(&path).unwrap();
    let parts = [
        ("calls", calls()),
        ("gas", gas()),
        ("limits", limits()),
        ("outcomes", outcomes()),
        ("rust", example("rust", "minimal-rust/src/lib.rs")),
        ("c", example("c", "minimal-c/minimal.c")),
    ];
    let page = parts.iter().fold(committed.clone(), |page, (part, text)| put(&page, part, text));
    if std::env::var_os("CAIRN_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
        return;
    }
    assert!(page == committed, "docs/reference/compute-abi.md is stale: run the tests with CAIRN_BLESS=1");
    assert!(page.contains(&format!("{FRAME_SLOTS} slots")) && page.contains("262,144 slots") && STACK_SLOTS == 262_144);
}

#[test]
fn every_outcome_has_a_number_and_a_code_of_its_own() {
    let refused = Refusal::ALL.iter().map(|why| Outcome::Refused(*why));
    let all: Vec<Outcome> = Outcome::RUNNING.iter().copied().chain(refused).collect();
    let numbers: BTreeMap<u16, Outcome> = all.iter().map(|outcome| (outcome.number(), *outcome)).collect();
    let codes: BTreeMap<&str, Outcome> = all.iter().map(|outcome| (outcome.code(), *outcome)).collect();
    assert_eq!((numbers.len(), codes.len()), (all.len(), all.len()));
    for outcome in all {
        assert_eq!(Outcome::from_number(outcome.number()), Some(outcome));
        assert_eq!(outcome.number() >= 256, matches!(outcome, Outcome::Refused(_)));
    }
    assert_eq!(Outcome::from_number(255), None);
}
