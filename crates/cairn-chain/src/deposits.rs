//! What buyers deposited, as the `Deposits` contract logged it, read once it is final.

use cairn_core::deposit::{Deposit, NotADeposit, Place};
use cairn_core::keccak256;
use cairn_settle::EvmAddress;

use crate::{Chain, ChainError, LogFilter, Logged};

/// The event, as in the contract's ABI.
pub const DEPOSITED: &str = "Deposited(uint64,bytes32,address,uint256,address,bytes32)";

/// A deposit with the contract's number, which counts from 0 without gaps.
pub type Numbered = (u64, Result<Deposit, NotADeposit>);

/// The last block that is final when as many blocks must stand on one; `None` while the chain is shorter.
///
/// # Errors
/// [`ChainError`].
pub fn final_block(chain: &dyn Chain, finality_blocks: u64) -> Result<Option<u64>, ChainError> {
    Ok(chain.head()?.number.checked_sub(finality_blocks))
}

/// The deposits in a range of blocks, both ends included, in the order of their numbers.
///
/// # Errors
/// [`ChainError::Answer`] for events of another form, or out of order: then it is not our contract.
pub fn deposits(chain: &dyn Chain, contract: EvmAddress, from: u64, to: u64) -> Result<Vec<Numbered>, ChainError> {
    let filter = LogFilter { address: contract, topic: keccak256(DEPOSITED.as_bytes()), from, to };
    let wrong = |what: &str| ChainError::Answer { chain: chain.name(), what: format!("with events that {what}") };
    let mut all: Vec<Numbered> = Vec::new();
    for event in chain.logs(&filter)? {
        let one = read(&event).ok_or_else(|| wrong("are no deposits"))?;
        if all.last().is_some_and(|(last, _)| last.checked_add(1) != Some(one.0)) {
            return Err(wrong("do not count without gaps"));
        }
        all.push(one);
    }
    Ok(all)
}

fn read(event: &Logged) -> Option<Numbered> {
    let [_, number, buyer, asset] = event.topics.as_slice() else { return None };
    let [amount, payer, memo] = event.data.as_chunks::<32>().0 else { return None };
    if event.data.len() != 96 || number[..24] != [0; 24] {
        return None;
    }
    let number = u64::from_be_bytes(number[24..].try_into().ok()?);
    let place = Place {
        block: event.block,
        block_hash: event.block_hash,
        transaction: event.transaction,
        log_index: event.index,
    };
    Some((number, Deposit::of_event(place, *buyer, address(asset)?, amount, address(payer)?, *memo)))
}

fn address(word: &[u8; 32]) -> Option<EvmAddress> {
    let (zeros, address) = word.split_at(12);
    (zeros == [0; 12]).then(|| address.try_into().ok())?
}

#[cfg(test)]
mod tests {
    use cairn_core::Amount;
    use cairn_settle::Contract;
    use cairn_settle::abi::{address_word, uint_word};

    use super::*;

    fn event() -> Logged {
        Logged {
            address: [9; 20],
            topics: vec![keccak256(DEPOSITED.as_bytes()), uint_word(7u8), [3; 32], address_word([4; 20])],
            data: [uint_word(5u8), address_word([6; 20]), [8; 32]].concat(),
            block: 12,
            block_hash: [1; 32],
            transaction: [2; 32],
            index: 3,
        }
    }

    #[test]
    fn an_event_of_the_contract_is_read_field_by_field() {
        assert!(Contract::Deposits.artifact().signatures("event").iter().any(|event| event == DEPOSITED));
        let (number, deposit) = read(&event()).unwrap();
        let deposit = deposit.unwrap();
        assert_eq!((number, deposit.amount, deposit.place.block, deposit.place.log_index), (7, Amount(5), 12, 3));
        assert_eq!((deposit.buyer, deposit.asset, deposit.payer, deposit.memo), ([3; 32], [4; 20], [6; 20], [8; 32]));
    }

    #[test]
    fn what_is_no_deposit_is_not_read_as_one() {
        let changes: [fn(&mut Logged); 6] = [
            |event| event.topics.truncate(3),
            |event| event.topics[1][0] = 1,
            |event| event.topics[3][0] = 1,
            |event| event.data.truncate(95),
            |event| event.data.push(0),
            |event| event.data[32] = 1,
        ];
        for (place, change) in changes.iter().enumerate() {
            let mut changed = event();
            change(&mut changed);
            assert!(read(&changed).is_none(), "{place}");
        }
        let mut large = event();
        large.data[0] = 1;
        assert_eq!(read(&large).unwrap(), (7, Err(NotADeposit::Amount)));
    }
}
