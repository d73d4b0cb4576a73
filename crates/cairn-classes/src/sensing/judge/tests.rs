//! The rules as cases on a small town.
