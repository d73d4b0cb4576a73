//! What payers sign for the network's real token, and what they may do behind the till's back.

use std::sync::atomic::Ordering;

use cairn_api::PurchaseStatus;
use cairn_chain::{Call, ChainError};
use cairn_gateway::{NotTaken, Till};
use cairn_settle::calls;
use cairn_x402::{Authorization, Payment, PaymentId, Signed, Version, word_of};

use crate::shop::{PRICE, Shop, address, key, order, send};

#[test]
fn a_payment_moves_the_networks_token_once_and_its_change_comes_back() {
    let mut shop = Shop::open();
    let payment = shop.payment(100, 1);
    // Of the first version of the protocol.
    let earlier = Payment { version: Version::First, accepted: None, ..payment.clone() };
    assert_eq!(shop.keeper().take(&order(100), &earlier).unwrap().status, PurchaseStatus::Settling);
    shop.orders.state().rebate_ppm = 100_000;
    assert_eq!(shop.keeper().round(), 0);
    let bought = shop.purchase(&payment);
    assert_eq!((bought.status, bought.locked.as_deref()), (PurchaseStatus::Ordered, Some("270")));
    assert_eq!(bought.back.as_ref().unwrap().amount, (317 - PRICE.of(cairn_core::Amount(270)).unwrap()).to_string());
    assert_eq!(shop.balance(address(&shop.payer)), 1_000_000 - PRICE.of(cairn_core::Amount(270)).unwrap());
    shop.begin_again();
    assert_eq!(shop.keeper().take(&order(100), &payment).unwrap(), bought);
    assert_eq!((shop.keeper().round(), shop.jobs()), (0, 1));
}

#[test]
fn whoever_sends_the_payment_first_it_buys_one_job() {
    let shop = Shop::open();
    let payment = shop.payment(100, 1);
    shop.keeper().take(&order(100), &payment).unwrap();
    shop.sent(&payment.signed).unwrap();
    assert_eq!(shop.keeper().round(), 0);
    assert_eq!((shop.purchase(&payment).status, shop.jobs()), (PurchaseStatus::Ordered, 1));
    // Sent before it was presented, it is not remembered, and buys nothing.
    let early = shop.payment(100, 2);
    shop.sent(&early.signed).unwrap();
    let NotTaken::Payment(refused, _) = shop.keeper().take(&order(100), &early).unwrap_err() else { panic!() };
    assert_eq!(refused.code(), "X402-NONCE");
}

#[test]
fn a_nonce_that_moved_money_elsewhere_or_was_cancelled_pays_for_nothing() {
    let shop = Shop::open();
    // The payer signs two authorizations with one nonce, of the same amount, and sends the one to somebody else.
    let payment = shop.payment(100, 1);
    shop.keeper().take(&order(100), &payment).unwrap();
    let elsewhere = Authorization { to: address(&key(77)), ..payment.signed.authorization };
    shop.sent(&elsewhere.sign(&shop.domain, &shop.payer)).unwrap();
    // The same again, of less, to the till.
    let other = shop.payment(100, 2);
    shop.keeper().take(&order(100), &other).unwrap();
    let less = Authorization { value: word_of(1u8), ..other.signed.authorization };
    shop.sent(&less.sign(&shop.domain, &shop.payer)).unwrap();
    assert_eq!(shop.keeper().round(), 0);
    for payment in [&payment, &other] {
        let purchase = shop.purchase(payment);
        assert_eq!((purchase.status, purchase.code.as_deref()), (PurchaseStatus::Unpaid, Some("X402-NONCE")));
    }
    assert_eq!(shop.jobs(), 0);
}

#[test]
fn what_is_refused_is_paid_back_and_the_payer_can_send_it_himself() {
    let mut shop = Shop::open();
    let payment = shop.payment(100, 1);
    shop.keeper().take(&order(100), &payment).unwrap();
    shop.orders.state().has_workers = false;
    assert_eq!(shop.keeper().round(), 0);
    let returned = shop.purchase(&payment);
    assert_eq!((returned.status, returned.code.as_deref()), (PurchaseStatus::Returned, Some("CMP-NO-WORKER")));
    assert_eq!(shop.balance(address(&shop.payer)), 1_000_000);

    // What was told of it is enough for anybody to send it, once.
    let back = returned.back.unwrap();
    let signature: [u8; 65] = cairn_settle::told::parse_signature(&back.signature).unwrap();
    let authorization = Authorization {
        from: address(&key(9)),
        to: address(&shop.payer),
        value: word_of(back.amount.parse::<u128>().unwrap()),
        valid_after: [0; 32],
        valid_before: [0xff; 32],
        nonce: PaymentId::of(&shop.domain, &payment.signed).0.0,
    };
    let again = shop.sent(&Signed { authorization, signature }).unwrap_err();
    assert_eq!(again, ChainError::Reverted { reason: "AuthorizationUsedUp".to_owned() });
    shop.begin_again();
    assert_eq!((shop.keeper().round(), shop.jobs()), (0, 0));
}

#[test]
fn a_payer_without_the_money_or_with_it_gone_is_told_so_and_nothing_is_moved() {
    let shop = Shop::open();
    let payment = shop.payment(100_000_000, 1);
    let NotTaken::Payment(refused, _) = shop.keeper().take(&order(100_000_000), &payment).unwrap_err() else {
        panic!()
    };
    assert_eq!((refused.code(), refused.reason()), ("X402-FUNDS", "insufficient_funds"));
    let payment = shop.payment(100, 2);
    shop.keeper().take(&order(100), &payment).unwrap();
    let all = calls::transfer([0xbb; 20], shop.balance(address(&shop.payer)));
    send(&shop.chain, &shop.payer, Call::to(shop.domain.token, all)).unwrap();
    assert_eq!(shop.keeper().round(), 1, "it is watched until it expires");
    let purchase = shop.purchase(&payment);
    assert_eq!((purchase.status, purchase.code.as_deref()), (PurchaseStatus::Unpaid, Some("X402-FUNDS")));
    // Once a block is later than it is valid, it is over.
    shop.now_s.fetch_add(301, Ordering::Relaxed);
    shop.chain.fund([1; 20], 1).unwrap();
    assert_eq!(shop.keeper().round(), 0);
    assert_eq!(shop.purchase(&payment).code.as_deref(), Some("X402-EXPIRED"));
}
