//! What C can be wrong in is refused before anything is read or written.

use core::ffi::c_void;
use core::ptr::{null, null_mut};

use cairn_core::cbor::Value;
use cairn_core::key::SecretKey;
use cairn_core::report::{self, ReportBody, ReportedPlace, flag, sign_report};
use cairn_core::{DeviceId, Hash, NetworkId};
use cairn_device::{Blob, BootRecord, Measured, Quantity};
use cairn_device_c::{
    ARGUMENT, CReading, CReport, CSigned, NO_RECORD, NULL, OK, cairn_boot_next, cairn_boot_record,
    cairn_device_of_p256, cairn_device_text, cairn_public_key, cairn_sign_ed25519, cairn_sign_p256, has,
};
use p256::ecdsa::signature::hazmat::PrehashSigner;

const SEED: [u8; 32] = [2; 32];
const NETWORK: [u8; 32] = [8; 32];
const VALUES: [Measured; 2] = [Measured::of(Quantity::PM10, 146), Measured::of(Quantity::AIR_TEMPERATURE, -250)];

fn report() -> CReport {
    // SAFETY: all zeros is a report, as the header says: integers, and null pointers.
    unsafe { core::mem::zeroed() }
}

fn reading() -> CReading {
    CReading { after_ms: 0, values: VALUES.as_ptr(), values_len: VALUES.len() }
}

fn signed() -> CSigned {
    CSigned { len: 7, identity: [7; 32] }
}

fn sign(report: &CReport, out: &mut [u8], signed: &mut CSigned) -> i32 {
    // SAFETY: every pointer leads to what its length says, or is one that is refused.
    unsafe { cairn_sign_ed25519(&SEED, null(), &NETWORK, report, out.as_mut_ptr(), out.len(), signed) }
}

fn core_body() -> ReportBody {
    ReportBody {
        clock: Some((report::ClockSource::Gnss, 50)),
        previous: Some([1; 8]),
        flags: flag::LOW_BATTERY,
        place: Some(ReportedPlace::Exact { lat_e7: -1, lon_e7: 2, altitude: Some((300, Some(4))) }),
        subject: Some([2; 16]),
        answers: vec![Hash([3; 32])],
        blobs: vec![(Hash([4; 32]), 5)],
        ..ReportBody::of(1, 2, 3, "sensing/1", Value::map(vec![(4, Value::Int(146)), (1, Value::Int(-250))]))
    }
}

fn full<'a>(readings: &'a [CReading], answers: &'a [[u8; 32]], blobs: &'a [Blob]) -> CReport {
    CReport {
        boot: 1,
        seq: 2,
        time_ms: 3,
        has: has::ALL & !has::CELL,
        clock_source: 4,
        flags: 4,
        previous: [1; 8],
        subject: [2; 16],
        clock_error_ms: 50,
        lat_e7: -1,
        lon_e7: 2,
        altitude_cm: 300,
        error_cm: 4,
        readings: readings.as_ptr(),
        readings_len: readings.len(),
        answers: answers.as_ptr(),
        answers_len: answers.len(),
        blobs: blobs.as_ptr(),
        blobs_len: blobs.len(),
        ..report()
    }
}

#[test]
fn every_field_comes_through_in_the_bytes_of_the_core() {
    let key = SecretKey::ed25519(SEED);
    let device = DeviceId::of_key(&key.public().multicodec());
    let expected = sign_report(&key, device, &NetworkId(Hash(NETWORK)), &core_body());
    let (readings, answers, blobs) = ([reading()], [[3; 32]], [Blob { hash: [4; 32], bytes: 5 }]);
    let report = full(&readings, &answers, &blobs);
    let (mut out, mut made) = ([0; 600], signed());
    assert_eq!(sign(&report, &mut out, &mut made), OK);
    assert_eq!((&out[..made.len], made.identity), (&expected[..], Hash::of(&core_body().encode()).0));

    let mut made = signed();
    assert_eq!(sign(&report, &mut [], &mut made), 1, "asked for the size");
    assert_eq!((made.len, made.identity), (expected.len(), [0; 32]));

    // The same body, encoded by the caller.
    let body = core_body().body.encode();
    let encoded = CReport {
        readings: null(),
        readings_len: 0,
        schema: c"sensing/1".as_ptr(),
        schema_len: 9,
        body: body.as_ptr(),
        body_len: body.len(),
        ..full(&readings, &answers, &blobs)
    };
    let mut out = [0; 600];
    assert_eq!(sign(&encoded, &mut out, &mut made), OK);
    assert_eq!(out[..made.len], expected);
}

unsafe extern "C" fn element(context: *mut c_void, digest: *const [u8; 32], signature: *mut [u8; 64]) -> i32 {
    // SAFETY: the context is the key that the test passed; the others are the library's.
    let (key, digest) = unsafe { (&*context.cast::<p256::ecdsa::SigningKey>(), &*digest) };
    let made: p256::ecdsa::Signature = key.sign_prehash(digest).unwrap();
    // SAFETY: as above.
    unsafe { *signature = made.to_bytes().into() };
    OK
}

unsafe extern "C" fn broken_element(_: *mut c_void, _: *const [u8; 32], _: *mut [u8; 64]) -> i32 {
    -1
}

#[test]
fn a_secure_element_signs_what_the_core_would() {
    let core_key = SecretKey::p256([3; 32]).unwrap();
    let mut key = p256::ecdsa::SigningKey::from_slice(&[3; 32]).unwrap();
    let point: [u8; 64] = key.verifying_key().to_sec1_point(false).as_bytes()[1..].try_into().unwrap();
    let mut device = [0; 16];
    // SAFETY: every pointer leads to what the header says, or is one that is refused.
    unsafe {
        assert_eq!(cairn_device_of_p256(&point, &mut device), OK);
        assert_eq!(cairn_device_of_p256(&point, null_mut()), NULL);
        assert_eq!(cairn_device_of_p256(null(), &mut device), NULL);
    }
    assert_eq!(device, core_key.public().key_id());
    let (readings, answers, blobs) = ([reading()], [[3; 32]], [Blob { hash: [4; 32], bytes: 5 }]);
    let report = full(&readings, &answers, &blobs);
    let context = (&raw mut key).cast::<c_void>();
    let ask = |signer: Option<cairn_device_c::CSigner>, out: &mut [u8], made: &mut CSigned| {
        // SAFETY: every pointer leads to what its length says.
        unsafe { cairn_sign_p256(&device, &NETWORK, &report, signer, context, out.as_mut_ptr(), out.len(), made) }
    };
    let (mut out, mut made) = ([0; 600], signed());
    assert_eq!(ask(Some(element), &mut out, &mut made), OK);
    let expected = sign_report(&core_key, DeviceId(device), &NetworkId(Hash(NETWORK)), &core_body());
    assert_eq!(out[..made.len], expected);
    assert_eq!(ask(Some(broken_element), &mut out, &mut made), 21);
    assert_eq!((made.len, ask(None, &mut out, &mut made)), (0, NULL));
}

#[test]
fn pointers_and_fields_that_cannot_be_are_refused() {
    let readings = [reading()];
    let good = || full(&readings, &[], &[]);
    let huge = usize::MAX / 4;
    let odd = VALUES.as_ptr().cast::<u8>().wrapping_add(1).cast::<Measured>();
    let misaligned = [CReading { values: odd, ..reading() }];
    let nothing = [CReading { values: null(), ..reading() }];
    let endless = [CReading { values_len: huge, ..reading() }];
    let with = |readings: &[CReading]| CReport { readings: readings.as_ptr(), ..good() };
    let body = [0xa0];
    let cases = [
        (CReport { readings: null(), ..good() }, NULL),
        (CReport { readings_len: huge, ..good() }, ARGUMENT),
        (CReport { answers: null(), answers_len: 1, ..good() }, NULL),
        (CReport { blobs: null(), blobs_len: 1, ..good() }, NULL),
        (CReport { body: null(), body_len: 1, ..good() }, NULL),
        (CReport { schema: null(), schema_len: 1, ..good() }, NULL),
        (CReport { body: body.as_ptr(), body_len: 1, ..good() }, ARGUMENT),
        (CReport { readings: null(), readings_len: 0, body: body.as_ptr(), body_len: 1, ..good() }, NULL),
        (with(&misaligned), ARGUMENT),
        (with(&nothing), NULL),
        (with(&endless), ARGUMENT),
        (CReport { has: 128, ..good() }, ARGUMENT),
        (CReport { has: has::CELL | has::POSITION, ..good() }, ARGUMENT),
        (CReport { has: has::ALTITUDE, ..good() }, ARGUMENT),
        (CReport { has: has::POSITION | has::ERROR, ..good() }, ARGUMENT),
        (CReport { clock_source: 5, ..good() }, ARGUMENT),
        (CReport { flags: 8, ..good() }, 6),
        (CReport { readings: null(), readings_len: 0, ..good() }, 12),
    ];
    for (at, (report, number)) in cases.iter().enumerate() {
        let (mut out, mut made) = ([0; 600], signed());
        assert_eq!(sign(report, &mut out, &mut made), *number, "case {at}");
        assert_eq!((made.len, made.identity), (0, [0; 32]), "case {at}");
        assert!(out.iter().all(|byte| *byte == 0), "case {at}");
    }
    let (mut out, mut made, good) = ([0; 600], signed(), good());
    let room = out.as_mut_ptr();
    // SAFETY: every pointer leads to what its length says, or is one that is refused.
    unsafe {
        assert_eq!(cairn_sign_ed25519(null(), null(), &NETWORK, &good, room, 600, &mut made), NULL);
        assert_eq!(cairn_sign_ed25519(&SEED, null(), null(), &good, room, 600, &mut made), NULL);
        assert_eq!(cairn_sign_ed25519(&SEED, null(), &NETWORK, null(), room, 600, &mut made), NULL);
        assert_eq!(cairn_sign_ed25519(&SEED, null(), &NETWORK, &good, null_mut(), 600, &mut made), NULL);
        assert_eq!(cairn_sign_ed25519(&SEED, null(), &NETWORK, &good, room, usize::MAX, &mut made), ARGUMENT);
        assert_eq!(cairn_sign_ed25519(&SEED, null(), &NETWORK, &good, room, 600, null_mut()), NULL);
    }
}

#[test]
fn an_output_over_an_input_is_refused() {
    let mut room = [0_u64; 200];
    let base = room.as_mut_ptr().cast::<u8>();
    let readings = [reading()];
    let at = |offset: usize| base.wrapping_add(offset);
    let good = || full(&readings, &[], &[]);
    let mut made = signed();
    let mut ask = |report: &CReport, seed: *const [u8; 32], out: *mut u8| {
        // SAFETY: every pointer leads into the room or to a constant, for as many bytes as it says.
        unsafe { cairn_sign_ed25519(seed, null(), &NETWORK, report, out, 600, &mut made) }
    };
    assert_eq!(ask(&good(), &SEED, at(0)), OK);
    assert_eq!(ask(&good(), at(599).cast(), at(0)), ARGUMENT);
    assert_eq!(ask(&good(), at(600).cast(), at(0)), OK);
    assert_eq!(ask(&good(), at(0).cast(), at(31)), ARGUMENT);
    assert_eq!(ask(&CReport { answers: at(500).cast(), answers_len: 1, ..good() }, &SEED, at(0)), ARGUMENT);
    assert_eq!(ask(&CReport { answers: at(500).cast(), answers_len: 0, ..good() }, &SEED, at(0)), OK);
    let values = [CReading { values: at(592).cast(), values_len: 1, ..reading() }];
    assert_eq!(ask(&CReport { readings: values.as_ptr(), ..good() }, &SEED, at(0)), ARGUMENT);
}

#[test]
fn small_functions_say_what_the_core_says() {
    let key = SecretKey::ed25519(SEED);
    let (mut public, mut device, mut text) = ([0; 32], [0; 16], [1; 31]);
    let slots = [BootRecord::of(4).0, [0xff; 8]];
    let (mut boot, mut record) = (0, [0; 8]);
    // SAFETY: every pointer leads to what the header says, or is one that is refused.
    unsafe {
        assert_eq!(cairn_public_key(&SEED, &mut public, &mut device), OK);
        assert_eq!(cairn_public_key(&SEED, null_mut(), null_mut()), OK);
        assert_eq!(cairn_public_key(null(), &mut public, &mut device), NULL);
        assert_eq!(cairn_device_text(&device, &mut text), OK);
        assert_eq!(cairn_device_text(null(), &mut text), NULL);
        assert_eq!(cairn_device_text(&device, null_mut()), NULL);
        assert_eq!(cairn_boot_next(slots.as_ptr(), 2, 0, &mut boot, &mut record), OK);
        assert_eq!((boot, record), (5, BootRecord::of(5).0));
        assert_eq!(cairn_boot_next(slots.as_ptr(), 2, 9, &mut boot, &mut record), OK);
        assert_eq!((boot, record), (9, BootRecord::of(9).0));
        assert_eq!(cairn_boot_next(slots[1..].as_ptr(), 1, 0, &mut boot, &mut record), NO_RECORD);
        assert_eq!(cairn_boot_next(null(), 0, 0, &mut boot, &mut record), NO_RECORD);
        assert_eq!(cairn_boot_next(null(), 1, 0, &mut boot, &mut record), NULL);
        assert_eq!(cairn_boot_next(&BootRecord::of(u32::MAX).0, 1, 0, &mut boot, &mut record), 19);
        assert_eq!(cairn_boot_record(9, &mut record), OK);
        assert_eq!(cairn_boot_record(9, null_mut()), NULL);
    }
    assert_eq!(public, key.public().multicodec()[2..]);
    assert_eq!(record, BootRecord::of(9).0);
    let id = DeviceId::of_key(&key.public().multicodec());
    assert_eq!((device, &text[..30], text[30]), (id.0, id.to_string().as_bytes(), 0));
}
