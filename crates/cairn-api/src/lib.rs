//! The shapes of the HTTP API: what the gateway answers, the client reads and the command line prints with `--json`.
//!
//! Amounts are decimal strings of base units, since JSON numbers end at 53 bits; hashes are lower-case hexadecimal; ids
//! and accounts have the texts of `cairn-core`; times are milliseconds since 1970 UTC. Every document that shows a number
//! of an epoch names the epoch statement it comes from.

mod buying;
mod credit;
mod distribution;
mod epoch;
mod explain;
mod jobs;
mod network;
mod sale;
mod signing;
mod submit;

pub use buying::{BlobRef, OrderTerms, PaidBack, Purchase, PurchaseStatus};
pub use credit::{CreditInfo, CreditList};
pub use distribution::{DistributionInfo, PayBucket};
pub use epoch::{
    AccountEpoch, AccountInfo, BalanceInfo, ClaimInfo, ClassInfo, DomainInfo, EpochInfo, EpochList, PayoutInfo,
    PayoutList, PoolInfo, ReasonInfo, VerdictInfo, VerdictList,
};
pub use explain::{Explanation, PoolShare, ProofInfo, SaleExplanation, SlotExplanation};
pub use jobs::{
    AssignedInfo, BlobInfo, DrawInfo, JobInfo, JobList, LicenceTerms, OfferInfo, OfferList, OrderInfo, QuoteInfo,
    QuotedWorker, ReplayInfo, ResultInfo, SettlementInfo, WordInfo,
};
pub use network::{AssetInfo, ClassRules, DeviceEpoch, DeviceInfo, EpochRef, Health, NetworkInfo, RulesFrom};
pub use sale::{LicenceSoldInfo, RefundInfo, SaleInfo, SaleList, SaleProof, SalesInfo, WorkSoldInfo};
pub use signing::{EpochMessageInfo, EpochSignatures, SignatureInfo, SignatureKept, SignaturePost};
pub use submit::{MessageResult, Problem, ResultRow, ResultStatus, SubmitResponse};
