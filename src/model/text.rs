//! What people write: subjects and contents, kept as they came, neither trimmed nor normalized.

use serde::{Deserialize, Serialize};

/// A thread's subject: not blank, at most 150 characters, no control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Subject(String);

impl Subject {
    /// How long a subject can be, in characters (Unicode code points).
    pub const CHARACTERS_MAX: usize = 150;

    /// Reads a subject from outside; what it breaks is every rule at once.
    pub fn parse(text: String) -> Result<Self, Vec<&'static str>> {
        let broken = broken_rules([
            (is_blank(&text), "must not be blank"),
            (
                text.chars().count() > Self::CHARACTERS_MAX,
                "must be at most 150 characters",
            ),
            (
                text.chars().any(char::is_control),
                "must not contain control characters",
            ),
        ]);
        if broken.is_empty() {
            Ok(Self(text))
        } else {
            Err(broken)
        }
    }

    /// The subject as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A message's content: not blank, at most 65,536 bytes of UTF-8, no NUL.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Content(String);

impl Content {
    /// How long a content can be, in bytes of UTF-8.
    pub const BYTES_MAX: usize = 65_536;

    /// Reads a content from outside; what it breaks is every rule at once.
    pub fn parse(text: String) -> Result<Self, Vec<&'static str>> {
        let broken = broken_rules([
            (is_blank(&text), "must not be blank"),
            (text.len() > Self::BYTES_MAX, "must be at most 65,536 bytes"),
            // Postgres keeps no NUL in a text.
            (text.contains('\0'), "must not contain NUL"),
        ]);
        if broken.is_empty() {
            Ok(Self(text))
        } else {
            Err(broken)
        }
    }

    /// The content as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How many characters of a message a [`snippet`] shows.
const SNIPPET_CHARACTERS: usize = 200;

/// The first 200 characters of a message.
pub fn snippet(content: &str) -> &str {
    match content.char_indices().nth(SNIPPET_CHARACTERS) {
        Some((end, _)) => &content[..end],
        None => content,
    }
}

fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

fn broken_rules<const N: usize>(rules: [(bool, &'static str); N]) -> Vec<&'static str> {
    rules
        .into_iter()
        .filter_map(|(broken, rule)| broken.then_some(rule))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_told_every_rule_that_it_breaks() {
        let check = |text: &str, broken: &[&str]| {
            let parsed = Subject::parse(text.to_owned());
            assert_eq!(parsed.err().unwrap_or_default(), broken, "{text:?}");
        };
        check("Lunch?", &[]);
        check(" Lunch? ", &[]);
        check(&"é".repeat(150), &[]);
        check(&"é".repeat(151), &["must be at most 150 characters"]);
        check("", &["must not be blank"]);
        check("\u{3000} ", &["must not be blank"]);
        check("a\tb", &["must not contain control characters"]);
        check(
            "\n",
            &["must not be blank", "must not contain control characters"],
        );
        check(
            &"\u{7}".repeat(151),
            &[
                "must be at most 150 characters",
                "must not contain control characters",
            ],
        );
    }

    #[test]
    fn a_content_is_told_every_rule_that_it_breaks() {
        let check = |text: &str, broken: &[&str]| {
            let parsed = Content::parse(text.to_owned());
            assert_eq!(parsed.err().unwrap_or_default(), broken);
        };
        check("At noon?\nOr later?\u{7}", &[]);
        check(&"é".repeat(32_768), &[]);
        check(
            &format!("{}a", "é".repeat(32_768)),
            &["must be at most 65,536 bytes"],
        );
        check(" \n\t", &["must not be blank"]);
        check("a\0b", &["must not contain NUL"]);
    }

    #[test]
    fn a_snippet_is_cut_between_characters() {
        assert_eq!(snippet("short"), "short");
        assert_eq!(snippet(&"é".repeat(200)), "é".repeat(200));
        assert_eq!(snippet(&"é".repeat(201)), "é".repeat(200));
    }
}
