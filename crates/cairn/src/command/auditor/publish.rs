//! Telling gateways what was signed.
//!
//! Each is told every signature of the record in order, and how far it was told is remembered: one that is away is told
//! later, also by the next process. What a gateway refuses for good is said and passed over; the document stands anyway.

use cairn_api::SignaturePost;
use cairn_auditor::{Auditor, Signed};
use cairn_client::{Client, ClientError, Retries};
use cairn_settle::told::{message_info, signature_text};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;

/// A signature as gateways are told it.
#[must_use]
pub fn post_of(signed: &Signed) -> SignaturePost {
    SignaturePost {
        revision: signed.message.revision,
        signature: signature_text(&signed.signature),
        message: Some(message_info(&signed.message)),
    }
}

/// A gateway that is told.
pub struct Target(Client);

/// The gateways at these addresses, each once.
///
/// # Errors
/// `NET-URL`.
pub fn targets(urls: &[String]) -> Result<Vec<Target>, Failure> {
    let mut targets: Vec<Target> = Vec::new();
    for url in urls {
        // One attempt: whoever is away is told at the next look.
        let client = Client::patient(url, Retries { attempts: 1, ..Retries::default() })?;
        if targets.iter().all(|known| known.url() != client.url()) {
            targets.push(Target(client));
        }
    }
    Ok(targets)
}

impl Target {
    /// Its address.
    pub fn url(&self) -> &str {
        self.0.url()
    }

    /// Tells it one signature; whether it knew.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn tell(&self, signed: &Signed) -> Result<bool, ClientError> {
        self.0.submit_signature(signed.message.epoch, &post_of(signed)).map(|kept| kept.known)
    }
}

/// What became of a publication.
#[derive(Debug, Serialize)]
struct Published<'a> {
    event: &'static str,
    url: &'a str,
    epoch: u64,
    revision: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl Published<'_> {
    fn text(&self) -> String {
        let Self { event, url, epoch, revision, code, detail } = self;
        let mut text = format!("{event}  epoch {epoch} revision {revision}  {url}");
        if let (Some(code), Some(detail)) = (code, detail) {
            text.push_str(&format!("\n  {code}: {detail}"));
        }
        text
    }
}

/// Whether a refusal will be another one later.
fn is_for_now(error: &ClientError) -> bool {
    match error {
        // Another gateway of the network may not have come so far.
        ClientError::Refused { problem, .. } => problem.status >= 500 || problem.code == "NET-NO-EPOCH",
        ClientError::Address { .. } | ClientError::Answer { .. } => false,
        _ => true,
    }
}

/// Tells every gateway what it was not told yet; whether all of them know everything now.
///
/// # Errors
/// When standard output is closed, or how far they were told cannot be remembered.
pub fn publish(auditor: &Auditor, targets: &[Target], output: Output) -> Result<bool, Failure> {
    let mut counts = auditor.published();
    let mut all_know = true;
    for target in targets {
        let told = counts.entry(target.url().to_owned()).or_default();
        let before = *told;
        for signed in auditor.signed().iter().skip(usize::try_from(before).unwrap_or(usize::MAX)) {
            let (epoch, revision) = (signed.message.epoch, signed.message.revision);
            let done = |event, error: Option<&ClientError>| Published {
                event,
                url: target.url(),
                epoch,
                revision,
                code: error.map(|error| error.code().to_owned()),
                detail: error.map(ToString::to_string),
            };
            match target.tell(signed) {
                Ok(_) => output.line(&done("published", None), Published::text)?,
                Err(error) if is_for_now(&error) => {
                    all_know = false;
                    output.line(&done("unpublished", Some(&error)), Published::text)?;
                    break;
                }
                Err(error) => output.line(&done("refused", Some(&error)), Published::text)?,
            }
            *told += 1;
        }
        if *told != before {
            auditor.remember_published(&counts)?;
        }
    }
    Ok(all_know)
}
