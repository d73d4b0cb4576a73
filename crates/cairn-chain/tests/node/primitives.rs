//! The names of forks, where the included tests look for them.

/// As in `revm`, those on which the contracts are to work.
pub mod hardfork {
    /// The rules by which a block is executed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum SpecId {
        /// The first fork that is needed.
        SHANGHAI,
        /// After it.
        CANCUN,
        /// After that.
        PRAGUE,
        /// The last one that is live.
        OSAKA,
    }
}
