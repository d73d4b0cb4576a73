//! Terms of an order as JSON tells them, and the order that they are.

use cairn_api::{BlobRef, OrderTerms};
use cairn_core::statement::{
    Blob, ORDER_ARGUMENTS_MAX, ORDER_GAS_MAX, ORDER_INPUTS_MAX, Order, REPLICAS_MAX, RunProfile,
};
use cairn_core::{Account, Amount, Hash, Ppm};

/// Why terms are none: the field, and what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadTerms {
    /// Which field.
    pub field: &'static str,
    /// What it should be.
    pub what: &'static str,
}

impl core::fmt::Display for BadTerms {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "`{}` is not {}", self.field, self.what)
    }
}

/// The order of a buyer under these terms; absent, `most` is the largest amount there is.
///
/// # Errors
/// [`BadTerms`] names the first field that is not well formed. What only the network can judge is not judged.
pub fn order_of(terms: &OrderTerms, buyer: Account) -> Result<Order, BadTerms> {
    let bad = |field, what| move || BadTerms { field, what };
    const UNITS: &str = "a decimal number of base units";
    let amount = |field, text: &str| Amount::parse(text).map_err(|_| BadTerms { field, what: UNITS });
    if terms.inputs.len() > ORDER_INPUTS_MAX {
        return Err(BadTerms { field: "inputs", what: "a list of at most 16" });
    }
    let arguments = data_encoding::HEXLOWER_PERMISSIVE.decode(terms.arguments.as_bytes()).ok();
    let arguments = arguments.filter(|bytes| bytes.len() <= ORDER_ARGUMENTS_MAX);
    let profile = [RunProfile::DetInt, RunProfile::DetFloat].into_iter().find(|one| one.word() == terms.profile);
    let most = terms.most.as_deref().map_or(Ok(Amount(u128::MAX)), |text| amount("most", text))?;
    if terms.gas > ORDER_GAS_MAX {
        return Err(BadTerms { field: "gas", what: "below 2^63" });
    }
    if !(1..=REPLICAS_MAX).contains(&terms.replicas) {
        return Err(BadTerms { field: "replicas", what: "1 to 8" });
    }
    Ok(Order {
        buyer,
        module: blob("module", &terms.module)?,
        inputs: terms.inputs.iter().map(|input| blob("inputs", input)).collect::<Result<_, _>>()?,
        arguments: arguments.ok_or_else(bad("arguments", "hexadecimal digits of at most 4,096 bytes"))?,
        gas_table: terms.gas_table,
        profile: profile.ok_or_else(bad("profile", "`det-int` or `det-float`"))?,
        gas: terms.gas,
        pages: terms.pages,
        output_bytes: terms.output_bytes,
        price: amount("price", &terms.price)?,
        replicas: terms.replicas,
        sample: Ppm::of(terms.sample_ppm).ok_or_else(bad("sample_ppm", "at most a million"))?,
        commit_ms: terms.commit_ms,
        most,
        refund: None,
    })
}

fn blob(field: &'static str, told: &BlobRef) -> Result<Blob, BadTerms> {
    let hash = Hash::from_hex(&told.hash).filter(|_| told.bytes < 1 << 63);
    let hash = hash.ok_or(BadTerms { field, what: "a SHA-256 of 64 hexadecimal digits and a length" })?;
    Ok(Blob { hash, bytes: told.bytes })
}

#[cfg(test)]
mod tests {
    use cairn_core::{Address, Domain};

    use super::*;

    fn buyer() -> Account {
        Account::at(Domain::parse("eip155:31337").unwrap(), Address::Evm([1; 20])).unwrap()
    }

    fn terms() -> OrderTerms {
        let module = format!(r#"{{"hash":"{}","bytes":5}}"#, "ab".repeat(32));
        let text = format!(r#"{{"module":{module},"gas":7,"pages":1,"output_bytes":9,"price":"3","commit_ms":60000}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn short_terms_are_an_order_with_every_default() {
        let order = order_of(&terms(), buyer()).unwrap();
        assert_eq!((order.gas_table, order.profile, order.replicas), (1, RunProfile::DetInt, 1));
        assert_eq!((order.most, order.sample, order.refund), (Amount(u128::MAX), Ppm::ZERO, None));
        assert!(order.arguments.is_empty() && order.inputs.is_empty());
    }

    #[test]
    fn terms_that_are_none_are_refused_by_their_field() {
        type Change = fn(&mut OrderTerms);
        let cases: [(&str, Change); 12] = [
            ("module", |terms| terms.module.hash.truncate(63)),
            ("module", |terms| terms.module.bytes = 1 << 63),
            ("inputs", |terms| terms.inputs = vec![terms.module.clone(); 17]),
            ("inputs", |terms| terms.inputs = vec![BlobRef { hash: "x".into(), bytes: 1 }]),
            ("arguments", |terms| terms.arguments = "é".into()),
            ("arguments", |terms| terms.arguments = "aa".repeat(4_097)),
            ("profile", |terms| terms.profile = "float".into()),
            ("gas", |terms| terms.gas = 1 << 63),
            ("price", |terms| terms.price = "1.5".into()),
            ("most", |terms| terms.most = Some("-1".into())),
            ("replicas", |terms| terms.replicas = 0),
            ("sample_ppm", |terms| terms.sample_ppm = 1_000_001),
        ];
        for (field, change) in cases {
            let mut terms = terms();
            change(&mut terms);
            assert_eq!(order_of(&terms, buyer()).map_err(|bad| bad.field), Err(field));
        }
    }
}
