//! The fold: entries to state, and the closing of epochs; pure and replayable.
