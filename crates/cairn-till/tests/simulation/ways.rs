//! Single ways through a till, one after the other.

use std::sync::Arc;

use cairn_api::PurchaseStatus;
use cairn_core::wallet::WalletKey;
use cairn_gateway::{NotTaken, RefusalKind, Till};
use cairn_testkit::disk::{Faults as DiskFaults, FaultyDisk};
use cairn_till::Keeper;
use cairn_x402::{Demand, Payment, PaymentId, Resource, Version, pay};
use serde_json::Map;

use crate::laws::{address, domain, open, terms, till_key};
use crate::world::{Faults, World};

struct Shop {
    world: World,
    disk: FaultyDisk,
    keeper: Keeper,
    payer: WalletKey,
}

impl Shop {
    fn open() -> Self {
        let world = World::of(1, Faults::default(), domain());
        let disk = FaultyDisk::new(1, DiskFaults::default());
        let payer = WalletKey::from_bytes([1; 32]).unwrap();
        world.state().balances.insert(address(&payer), 1_000_000);
        let keeper = open(&world, &disk).unwrap();
        Self { world, disk, keeper, payer }
    }

    /// A payment for terms, of another demand than the till's.
    fn payment(&self, gas: u64, nonce: u8, change: impl FnOnce(&mut Demand)) -> Payment {
        let mut demand = self.keeper.ask(&terms(gas)).unwrap().demand;
        change(&mut demand);
        let resource = Resource { url: "/".into(), description: None, mime_type: None };
        let now_s = self.world.state().now_s;
        pay(&demand.required(resource, "pay", Map::new()), &self.payer, now_s, [nonce; 32]).unwrap()
    }

    fn refused(&self, gas: u64, payment: &Payment) -> String {
        match self.keeper.take(&terms(gas), payment).unwrap_err() {
            NotTaken::Payment(error, asked) => {
                assert_eq!(
                    asked.demand,
                    self.keeper.ask(&terms(gas)).unwrap().demand,
                    "what is asked for is said again"
                );
                error.code().to_owned()
            }
            NotTaken::Refused(refusal) => refusal.code.to_owned(),
        }
    }
}

#[test]
fn a_payment_is_taken_settled_and_ordered_for_and_again_is_the_same_purchase() {
    let shop = Shop::open();
    let payment = shop.payment(100, 1, |_| {});
    let taken = shop.keeper.take(&terms(100), &payment).unwrap();
    assert_eq!((taken.status, taken.amount.as_str()), (PurchaseStatus::Settling, "317"), "300, 15 and 2");
    assert_eq!(shop.keeper.take(&terms(100), &payment).unwrap(), taken);
    shop.keeper.round();
    let bought = shop.keeper.take(&terms(100), &payment).unwrap();
    assert_eq!((bought.status, bought.locked.as_deref(), &bought.back), (PurchaseStatus::Ordered, Some("300"), &None));
    let id = PaymentId::of(&domain(), &payment.signed);
    assert_eq!(shop.keeper.find(&id).unwrap(), Some(bought.clone()));
    assert_eq!(shop.world.state().logged.len(), 1);
    // After any time, by a till that begins again, in the other version.
    shop.world.state().now_s += 10_000_000;
    let Shop { world, disk, keeper, .. } = shop;
    drop(keeper);
    disk.kill(DiskFaults::default());
    let keeper = open(&world, &disk).unwrap();
    let earlier = Payment { version: Version::First, accepted: None, ..payment };
    assert_eq!(keeper.take(&terms(100), &earlier).unwrap(), bought);
    assert_eq!(world.state().logged.len(), 1);
}

#[test]
fn what_is_not_what_was_asked_for_is_refused_and_not_remembered() {
    let shop = Shop::open();
    let other_key = WalletKey::from_bytes([2; 32]).unwrap();
    let mut forged = shop.payment(100, 2, |_| {});
    forged.signed.authorization.from = address(&other_key);
    let cases = [
        ("X402-VALUE", shop.payment(100, 2, |demand| demand.amount -= 1)),
        ("X402-VALUE", shop.payment(100, 2, |demand| demand.amount = demand.amount_max + 1)),
        ("X402-RECIPIENT", shop.payment(100, 2, |demand| demand.pay_to = [7; 20])),
        ("X402-ACCEPTED", shop.payment(100, 2, |demand| demand.domain.token = [7; 20])),
        ("X402-NETWORK", shop.payment(100, 2, |demand| demand.domain.chain_id = 1)),
        ("X402-EXPIRED", shop.payment(100, 2, |demand| demand.timeout_s = 30)),
        ("X402-LONG-LIVED", shop.payment(100, 2, |demand| demand.timeout_s = 3_601)),
        ("X402-SIGNATURE", forged),
    ];
    for (code, payment) in cases {
        assert_eq!(shop.refused(100, &payment), code);
    }
    let payment = shop.payment(100, 3, |_| {});
    shop.world.state().cancel(address(&shop.payer), [3; 32]);
    assert_eq!(shop.refused(100, &payment), "X402-NONCE");
    shop.world.state().faults.lose = 1_000;
    assert!(shop.keeper.take(&terms(100), &shop_payment(&shop)).is_err());
    shop.world.state().faults.lose = 0;
    assert!(shop.disk.files().is_empty(), "strangers make no file");
}

fn shop_payment(shop: &Shop) -> Payment {
    shop.world.state().faults.lose = 0;
    let payment = shop.payment(100, 4, |_| {});
    shop.world.state().faults.lose = 1_000;
    payment
}

#[test]
fn a_till_does_not_pay_itself() {
    let shop = Shop::open();
    let demand = shop.keeper.ask(&terms(100)).unwrap().demand;
    let resource = Resource { url: "/".into(), description: None, mime_type: None };
    let now_s = shop.world.state().now_s;
    let payment = pay(&demand.required(resource, "pay", Map::new()), &till_key(), now_s, [5; 32]).unwrap();
    assert_eq!(shop.refused(100, &payment), "X402-RECIPIENT");
}

#[test]
fn a_payment_buys_what_it_was_first_presented_for() {
    let shop = Shop::open();
    let payment = shop.payment(100, 1, |_| {});
    shop.keeper.take(&terms(100), &payment).unwrap();
    assert_eq!(shop.refused(99, &payment), "TIL-OTHER-TERMS");
    let resigned = shop.payment(100, 1, |demand| demand.timeout_s = 200);
    assert_eq!(shop.refused(100, &resigned), "TIL-OTHER-TERMS");
}

#[test]
fn many_who_send_one_payment_at_once_buy_once() {
    let shop = Arc::new(Shop::open());
    let payment = shop.payment(100, 1, |_| {});
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let (shop, payment) = (shop.clone(), payment.clone());
            scope.spawn(move || {
                let purchase = shop.keeper.take(&terms(100), &payment).unwrap();
                shop.keeper.round();
                assert_eq!(purchase.payment, PaymentId::of(&domain(), &payment.signed).to_string());
            });
        }
    });
    shop.keeper.round();
    assert_eq!(shop.world.state().logged.len(), 1);
    assert_eq!(shop.keeper.take(&terms(100), &payment).unwrap().status, PurchaseStatus::Ordered);
}

#[test]
fn a_payment_that_another_request_settles_while_one_looks_is_the_same_purchase() {
    let shop = Arc::new(Shop::open());
    let payment = shop.payment(100, 1, |_| {});
    let (other, same) = (shop.clone(), payment.clone());
    shop.world.state().meanwhile = Some(Box::new(move || {
        other.keeper.take(&terms(100), &same).unwrap();
        other.keeper.round();
    }));
    let purchase = shop.keeper.take(&terms(100), &payment).unwrap();
    assert_eq!(purchase.payment, PaymentId::of(&domain(), &payment.signed).to_string());
    assert!(!shop.world.state().nonces.is_empty(), "the token says that the nonce is used");
    // Who presents it for something else meanwhile is told so, and not that the token took it.
    let payment = shop.payment(100, 2, |_| {});
    let (other, same) = (shop.clone(), payment.clone());
    shop.world.state().meanwhile = Some(Box::new(move || {
        other.keeper.take(&terms(100), &same).unwrap();
        other.keeper.round();
    }));
    assert_eq!(shop.refused(99, &payment), "TIL-OTHER-TERMS");
}

#[test]
fn an_order_that_is_refused_after_it_was_paid_for_is_paid_back() {
    let shop = Shop::open();
    let payment = shop.payment(100, 1, |_| {});
    shop.keeper.take(&terms(100), &payment).unwrap();
    shop.world.state().has_workers = false;
    assert_eq!(shop.keeper.round(), 0);
    let purchase = shop.keeper.take(&terms(100), &payment).unwrap();
    assert_eq!((purchase.status, purchase.code.as_deref()), (PurchaseStatus::Returned, Some("CMP-NO-WORKER")));
    let back = purchase.back.unwrap();
    assert_eq!(back.amount, purchase.amount);
    assert_eq!(shop.world.state().balances[&address(&shop.payer)], 1_000_000);
    assert!(back.transaction.is_some());
}

#[test]
fn a_payment_whose_money_is_gone_is_unpaid_and_may_be_presented_again() {
    let shop = Shop::open();
    let payment = shop.payment(100, 1, |_| {});
    shop.keeper.take(&terms(100), &payment).unwrap();
    shop.world.state().balances.insert(address(&shop.payer), 0);
    shop.keeper.round();
    let unpaid = shop.keeper.find(&PaymentId::of(&domain(), &payment.signed)).unwrap().unwrap();
    assert_eq!((unpaid.status, unpaid.code.as_deref()), (PurchaseStatus::Unpaid, Some("X402-FUNDS")));
    assert_eq!(shop.refused(100, &payment), "X402-FUNDS", "it is looked at again, and still is not there");
    // Nobody sends it while it is not presented again.
    shop.world.state().balances.insert(address(&shop.payer), 1_000);
    shop.keeper.round();
    assert!(shop.world.state().nonces.is_empty());
    assert_eq!(shop.keeper.take(&terms(100), &payment).unwrap().status, PurchaseStatus::Settling);
    shop.keeper.round();
    assert_eq!(shop.keeper.take(&terms(100), &payment).unwrap().status, PurchaseStatus::Ordered);
}

#[test]
fn a_nonce_that_was_used_for_something_else_pays_for_nothing() {
    let shop = Shop::open();
    let payment = shop.payment(100, 1, |_| {});
    shop.keeper.take(&terms(100), &payment).unwrap();
    shop.world.state().cancel(address(&shop.payer), [1; 32]);
    shop.world.state().mine();
    shop.world.state().mine();
    shop.keeper.round();
    shop.keeper.round();
    let purchase = shop.keeper.take(&terms(100), &payment).unwrap();
    assert_eq!((purchase.status, purchase.code.as_deref()), (PurchaseStatus::Unpaid, Some("X402-NONCE")));
    assert!(shop.world.state().logged.is_empty());
}

#[test]
fn a_till_sells_no_more_than_its_credit_and_its_room() {
    let shop = Shop::open();
    shop.world.state().credit = 650;
    let first = shop.payment(100, 1, |_| {});
    let second = shop.payment(100, 2, |_| {});
    shop.keeper.take(&terms(100), &first).unwrap();
    shop.keeper.take(&terms(100), &second).unwrap();
    let refused = shop.keeper.ask(&terms(100)).unwrap_err();
    assert_eq!((refused.kind, refused.code), (RefusalKind::Busy, "TIL-CREDIT"));
    shop.world.state().credit = u128::MAX / 4;
    for nonce in 3..=64 {
        let payment = shop.payment(1, nonce, |_| {});
        shop.keeper.take(&terms(1), &payment).unwrap();
    }
    let payment = shop.payment(1, 65, |_| {});
    let NotTaken::Refused(refused) = shop.keeper.take(&terms(1), &payment).unwrap_err() else { panic!() };
    assert_eq!((refused.kind, refused.code), (RefusalKind::Busy, "TIL-BUSY"));
    shop.keeper.round();
    let payment = shop.payment(1, 65, |_| {});
    assert_eq!(shop.keeper.take(&terms(1), &payment).unwrap().status, PurchaseStatus::Settling);
}

#[test]
fn terms_that_are_none_or_not_for_sale_are_refused_before_anything_is_paid() {
    let shop = Shop::open();
    let mut bad = terms(1);
    bad.price = "x".into();
    let refused = shop.keeper.ask(&bad).unwrap_err();
    assert_eq!((refused.kind, refused.code), (RefusalKind::Malformed, "TIL-TERMS"));
    let mut cheap = terms(100);
    cheap.most = Some("299".into());
    let refused = shop.keeper.ask(&cheap).unwrap_err();
    assert_eq!((refused.kind, refused.code), (RefusalKind::Unsold, "CMP-MOST"));
}

#[test]
fn a_record_that_was_changed_or_cut_is_refused() {
    let shop = Shop::open();
    let payment = shop.payment(100, 1, |_| {});
    shop.keeper.take(&terms(100), &payment).unwrap();
    let Shop { world, disk, keeper, .. } = shop;
    drop(keeper);
    let (name, file) = disk.files().into_iter().next().unwrap();
    for place in (0..file.len()).step_by(7) {
        let twin = disk.twin(place as u64);
        twin.kill(DiskFaults::default());
        assert!(twin.flip(&name, place, (place % 8) as u8));
        assert!(open(&world, &twin).is_none(), "byte {place}");
        let twin = disk.twin(place as u64);
        twin.kill(DiskFaults::default());
        assert!(twin.cut(&name, place));
        assert!(open(&world, &twin).is_none(), "cut at {place}");
    }
    disk.kill(DiskFaults::default());
    assert!(open(&world, &disk).is_some());
}

#[test]
fn on_a_full_disk_nothing_is_taken_and_with_room_it_goes_on() {
    let shop = Shop::open();
    let payment = shop.payment(100, 1, |_| {});
    shop.disk.fill();
    assert_eq!(shop.refused(100, &payment), "TIL-FULL-DISK");
    assert!(shop.world.state().nonces.is_empty());
    shop.disk.make_room();
    shop.keeper.take(&terms(100), &payment).unwrap();
    shop.disk.fill();
    assert_eq!(shop.keeper.round(), 1);
    shop.disk.make_room();
    assert_eq!(shop.keeper.round(), 0);
    assert_eq!(shop.keeper.take(&terms(100), &payment).unwrap().status, PurchaseStatus::Ordered);
    assert_eq!(shop.world.state().logged.len(), 1);
}
