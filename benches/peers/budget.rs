//! The budgets of the design that this bench can judge, and how a value is judged. Knows no units but those in the names.

/// The sizes that budgets are stated for.
const MILLION: &[u64] = &[1_000_000];
const HUNDRED_THOUSAND_AND_MILLION: &[u64] = &[100_000, 1_000_000];

/// A full run that finds nothing: our wall time over that of `find -printf`.
pub const NO_CHANGE_RATIO: Budget = Budget { limit: Limit::AtMost(0.7), stated_for: MILLION };

/// The first index: our wall time over that of `find | xargs sha256sum`.
pub const FIRST_INDEX_RATIO: Budget = Budget { limit: Limit::AtMost(0.5), stated_for: HUNDRED_THOUSAND_AND_MILLION };

/// Large cached files: our bytes a second over cores x the rate of one core.
pub const LARGE_SHARE: Budget = Budget { limit: Limit::AtLeast(0.9), stated_for: &[] };

/// Bytes of the index, without `changes`, scaled to a million records.
pub const INDEX_BYTES_PER_MILLION: Budget = Budget { limit: Limit::AtMost(130e6), stated_for: MILLION };

/// Bytes written by a run that finds nothing new.
pub const NO_CHANGE_WRITTEN_BYTES: Budget = Budget { limit: Limit::AtMost(256e3), stated_for: MILLION };

/// Returns the budget for peak memory in bytes, which grows with the workers beyond two.
pub fn peak_memory_bytes(workers: usize) -> Budget {
    let further = workers.saturating_sub(2) as f64;
    Budget { limit: Limit::AtMost(32e6 + 1.5e6 * further), stated_for: MILLION }
}

/// A limit, and the numbers of files that it is stated for (none: for any).
pub struct Budget {
    pub limit: Limit,
    stated_for: &'static [u64],
}

/// The side on which a value is fine.
#[derive(Clone, Copy)]
pub enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

impl Budget {
    /// Returns `ok` or `over` (`under` for a floor), in parentheses at a size that the budget is not stated for.
    ///
    /// There it is no verdict, but says where things stand on a machine too small for the real size.
    pub fn verdict(&self, value: f64, files: u64) -> String {
        let word = match self.limit {
            Limit::AtMost(limit) if value > limit => "over",
            Limit::AtLeast(limit) if value < limit => "under",
            Limit::AtMost(_) | Limit::AtLeast(_) => "ok",
        };
        if self.stated_for.is_empty() || self.stated_for.contains(&files) { word.into() } else { format!("({word})") }
    }
}
