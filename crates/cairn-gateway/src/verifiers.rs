//! The threads that check reports before the writer: reports of many requests together, so that their signatures share a
//! batch and the writer a group.
//!
//! Whoever is idle takes what waits, up to a bound: a lone request waits for nobody, and under load batches grow by
//! themselves while others are checked. Requests are taken in the order in which they came. A request whose body cannot
//! be split into reports is answered at once; of all others the writer says what became of them.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use cairn_core::entry::EntryKind;
use cairn_ledger::Receipted;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::address::Client;
use crate::body::Received;
use crate::front::{Front, panicked};
use crate::problem::{Refused, report_failure};
use crate::screen::screen_reports;
use crate::sequence::Items;
use crate::shares::Share;
use crate::submit::{Prepared, Told, nothing_logged, split_body};
use crate::writer::Request;

/// Bytes of requests that one thread takes at once, unless a single one has more: some milliseconds of work.
const TAKEN_BYTES: usize = 128 << 10;

/// A request's body, to be checked and logged.
struct Job {
    body: Body,
    asked: Asked,
}

struct Body {
    client: Client,
    is_sequence: bool,
    bytes: Vec<u8>,
}

/// Who is told, the memory that his request takes, and its place among the requests worked on.
struct Asked {
    answer: oneshot::Sender<Result<Told, Refused>>,
    held: Share,
    _permit: OwnedSemaphorePermit,
}

impl Asked {
    fn tell(self, told: Result<Told, Refused>) {
        drop(self.held);
        // Who has left is not answered; what was logged stays.
        drop(self.answer.send(told));
    }
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    is_over: bool,
}

/// The requests that wait for a verifier.
#[derive(Default)]
pub(crate) struct Verifiers {
    waiting: Mutex<Waiting>,
    more: Condvar,
}

impl Verifiers {
    fn hold(&self) -> MutexGuard<'_, Waiting> {
        // A queue is whole between two calls.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the threads to end when nothing waits any more.
    pub fn end(&self) {
        self.hold().is_over = true;
        self.more.notify_all();
    }

    /// What waits, up to the bound; waits for it. `None` at the end.
    fn take(&self) -> Option<Vec<Job>> {
        let mut waiting = self.hold();
        while waiting.jobs.is_empty() {
            if waiting.is_over {
                return None;
            }
            waiting = self.more.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let (mut jobs, mut bytes) = (Vec::new(), 0);
        while let Some(job) = waiting.jobs.pop_front() {
            bytes += job.body.bytes.len();
            jobs.push(job);
            if bytes >= TAKEN_BYTES {
                break;
            }
        }
        Some(jobs)
    }
}

/// Has a body of reports checked and logged; answers when it is durable. What is held stays counted until then, also when
/// nobody waits for the answer any more.
///
/// # Errors
/// [`Refused`] when the body is no sequence of reports, too much is under way, or the writer does not log.
pub(crate) async fn log_reports(
    front: &Front,
    client: Client,
    is_sequence: bool,
    Received { bytes, held }: Received,
) -> Result<Told, Refused> {
    let permit = front.permit()?;
    let (answer, answered) = oneshot::channel();
    let job = Job { body: Body { client, is_sequence, bytes }, asked: Asked { answer, held, _permit: permit } };
    front.verifiers.hold().jobs.push_back(job);
    front.verifiers.more.notify_one();
    // Nobody answers after a writer that ended, or a check that panicked.
    answered.await.unwrap_or_else(|_| Err(front.writer.standing().refusal().unwrap_or_else(panicked)))
}

/// Checks what waits until the end; run by as many threads as there are cores.
pub(crate) fn work(front: &Arc<Front>) {
    while let Some(jobs) = front.verifiers.take() {
        let checking = std::panic::AssertUnwindSafe(|| check(front, jobs));
        if std::panic::catch_unwind(checking).is_err() {
            // Those who sent these are told that nothing is known of them.
            report_failure(&"a check of reports panicked");
        }
    }
}

fn check(front: &Front, jobs: Vec<Job>) {
    let (bodies, asked): (Vec<Body>, Vec<Asked>) = jobs.into_iter().map(|job| (job.body, job.asked)).unzip();
    let split: Vec<Result<Items<'_>, Refused>> = bodies
        .iter()
        .map(|body| split_body(front, body.client, EntryKind::Report, body.is_sequence, &body.bytes))
        .collect();
    let reports: Vec<&[u8]> = split.iter().flatten().flat_map(|split| split.items.iter().copied()).collect();
    let mut rows = match screen_reports(front, &reports) {
        Ok(rows) => rows.into_iter(),
        Err(refused) => return asked.into_iter().for_each(|asked| asked.tell(Err(refused.clone()))),
    };
    let mut requests = Vec::with_capacity(asked.len());
    for (split, asked) in split.iter().zip(asked) {
        match split {
            Ok(Items { items, rest }) => {
                let own = rows.by_ref().take(items.len());
                requests.extend(request(front, Prepared::of(front, EntryKind::Report, own, rest.as_ref()), asked));
            }
            Err(refused) => asked.tell(Err(refused.clone())),
        }
    }
    if requests.is_empty() {
        return;
    }
    if let Err((refused, requests)) = front.writer.submit_all(requests) {
        requests.into_iter().for_each(|request| (request.tell)(Err(refused.clone())));
    }
}

/// What goes to the writer of a request; who sent nothing that may is told at once.
fn request(front: &Front, prepared: Prepared, asked: Asked) -> Option<Request> {
    let Prepared { rows, items, charges, wait } = prepared;
    if items.is_empty() {
        asked.tell(Ok(Told { rows, wait, receipted: Ok(nothing_logged(front)) }));
        return None;
    }
    let Asked { answer, held, .. } = asked;
    let tell = move |receipted: Result<Receipted, Refused>| {
        match &receipted {
            Ok(receipted) => charges.settle(&receipted.answers),
            Err(_) => drop(charges),
        }
        drop(held);
        drop(answer.send(Ok(Told { rows, wait, receipted })));
    };
    Some(Request { items, tell: Box::new(tell) })
}
