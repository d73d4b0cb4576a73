//! What a client reads of a gateway's answers.

use core::fmt::Debug;

use cairn_api::{
    AccountInfo, CreditList, DeviceInfo, EpochInfo, EpochList, Explanation, Health, NetworkInfo, PayoutList, Problem,
    SubmitResponse, VerdictList,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The same bytes as each of the documents that a gateway answers with.
pub fn answers(bytes: &[u8]) {
    read_as::<SubmitResponse>(bytes);
    read_as::<Problem>(bytes);
    read_as::<NetworkInfo>(bytes);
    read_as::<Health>(bytes);
    read_as::<DeviceInfo>(bytes);
    read_as::<AccountInfo>(bytes);
    read_as::<CreditList>(bytes);
    read_as::<Explanation>(bytes);
    read_as::<EpochInfo>(bytes);
    read_as::<EpochList>(bytes);
    read_as::<VerdictList>(bytes);
    read_as::<PayoutList>(bytes);
}

/// What is read is written as JSON that reads the same.
pub(crate) fn read_as<T: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(read) = serde_json::from_slice::<T>(bytes) else { return };
    let written = serde_json::to_vec(&read).expect("what was read from JSON can be written as JSON");
    let again: T = serde_json::from_slice(&written).expect("what was written is read");
    assert_eq!(again, read);
}
