//! Signatures of reports, checked in batches before the fold asks for them.
//!
//! A batch needs each device's key before the entries are folded. So keys are guessed: the last one that an enrolment or
//! rotation gave the device, valid or not. The fold takes a result only if the guess was the device's key then, and else
//! checks by itself. A wrong guess costs time, never truth.

use std::collections::BTreeMap;

use cairn_core::DeviceId;
use cairn_core::ed25519::{BatchItem, verify_batch};
use cairn_core::key::PublicKey;
use cairn_fold::{Checked, State};
use rayon::prelude::*;

use crate::bundle::{Bundle, Outline, SignedReport};

/// The fewest signatures in a batch, and the most: larger batches cost less per signature, and more memory.
const BATCH_MIN: usize = 256;
const BATCH_MAX: usize = 2048;

/// The keys that devices are said to have.
#[derive(Debug, Default)]
pub(crate) struct KeyBook {
    keys: Vec<PublicKey>,
    by_device: BTreeMap<DeviceId, usize>,
}

impl KeyBook {
    /// The keys of a state's devices.
    pub fn of(state: &State) -> Self {
        let mut book = Self::default();
        for (id, device) in &state.devices {
            book.learn(*id, device.key);
        }
        book
    }

    fn learn(&mut self, device: DeviceId, key: PublicKey) {
        match self.by_device.get(&device) {
            Some(&at) if self.keys[at] == key => {}
            _ => {
                self.by_device.insert(device, self.keys.len());
                self.keys.push(key);
            }
        }
    }
}

/// One report's signature with the key to check it against.
struct Task<'a> {
    key: usize,
    /// Bundle and place in it.
    at: (usize, usize),
    report: &'a SignedReport,
}

/// Checks the signatures of the reports in `bundles`; one result for each entry, `None` where there is nothing to check or
/// no key to check it against.
pub(crate) fn check(book: &mut KeyBook, bundles: &[Bundle]) -> Vec<Vec<Option<Checked>>> {
    let (mut batched, mut single) = (Vec::new(), Vec::new());
    for (b, bundle) in bundles.iter().enumerate() {
        for (n, outline) in bundle.outlines.iter().enumerate() {
            match outline {
                Outline::Key(device, key) => book.learn(*device, **key),
                Outline::Report(report) => {
                    let Some(&key) = book.by_device.get(&report.device) else { continue };
                    if book.keys[key].algorithm() != report.algorithm {
                        continue;
                    }
                    let tasks =
                        if matches!(book.keys[key], PublicKey::Ed25519(_)) { &mut batched } else { &mut single };
                    tasks.push(Task { key, at: (b, n), report: report.as_ref() });
                }
                Outline::Other => {}
            }
        }
    }
    batched.sort_unstable_by_key(|task: &Task<'_>| (task.key, task.at));
    let mut checked: Vec<Vec<Option<Checked>>> = bundles.iter().map(|bundle| vec![None; bundle.len()]).collect();
    let keys = &book.keys;
    let mut note = |task: &Task<'_>, holds| {
        checked[task.at.0][task.at.1] = Some(Checked { key: keys[task.key], holds });
    };
    let held: Vec<Vec<bool>> = batched.par_chunks(batch_size(batched.len())).map(|tasks| verify(keys, tasks)).collect();
    for (task, holds) in batched.iter().zip(held.into_iter().flatten()) {
        note(task, holds);
    }
    let held: Vec<bool> =
        single.par_iter().map(|task| keys[task.key].verify(&task.report.message, &task.report.signature)).collect();
    for (task, holds) in single.iter().zip(held) {
        note(task, holds);
    }
    checked
}

/// Signatures per batch, so that every thread has one.
pub(crate) fn batch_size(signatures: usize) -> usize {
    signatures.div_ceil(rayon::current_num_threads()).clamp(BATCH_MIN, BATCH_MAX)
}

fn verify(keys: &[PublicKey], tasks: &[Task<'_>]) -> Vec<bool> {
    let items: Vec<BatchItem<'_>> = tasks
        .iter()
        .filter_map(|task| match &keys[task.key] {
            PublicKey::Ed25519(key) => {
                Some(BatchItem { key, message: &task.report.message, signature: &task.report.signature })
            }
            PublicKey::P256(_) => None,
        })
        .collect();
    assert_eq!(items.len(), tasks.len(), "only Ed25519 signatures are batched");
    verify_batch(&items)
}
