//! From the document to the policy, key by key.

use std::collections::{BTreeMap, BTreeSet};

use cairn_core::deposit;
use cairn_core::key::PublicKey;
use cairn_core::{Account, Amount, Domain, Hash, PPM, Ppm};

use super::{
    Asset, CREDIT_CHAINS_MAX, Credit, Destination, Epochs, MARKETS, Observer, POLICY_BYTES_MAX, Policy, Pool, Residual,
    Rule, Trust,
};
use crate::document::{Document, Field, Table};
use crate::emission::{Emission, EmissionRow};
use crate::{REVISION, RewardError};

const SECTIONS: &[&str] =
    &["engine", "asset", "epochs", "positions", "limits", "emission", "classes", "pools", "credit", "observers"];
const CLASS_KEYS: &[&str] = &["revision", "bridges"];
const MARKET_KEYS: &[&str] = &["revision", "fee_ppm"];
const PRO_RATA_KEYS: &[&str] = &["name", "rule", "class", "share_ppm", "cap_per_device_tokens"];
const FLAT_KEYS: &[&str] = &["name", "rule", "class", "share_ppm", "cap_per_device_tokens", "min_score_ppm"];
const RESIDUAL_KEYS: &[&str] = &["name", "rule", "to"];
const OBSERVER_KEYS: &[&str] = &["source", "key", "trust"];

/// The most decimal places an asset may have: those of Ethereum's tokens.
const DECIMALS_MAX: u64 = 18;
const LATE_EPOCHS_MAX: u64 = 1_000;
const FUTURE_MS_MAX: u64 = 86_400_000;
/// Integers of a document stay within 63 bits, as in the log.
const UINT_MAX: u64 = i64::MAX as u64;

impl Policy {
    /// Reads a policy document.
    ///
    /// # Errors
    /// [`RewardError`], naming the line and the key that is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, RewardError> {
        let document = Document::parse(bytes, POLICY_BYTES_MAX)?;
        let root = document.root(SECTIONS)?;
        let engine_revision = engine(&root)?;
        let asset = asset(&root)?;
        let epochs = epochs(&root)?;
        let positions = root.required("positions")?.table(&["h3_resolution"])?;
        let limits = root.required("limits")?.table(&["devices_per_owner"])?;
        let devices_per_owner = uint32(&limits.required("devices_per_owner")?, u32::MAX.into())?;
        let emission = emission(&root, asset.decimals)?;
        let Classes { revisions: classes, fees, bridged } = classes(&root)?;
        let (pools, residual) = pools(&root, &classes, asset.decimals)?;
        let credit = root.optional("credit").map(credit).transpose()?;
        Ok(Self {
            hash: Hash::of(bytes),
            engine_revision,
            epochs,
            h3_resolution: uint8(&positions.required("h3_resolution")?, 15)?,
            devices_per_owner: (devices_per_owner > 0).then_some(devices_per_owner),
            emission,
            classes,
            fees,
            bridged,
            pools,
            residual,
            observers: observers(&root, credit.as_ref())?,
            credit,
            asset,
        })
    }
}

fn uint32(field: &Field<'_>, max: u64) -> Result<u32, RewardError> {
    Ok(u32::try_from(field.uint(max)?).expect("callers pass a maximum within 32 bits"))
}

fn uint8(field: &Field<'_>, max: u64) -> Result<u8, RewardError> {
    Ok(u8::try_from(field.uint(max)?).expect("callers pass a maximum within 8 bits"))
}

fn ppm(field: &Field<'_>) -> Result<Ppm, RewardError> {
    Ok(Ppm::of(uint32(field, PPM.into())?).expect("at most one million"))
}

fn engine(root: &Table<'_>) -> Result<u32, RewardError> {
    let revision = root.required("engine")?.table(&["revision"])?.required("revision")?;
    match revision.uint(UINT_MAX)? {
        found if found == u64::from(REVISION) => Ok(REVISION),
        found => Err(RewardError::Revision { line: revision.line, found }),
    }
}

fn asset(root: &Table<'_>) -> Result<Asset, RewardError> {
    let table = root.required("asset")?.table(&["symbol", "decimals", "caip19"])?;
    let symbol = table.required("symbol")?;
    let text = symbol.text()?;
    let capital = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    if text.len() > 11 || !text.bytes().all(capital) || !text.starts_with(|first: char| first.is_ascii_uppercase()) {
        return Err(symbol.refused(text, "1 to 11 capital letters and digits, a letter first"));
    }
    Ok(Asset {
        symbol: text.to_owned(),
        decimals: uint8(&table.required("decimals")?, DECIMALS_MAX)?,
        caip19: table.optional("caip19").map(|field| caip19(&field)).transpose()?,
    })
}

/// CAIP-19: `<chain>/<namespace>:<reference>`, on a chain that is known.
fn caip19(field: &Field<'_>) -> Result<String, RewardError> {
    let text = field.text()?;
    let is_asset = text.split_once('/').is_some_and(|(chain, asset)| {
        let (namespace, reference) = asset.split_once(':').unwrap_or_default();
        Domain::parse(chain).is_ok()
            && (3..=8).contains(&namespace.len())
            && namespace.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && (1..=128).contains(&reference.len())
            && reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.%/".contains(&byte))
    });
    if is_asset {
        Ok(text.to_owned())
    } else {
        Err(field.refused(text, "a CAIP-19 asset, such as eip155:1/erc20:0x6b17..."))
    }
}

fn epochs(root: &Table<'_>) -> Result<Epochs, RewardError> {
    let table = root.required("epochs")?.table(&["late_epochs", "late_ppm", "future_ms"])?;
    Ok(Epochs {
        late_epochs: uint32(&table.required("late_epochs")?, LATE_EPOCHS_MAX)?,
        late: ppm(&table.required("late_ppm")?)?,
        future_ms: table.required("future_ms")?.uint(FUTURE_MS_MAX)?,
    })
}

fn emission(root: &Table<'_>, decimals: u8) -> Result<Emission, RewardError> {
    let table = root.required("emission")?.table(&["table", "max_supply_tokens"])?;
    let max_supply = table.optional("max_supply_tokens").map(|field| tokens(&field, decimals)).transpose()?;
    let row = |field: Field<'_>| {
        let row = field.table(&["from_epoch", "amount_tokens"])?;
        Ok(EmissionRow {
            from_epoch: row.required("from_epoch")?.uint(UINT_MAX)?,
            amount: tokens(&row.required("amount_tokens")?, decimals)?,
        })
    };
    let rows = table.required("table")?.items()?.into_iter().map(row).collect::<Result<_, RewardError>>()?;
    Emission::of_rows(rows, max_supply)
}

/// Decimal tokens as base units, exactly: `"0.25"` with 6 decimals is 250,000.
fn tokens(field: &Field<'_>, decimals: u8) -> Result<Amount, RewardError> {
    let text = field.text()?;
    Amount::parse_tokens(text, decimals).ok_or_else(|| {
        field
            .refused(text, format!("a decimal amount of tokens with at most {decimals} places, below 2^128 base units"))
    })
}

/// What the document says of its classes, by schema.
#[derive(Default)]
struct Classes {
    revisions: BTreeMap<String, u32>,
    fees: BTreeMap<String, Ppm>,
    bridged: BTreeSet<String>,
}

fn classes(root: &Table<'_>) -> Result<Classes, RewardError> {
    let mut classes = Classes::default();
    for (schema, field) in root.required("classes")?.open_table()?.fields() {
        let is_schema = schema.split_once('/').is_some_and(|(name, version)| {
            is_name(name) && version.parse::<u16>().is_ok_and(|number| number > 0 && number.to_string() == version)
        });
        if !is_schema || schema.len() > 32 {
            return Err(field.refused(schema, "a class schema, such as sensing/1"));
        }
        let has_market = MARKETS.contains(&schema);
        let table = field.table(if has_market { MARKET_KEYS } else { CLASS_KEYS })?;
        let revision = table.required("revision")?;
        match uint32(&revision, u32::MAX.into())? {
            0 => return Err(revision.refused("0", "a revision: they count from 1")),
            number => classes.revisions.insert(schema.to_owned(), number),
        };
        if has_market {
            let fee = table.optional("fee_ppm").map_or(Ok(Ppm::ZERO), |field| ppm(&field))?;
            classes.fees.insert(schema.to_owned(), fee);
        } else if table.optional("bridges").map_or(Ok(false), |field| field.truth())? {
            classes.bridged.insert(schema.to_owned());
        }
    }
    Ok(classes)
}

/// 1 to 32 lower-case letters, digits and hyphens, a letter first.
fn is_name(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn pools(
    root: &Table<'_>,
    classes: &BTreeMap<String, u32>,
    decimals: u8,
) -> Result<(Vec<Pool>, Residual), RewardError> {
    let (mut pools, mut residuals, mut names) = (Vec::new(), Vec::new(), BTreeSet::new());
    for field in root.required("pools")?.items()? {
        let table = field.open_table()?;
        let name = table.required("name")?;
        let text = name.text()?;
        if !is_name(text) {
            return Err(name.refused(text, "1 to 32 lower-case letters, digits and hyphens, a letter first"));
        }
        if !names.insert(text) {
            return Err(name.repeated(text));
        }
        let rule = table.required("rule")?;
        match rule.text()? {
            "residual" => residuals.push(residual(table.holding(RESIDUAL_KEYS)?, text)?),
            "pro-rata" => pools.push(pool(table.holding(PRO_RATA_KEYS)?, text, Rule::ProRata, decimals)?),
            "flat" => {
                let table = table.holding(FLAT_KEYS)?;
                let rule = Rule::Flat { min_score: ppm(&table.required("min_score_ppm")?)? };
                pools.push(pool(table, text, rule, decimals)?);
            }
            other => return Err(rule.refused(other, "a rule: pro-rata, flat or residual")),
        }
    }
    if let Some(pool) = pools.iter().find(|pool| !classes.contains_key(&pool.class)) {
        return Err(RewardError::UnknownClass { pool: pool.name.clone(), class: pool.class.clone() });
    }
    let sum_ppm = pools.iter().map(|pool| u64::from(pool.share.get())).sum();
    if sum_ppm > u64::from(PPM) {
        return Err(RewardError::Shares { sum_ppm });
    }
    let count = residuals.len();
    match (residuals.pop(), count) {
        (Some(residual), 1) => Ok((pools, residual)),
        _ => Err(RewardError::Residual { count }),
    }
}

fn pool(table: Table<'_>, name: &str, rule: Rule, decimals: u8) -> Result<Pool, RewardError> {
    Ok(Pool {
        name: name.to_owned(),
        class: table.required("class")?.text()?.to_owned(),
        rule,
        share: ppm(&table.required("share_ppm")?)?,
        cap_per_device: table.optional("cap_per_device_tokens").map(|field| tokens(&field, decimals)).transpose()?,
    })
}

fn residual(table: Table<'_>, name: &str) -> Result<Residual, RewardError> {
    let field = table.required("to")?;
    let to = match field.text()? {
        "burn" => Destination::Burn,
        "next-epoch" => Destination::NextEpoch,
        text => Destination::Account(
            Account::parse(text).map_err(|_| field.refused(text, "a CAIP-10 account, burn or next-epoch"))?,
        ),
    };
    Ok(Residual { name: name.to_owned(), to })
}

fn credit(field: Field<'_>) -> Result<Credit, RewardError> {
    let list = field.table(&["chains"])?.required("chains")?;
    let (line, key) = (list.line, list.key.clone());
    let mut chains = BTreeSet::new();
    for item in list.items()? {
        let text = item.text()?;
        let chain = Domain::parse(text).ok().filter(|chain| chain.evm_chain().is_some());
        let chain = chain.ok_or_else(|| item.refused(text, "an EVM chain, such as eip155:1"))?;
        if !chains.insert(chain) {
            return Err(item.repeated(text));
        }
    }
    if (1..=CREDIT_CHAINS_MAX).contains(&chains.len()) {
        return Ok(Credit { chains });
    }
    let value = format!("{} chains", chains.len());
    Err(RewardError::Value { line, key, value, expected: format!("a list of 1 to {CREDIT_CHAINS_MAX} chains") })
}

/// Refuses an observer of deposits whose word would not be taken as the document says it is.
fn check_deposits(credit: &Credit, source: &Field<'_>, trust: &Field<'_>) -> Result<(), RewardError> {
    let text = source.text()?;
    if !deposit::is_source(text) {
        return Ok(());
    }
    if !deposit::chain_of(text).is_some_and(|chain| credit.chains.contains(&chain)) {
        return Err(source.refused(text, "a source of deposits on one of credit.chains"));
    }
    match trust.text()? {
        "operator" => Ok(()),
        other => Err(trust.refused(other, "operator: a deposit is one observer's word")),
    }
}

fn observers(root: &Table<'_>, credit: Option<&Credit>) -> Result<Vec<Observer>, RewardError> {
    let fields = root.optional("observers").map_or(Ok(Vec::new()), Field::items)?;
    let mut observers: Vec<Observer> = Vec::new();
    for field in fields {
        let table = field.table(OBSERVER_KEYS)?;
        let (source, key, trust) = (table.required("source")?, table.required("key")?, table.required("trust")?);
        let observer = Observer { source: source_name(&source)?, key: observer_key(&key)?, trust: trust_of(&trust)? };
        for other in observers.iter().filter(|other| other.source == observer.source) {
            if other.key == observer.key {
                return Err(key.repeated(&observer.key.did()));
            }
            if other.trust != observer.trust {
                let expected = format!("{}, as the source's other observers have it", other.trust.name());
                return Err(trust.refused(observer.trust.name(), expected));
            }
        }
        if let Some(credit) = credit {
            check_deposits(credit, &source, &trust)?;
        }
        observers.push(observer);
    }
    Ok(observers)
}

fn source_name(field: &Field<'_>) -> Result<String, RewardError> {
    let text = field.text()?;
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-./:".contains(&byte);
    if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
        Ok(text.to_owned())
    } else {
        Err(field.refused(text, "a source: 1 to 64 lower-case letters, digits and -./:"))
    }
}

fn observer_key(field: &Field<'_>) -> Result<PublicKey, RewardError> {
    let text = field.text()?;
    match PublicKey::parse_did(text) {
        Ok(key) if key.enrolable() => Ok(key),
        _ => Err(field.refused(text, "the did:key of an Ed25519 or P-256 key")),
    }
}

fn trust_of(field: &Field<'_>) -> Result<Trust, RewardError> {
    match field.text()? {
        "proof" => Ok(Trust::Proof),
        "median" => Ok(Trust::Median),
        "operator" => Ok(Trust::Operator),
        other => Err(field.refused(other, "proof, median or operator")),
    }
}
