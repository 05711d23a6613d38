//! The panes: each draws itself from the state into an area, or gives the lines that it consists of.

pub mod activity;
pub mod detail;
pub mod history;
pub mod problems;
pub mod progress;
pub mod repositories;
pub mod status;
