//! The golden of revision 1: bodies, digests, seals, a small market's assignments, verdicts, sales and records, to the byte.

use std::fmt::Write as _;

use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn words(text: &mut String) {
    let job = JobId(hash("job"));
    let found = result(1_234_567, "output");
    let digest = found.digest(1, &job);
    let sealed = seal(&job, &device(1), &digest, &[7; 16]);
    writeln!(text, "\nwords\n  job {job}\n  digest {digest}\n  seal {sealed}").unwrap();
    let trap = RunResult { outcome: 3, gas: 77, output: hash(""), output_bytes: 0 };
    writeln!(text, "  digest of a trap {}", trap.digest(1, &job)).unwrap();
    let bodies = [
        ("commit", Body::Commit { job, seal: sealed }),
        ("reveal", Body::Reveal { job, result: found, salt: [7; 16] }),
        ("decline", Body::Decline { job, reason: 2 }),
    ];
    for (name, body) in bodies {
        writeln!(text, "  {name} {}", hex(&body.encode().encode())).unwrap();
    }
}

/// A market in which everything occurs, record by record.
fn record_lines(text: &mut String) {
    writeln!(text, "\nrecords").unwrap();
    for (table, key, value) in records::busy().market.records() {
        writeln!(text, "  {} {} {}", table.number(), hex(&key), hex(&value)).unwrap();
    }
}

/// Ten workers, some of one owner; jobs of every kind over three epochs.
fn played() -> (Fair, String) {
    let mut text = String::new();
    let mut fair = Fair::with(10).proved(1..=8, 20);
    fair.people.owners.insert(device(10), account(9));
    fair.profile.sample_min_ppm = 400_000;
    fair.license(&fair.a_licence(90, "input")).unwrap();
    let (right, wrong) = (result(1_500_000_001, "right"), result(1_500_000_001, "wrong"));
    let order = fair.an_order();
    for at in 0..24u8 {
        let order = Order {
            replicas: 1 + at % 3,
            refund: (at % 5 == 0).then(|| account(77)),
            inputs: if at % 2 == 0 { vec![] } else { order.inputs.clone() },
            ..order.clone()
        };
        let id = fair.order(&order).unwrap();
        let workers = fair.assigned(&id);
        write!(text, "  job {at}").unwrap();
        for device in &workers {
            write!(text, " {}", device.0[0]).unwrap();
        }
        let found = |n: usize| if usize::from(at) % 13 == n + 2 { wrong } else { right };
        for (n, device) in workers.iter().enumerate() {
            match (usize::from(at) + n) % 11 {
                9 => fair.decline(&id, *device).unwrap(),
                10 => {}
                _ => fair.commit(&id, *device, &found(n)).unwrap(),
            }
        }
        fair.wait(order.commit_ms);
        for (n, device) in workers.iter().enumerate() {
            if (usize::from(at) + n) % 11 != 8 {
                let _ = fair.reveal(&id, *device, &found(n));
            }
        }
        fair.wait(fair.profile.reveal_ms);
        let digest = fair.digest(&id, &right);
        for auditor in 1..=at % 4 {
            let _ = fair.replay(&id, auditor, digest);
        }
        let stage = fair.market.job(&id).unwrap().stage;
        let drawn = if let Stage::Done(Some(draw)) = stage { draw.cause.word() } else { "-" };
        writeln!(text, " drawn for {drawn}").unwrap();
        if at % 8 == 7 {
            for n in 1..=10 {
                fair.offer(&fair.an_offer(n)).unwrap();
            }
        }
    }
    (fair, text)
}

#[test]
fn the_verdicts_of_revision_1_never_change() {
    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/goldens/compute-1-revision-1.txt");
    let mut text = String::from(
        "# What revision 1 of compute makes of fixed words and of a fixed market: bytes, and SHA-256 of tables.\n",
    );
    words(&mut text);
    record_lines(&mut text);
    let (mut fair, assigned) = played();
    write!(text, "\nassignments and draws\n{assigned}").unwrap();
    let mut shown = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let (judged, sales) = fair.close();
        let rows: Vec<u8> = judged.verdicts.iter().flat_map(Verdict::encode).collect();
        writeln!(text, "\nepoch {}\n  {} verdicts {}", fair.epoch - 1, judged.verdicts.len(), Hash::of(&rows)).unwrap();
        for verdict in &judged.verdicts {
            let reason = &verdict.reasons[0];
            shown.insert(reason.code.clone());
            let cairn_core::Subject::Job(order) = verdict.subject else { panic!() };
            writeln!(text, "  {order} {} {}: {}", verdict.device.0[0], reason.code, sentence(reason)).unwrap();
        }
        let rows: Vec<u8> = sales.iter().flat_map(Sale::encode).collect();
        writeln!(text, "  {} sales {}", sales.len(), Hash::of(&rows)).unwrap();
        for (key, record) in &judged.carry {
            writeln!(text, "  score of {} {}", key[0], record.as_deref().map_or("-".to_owned(), hex)).unwrap();
        }
        let records: Vec<u8> = fair.market.records().flat_map(|(_, key, value)| [key, value].concat()).collect();
        writeln!(text, "  {} records {}", fair.market.records().count(), Hash::of(&records)).unwrap();
        fair.wait(fair.profile.replay_ms);
    }
    if std::env::var_os("CAIRN_BLESS").is_some() {
        std::fs::write(GOLDEN, &text).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap();
    for (found, expected) in text.lines().zip(golden.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(text.lines().count(), golden.lines().count());
    for code in Code::ALL {
        assert!(shown.contains(code.as_str()), "no verdict shows {}", code.as_str());
    }
}
