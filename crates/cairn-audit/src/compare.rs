//! What differs between two statements or tables, in words: which row, which field, both values.

use core::fmt::Display;

use cairn_core::cbor::{self, Decoder};
use cairn_core::epoch::EpochStatement;
use cairn_core::{DeviceId, Payout, Sale, Subject, Verdict};

use crate::difference::Difference;

/// A field's name and its value in words.
type Field = (String, String);

/// Names the first field in which two epoch statements differ.
pub(crate) fn statements(place: &str, expected: &[u8], found: &[u8]) -> Difference {
    let differs = |detail: String| Difference::at("EPO-DIFFERS", place, detail);
    let read = EpochStatement::decode(expected).and_then(|e| EpochStatement::decode(found).map(|f| (e, f)));
    match read {
        Ok((expected, found)) => {
            let named = first_field(&statement_fields(&expected), &statement_fields(&found));
            differs(format!("{} differs", named.0)).values(named.1, named.2)
        }
        Err(error) => differs(format!("not an epoch statement: {error}"))
            .values(format!("{} bytes", expected.len()), format!("{} bytes", found.len())),
    }
}

/// The first field that differs, with both values; fields that only one has come last.
fn first_field(expected: &[Field], found: &[Field]) -> (String, String, String) {
    let none = || "nothing".to_owned();
    for (name, value) in expected {
        match found.iter().find(|(other, _)| other == name) {
            Some((_, other)) if other == value => {}
            Some((_, other)) => return (name.clone(), value.clone(), other.clone()),
            None => return (name.clone(), value.clone(), none()),
        }
    }
    let extra = found.iter().find(|(name, _)| expected.iter().all(|(other, _)| other != name));
    let (name, value) = extra.cloned().unwrap_or_else(|| ("the order of parts".to_owned(), none()));
    (name, none(), value)
}

fn statement_fields(statement: &EpochStatement) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut put = |name: &str, value: &dyn Display| fields.push((name.to_owned(), value.to_string()));
    put("the network", &statement.network);
    put("the epoch's number", &statement.number);
    put("`from`", &statement.from);
    put("`to`", &statement.to);
    put("the log root", &statement.log_root);
    put("the hash of the previous statement", &statement.previous);
    put("the policy hash", &statement.policy_hash);
    put("the engine's revision", &statement.engine_revision);
    for class in &statement.classes {
        let name = |what: &str| format!("{what} of class {}", class.class);
        put(&name("the judge's revision"), &class.revision);
        put(&name("the profile hash"), &class.profile_hash);
        put(&name("the number of verdicts"), &class.subjects);
        put(&name("the number passed"), &class.passed);
        put(&name("the verdict root"), &class.verdict_root);
        put(&name("the revenue"), &class.revenue);
    }
    for pool in &statement.pools {
        let name = |what: &str| format!("{what} of pool {}", pool.name);
        put(&name("the size"), &pool.size);
        put(&name("the weight"), &pool.weight);
        put(&name("what was paid"), &pool.paid);
        put(&name("the number of recipients"), &pool.recipients);
    }
    put("the payout root", &statement.payout_root);
    if let Some(sales) = &statement.sales {
        put("the number of sales", &sales.count);
        put("the root of the sales", &sales.root);
    }
    let (symbol, balance) = &statement.asset;
    put("the asset", symbol);
    for (name, amount) in [
        ("opening", balance.opening),
        ("minted", balance.minted),
        ("deposited", balance.deposited),
        ("paid", balance.paid),
        ("refunded", balance.refunded),
        ("burned", balance.burned),
        ("escrow", balance.escrow),
        ("vesting", balance.vesting),
        ("unallocated", balance.unallocated),
    ] {
        put(&format!("`{name}` of the balance"), &amount);
    }
    for domain in &statement.domains {
        let name = |what: &str| format!("{what} on {}", domain.domain);
        put(&name("the distributor"), &hex(&domain.distributor));
        put(&name("the claim root"), &hex(&domain.claim_root));
        put(&name("the number of claims"), &domain.leaves);
        put(&name("the cumulative total"), &domain.cumulative);
    }
    put("the state root", &statement.state_root);
    put("what is rehearsed", &statement.rehearsed.join(", "));
    fields
}

fn in_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hex(bytes: &[u8; 32]) -> String {
    cairn_core::Hash(*bytes).to_hex()
}

/// A row of a table that can be compared field by field.
pub(crate) trait Row: Sized {
    /// The row's table.
    const TABLE: &'static str;
    /// The code of a difference.
    const CODE: &'static str;
    /// Reads a row.
    fn read(bytes: &[u8]) -> cbor::Result<Self>;
    /// The fields that say which row it is.
    fn key(&self) -> Vec<Field>;
    /// The fields that say what it says.
    fn values(&self) -> Vec<Field>;
    /// The device concerned.
    fn device(&self) -> Option<String>;
    /// An entry that it rests on.
    fn entry(&self) -> Option<u64>;
}

fn field(name: &str, value: impl Display) -> Field {
    (name.to_owned(), value.to_string())
}

impl Row for Verdict {
    const TABLE: &'static str = "verdict";
    const CODE: &'static str = "AUD-VERDICT";

    fn read(bytes: &[u8]) -> cbor::Result<Self> {
        Self::decode(bytes)
    }

    fn key(&self) -> Vec<Field> {
        let subject = match self.subject {
            Subject::Slot => "the slot".to_owned(),
            Subject::Report(index) => format!("report {index}"),
            Subject::Job(index) => format!("the job of entry {index}"),
        };
        vec![
            field("class", &self.class),
            field("device", self.device),
            field("slot", self.slot_ms),
            field("subject", subject),
        ]
    }

    fn values(&self) -> Vec<Field> {
        let mut fields = vec![
            field("account", &self.account),
            field("amount", self.amount),
            field("score_ppm", self.score.get()),
            field("number of reasons", self.reasons.len()),
        ];
        for (n, reason) in self.reasons.iter().enumerate() {
            let name = |what: &str| format!("{what} of reason {n}");
            fields.push(field(&name("code"), &reason.code));
            fields.push(field(&name("check"), &reason.check));
            fields.push(field(&name("observed"), reason.observed));
            fields.push(field(&name("threshold"), reason.threshold));
            fields.push(field(&name("lost_ppm"), reason.lost_ppm));
            fields.push(field(&name("evidence"), format!("{:?}", reason.evidence)));
        }
        fields.push(field("entries", format!("{:?}", self.entries)));
        fields
    }

    fn device(&self) -> Option<String> {
        Some(self.device.to_string())
    }

    fn entry(&self) -> Option<u64> {
        self.entries.first().copied()
    }
}

impl Row for Payout {
    const TABLE: &'static str = "payout";
    const CODE: &'static str = "AUD-PAYOUT";

    fn read(bytes: &[u8]) -> cbor::Result<Self> {
        Self::decode(bytes)
    }

    fn key(&self) -> Vec<Field> {
        let device = self.device.map_or_else(|| "none".to_owned(), |device| device.to_string());
        vec![field("account", &self.account), field("device", device), field("pool", &self.pool)]
    }

    fn values(&self) -> Vec<Field> {
        vec![field("weight", self.weight), field("amount", self.amount)]
    }

    fn device(&self) -> Option<String> {
        self.device.map(|device| device.to_string())
    }

    fn entry(&self) -> Option<u64> {
        None
    }
}

impl Row for Sale {
    const TABLE: &'static str = "sale";
    const CODE: &'static str = "AUD-SALE";

    fn read(bytes: &[u8]) -> cbor::Result<Self> {
        Self::decode(bytes)
    }

    fn key(&self) -> Vec<Field> {
        vec![field("job", self.job)]
    }

    fn values(&self) -> Vec<Field> {
        let mut fields = vec![
            field("order", self.order),
            field("buyer", &self.buyer),
            field("locked", self.locked),
            field("number of right workers", self.work.len()),
        ];
        for (n, sold) in self.work.iter().enumerate() {
            let name = |what: &str| format!("{what} of right worker {n}");
            fields.push(field(&name("device"), sold.device));
            fields.push(field(&name("account"), &sold.account));
            fields.push(field(&name("gas"), sold.gas));
            fields.push(field(&name("work"), sold.work));
            fields.push(field(&name("burned"), sold.burned));
        }
        fields.push(field("number of licences", self.licences.len()));
        for (n, sold) in self.licences.iter().enumerate() {
            let name = |what: &str| format!("{what} of licence {n}");
            fields.push(field(&name("content"), sold.content));
            fields.push(field(&name("account"), &sold.account));
            fields.push(field(&name("amount"), sold.amount));
        }
        fields.push(field("returned", self.returned));
        let refund = self.refund.as_ref().map_or_else(|| "none".to_owned(), |(to, amount)| format!("{amount} to {to}"));
        fields.push(field("refund", refund));
        fields
    }

    fn device(&self) -> Option<String> {
        None
    }

    fn entry(&self) -> Option<u64> {
        Some(self.order)
    }
}

/// A record of what a judge remembers: whose it is, and the bytes that only the judge reads.
pub(crate) struct Remembered {
    class: String,
    revision: u32,
    key: Vec<u8>,
    value: Vec<u8>,
}

impl Row for Remembered {
    const TABLE: &'static str = "carry";
    const CODE: &'static str = "AUD-CARRY";

    fn read(bytes: &[u8]) -> cbor::Result<Self> {
        let mut record = Decoder::over(bytes);
        record.array_exact(3)?;
        record.uint()?;
        let (key, value) = (record.bytes()?, record.bytes()?);
        record.leave();
        record.end()?;
        let mut key = Decoder::over(key);
        key.array_exact(3)?;
        let (class, revision, of) = (key.text()?.to_owned(), key.uint32()?, key.bytes()?.to_vec());
        Ok(Self { class, revision, key: of, value: value.to_vec() })
    }

    fn key(&self) -> Vec<Field> {
        vec![field("class", &self.class), field("revision", self.revision), field("key", in_hex(&self.key))]
    }

    fn values(&self) -> Vec<Field> {
        vec![field("what is remembered", in_hex(&self.value))]
    }

    fn device(&self) -> Option<String> {
        let id: [u8; 16] = self.key.as_slice().try_into().ok()?;
        Some(DeviceId(id).to_string())
    }

    fn entry(&self) -> Option<u64> {
        None
    }
}

/// Compares a served table, rows one after the other, with the rows recomputed; names the first that differs.
///
/// # Errors
/// The difference.
pub(crate) fn table<R: Row>(epoch: u64, expected: &[Vec<u8>], served: &[u8]) -> Result<(), Box<Difference>> {
    let mut rest = served;
    let same = expected.iter().all(|row| {
        let starts = rest.strip_prefix(row.as_slice());
        rest = starts.unwrap_or(rest);
        starts.is_some()
    });
    if same && rest.is_empty() {
        return Ok(());
    }
    Err(Box::new(differing_row::<R>(epoch, expected, served).epoch(epoch)))
}

fn differing_row<R: Row>(epoch: u64, expected: &[Vec<u8>], served: &[u8]) -> Difference {
    let (found, broken) = split(served);
    let same = expected.iter().zip(&found).take_while(|(expected, found)| expected.as_slice() == **found);
    let n = same.count();
    let place = format!("epoch {epoch}, {} row {n}", R::TABLE);
    let differs = |detail: &str| Difference::at(R::CODE, place.clone(), detail);
    let expected_row = expected.get(n).and_then(|row| R::read(row).ok());
    let Some(found_bytes) = found.get(n) else {
        let detail = if broken.is_some() { "the served table is broken off here" } else { "the row is missing" };
        let found = broken.map_or_else(|| "no such row".to_owned(), |error| error.to_string());
        return about(differs(detail), expected_row.as_ref()).values(words(expected_row.as_ref()), found);
    };
    let found_row = match R::read(found_bytes) {
        Ok(row) => row,
        Err(error) => {
            let differs = about(differs("the served row does not read"), expected_row.as_ref());
            return differs.values(words(expected_row.as_ref()), error);
        }
    };
    if let Some(expected_row) = &expected_row {
        let key = expected_row.key();
        let namesake = found.iter().filter_map(|row| R::read(row).ok()).find(|row| row.key() == key);
        if let Some(served) = namesake {
            return fields(differs("the row"), expected_row, &served);
        }
    }
    let key = found_row.key();
    let namesake = expected.iter().filter_map(|row| R::read(row).ok()).find(|row| row.key() == key);
    match namesake {
        Some(expected_row) if expected_row.values() != found_row.values() => {
            fields(differs("the row"), &expected_row, &found_row)
        }
        _ => about(differs("another row is served"), expected_row.as_ref().or(Some(&found_row)))
            .values(words(expected_row.as_ref()), words(Some(&found_row))),
    }
}

/// Names the first field in which two rows of one key differ.
fn fields<R: Row>(differs: Difference, expected: &R, found: &R) -> Difference {
    let (name, expected_value, found_value) = first_field(&expected.values(), &found.values());
    let of: Vec<String> = expected.key().into_iter().map(|(name, value)| format!("{name} {value}")).collect();
    let detail = format!("{name} differs for {}", of.join(", "));
    about(Difference { detail, ..differs }, Some(expected)).values(expected_value, found_value)
}

fn about<R: Row>(differs: Difference, row: Option<&R>) -> Difference {
    Difference { device: row.and_then(R::device), entry: row.and_then(R::entry), ..differs }
}

fn words<R: Row>(row: Option<&R>) -> String {
    let Some(row) = row else { return "no such row".to_owned() };
    let fields = row.key().into_iter().chain(row.values());
    let fields: Vec<String> = fields.map(|(name, value)| format!("{name} {value}")).collect();
    fields.join(", ")
}

/// The rows of a CBOR sequence, up to where it is broken.
fn split(sequence: &[u8]) -> (Vec<&[u8]>, Option<cbor::CborError>) {
    let mut input = Decoder::over(sequence);
    let mut rows = Vec::new();
    while !input.is_at_end() {
        match input.raw_value() {
            Ok(row) => rows.push(row),
            Err(error) => return (rows, Some(error)),
        }
    }
    (rows, None)
}

/// Names the first record in which two snapshots differ.
pub(crate) fn snapshots(epoch: u64, expected: &[u8], found: &[u8]) -> Difference {
    let at = expected.iter().zip(found).position(|(a, b)| a != b).unwrap_or(expected.len().min(found.len()));
    let place = format!("epoch {epoch}, the snapshot at byte {at}");
    let byte = |bytes: &[u8]| bytes.get(at).map_or_else(|| "the end".to_owned(), |byte| format!("byte {byte:#04x}"));
    Difference::at("AUD-SNAPSHOT", place, "it is not the state that the log implies")
        .values(byte(expected), byte(found))
        .epoch(epoch)
}

#[cfg(test)]
mod tests {
    use cairn_core::{Account, Amount, DeviceId, Ppm};

    use super::*;

    fn account(n: u8) -> Account {
        Account::parse(&format!("eip155:1:0x{}", format!("{n:02x}").repeat(20))).unwrap()
    }

    fn payout(device: u8, weight: u64, amount: u128) -> Payout {
        let device = Some(DeviceId([device; 16]));
        Payout { account: account(1), device, pool: "readings".into(), weight, amount: Amount(amount) }
    }

    fn verdict(device: u8, score: u32) -> Verdict {
        Verdict {
            class: "sensing/1".into(),
            device: DeviceId([device; 16]),
            slot_ms: 5,
            subject: Subject::Slot,
            account: account(1),
            amount: 100,
            score: Ppm::of(score).unwrap(),
            reasons: vec![],
            entries: vec![40 + u64::from(device)],
        }
    }

    fn rows<R>(rows: &[R], encode: impl Fn(&R) -> Vec<u8>) -> Vec<Vec<u8>> {
        let mut rows: Vec<Vec<u8>> = rows.iter().map(encode).collect();
        rows.sort_unstable();
        rows
    }

    #[test]
    fn a_changed_payout_is_named_by_device_field_and_both_values() {
        let expected = rows(&[payout(1, 5, 50), payout(2, 6, 60), payout(3, 7, 70)], Payout::encode);
        assert_eq!(table::<Payout>(4, &expected, &expected.concat()), Ok(()));
        let device = DeviceId([2; 16]).to_string();
        for (changed, field, found) in [(payout(2, 6, 61), "amount", "61"), (payout(2, 9, 60), "weight", "9")] {
            let served = rows(&[payout(1, 5, 50), changed, payout(3, 7, 70)], Payout::encode);
            let named = table::<Payout>(4, &expected, &served.concat()).unwrap_err();
            assert!(named.detail.starts_with(&format!("{field} differs for account")), "{named}");
            assert_eq!((named.device.as_ref(), named.found.as_str(), named.epoch), (Some(&device), found, Some(4)));
        }
    }

    #[test]
    fn missing_extra_broken_and_foreign_rows_are_named() {
        let all = [payout(1, 5, 50), payout(2, 6, 60)];
        let expected = rows(&all, Payout::encode);
        let cases = [
            (expected[..1].concat(), "the row is missing"),
            (expected[1..].concat(), "another row is served"),
            (
                rows(&[payout(1, 5, 50), payout(2, 6, 60), payout(3, 1, 1)], Payout::encode).concat(),
                "another row is served",
            ),
            (expected.concat()[..70].to_vec(), "the served table is broken off here"),
            ([&expected[0][..], &[0x01]].concat(), "the served row does not read"),
            (rows(&[payout(1, 5, 50), payout(9, 6, 60)], Payout::encode).concat(), "another row is served"),
        ];
        for (served, detail) in cases {
            let named = table::<Payout>(0, &expected, &served).unwrap_err();
            assert_eq!((named.detail.as_str(), named.code.as_str()), (detail, "AUD-PAYOUT"), "{named}");
        }
        assert!(table::<Payout>(0, &[], &expected[0]).is_err());
        assert_eq!(table::<Payout>(0, &[], &[]), Ok(()));
    }

    #[test]
    fn a_changed_verdict_names_its_entry() {
        let expected = rows(&[verdict(1, 1_000_000), verdict(2, 900_000)], Verdict::encode);
        let served = rows(&[verdict(1, 1_000_000), verdict(2, 1_000_000)], Verdict::encode).concat();
        let named = table::<Verdict>(0, &expected, &served).unwrap_err();
        assert_eq!((named.entry, named.expected.as_str(), named.found.as_str()), (Some(42), "900000", "1000000"));
        assert!(named.detail.starts_with("score_ppm differs for class sensing/1, device dev1"), "{named}");
    }
}
