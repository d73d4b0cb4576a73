//! The documents of the HTTP API that say what became of what orders locked.

use cairn_api::{LicenceSoldInfo, RefundInfo, SaleInfo, SaleList, SaleProof, WorkSoldInfo};
use cairn_core::epoch::EpochStatement;
use cairn_core::{JobId, Sale};

use crate::row_tree::RowTree;
use crate::store::split_rows;
use crate::views::broken_view;
use crate::{ClosedEpochs, Ledger, LedgerError};

impl Ledger {
    /// The canonical sales of a closed epoch as a CBOR sequence; empty where no job was settled.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn sale_bytes(&self, epoch: u64) -> Result<Vec<u8>, LedgerError> {
        self.store.sale_bytes(&self.closed(epoch)?)
    }

    /// `GET /v1/epochs/{n}/sales`: at most `limit` sales from position `after` on.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn sale_list(&self, epoch: u64, after: u64, limit: u64) -> Result<SaleList, LedgerError> {
        self.closed_epochs().sale_list(epoch, after, limit)
    }

    /// `GET /v1/epochs/{n}/sales/{job}`: the sale of a job, and that it is under the statement's sales root.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], [`LedgerError::NoSale`], or that a view cannot be read.
    pub fn sale_proof(&self, epoch: u64, job: &JobId) -> Result<SaleProof, LedgerError> {
        self.closed_epochs().sale_proof(epoch, job)
    }
}

impl ClosedEpochs {
    /// `GET /v1/epochs/{n}/sales`: at most `limit` sales from position `after` on.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], or that a view cannot be read.
    pub fn sale_list(&self, epoch: u64, after: u64, limit: u64) -> Result<SaleList, LedgerError> {
        let sales = self.sales(&self.statement(epoch)?)?;
        let total = sales.len() as u64;
        let whole = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let shown = sales.iter().skip(whole(after)).take(whole(limit)).map(|(_, sale)| sale_info(sale)).collect();
        let end = after.saturating_add(limit);
        Ok(SaleList { epoch: self.epoch_ref(epoch)?, total, sales: shown, next: (end < total).then_some(end) })
    }

    /// `GET /v1/epochs/{n}/sales/{job}`: the sale of a job, and that it is under the statement's sales root.
    ///
    /// # Errors
    /// [`LedgerError::NoEpoch`], [`LedgerError::NoSale`], or that a view cannot be read.
    pub fn sale_proof(&self, epoch: u64, job: &JobId) -> Result<SaleProof, LedgerError> {
        let statement = self.statement(epoch)?;
        let sales = self.sales(&statement)?;
        let none = || LedgerError::NoSale { epoch, job: *job };
        let at = sales.iter().position(|(_, sale)| sale.job == *job).ok_or_else(none)?;
        let rows: Vec<&[u8]> = sales.iter().map(|(row, _)| row.as_slice()).collect();
        let root = statement.sales.ok_or_else(none)?.root;
        let (epoch, sale) = (self.epoch_ref(epoch)?, sale_info(&sales[at].1));
        Ok(SaleProof { epoch, sale, proof: RowTree::of(&rows).proof(at, root) })
    }

    /// The sales of an epoch, each with its bytes, in the order of the sorted table.
    pub(crate) fn sales(&self, statement: &EpochStatement) -> Result<Vec<(Vec<u8>, Sale)>, LedgerError> {
        let epoch = statement.number;
        let bytes = self.store.sale_bytes(statement)?;
        let rows = split_rows(&bytes).map_err(|error| broken_view(epoch, "sales", &error))?;
        let read = rows.into_iter().map(|row| Sale::decode(row).map(|sale| (row.to_vec(), sale)));
        read.collect::<Result<_, _>>().map_err(|error| broken_view(epoch, "sales", &error))
    }
}

/// A sale as the API shows it.
#[must_use]
pub fn sale_info(sale: &Sale) -> SaleInfo {
    let work = sale.work.iter().map(|sold| WorkSoldInfo {
        account: sold.account.to_string(),
        device: sold.device.to_string(),
        gas: sold.gas,
        work: sold.work.to_string(),
        burned: sold.burned.to_string(),
    });
    let licences = sale.licences.iter().map(|sold| LicenceSoldInfo {
        account: sold.account.to_string(),
        content: sold.content.to_hex(),
        amount: sold.amount.to_string(),
    });
    SaleInfo {
        job: sale.job.to_string(),
        order: sale.order,
        buyer: sale.buyer.to_string(),
        locked: sale.locked.to_string(),
        work: work.collect(),
        licences: licences.collect(),
        returned: sale.returned.to_string(),
        refund: sale
            .refund
            .as_ref()
            .map(|(account, amount)| RefundInfo { account: account.to_string(), amount: amount.to_string() }),
    }
}
