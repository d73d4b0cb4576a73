//! The run of an order: its contents fetched and checked, and the one result that anybody gets.

use cairn_classes::compute::RunResult;
use cairn_core::statement::{Blob, Order, RunProfile};
use cairn_core::{Hash, JobId};
use cairn_wasm::{Fault, GAS_TABLE, Job, Profile, run_unless};

use crate::NodeError;
use crate::cache::Cache;
use crate::network::Network;

/// The most bytes of module and inputs together that are fetched for a job. More than any run takes: a job above the limits of
/// runs is refused by the runtime, which is a result.
pub const CONTENT_BYTES_MAX: u64 = 128 << 20;

/// What an order names by hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The module.
    pub module: Vec<u8>,
    /// The inputs, by position.
    pub inputs: Vec<Vec<u8>>,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The result that is sealed and compared.
    pub result: RunResult,
    /// The output.
    pub output: Vec<u8>,
}

/// Why a run gave nothing. Never said of the job: it is this machine's trouble, or the gateway's.
#[derive(Debug)]
pub enum Missed {
    /// A blob is not to be had.
    Blobs(String),
    /// The host failed.
    Host(String),
}

/// The contents of an order: from the cache, else from the network, by their hashes in either case.
///
/// # Errors
/// [`Missed::Blobs`], or [`Missed::Host`] where the disk fails.
pub fn fetch(network: &dyn Network, cache: &Cache, order: &Order) -> Result<Contents, Missed> {
    let total = order.blobs().fold(0_u64, |sum, blob| sum.saturating_add(blob.bytes));
    if total > CONTENT_BYTES_MAX {
        return Err(Missed::Host(format!("its contents are {total} bytes; at most {CONTENT_BYTES_MAX} are fetched")));
    }
    let one = |blob: &Blob| {
        let host = |error: NodeError| Missed::Host(error.to_string());
        if let Some(bytes) = cache.get(blob).map_err(host)? {
            return Ok(bytes);
        }
        let bytes = network.blob(blob).map_err(|error| Missed::Blobs(error.to_string()))?;
        if Hash::of(&bytes) != blob.hash || bytes.len() as u64 != blob.bytes {
            return Err(Missed::Blobs(format!("what came is not blob {}", blob.hash)));
        }
        cache.put(&bytes).map_err(host)?;
        Ok(bytes)
    };
    let module = one(&order.module)?;
    Ok(Contents { module, inputs: order.inputs.iter().map(one).collect::<Result<_, _>>()? })
}

/// Runs an order over its contents, unless `cancelled` says otherwise. Its random bytes come from the job's name.
///
/// # Errors
/// [`Missed::Host`]; an order of another gas table is one.
pub fn run_order(
    job: &JobId,
    order: &Order,
    contents: &Contents,
    cancelled: &mut dyn FnMut() -> bool,
) -> Result<Found, Missed> {
    if order.gas_table != GAS_TABLE {
        let what = format!("the order runs by gas table {}, this program by {GAS_TABLE}", order.gas_table);
        return Err(Missed::Host(what));
    }
    let inputs: Vec<&[u8]> = contents.inputs.iter().map(Vec::as_slice).collect();
    let run = Job {
        module: &contents.module,
        inputs: &inputs,
        arguments: &order.arguments,
        profile: match order.profile {
            RunProfile::DetInt => Profile::DetInt,
            RunProfile::DetFloat => Profile::DetFloat,
        },
        limits: cairn_wasm::Limits { gas: order.gas, pages: order.pages, output_bytes: order.output_bytes },
        seed: job.0.0,
    };
    let ran = run_unless(&run, cancelled).map_err(|fault: Fault| Missed::Host(fault.to_string()))?;
    let result = RunResult {
        outcome: ran.outcome.number().into(),
        gas: ran.gas,
        output: Hash::of(&ran.output),
        output_bytes: ran.output.len() as u64,
    };
    Ok(Found { result, output: ran.output })
}

#[cfg(test)]
mod tests {
    use cairn_core::{Account, Amount, Ppm};

    use super::*;

    #[test]
    fn one_result_has_one_digest_for_runtime_and_market() {
        // Not a module at all, which is a result like any other.
        let contents = Contents { module: b"no module".to_vec(), inputs: vec![b"input".to_vec()] };
        let blob = |bytes: &[u8]| Blob { hash: Hash::of(bytes), bytes: bytes.len() as u64 };
        let order = Order {
            buyer: Account::parse("eip155:1:0x00000000000000000000000000000000000000ab").unwrap(),
            module: blob(&contents.module),
            inputs: vec![blob(b"input")],
            arguments: Vec::new(),
            gas_table: GAS_TABLE,
            profile: RunProfile::DetInt,
            gas: 100_000,
            pages: 1,
            output_bytes: 10,
            price: Amount(1),
            replicas: 1,
            sample: Ppm::ZERO,
            commit_ms: 1_000,
            most: Amount(1),
            refund: None,
        };
        let job = JobId(Hash([5; 32]));
        let found = run_order(&job, &order, &contents, &mut || false).unwrap();
        assert!(found.result.is_well_formed() && found.result.outcome > 256);
        let outcome = cairn_wasm::Outcome::from_number(u16::try_from(found.result.outcome).unwrap()).unwrap();
        let digest = cairn_wasm::digest(&job.0, outcome, found.result.gas, &found.result.output, 0);
        assert_eq!(found.result.digest(GAS_TABLE, &job), digest);
        let other = Order { gas_table: GAS_TABLE + 1, ..order };
        assert!(matches!(run_order(&job, &other, &contents, &mut || false), Err(Missed::Host(_))));
    }
}
