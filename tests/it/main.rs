//! The integration tests, one binary: they prove that the parts are joined. Details are tested where they live.

// `cfg(test)` always holds here; clippy needs it to know that the functions beside the tests are test code too.
#[cfg(test)]
mod api;
#[cfg(test)]
mod background;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod daemon;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod engine;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod guards;
#[cfg(test)]
mod history;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod journal;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod kinds;
#[cfg(test)]
mod model;
#[cfg(test)]
mod moves;
#[cfg(test)]
mod plain;
#[cfg(test)]
mod power;
#[cfg(test)]
mod problems;
#[cfg(test)]
mod resident;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod screen;
#[cfg(test)]
mod screen_tasks;
#[cfg(test)]
mod service;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod traps;
#[cfg(test)]
mod unattended;
#[cfg(test)]
mod upgrade;
#[cfg(test)]
mod watch;
#[cfg(test)]
mod world;
