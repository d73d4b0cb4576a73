//! A worker that lies, for tests alone: it does everything as it should, and says another result than came out.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use cairn_client::Client;
use cairn_core::key::SecretKey;
use cairn_core::{Amount, DeviceId, Hash, JobId, NetworkId};
use cairn_ledger::wall_ms;
use cairn_log::StdDisk;
use cairn_node::{
    Cache, Clock, Found, Gateway, Identity, Limits, Missed, Network, NodeError, Pool, Records, Runs, Terms, Work,
    Worker,
};

/// Runs whose results are altered: the output is another, and so is the gas.
struct Lying(Pool);

impl Runs for Lying {
    fn start(&mut self, work: Work) -> Result<bool, NodeError> {
        self.0.start(work)
    }

    fn finished(&mut self) -> Vec<(JobId, Result<Found, Missed>)> {
        let lie = |found: Found| {
            let output = [&found.output[..], b", or so"].concat();
            let (hash, bytes) = (Hash::of(&output), output.len() as u64);
            let result = cairn_classes::compute::RunResult {
                output: hash,
                output_bytes: bytes,
                gas: found.result.gas - 1,
                ..found.result
            };
            Found { result, output }
        };
        self.0.finished().into_iter().map(|(job, ended)| (job, ended.map(lie))).collect()
    }

    fn running(&self) -> Vec<JobId> {
        self.0.running()
    }

    fn cancel(&mut self, job: &JobId) {
        self.0.cancel(job);
    }
}

/// A lying worker at work in this process; dropping it ends it.
pub struct Liar {
    is_ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Liar {
    /// Starts it: an enrolled worker with this key, at this price.
    pub fn start(folder: &Path, url: &str, key: SecretKey, price: Amount) -> Self {
        let client = Client::at(url).unwrap();
        let network = NetworkId(Hash::from_hex(&client.network().unwrap().network_id).unwrap());
        let device = DeviceId::of_key(&key.public().multicodec());
        let disk = |name: &str| Arc::new(StdDisk::create(folder.join(name)).unwrap());
        let records = Records::open(disk("liar"), network, device, None).unwrap();
        let cache = Arc::new(Cache::open(disk("liar/blobs"), 1 << 30).unwrap());
        let gateway: Arc<dyn Network> = Arc::new(Gateway::of(client));
        let limits = Limits { capacity: 1, gas: 1 << 40, pages: 1_024, profiles: 3 };
        let terms = Terms { price, limits, lease_ms: 3_600_000 };
        let runs = Lying(Pool::of(gateway.clone(), cache.clone(), 1));
        let identity = Identity { key, device, network };
        let mut worker = Worker::new(identity, terms, Clock::Wall, gateway, cache, records, runs);
        let is_ending = Arc::new(AtomicBool::new(false));
        let asked = is_ending.clone();
        let work = move || {
            let mut salt = 0;
            while !asked.load(Ordering::Relaxed) {
                salt += 1;
                // What fails is tried again, as everywhere.
                let _ = worker.step(wall_ms(), &mut || Ok([salt; 16]), &mut |_| ());
                std::thread::sleep(Duration::from_millis(100));
            }
        };
        Self { is_ending, thread: Some(std::thread::spawn(work)) }
    }
}

impl Drop for Liar {
    fn drop(&mut self) {
        self.is_ending.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}
