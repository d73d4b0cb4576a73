//! What a witness answers, over its library and over HTTP, and what it never does, whatever its disk does.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use cairn_core::Hash;
use cairn_core::ed25519::SigningKey;
use cairn_log::{Disk, StdDisk};
use cairn_merkle::note::{Note, NoteVerifier};
use cairn_merkle::proof::{consistency_proof, root_at};
use cairn_merkle::tree::leaf_hash;
use cairn_merkle::witness::{log_id, parse_history, parse_lines};
use cairn_merkle::{AddCheckpoint, Checkpoint, Cosigner, MemoryTree, NoteSigner, SignedCheckpoint};
use cairn_testkit::disk::{Faults, FaultyDisk};
use cairn_testkit::random::Random;
use cairn_witness::{Asked, ClientError, Refusal, ServerOptions, Witness, WitnessClient, WitnessError, start};

const ORIGIN: &str = "log.example/one";
const PATIENCE: Duration = Duration::from_secs(20);

fn log(name: &str, seed: u8) -> NoteSigner {
    NoteSigner::new(name, SigningKey::from_seed([seed; 32])).unwrap()
}

fn cosigner() -> Cosigner {
    Cosigner::new("witness.example", SigningKey::from_seed([7; 32])).unwrap()
}

/// A log of 40 entries; another `branch` has other entries from 20 on.
fn tree(branch: u64) -> MemoryTree {
    let entry = |n: u64| if n < 20 { [0, n] } else { [branch, n] };
    MemoryTree::new((0..40).map(|n| leaf_hash(&entry(n).map(|n| n as u8))).collect())
}

fn request(tree: &MemoryTree, signer: &NoteSigner, old: u64, size: u64) -> AddCheckpoint {
    let checkpoint = Checkpoint::new(signer.name(), size, root_at(tree, size).unwrap()).unwrap();
    let proof = consistency_proof(tree, old, size).unwrap_or_default();
    AddCheckpoint { old, proof, note: checkpoint.sign(signer, &[]).unwrap() }
}

fn witness(disk: Arc<dyn Disk>) -> Result<Witness, WitnessError> {
    let known = [log(ORIGIN, 1), log("log.example/two", 2)].map(|signer| signer.verifier().clone());
    Witness::open(disk, cosigner(), known.to_vec())
}

#[test]
fn each_request_has_the_status_that_the_specification_gives_it() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(StdDisk::create(folder.path()).unwrap());
    let witness = witness(disk.clone()).unwrap();
    let (tree, fork, signer) = (tree(1), tree(2), log(ORIGIN, 1));
    let ask = |request: &AddCheckpoint, now_s| witness.add_checkpoint(request.to_string().as_bytes(), now_s);
    let refused = |request: &AddCheckpoint, status: u16, code: &str| {
        let refusal = ask(request, 2_000).expect_err(code);
        assert_eq!((refusal.status(), refusal.code()), (status, code), "{refusal}");
    };
    for (body, status) in [("", 400), ("old 0\n", 400), ("old 0\n\ntext\n", 400)] {
        assert_eq!(witness.add_checkpoint(body.as_bytes(), 1).unwrap_err().status(), status, "{body:?}");
    }
    assert_eq!(witness.add_checkpoint(&[0xff], 1).unwrap_err().status(), 400);
    refused(&request(&tree, &log("log.example/three", 1), 0, 5), 404, "WIT-UNKNOWN-LOG");
    refused(&request(&tree, &log(ORIGIN, 9), 0, 5), 403, "LOG-UNSIGNED");
    let mut forged = request(&tree, &signer, 0, 5).to_string();
    forged.insert(forged.len() - 6, 'A');
    forged.remove(forged.len() - 6);
    let last = forged.len() - 6;
    let other = if forged.as_bytes()[last] == b'A' { "B" } else { "A" };
    forged.replace_range(last..=last, other);
    assert_eq!(witness.add_checkpoint(forged.as_bytes(), 1).unwrap_err().status(), 403);
    refused(&AddCheckpoint { old: 6, ..request(&tree, &signer, 0, 5) }, 400, "WIT-SHRINKS");
    refused(&request(&tree, &signer, 5, 10), 409, "WIT-CONFLICT");
    refused(&AddCheckpoint { proof: vec![Hash::ZERO], ..request(&tree, &signer, 0, 5) }, 422, "LOG-PROOF-LENGTH");

    let lines = ask(&request(&tree, &signer, 0, 25), 1_000).unwrap();
    let note = request(&tree, &signer, 0, 25).note;
    let opened = Note::new(note.text().to_owned(), parse_lines(&lines).unwrap()).unwrap();
    assert_eq!(opened.open(&[cosigner().verifier().clone()]).unwrap()[0].time_s, Some(1_000));

    assert_eq!(ask(&request(&tree, &signer, 0, 25), 1_000), Err(Refusal::Conflict { size: 25 }));
    assert_eq!(ask(&request(&tree, &signer, 30, 40), 1_000), Err(Refusal::Conflict { size: 25 }));
    refused(&AddCheckpoint { proof: vec![], ..request(&tree, &signer, 25, 30) }, 422, "LOG-PROOF-LENGTH");
    refused(&request(&fork, &signer, 25, 30), 422, "LOG-PROOF-ROOT");
    assert!(!folder.path().join(format!("fork-{}", log_id(ORIGIN))).exists());
    refused(&request(&fork, &signer, 25, 25), 409, "WIT-FORK");
    let evidence = std::fs::read_to_string(folder.path().join(format!("fork-{}", log_id(ORIGIN)))).unwrap();
    let signed = |note: &Note| SignedCheckpoint::open(&note.to_string(), signer.verifier(), &[]).unwrap().checkpoint;
    let two: Vec<Checkpoint> = parse_history(&evidence).unwrap().iter().map(signed).collect();
    assert!(two[0].size() == two[1].size() && two[0].root() != two[1].root());
    // Another log's checkpoints are another matter.
    ask(&request(&fork, &log("log.example/two", 2), 0, 25), 1_000).unwrap();
    ask(&request(&tree, &signer, 25, 40), 1_001).unwrap();
    assert_eq!(witness.logs().iter().map(|(_, size)| size).sum::<u64>(), 65);
}

#[test]
fn no_time_that_is_signed_for_a_log_is_earlier_than_the_one_before() {
    let disk = FaultyDisk::new(1, Faults::default());
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let (tree, signer) = (tree(1), log(ORIGIN, 1));
    let mut now_witness = witness(shared.clone()).unwrap();
    let time = |lines: &str| u64::from_be_bytes(parse_lines(lines).unwrap()[0].bytes[..8].try_into().unwrap());
    for (old, size, now_s, signed) in [
        (0, 5, 1_000, Ok(1_000)),
        (5, 6, 940, Ok(1_000)),
        (6, 7, 939, Err(Refusal::Clock { behind_s: 61 })),
        (6, 6, 999, Ok(1_000)),
        (6, 6, 1_001, Ok(1_001)),
        (6, 8, 1_000, Ok(1_001)),
        (8, 9, 0, Err(Refusal::Clock { behind_s: 1_001 })),
    ] {
        let body = request(&tree, &signer, old, size).to_string();
        let before = disk.operations();
        let answer = now_witness.add_checkpoint(body.as_bytes(), now_s).map(|lines| time(&lines));
        assert_eq!(answer, signed, "size {size} at {now_s}");
        let is_repeat = old == size && now_s <= 1_000;
        assert_eq!(disk.operations() == before, is_repeat || signed.is_err(), "size {size} at {now_s}");
        drop(now_witness);
        disk.kill(Faults::default());
        now_witness = witness(shared.clone()).unwrap();
    }
}

#[test]
fn a_record_that_does_not_say_what_was_cosigned_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(StdDisk::create(folder.path()).unwrap());
    let (tree, signer) = (tree(1), log(ORIGIN, 1));
    let first = witness(disk.clone()).unwrap();
    assert!(matches!(witness(disk.clone()), Err(WitnessError::Locked)));
    first.add_checkpoint(request(&tree, &signer, 0, 25).to_string().as_bytes(), 1_000).unwrap();
    drop(first);
    let path = folder.path().join(format!("latest-{}", log_id(ORIGIN)));
    let sound = std::fs::read(&path).unwrap();
    for at in 0..sound.len() {
        let mut rotten = sound.clone();
        rotten[at] ^= 1;
        std::fs::write(&path, &rotten).unwrap();
        assert_eq!(witness(disk.clone()).map(|_| ()).unwrap_err().code(), "WIT-RECORD", "byte {at}");
        std::fs::write(&path, &sound[..at]).unwrap();
        assert_eq!(witness(disk.clone()).map(|_| ()).unwrap_err().code(), "WIT-RECORD", "cut at {at}");
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(witness(disk.clone()).map(|_| ()).unwrap_err().code(), "WIT-RECORD", "the history gives it away");
    std::fs::write(&path, &sound).unwrap();
    let known = vec![signer.verifier().clone()];
    let other = Cosigner::new("witness.example", SigningKey::from_seed([8; 32])).unwrap();
    assert_eq!(Witness::open(disk.clone(), other, known).map(|_| ()).unwrap_err().code(), "WIT-RECORD");
    let twice = vec![signer.verifier().clone(), log(ORIGIN, 3).verifier().clone()];
    assert!(Witness::open(disk.clone(), cosigner(), twice).is_err());
    assert_eq!(witness(disk).unwrap().latest(&log_id(ORIGIN)).unwrap().0, 25);
}

/// What was released, in order: branch, size, time.
type Released = Vec<(u64, u64, u64)>;

/// Asks for growth of either branch of a forked log until the disk fails or the witness has had enough.
fn live(witness: &Witness, random: &mut Random, released: &mut Released) {
    let (trees, signer) = ([tree(0), tree(1)], log(ORIGIN, 1));
    for _ in 0..12 {
        let branch = random.below(2);
        let tree = &trees[branch as usize];
        let size = random.below(41);
        let known = witness.latest(&log_id(ORIGIN)).map_or(0, |(size, _)| size);
        let old = if random.below(4) == 0 { random.below(41) } else { known };
        if old > size {
            continue;
        }
        let now_s = released.last().map_or(100, |(.., time)| *time) + random.below(120);
        let body = request(tree, &signer, old, size).to_string();
        match witness.add_checkpoint(body.as_bytes(), now_s) {
            Ok(_) => released.push((branch, size, now_s)),
            Err(Refusal::Stopped) => {
                assert_eq!(witness.add_checkpoint(body.as_bytes(), now_s), Err(Refusal::Stopped), "it stays so");
                return;
            }
            Err(_) => {}
        }
    }
}

fn live_and_die(seed: u64) {
    let mut random = Random::of(seed);
    let disk = FaultyDisk::new(seed, Faults::default());
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut released = Released::new();
    for _ in 0..2 + random.below(6) {
        let faults = Faults::soon(&mut random, disk.operations(), 40);
        if random.below(2) == 0 {
            disk.kill(faults)
        } else {
            disk.cut_power(faults)
        }
        match witness(shared.clone()) {
            Ok(witness) => live(&witness, &mut random, &mut released),
            Err(error) => assert!(matches!(error.code(), "WIT-IO" | "WIT-FULL"), "{error}"),
        }
        assert!(!disk.was_synced_again(), "a sync that failed was tried again");
    }
    disk.cut_power(Faults::default());
    let witness = witness(shared).expect("a sound disk opens");
    let last = witness.latest(&log_id(ORIGIN)).map_or(0, |(size, _)| size);
    assert!(released.last().is_none_or(|(_, size, _)| *size <= last), "{released:?}, then {last}");
    for pair in released.windows(2) {
        assert!(pair[0].1 <= pair[1].1 && pair[0].2 <= pair[1].2, "{pair:?} goes back");
    }
    let mut branches: Vec<u64> =
        released.iter().filter(|(_, size, _)| *size > 20).map(|(branch, ..)| *branch).collect();
    branches.dedup();
    assert!(branches.len() <= 1, "two branches of one log: {released:?}");
}

#[test]
fn a_witness_never_cosigns_two_branches_or_goes_back_whatever_its_disk_does() {
    let variable = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = variable("CAIRN_SEED").map_or(0..variable("CAIRN_SEEDS").unwrap_or(300), |seed| seed..seed + 1);
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| live_and_die(seed))) {
            eprintln!("replay with CAIRN_SEED={seed}");
            resume_unwind(panic);
        }
    }
}

fn client(verifier: NoteVerifier, address: std::net::SocketAddr) -> WitnessClient {
    WitnessClient::of(verifier, &format!("http://{address}/")).unwrap()
}

#[test]
fn a_log_is_cosigned_over_http_and_anybody_reads_the_history() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(StdDisk::create(folder.path()).unwrap());
    let witness = Arc::new(witness(disk).unwrap());
    let options = ServerOptions { listen: "127.0.0.1:0".to_owned(), ..ServerOptions::default() };
    let running = start(witness.clone(), options).unwrap();
    let asking = client(witness.verifier().clone(), running.address());
    let (tree, signer) = (tree(1), log(ORIGIN, 1));
    assert!(asking.history(ORIGIN, 0, PATIENCE).unwrap().is_empty());
    let Asked::Cosigned(first) = asking.add_checkpoint(&request(&tree, &signer, 0, 25), PATIENCE).unwrap() else {
        panic!("it cosigns");
    };
    assert!(first.time_s > 1_700_000_000);
    let behind = asking.add_checkpoint(&request(&tree, &signer, 0, 40), PATIENCE).unwrap();
    assert_eq!(behind, Asked::At { size: 25 });
    asking.add_checkpoint(&request(&tree, &signer, 25, 40), PATIENCE).unwrap();
    let history = asking.history(ORIGIN, 0, PATIENCE).unwrap();
    let sizes: Vec<u64> = history.iter().map(|note| note.text().parse::<Checkpoint>().unwrap().size()).collect();
    assert_eq!(sizes, [25, 40]);
    let latest = witness.checkpoint(&log_id(ORIGIN)).unwrap();
    assert_eq!(history[1].to_string(), latest);
    let opened = SignedCheckpoint::open(&latest, signer.verifier(), &[witness.verifier().clone()]).unwrap();
    assert_eq!((opened.checkpoint.size(), opened.witnessed.len()), (40, 1));
    assert!(asking.history("log.example/unknown", 0, PATIENCE).unwrap().is_empty());
    let refused = asking.add_checkpoint(&request(&tree, &log("x.example", 1), 0, 5), PATIENCE).unwrap_err();
    assert!(matches!(refused, ClientError::Refused { status: 404, .. }), "{refused}");
    // Whoever expects another key is not content with this one.
    let stranger = Cosigner::new("witness.example", SigningKey::from_seed([9; 32])).unwrap();
    let expecting = client(stranger.verifier().clone(), running.address());
    let lied = expecting.add_checkpoint(&request(&tree, &signer, 40, 40), PATIENCE).unwrap_err();
    assert_eq!(lied.code(), "WIT-ANSWER");
    drop(running);
    let gone = asking.add_checkpoint(&request(&tree, &signer, 40, 40), PATIENCE).unwrap_err();
    assert_eq!(gone.code(), "WIT-CONNECTION");
}

/// A server that answers every connection with these bytes, `silent` for so long before.
fn speaks(bytes: Vec<u8>, silent: Duration) -> std::net::SocketAddr {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        std::thread::sleep(silent);
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read(&mut [0; 4096]);
    });
    address
}

#[test]
fn whatever_a_lying_witness_answers_is_an_error_in_time() {
    let (tree, signer) = (tree(1), log(ORIGIN, 1));
    let checkpoint = |size| Checkpoint::new(ORIGIN, size, root_at(&tree, size).unwrap()).unwrap();
    let answer = |status: &str, kind: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
    };
    let of_another_size = format!("{}\n", cosigner().cosign(&checkpoint(24), 1_000).unwrap());
    let stranger = Cosigner::new("stranger.example", SigningKey::from_seed([9; 32])).unwrap();
    let of_another_key = format!("{}\n", stranger.cosign(&checkpoint(25), 1_000).unwrap());
    let huge = format!("{}\n", "x".repeat(1 << 20));
    let moment = Duration::from_millis(10);
    let cases = [
        (answer("200", "text/plain", &of_another_size), moment, "WIT-ANSWER"),
        (answer("200", "text/plain", &of_another_key), moment, "WIT-ANSWER"),
        (answer("200", "text/plain", ""), moment, "WIT-ANSWER"),
        (answer("200", "text/plain", &huge), moment, "WIT-ANSWER"),
        (answer("409", "text/x.tlog.size", "025\n"), moment, "WIT-ANSWER"),
        (answer("409", "text/plain", "25\n"), moment, "WIT-REFUSED"),
        (answer("301", "text/plain", "elsewhere"), moment, "WIT-REFUSED"),
        (answer("500", "text/plain", &huge), moment, "WIT-ANSWER"),
        (b"not http\r\n\r\n".to_vec(), moment, "WIT-CONNECTION"),
        (Vec::new(), moment, "WIT-CONNECTION"),
        (Vec::new(), Duration::from_secs(2), "WIT-CONNECTION"),
    ];
    for (at, (bytes, silent, code)) in cases.into_iter().enumerate() {
        let asking = client(cosigner().verifier().clone(), speaks(bytes, silent));
        let patience = Duration::from_millis(1_000);
        let lied = asking.add_checkpoint(&request(&tree, &signer, 0, 25), patience).unwrap_err();
        assert_eq!(lied.code(), code, "case {at}: {lied}");
    }
    for bad in ["ftp://x", "http://", "http:///x", "http://x?y", "x"] {
        assert!(WitnessClient::of(cosigner().verifier().clone(), bad).is_err(), "{bad}");
    }
    assert!(WitnessClient::of(signer.verifier().clone(), "http://x").is_err(), "a log's key signs no cosignatures");
}
