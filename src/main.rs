//! The program. All it does is in the library's `cli`.
fn main() {}
