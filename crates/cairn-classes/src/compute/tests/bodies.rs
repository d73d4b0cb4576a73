//! What workers say, byte for byte, and what is refused.

use cairn_core::cbor::{Decoder, Value};
use proptest::prelude::*;

use super::*;

fn bytes(len: usize) -> Value {
    Value::Bytes(vec![1; len])
}

fn ints(parts: Vec<Value>) -> Value {
    Value::Array(parts)
}

#[test]
fn what_is_no_word_of_a_worker_is_refused_with_a_code() {
    let int = Value::Int;
    let output = Value::Bytes(hash("output").0.to_vec());
    let reveal = |outcome: i64, gas: i64, output: Value, len: i64, salt: usize| {
        ints(vec![int(2), bytes(32), int(outcome), int(gas), output, int(len), bytes(salt)])
    };
    let nothing = Value::Bytes(hash("").0.to_vec());
    let cases = [
        int(1),
        ints(vec![]),
        Value::map(vec![(1, int(1))]),
        ints(vec![int(0), bytes(32), bytes(32)]),
        ints(vec![int(4), bytes(32), int(1)]),
        ints(vec![int(1), bytes(31), bytes(32)]),
        ints(vec![int(1), bytes(32), bytes(33)]),
        ints(vec![int(1), bytes(32)]),
        ints(vec![int(1), bytes(32), bytes(32), int(0)]),
        ints(vec![int(3), bytes(32), int(0)]),
        ints(vec![int(3), bytes(32), int(4)]),
        ints(vec![int(3), bytes(32), int(-1)]),
        reveal(-1, 1, nothing.clone(), 0, 16),
        reveal(65_536, 1, nothing.clone(), 0, 16),
        reveal(0, -1, output.clone(), 6, 16),
        reveal(0, 1, output.clone(), 6, 15),
        reveal(0, 1, bytes(31), 6, 16),
        // Output where there is none, and none where its hash says there is some.
        reveal(1, 1, output.clone(), 6, 16),
        reveal(0, 1, output.clone(), 0, 16),
        reveal(0, 1, output, -1, 16),
    ];
    for body in cases {
        let refused = Body::parse(&body).unwrap_err();
        assert_eq!(refused.code(), "CLS-BODY", "{body:?}");
        assert!(refused.hint().unwrap().contains("compute"), "{body:?}");
    }
    for body in [reveal(1, 0, nothing.clone(), 0, 16), reveal(0, i64::MAX, nothing, 0, 16)] {
        assert!(Body::parse(&body).is_ok(), "{body:?}");
    }
}

#[test]
fn a_seal_is_of_one_job_one_worker_one_result_and_one_salt() {
    let (job, other) = (JobId(hash("job")), JobId(hash("other")));
    let found = result(5, "output");
    let base = seal(&job, &device(1), &found.digest(1, &job), &[7; 16]);
    let others = [
        seal(&other, &device(1), &found.digest(1, &job), &[7; 16]),
        seal(&job, &device(2), &found.digest(1, &job), &[7; 16]),
        seal(&job, &device(1), &found.digest(2, &job), &[7; 16]),
        seal(&job, &device(1), &found.digest(1, &other), &[7; 16]),
        seal(&job, &device(1), &result(6, "output").digest(1, &job), &[7; 16]),
        seal(&job, &device(1), &result(5, "outpus").digest(1, &job), &[7; 16]),
        seal(&job, &device(1), &RunResult { outcome: 1, ..found }.digest(1, &job), &[7; 16]),
        seal(&job, &device(1), &RunResult { output_bytes: 7, ..found }.digest(1, &job), &[7; 16]),
        seal(&job, &device(1), &found.digest(1, &job), &[8; 16]),
    ];
    assert!(others.iter().all(|seal| *seal != base));
}

proptest! {
    #[test]
    fn what_a_worker_says_is_read_back(
        kind in 0..3, outcome in 0..=OUTCOME_MAX, gas in 0..=i64::MAX.cast_unsigned(), len in 0u64..5, reason in 1..=3u32,
    ) {
        let job = JobId(hash("job"));
        let is_done = outcome == OUTCOME_DONE && len > 0;
        let output = if is_done { hash("output") } else { hash("") };
        let result = RunResult { outcome, gas, output, output_bytes: if is_done { len } else { 0 } };
        let body = match kind {
            0 => Body::Commit { job, seal: hash("seal") },
            1 => Body::Reveal { job, result, salt: [9; 16] },
            _ => Body::Decline { job, reason },
        };
        let bytes = body.encode().encode();
        prop_assert_eq!(Body::parse(&Decoder::over(&bytes).value().unwrap()), Ok(body));
        prop_assert_eq!(crate::check_body(SCHEMA, &Decoder::over(&bytes).value().unwrap()), Ok(0));
    }

    #[test]
    fn no_bytes_make_a_body_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let Ok(value) = Decoder::over(&bytes).value() else { return Ok(()) };
        if let Ok(body) = Body::parse(&value) {
            prop_assert_eq!(body.encode(), value);
        }
    }
}
