//! One module per resource class: what is said (`body`), thresholds as data (`profile`), the verdicts (`judge`).
//!
//! A class is a room with the same four files; who has read one has read them all. This page is the registry: it maps a
//! schema such as `sensing/1` to its class, so that admission, the epoch engine and the command line need no list of
//! their own. A judge is a pure function of its profile and its docket: no clock, no float, no randomness, the same
//! bytes on one thread or many. Not here: who may report (admission), what a verdict is paid (reward).

pub mod compute;
#[cfg(test)]
mod dice;
mod docket;
mod error;
pub mod sensing;

use cairn_core::Reason;
use cairn_core::cbor::Value;

pub use docket::{Carry, Clock, Docket, Flags, Judged, Report, Site};
pub use error::ClassError;

/// A resource class that this build knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// `sensing/1`: weather, air quality and other measurements of one place.
    Sensing,
    /// `compute/1`: the run of WebAssembly modules, ordered and checked.
    Compute,
}

impl Class {
    /// Every class, in the order of this enum.
    pub const ALL: [Self; 2] = [Self::Sensing, Self::Compute];

    /// The class of a schema.
    ///
    /// # Errors
    /// [`ClassError::UnknownClass`].
    pub fn of_schema(schema: &str) -> Result<Self, ClassError> {
        Self::ALL
            .into_iter()
            .find(|class| class.schema() == schema)
            .ok_or_else(|| ClassError::UnknownClass { schema: schema.to_owned() })
    }

    /// The schema that reports and profiles of the class name.
    #[must_use]
    pub const fn schema(self) -> &'static str {
        match self {
            Self::Sensing => sensing::SCHEMA,
            Self::Compute => compute::SCHEMA,
        }
    }

    /// The revisions of the judge that this build can run, ascending. A revision never changes once it has paid.
    #[must_use]
    pub const fn revisions(self) -> &'static [u32] {
        match self {
            Self::Sensing => sensing::REVISIONS,
            Self::Compute => compute::REVISIONS,
        }
    }

    /// Commented profiles to start from, as (file name, document).
    #[must_use]
    pub const fn default_profiles(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Sensing => sensing::DEFAULT_PROFILES,
            Self::Compute => compute::DEFAULT_PROFILES,
        }
    }
}

/// Whether a report's body has the shape of its schema; part of admission. Answers with the time from the report's own
/// time to its last reading, in ms.
///
/// # Errors
/// [`ClassError`] naming what is refused.
pub fn check_body(schema: &str, body: &Value) -> Result<u64, ClassError> {
    match Class::of_schema(schema)? {
        Class::Sensing => {
            let body = sensing::Body::parse(body)?;
            Ok(body.readings().last().map_or(0, |reading| reading.after_ms))
        }
        Class::Compute => compute::Body::parse(body).map(|_| 0),
    }
}

/// Whether a profile document can be judged by; part of admission.
///
/// # Errors
/// [`ClassError`] naming what is refused.
pub fn check_profile(schema: &str, document: &str) -> Result<(), ClassError> {
    match Class::of_schema(schema)? {
        Class::Sensing => sensing::Document::parse(document).map(|_| ()),
        Class::Compute => compute::Profile::parse(document).map(|_| ()),
    }
}

/// The length of the slots that a profile document judges by, in ms.
///
/// # Errors
/// [`ClassError`] naming what is refused.
pub fn slot_ms(schema: &str, document: &str) -> Result<u64, ClassError> {
    match Class::of_schema(schema)? {
        Class::Sensing => Ok(sensing::Document::parse(document)?.slot_ms()),
        // Jobs have no slots: what is remembered of workers outlives any change of the profile.
        Class::Compute => compute::Profile::parse(document).map(|_| 1),
    }
}

/// The revision of the judge that reads a profile document: under another one its slots are unscored.
///
/// # Errors
/// [`ClassError`] naming what is refused.
pub fn read_by(schema: &str, document: &str) -> Result<u32, ClassError> {
    match Class::of_schema(schema)? {
        Class::Sensing => Ok(sensing::Document::parse(document)?.revision()),
        Class::Compute => compute::Profile::parse(document).map(|_| 1),
    }
}

/// Judges a docket under a class's profile document with a numbered revision of its judge.
///
/// A profile that the revision cannot read makes no error but verdicts without amount that say so: a network's documents
/// change one at a time, and its epochs close all the same.
///
/// # Errors
/// [`ClassError`] for an unknown class or revision, a bad profile, or a docket that contradicts itself.
pub fn judge(schema: &str, revision: u32, profile: &str, docket: &Docket<'_>) -> Result<Judged, ClassError> {
    match Class::of_schema(schema)? {
        Class::Sensing => sensing::judge(revision, &sensing::Document::parse(profile)?, docket),
        Class::Compute => compute::judge(revision, &compute::Profile::parse(profile)?, docket),
    }
}

/// A reason as an English sentence with decimal units, for the person it was said of.
///
/// Reasons of classes unknown to this build are shown as they stand.
#[must_use]
pub fn sentence(schema: &str, reason: &Reason) -> String {
    match Class::of_schema(schema) {
        Ok(Class::Sensing) => sensing::sentence(reason),
        Ok(Class::Compute) => compute::sentence(reason),
        Err(_) => format!("{}: {} ({} against {})", reason.code, reason.check, reason.observed, reason.threshold),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_found_by_its_schema_and_brings_profiles_that_parse() {
        for class in Class::ALL {
            assert_eq!(Class::of_schema(class.schema()), Ok(class));
            assert!(class.revisions().is_sorted() && !class.revisions().is_empty());
            for (name, document) in class.default_profiles() {
                assert_eq!(check_profile(class.schema(), document), Ok(()), "{name}");
                assert_eq!(read_by(class.schema(), document).ok().as_ref(), class.revisions().last(), "{name}");
            }
        }
    }

    #[test]
    fn unknown_classes_are_refused_by_name() {
        for schema in ["", "sensing", "sensing/2", "Sensing/1"] {
            let refused = ClassError::UnknownClass { schema: schema.to_owned() };
            assert_eq!(check_body(schema, &Value::Int(0)), Err(refused.clone()));
            assert_eq!(check_profile(schema, ""), Err(refused.clone()));
            assert_eq!(refused.code(), "CLS-SCHEMA");
        }
    }
}

/// The code of the builder's guide, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/builder.md")]
struct BuilderGuide;
