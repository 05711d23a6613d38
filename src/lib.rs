//! watchkeeper.
pub mod disk;
pub mod domain;
