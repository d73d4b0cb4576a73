//! A network that sells work is recomputed whole, and every change of a sale is named with its job.

#![allow(clippy::unwrap_used)]

mod served;

use cairn_audit::{AuditOptions, Start, Unserved};
use cairn_core::{Account, Amount, Sale};
use cairn_testkit::fair::month::month;
use cairn_testkit::network::MemoryNetwork;
use served::Served;

fn strict(network: &MemoryNetwork) -> AuditOptions {
    AuditOptions { network: Some(network.id), snapshots: true, ..AuditOptions::default() }
}

#[test]
fn an_honest_month_of_work_passes_from_the_beginning_and_from_a_snapshot() {
    let network = month(true).fair.network;
    let served = Served::of(&network);
    let report = served.audit(&strict(&network));
    assert!(report.passed(), "{:?}", report.difference());
    assert_eq!(report.epochs.len(), network.closed.len());
    for (line, closed) in report.epochs.iter().zip(&network.closed) {
        assert_eq!(line.sales, closed.sales.len() as u64);
        assert_eq!(line.compared.sales, line.sales > 0);
    }
    assert!(report.epochs.iter().any(|line| line.sales > 0));
    let resumed = served.audit(&AuditOptions { start: Start::After(9), ..strict(&network) });
    assert!(resumed.passed(), "{:?}", resumed.difference());
    assert_eq!(resumed.epochs[..], report.epochs[10..]);
}

#[test]
fn every_changed_sale_is_named_with_its_job() {
    let network = month(false).fair.network;
    let honest = Served::of(&network);
    let (epoch, closed) = network.closed.iter().enumerate().find(|(_, closed)| closed.sales.len() > 3).unwrap();
    let file = format!("epochs/{epoch}/sales.cborseq");
    let sales: Vec<Sale> = closed.sales.iter().map(|row| Sale::decode(row).unwrap()).collect();
    let at = sales.iter().position(|sale| sale.work.len() > 1).unwrap();
    let other = Account::parse("eip155:1:0x0000000000000000000000000000000000000009").unwrap();
    type Change = Box<dyn Fn(&mut Sale)>;
    let changes: Vec<(&str, Change)> = vec![
        ("order", Box::new(|sale| sale.order += 1)),
        (
            "buyer",
            Box::new({
                let other = other.clone();
                move |sale| sale.buyer = other.clone()
            }),
        ),
        ("locked", Box::new(|sale| (sale.locked.0, sale.returned.0) = (sale.locked.0 + 1, sale.returned.0 + 1))),
        (
            "number of right workers",
            Box::new(|sale| {
                let gone = sale.work.pop().unwrap();
                sale.returned = sale.returned.checked_add(gone.work).unwrap();
            }),
        ),
        ("account of right worker 0", Box::new(move |sale| sale.work[0].account = other.clone())),
        ("gas of right worker 1", Box::new(|sale| sale.work[1].gas += 1)),
        ("burned of right worker 0", Box::new(|sale| sale.work[0].burned = Amount::ZERO)),
    ];
    for (field, change) in changes {
        let mut rows = sales.clone();
        change(&mut rows[at]);
        let mut served = honest.clone();
        let rows: Vec<Vec<u8>> = rows.iter().map(Sale::encode).collect();
        served.files.insert(file.clone(), rows.concat());
        let found =
            served.audit(&strict(&network)).difference().cloned().unwrap_or_else(|| panic!("{field}: it passes"));
        assert_eq!(
            (found.code.as_str(), found.epoch, found.entry),
            ("AUD-SALE", Some(epoch as u64), Some(sales[at].order))
        );
        assert!(found.detail.starts_with(field), "{field}: {found}");
        assert!(found.detail.contains(&sales[at].job.to_string()), "{found}");
    }
    let mut fewer = honest.clone();
    fewer.files.insert(file.clone(), closed.sales[1..].concat());
    let found = fewer.audit(&strict(&network)).difference().cloned().unwrap();
    assert_eq!(found.code, "AUD-SALE");
    assert!(format!("{found}").contains(&sales[0].job.to_string()), "{found}");
}

#[test]
fn sales_that_nobody_serves_are_told_and_sales_where_none_were_made_are_a_lie() {
    let network = month(false).fair.network;
    let mut served = Served::of(&network);
    let (without, closed) = network.closed.iter().enumerate().find(|(_, closed)| closed.sales.is_empty()).unwrap();
    let some = network.closed.iter().filter(|closed| !closed.sales.is_empty()).count() as u64;
    served.files.retain(|name, _| !name.ends_with("sales.cborseq"));
    let report = served.audit(&strict(&network));
    assert!(report.passed(), "{:?}", report.difference());
    assert_eq!(report.unserved, Unserved { sales: some, ..Unserved::default() });
    assert!(
        report.notes().iter().any(|note| note.contains(&format!("the sales of {some} of"))),
        "{:?}",
        report.notes()
    );
    assert_eq!(closed.statement.sales, None);
    let row = network.closed.iter().find_map(|closed| closed.sales.first()).unwrap();
    served.files.insert(format!("epochs/{without}/sales.cborseq"), row.clone());
    let found = served.audit(&strict(&network)).difference().cloned().unwrap();
    assert_eq!((found.code.as_str(), found.epoch), ("AUD-SALE", Some(without as u64)));
}
