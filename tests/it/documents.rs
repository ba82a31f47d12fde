//! What the documentation, the packages and the alert rules name is there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::processes::{Process, letterbox};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files of a folder and of the folders in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let nested = paths.flat_map(|path| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    });
    nested.collect()
}

/// The words of a text that begin so; a word is made of letters, digits and these characters.
fn words(text: &str, beginning: &str, joined_by: &str) -> BTreeSet<String> {
    let apart = |letter: char| !(letter.is_ascii_alphanumeric() || joined_by.contains(letter));
    let words = text.split(apart);
    let words = words.filter(|word| word.starts_with(beginning) && word.len() > beginning.len());
    words.map(str::to_owned).collect()
}

/// The flags that `--help` lists.
async fn flags() -> BTreeSet<String> {
    let folder = tempfile::TempDir::new().expect("a folder");
    let help = Process::start(letterbox(folder.path(), &["--help"]))
        .ended()
        .await;
    let lines = help.stdout.iter().map(|line| line.trim_start());
    let lines = lines.filter(|line| line.starts_with('-'));
    let mut flags: BTreeSet<String> = lines.flat_map(|line| words(line, "--", "-")).collect();
    for of_the_program in ["--help", "--version"] {
        flags.remove(of_the_program);
    }
    flags
}

#[tokio::test(flavor = "multi_thread")]
async fn every_setting_is_on_a_page_and_no_other() {
    let pages = read("docs/running.md") + &read("docs/limits.md");
    let rows = pages.lines().filter(|line| line.starts_with("| `--"));
    let names = rows.filter_map(|row| row.split('|').nth(1));
    let described: BTreeSet<String> = names.flat_map(|name| words(name, "--", "-")).collect();
    assert_eq!(described, flags().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn packages_set_nothing_that_is_no_setting() {
    let settings = flags().await;
    for path in files(&root().join("packaging")) {
        let text = fs::read_to_string(&path).expect("a text");
        for variable in words(&text, "LETTERBOX_", "_") {
            let name = variable.trim_start_matches("LETTERBOX_").to_lowercase();
            let flag = format!("--{}", name.replace('_', "-"));
            assert!(settings.contains(&flag), "{variable} in {}", path.display());
        }
    }
}

#[test]
fn the_unit_hides_nothing_that_an_alert_looks_at() {
    let unit = read("packaging/systemd/letterbox.service");
    let alerts = read("ops/prometheus/alerts.yml");
    assert!(alerts.contains("process_start_time_seconds"));
    // It comes from /proc/stat, which this takes away: the metric would be 0 for ever.
    assert!(!unit.lines().any(|line| line.starts_with("ProcSubset=")));
}

#[test]
fn the_runbook_speaks_of_metrics_that_there_are() {
    let metrics = words(&read("docs/metrics.md"), "letterbox_", "_");
    let series = ["_bucket", "_count", "_sum"];
    for named in words(&read("docs/runbook.md"), "letterbox_", "_") {
        let of_histogram = series.iter().find_map(|ending| named.strip_suffix(ending));
        let family = of_histogram.unwrap_or(&named);
        assert!(metrics.contains(family), "no metric {named}");
    }
}

#[test]
fn every_alert_leads_to_a_section_of_the_runbook() {
    let runbook = read("docs/runbook.md");
    let headings = runbook.lines().filter_map(|line| line.strip_prefix('#'));
    // As GitHub makes an anchor of a heading.
    let anchors: BTreeSet<String> = headings
        .map(|heading| {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|letter| {
                letter.is_ascii_alphanumeric() || matches!(letter, ' ' | '-' | '_')
            });
            kept.collect::<String>().replace(' ', "-")
        })
        .collect();
    let rules = read("ops/prometheus/alerts.yml");
    let places = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("runbook: "));
    let mut led = 0;
    for place in places {
        let anchor = place.strip_prefix("docs/runbook.md#").expect("a section");
        assert!(anchors.contains(anchor), "{place}: {anchors:?}");
        led += 1;
    }
    assert_eq!(
        led,
        rules.matches("- alert: ").count(),
        "one place an alert"
    );
}
