//! The integration tests, one binary: they prove that the parts are joined. Details are tested where they live.

// `cfg(test)` always holds here; clippy needs it to know that the functions beside the tests are test code too.
#[cfg(test)]
mod tidy;
