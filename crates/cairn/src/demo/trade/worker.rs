//! This machine as a worker, and the demo's auditors as those who run jobs again: `cairn-node`, a step at a time.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cairn_core::geo::Cell;
use cairn_core::statement::{Body, Draft, Enrol, Mobility, Role, RunProfile};
use cairn_core::wallet::WalletKey;
use cairn_core::{Account, Amount, DeviceId, JobId};
use cairn_log::{Disk, StdDisk};
use cairn_node::{
    Cache, Clock, Event, Gateway, Identity, Limits, Network, NodeError, Pool, Records, Replayer, Terms, Worker,
};

use super::{DAY_MS, GAS, PAGES, Trade};
use crate::failure::Failure;
use crate::keys::{Algorithm, Key};
use crate::submission::accepted_index;
use cairn_ledger::wall_ms;

/// Bytes of contents that are kept.
const CACHE_BYTES: u64 = 64 << 20;
/// How long a run of a second may take here before the demo gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// This machine at work.
pub struct LiveWorker {
    worker: Worker<Pool>,
    device: DeviceId,
    account: Account,
    wallet: WalletKey,
}

impl LiveWorker {
    /// A worker with fresh keys in the network's folder, enrolled.
    pub fn enrol(
        trade: &Trade<'_>,
        cell: Cell,
        price: Amount,
        network: Arc<dyn Network>,
        now_ms: u64,
    ) -> Result<Self, Failure> {
        let key = Key::generate(Algorithm::Ed25519)?;
        key.write(&trade.folder.key("worker"), "what this machine says as a worker")?;
        let wallet = Key::generate(Algorithm::Secp256k1)?;
        wallet.write(&trade.folder.key("worker-owner"), "the account that the worker is paid through")?;
        let (key, wallet) = (key.signing()?, wallet.wallet()?);
        let account =
            Account::at(trade.chain.clone(), wallet.address()).map_err(|error| Failure::usage("NET-CONFIG", error))?;
        let enrol = Enrol {
            key: key.public(),
            owner: account.clone(),
            role: Role::Worker,
            classes: vec![cairn_classes::compute::SCHEMA.to_owned()],
            model: "this machine".to_owned(),
            mobility: Mobility::Fixed,
            cell: cell.index(),
            exact: None,
            altitude_cm: None,
        };
        let draft = Draft::of(Some(trade.network), Body::Enrol(enrol), now_ms.max(1), now_ms.saturating_add(DAY_MS));
        let statement = draft.signed_by(&key).signed_by_wallet(&wallet).finish();
        accepted_index(&trade.client.submit_statement(&statement.encode())?)?;

        let device = DeviceId::of_key(&key.public().multicodec());
        let folder = trade.folder.root().join("worker");
        let cache = Arc::new(Cache::open(disk(&folder.join("blobs"))?, CACHE_BYTES)?);
        let records = Records::open(disk(&folder)?, trade.network, device, None)?;
        let limits = Limits { capacity: 1, gas: GAS, pages: PAGES, profiles: RunProfile::DetInt.bit() };
        let runs = Pool::of(network.clone(), cache.clone(), 1);
        let identity = Identity { key, device, network: trade.network };
        let terms = Terms { price, limits, lease_ms: DAY_MS };
        let worker = Worker::new(identity, terms, Clock::Recorded, network, cache, records, runs);
        Ok(Self { worker, device, account, wallet })
    }

    /// The device.
    pub const fn device(&self) -> DeviceId {
        self.device
    }

    /// Whom it is paid through.
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// The wallet of that account.
    pub const fn wallet(&self) -> &WalletKey {
        &self.wallet
    }

    /// Has it make its offer.
    pub fn offer(&mut self) -> Result<(), Failure> {
        self.until("offer", |event| matches!(event, Event::Offered { .. }))
    }

    /// Has it do a job, to the reveal.
    pub fn work(&mut self, wanted: &JobId) -> Result<(), Failure> {
        let wanted = wanted.to_string();
        self.until("reveal", |event| matches!(event, Event::Said { job, what: "reveal", .. } if *job == wanted))
    }

    /// Takes steps until something has happened.
    fn until(&mut self, what: &str, is_it: impl Fn(&Event) -> bool) -> Result<(), Failure> {
        let begun = Instant::now();
        let (mut happened, mut refused) = (false, None);
        while !happened {
            self.worker.step(wall_ms(), &mut salt, &mut |event| {
                happened |= is_it(&event);
                if let Event::Refused { what, code, detail, .. } = event {
                    refused = Some(Failure::failed(code, format!("the worker's {what} was refused: {detail}")));
                }
            })?;
            if let Some(refused) = refused.take() {
                return Err(refused);
            }
            if !happened {
                if begun.elapsed() > PATIENCE {
                    return Err(Failure::failed("NET-DEMO", format!("the worker came to no {what} in a minute")));
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }
}

/// An auditor runs what was drawn again, and says what came out.
pub fn replay(trade: &Trade<'_>, key: &WalletKey, own: &Path) -> Result<(), Failure> {
    let gateway: Arc<dyn Network> = Arc::new(Gateway::of(trade.client.clone()));
    let cache = Arc::new(Cache::open(disk(&own.join("blobs"))?, CACHE_BYTES)?);
    let mut replayer = Replayer::open(key.clone(), trade.network, disk(own)?, cache, gateway)?;
    let mut trouble = None;
    replayer.step(false, wall_ms(), &mut |replayed| trouble = replayed.trouble)?;
    match trouble {
        None => Ok(()),
        Some((code, detail)) => Err(Failure::failed(code, format!("an auditor's own run: {detail}"))),
    }
}

fn disk(path: &Path) -> Result<Arc<dyn Disk>, Failure> {
    Ok(Arc::new(StdDisk::create(path).map_err(|error| Failure::io("open", path, &error))?))
}

fn salt() -> Result<[u8; 16], NodeError> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| NodeError::System("randomness"))?;
    Ok(salt)
}
