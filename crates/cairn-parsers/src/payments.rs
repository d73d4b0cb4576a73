//! What a payer sends and what a server asks for, over HTTP 402.

use cairn_x402::{Payment, PaymentRequired, Version, header};

use crate::text;

/// First byte: 0, the rest is a payment of the first version; 1, of the second; 2, what is asked for.
pub fn payment(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let version = match kind % 3 {
        0 => Version::First,
        1 => Version::Second,
        _ => return required(rest),
    };
    // As a header's value or as the document in it, which is where most of the parser is.
    let Some(rest) = text(rest) else { return };
    let encoded = serde_json::from_str::<serde_json::Value>(rest).ok().map(|document| header::encode(&document));
    let value = encoded.as_deref().unwrap_or(rest);
    match Payment::from_header(version, value) {
        Ok(mut payment) => {
            // Others' words are passed on as they are, among them numbers that JSON does not say exactly.
            payment.accepted = payment.accepted.map(|accepted| cairn_x402::Requirements { extra: None, ..accepted });
            let (_, again) = payment.header();
            assert_eq!(Payment::from_header(version, &again).as_ref(), Ok(&payment), "written, it reads the same");
            assert_eq!(Payment::from_document(payment.document()), Ok(payment), "so it does as a document");
        }
        Err(refused) => assert!(refused.is_malformed() && !refused.reason().is_empty()),
    }
}

fn required(bytes: &[u8]) {
    let Ok(mut read) = serde_json::from_slice::<PaymentRequired>(bytes) else { return };
    read.extensions = None;
    read.accepts.iter_mut().for_each(|way| way.extra = None);
    assert_eq!(header::decode(&header::encode(&read)).as_ref(), Ok(&read), "written, it reads the same");
    assert_eq!(read.first().accepts.len(), read.accepts.len());
}
