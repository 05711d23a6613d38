//! Plots of one line: a block per value. Pure, and as wide as there are values.

use super::theme::{Signs, Theme};
use crate::domain::report::RecentRun;
use crate::domain::run::Outcome;

/// Returns a block for each value, from the lowest at `low` to the highest at `high`.
pub fn blocks(signs: &Signs, values: &[f64], low: f64, high: f64) -> String {
    let last = signs.blocks.len() - 1;
    let span = high - low;
    let height = |value: f64| match span > 0.0 {
        true => (((value - low) / span).clamp(0.0, 1.0) * last as f64).round() as usize,
        false => 0,
    };
    values.iter().map(|value| signs.blocks[height(*value).min(last)]).collect()
}

/// Returns at most `most` values: where there are more, each is the largest of its neighbours, so that no peak is lost.
pub fn squeezed(values: &[f64], most: usize) -> Vec<f64> {
    if most == 0 || values.is_empty() {
        return Vec::new();
    }
    let each = values.len().div_ceil(most);
    values.chunks(each).map(|part| part.iter().copied().fold(f64::MIN, f64::max)).collect()
}

/// Returns runs, the oldest first: a bar is one that ended well, its height the time taken; the others show their sign.
pub fn runs(theme: &Theme, runs: &[RecentRun]) -> String {
    let longest = runs.iter().map(|run| run.took_ms).max().unwrap_or(0).max(1) as f64;
    let bar = |run: &RecentRun| match theme.outcome(Some(run.outcome)) {
        (sign, ..) if run.outcome != Outcome::Completed => sign.to_owned(),
        _ => blocks(theme.signs, &[run.took_ms as f64], 0.0, longest),
    };
    runs.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::super::theme::Choice;
    use super::*;

    #[test]
    fn a_block_is_as_high_as_its_value() {
        let signs = Theme::new(Choice::Mono, false).signs;
        assert_eq!(blocks(signs, &[0.0, 3.5, 7.0, 99.0, -1.0], 0.0, 7.0), "▁▅██▁");
        assert_eq!(blocks(signs, &[5.0, 5.0], 5.0, 5.0), "▁▁", "what never changes is flat");
        assert_eq!(blocks(signs, &[], 0.0, 0.0), "");
    }

    #[test]
    fn many_values_keep_their_peaks() {
        let values: Vec<f64> = (0..100).map(|at| if at == 42 { 9.0 } else { 1.0 }).collect();
        let shown = squeezed(&values, 30);
        assert!(shown.len() <= 30 && shown.iter().filter(|value| **value == 9.0).count() == 1);
        assert!(squeezed(&values, 0).is_empty() && squeezed(&[], 9).is_empty());
    }

    #[test]
    fn a_run_that_did_not_end_well_shows_its_sign() {
        let run = |outcome, took_ms| RecentRun { outcome, took_ms };
        let theme = Theme::new(Choice::Mono, false);
        let row = [run(Outcome::Completed, 70), run(Outcome::Failed, 9), run(Outcome::Partial, 10)];
        assert_eq!(runs(&theme, &row), "█✗!");
    }
}
