//! Keeps the page of the matrix and the promises of the README true: they name tests that are there, and no row is without a
//! word.

use std::collections::BTreeSet;

/// Returns the name of every function of a tree of sources.
fn functions() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for room in ["src", "tests"] {
        let root = format!("{}/{room}", env!("CARGO_MANIFEST_DIR"));
        for entry in walkdir::WalkDir::new(root).into_iter().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(entry.path()).unwrap();
                let after_fn = text.split("fn ").skip(1).filter_map(|rest| rest.split_once('('));
                names.extend(after_fn.map(|(name, _)| name.to_owned()));
            }
        }
    }
    names
}

/// Returns what is wrong with a page, one line each.
fn check(page: &str, functions: &BTreeSet<String>) -> Vec<String> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for line in page.lines().filter(|line| line.starts_with("| ") && line.contains('-')) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [id, _, proof] = cells[..] else {
            findings.push(format!("{line}: a row has three cells"));
            continue;
        };
        let is_id = id.len() == 4 && id.as_bytes()[1] == b'-';
        if !is_id {
            continue;
        }
        if !seen.insert(id.to_owned()) {
            findings.push(format!("{id} stands twice"));
        }
        let names: Vec<&str> = proof.split('`').skip(1).step_by(2).collect();
        findings.extend(
            names
                .iter()
                .filter(|name| !functions.contains(**name))
                .map(|name| format!("{id}: there is no test {name}")),
        );
        if names.is_empty() && !proof.starts_with("not done: ") {
            findings.push(format!("{id} neither names a test nor says why there is none"));
        }
    }
    if seen.len() < 75 {
        findings.push(format!("only {} rows: the matrix has more", seen.len()));
    }
    findings
}

#[test]
fn the_matrix_names_tests_that_are_there_and_leaves_no_row_without_a_word() {
    let page = include_str!("../../MATRIX.md");
    let functions = functions();
    let mut findings = check(page, &functions);
    let (_, promises) = include_str!("../../../README.md").split_once("| promise | test |").unwrap();
    let rows = promises.lines().skip(2).take_while(|line| line.starts_with('|'));
    let proofs = rows.map(|row| row.rsplit_once(" | ").unwrap().1);
    for name in proofs.flat_map(|proof| proof.split('`').skip(1).step_by(2)).filter(|name| !functions.contains(*name)) {
        findings.push(format!("the README promises by a test that is not there: {name}"));
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn a_row_that_names_nothing_or_a_test_that_is_gone_is_found() {
    let page = "| K-01 | killed | `a_test_that_is_gone` |\n| K-02 | killed |  |\n| K-02 | killed | not done: why |\n";
    let findings = check(page, &functions());
    for expected in ["K-01: there is no test a_test_that_is_gone", "K-02 neither", "K-02 stands twice", "only 2 rows"] {
        assert!(findings.iter().any(|finding| finding.contains(expected)), "{expected}: {findings:?}");
    }
}
