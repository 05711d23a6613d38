//! watchkeeper.
pub mod domain;
