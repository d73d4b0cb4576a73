//! The figures of the reference page, computed again.

use super::*;

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/compute.md")).unwrap()
}

/// What a worker gains in an epoch by making up `jobs` results instead of finding them, in millionths of one job's price:
/// none is drawn and all are paid, or one is, all are found, and none is.
fn gain_ppm(chance_ppm: i128, cost_ppm: i128, jobs: u32) -> i128 {
    let unseen = (0..jobs).fold(1_000_000i128, |unseen, _| unseen * (1_000_000 - chance_ppm) / 1_000_000);
    i128::from(jobs) * (unseen - (1_000_000 - cost_ppm))
}

fn decimal(ppm: i128) -> String {
    let sign = if ppm <= -5_000 { "-" } else { "+" };
    let hundredths = (ppm.abs() + 5_000) / 10_000;
    format!("{sign}{}.{:02}", hundredths / 100, hundredths % 100)
}

#[test]
fn the_pages_table_of_what_lying_gains_is_computed() {
    let mut table =
        String::from("| p | c/R | 1 job | 5 jobs | 10 jobs | 20 jobs |\n| --- | --- | --- | --- | --- | --- |\n");
    for chance in [100_000, 300_000, 500_000, 1_000_000i128] {
        for cost in [100_000, 300_000, 500_000, 900_000i128] {
            let gains: Vec<String> = [1, 5, 10, 20].map(|jobs| decimal(gain_ppm(chance, cost, jobs))).to_vec();
            let percent = |ppm: i128| format!("{} %", ppm / 10_000);
            table += &format!("| {} | {} | {} |\n", percent(chance), percent(cost), gains.join(" | "));
        }
    }
    assert!(page().contains(&table), "docs/reference/compute.md should have:\n{table}");
}

#[test]
fn the_page_names_every_code_and_every_key_of_the_profile() {
    for code in Code::ALL {
        assert!(page().contains(code.as_str()), "{}", code.as_str());
    }
    for line in COMPUTE.lines().filter(|line| !line.starts_with('#')) {
        let Some((key, value)) = line.split_once(" = ") else { continue };
        assert!(page().contains(&format!("`{key}`")), "{key}");
        if key != "class" {
            let row = format!("| `{key}` | {} |", value.replace('_', ","));
            assert!(page().contains(&row), "{row}");
        }
    }
    let refused = [
        "WORKER",
        "OFFER",
        "LICENCE",
        "HELD",
        "FULL",
        "GAS-TABLE",
        "TIME",
        "NO-WORKER",
        "MOST",
        "LEAST",
        "CREDIT",
        "JOB",
        "BUYER",
        "CANCEL",
        "PHASE",
        "ASSIGNED",
        "SAID",
        "SEAL",
        "CAPS",
    ];
    for code in refused {
        assert!(page().contains(&format!("`CMP-{code}`")), "{code}");
    }
}
