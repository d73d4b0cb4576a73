//! The components that pages are made of. None of them knows what it shows.

pub(crate) mod chart;
pub(crate) mod layout;
pub(crate) mod link;
pub(crate) mod live;
pub(crate) mod map;
pub(crate) mod table;
pub(crate) mod verify;
