//! watchkeeper.
pub mod cli;
pub mod config;
pub mod disk;
pub mod domain;
pub mod engine;
pub mod index;
pub mod tui;
pub mod wire;
