//! Where sources go on: the words for it, which are each source's own.

/// What came one after the other, by the marks of the first and the last of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The mark of the first.
    pub first: Vec<u8>,
    /// The mark of the last; that of the first where there is but one.
    pub last: Vec<u8>,
}

/// Where a source goes on after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// Everything up to here is kept: the [`crate::Raw::mark`] of the last of it.
    pub at: Vec<u8>,
    /// What is kept beyond that, in the order in which it came: the source passes over it when it comes to it again.
    pub beyond: Vec<Stretch>,
}

impl From<Vec<u8>> for Mark {
    /// A mark beyond which nothing is kept.
    fn from(at: Vec<u8>) -> Self {
        Self { at, beyond: Vec::new() }
    }
}
