//! Which rows a filter lets through: a part of the text, `!` what does not have it, `~` letters in this order. Pure.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// What a person typed, taken apart. An empty one lets everything through.
#[derive(Debug)]
pub struct Filter {
    sort: Sort,
}

#[derive(Debug)]
enum Sort {
    All,
    /// In lower case, unless the person typed a capital.
    Part {
        text: String,
        is_inverse: bool,
        is_exact: bool,
    },
    Fuzzy(Box<(Pattern, Matcher)>),
}

impl Filter {
    /// Takes a filter apart.
    pub fn new(typed: &str) -> Filter {
        let sort = match typed.strip_prefix('~') {
            Some("") => Sort::All,
            Some(letters) => Sort::Fuzzy(Box::new(fuzzy(letters))),
            None => {
                let (is_inverse, text) = typed.strip_prefix('!').map_or((false, typed), |rest| (true, rest));
                let is_exact = text.chars().any(char::is_uppercase);
                if text.is_empty() { Sort::All } else { Sort::Part { text: text.to_owned(), is_inverse, is_exact } }
            }
        };
        Filter { sort }
    }

    /// Tells whether a row with this text is let through.
    pub fn matches(&mut self, row: &str) -> bool {
        self.score(row).is_some()
    }

    /// Returns how well a row with this text matches, if it does; only letters in order make one better than another.
    pub fn score(&mut self, row: &str) -> Option<u32> {
        match &mut self.sort {
            Sort::All => Some(0),
            Sort::Part { text, is_inverse, is_exact } => {
                let has =
                    if *is_exact { row.contains(text.as_str()) } else { row.to_lowercase().contains(text.as_str()) };
                (has != *is_inverse).then_some(0)
            }
            Sort::Fuzzy(both) => score(both, row),
        }
    }
}

/// Returns the places of the rows that have all the letters in this order, the best first; of equals, the first first.
pub fn best(letters: &str, rows: &[String]) -> Vec<usize> {
    if letters.trim().is_empty() {
        return (0..rows.len()).collect();
    }
    let mut both = fuzzy(letters);
    let mut found: Vec<(u32, usize)> =
        rows.iter().enumerate().filter_map(|(at, row)| Some((score(&mut both, row)?, at))).collect();
    found.sort_by_key(|(score, at)| (std::cmp::Reverse(*score), *at));
    found.into_iter().map(|(_, at)| at).collect()
}

fn fuzzy(letters: &str) -> (Pattern, Matcher) {
    (Pattern::parse(letters, CaseMatching::Smart, Normalization::Smart), Matcher::new(Config::DEFAULT.match_paths()))
}

fn score((pattern, matcher): &mut (Pattern, Matcher), row: &str) -> Option<u32> {
    pattern.score(Utf32Str::new(row, &mut Vec::new()), matcher)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_part_its_opposite_or_letters_in_order() {
        for (typed, row, expected) in [
            ("", "anything", true),
            ("mat", "Match", true),
            ("Mat", "match", false),
            ("!mat", "match", false),
            ("!mat", "other", true),
            ("!", "other", true),
            ("~mch", "match", true),
            ("~hcm", "match", false),
            ("~", "match", true),
        ] {
            assert_eq!(Filter::new(typed).matches(row), expected, "{typed:?} on {row:?}");
        }
    }

    #[test]
    fn the_best_match_comes_first() {
        let rows = ["verify this file", "version and paths", "sync", "verify"].map(str::to_owned);
        let found = best("ver", &rows);
        assert_eq!(found.len(), 3);
        assert!(!found.contains(&2));
        assert_eq!(best("", &rows), [0, 1, 2, 3]);
    }
}
