//! A worker's offer: what it sells, and when it has to say so again.

use cairn_core::statement::{Offer, Order};
use cairn_core::{Amount, DeviceId};

use crate::run::CONTENT_BYTES_MAX;

/// What a worker takes on at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Runs at once, 1 to 64.
    pub capacity: u32,
    /// Gas of one job.
    pub gas: u64,
    /// Memory of one job, in pages of 64 KiB.
    pub pages: u32,
    /// What it runs: bits of `RunProfile::bit`.
    pub profiles: u8,
}

impl Limits {
    /// Whether a job is within them.
    #[must_use]
    pub fn fit(&self, order: &Order) -> bool {
        let contents = order.blobs().fold(0_u64, |sum, blob| sum.saturating_add(blob.bytes));
        order.gas <= self.gas
            && order.pages <= self.pages
            && order.profile.bit() & self.profiles != 0
            && contents <= CONTENT_BYTES_MAX
    }
}

/// What a worker offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Base units for 10^9 gas.
    pub price: Amount,
    /// What it takes on.
    pub limits: Limits,
    /// For how long an offer is made, ms.
    pub lease_ms: u64,
}

impl Terms {
    /// The offer to make at `now_ms`; `None` while less than half of the time of the one made before is over.
    #[must_use]
    pub fn due(&self, device: DeviceId, offered_until_ms: Option<u64>, now_ms: u64) -> Option<Offer> {
        let is_fresh = |until_ms: u64| until_ms > now_ms.saturating_add(self.lease_ms / 2);
        if offered_until_ms.is_some_and(is_fresh) {
            return None;
        }
        let Limits { capacity, gas, pages, profiles } = self.limits;
        let until_ms = now_ms.saturating_add(self.lease_ms);
        Some(Offer { device, price: self.price, capacity, gas_max: gas, pages_max: pages, profiles, until_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_is_made_at_the_start_and_when_half_its_time_is_over() {
        let limits = Limits { capacity: 2, gas: 10, pages: 3, profiles: 1 };
        let terms = Terms { price: Amount(5), limits, lease_ms: 100 };
        let due = |offered, now_ms| terms.due(DeviceId([1; 16]), offered, now_ms).map(|offer| offer.until_ms);
        for (offered, now_ms, until_ms) in [
            (None, 1_000, Some(1_100)),
            (Some(1_100), 1_000, None),
            (Some(1_100), 1_049, None),
            (Some(1_100), 1_050, Some(1_150)),
            (Some(1_100), 2_000, Some(2_100)),
            (None, u64::MAX, Some(u64::MAX)),
        ] {
            assert_eq!(due(offered, now_ms), until_ms, "{offered:?} {now_ms}");
        }
    }
}
