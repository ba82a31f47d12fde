//! From what stands in the source's tables to what Letterbox takes: pure functions.

use chrono::{DateTime, NaiveDateTime};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::account::{Findings, Repair};
use crate::model::{Content, Subject, TenantId, Time, UserId};

pub(super) const NO_SUBJECT: &str = "(no subject)";
const NO_TEXT: &str = "(no text)";

/// A text from its bytes.
pub(super) fn text(bytes: Option<Vec<u8>>, findings: &mut Findings) -> String {
    String::from_utf8(bytes.unwrap_or_default()).unwrap_or_else(|error| {
        findings.repair(Repair::Encoding);
        String::from_utf8_lossy(error.as_bytes()).into_owned()
    })
}

/// A subject: not blank, not long, no control characters.
pub(super) fn subject(mut text: String, findings: &mut Findings) -> Subject {
    if text.contains(char::is_control) {
        findings.repair(Repair::ControlCharacters);
        text = text.replace(char::is_control, " ");
    }
    if let Some((end, _)) = text.char_indices().nth(Subject::CHARACTERS_MAX) {
        findings.repair(Repair::LongSubject);
        text.truncate(end);
    }
    Subject::parse(text).unwrap_or_else(|_| {
        findings.repair(Repair::BlankSubject);
        let instead = Subject::parse(NO_SUBJECT.to_owned());
        instead.unwrap_or_else(|_| unreachable!("it is a subject"))
    })
}

/// A message's content, in as many parts as it takes; none is blank or has NUL.
pub(super) fn contents(mut text: String, findings: &mut Findings) -> Vec<Content> {
    if text.contains('\0') {
        findings.repair(Repair::Nul);
        text.retain(|character| character != '\0');
    }
    if text.len() > Content::BYTES_MAX {
        findings.repair(Repair::LongContent);
    }
    let mut parts = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (part, behind) = rest.split_at(rest.floor_char_boundary(Content::BYTES_MAX));
        // Nothing but white space is no message.
        parts.extend(Content::parse(part.to_owned()));
        rest = behind;
    }
    if parts.is_empty() {
        findings.repair(Repair::BlankContent);
        parts.extend(Content::parse(NO_TEXT.to_owned()));
    }
    parts
}

/// A time as Django writes it, in UTC.
pub(super) fn time(text: Option<&[u8]>) -> Option<Time> {
    let text = std::str::from_utf8(text?).ok()?;
    let text = text.replacen('T', " ", 1).replace('Z', "+00:00");
    let with_offset = DateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f%:z");
    let micros = with_offset
        .map(|time| time.timestamp_micros())
        .or_else(|_| {
            let without = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f");
            without.map(|time| time.and_utc().timestamp_micros())
        });
    micros.ok().map(Time)
}

/// The same id for the same thing at every run: a UUID of version 7 (RFC 9562, section 5.7) of its
/// time and a hash of what names it.
pub(super) fn id(tenant: &TenantId, kind: &str, names: &[&str], time: Time) -> Uuid {
    let mut hash = Sha256::new();
    for part in [&["letterbox import django", tenant.as_str(), kind], names].concat() {
        hash.update(part);
        hash.update([0]);
    }
    let mut chance = [0; 10];
    chance.copy_from_slice(&hash.finalize()[..10]);
    let millis = u64::try_from(time.0 / 1_000).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &chance).into_uuid()
}

/// What becomes users' ids.
#[derive(Clone, Copy, Debug)]
pub(super) struct UserIds {
    /// They are the primary key.
    pub(super) of_key: bool,
    /// The keys, and what becomes ids, are UUIDs as Django keeps them in SQLite: without hyphens.
    pub(super) bare_key: bool,
    pub(super) bare_value: bool,
}

impl UserIds {
    /// The id of a user who is there; and whether a caller could have what was to become it.
    pub(super) fn of(self, key: &str, value: &str) -> (UserId, bool) {
        let (text, bare) = if self.of_key {
            (key, self.bare_key)
        } else {
            (value, self.bare_value)
        };
        match UserId::parse(&hyphenated(text, bare)) {
            Some(id) => (id, true),
            None => (self.instead(key), false),
        }
    }

    /// The id of a user who is gone.
    pub(super) fn of_gone(self, key: &str) -> UserId {
        if self.of_key {
            self.of(key, key).0
        } else {
            self.instead(key)
        }
    }

    /// An id by the key, whatever that is.
    fn instead(self, key: &str) -> UserId {
        let named = format!("django:{}", hyphenated(key, self.bare_key));
        UserId::parse(&named).unwrap_or_else(|| {
            let mut hash = [0; 16];
            hash.copy_from_slice(&Sha256::digest(key)[..16]);
            UserId::parse(&format!("django:{}", Uuid::from_bytes(hash).simple()))
                .unwrap_or_else(|| unreachable!("digits are visible ASCII"))
        })
    }
}

fn hyphenated(text: &str, bare: bool) -> String {
    let uuid = Uuid::try_parse(text).ok().filter(|_| bare);
    uuid.map_or_else(|| text.to_owned(), |uuid| uuid.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a function comes to, and what it has repaired.
    fn repaired<T>(of: impl FnOnce(&mut Findings) -> T) -> (T, Vec<Repair>) {
        let mut findings = Findings::default();
        let value = of(&mut findings);
        (value, findings.repairs.into_keys().collect())
    }

    #[test]
    fn a_subject_is_made_to_fit() {
        let check = |text: &str, expected: &str, repairs: &[Repair]| {
            let (subject, found) = repaired(|findings| subject(text.to_owned(), findings));
            assert_eq!((subject.as_str(), &found[..]), (expected, repairs));
        };
        check(" Lunch? ", " Lunch? ", &[]);
        check("a\tb\0", "a b ", &[Repair::ControlCharacters]);
        check(" ", NO_SUBJECT, &[Repair::BlankSubject]);
        check(&"é".repeat(151), &"é".repeat(150), &[Repair::LongSubject]);
        check(
            "\n",
            NO_SUBJECT,
            &[Repair::BlankSubject, Repair::ControlCharacters],
        );
    }

    #[test]
    fn a_content_is_kept_whole() {
        let check = |text: &str, expected: &[&str], repairs: &[Repair]| {
            let (parts, found) = repaired(|findings| contents(text.to_owned(), findings));
            let parts: Vec<&str> = parts.iter().map(Content::as_str).collect();
            assert_eq!((&parts[..], &found[..]), (expected, repairs));
        };
        check("At noon?\n", &["At noon?\n"], &[]);
        check("a\0b", &["ab"], &[Repair::Nul]);
        check("\0", &[NO_TEXT], &[Repair::BlankContent, Repair::Nul]);
        check(" ", &[NO_TEXT], &[Repair::BlankContent]);
        let (long, exact) = (format!("a{}", "é".repeat(32_768)), "é".repeat(32_768));
        check(&long, &[&long[..65_535], "é"], &[Repair::LongContent]);
        check(&exact, &[&exact], &[]);
    }

    #[test]
    fn a_time_is_read_as_django_writes_it() {
        let check = |text: &str, micros: Option<i64>| {
            assert_eq!(time(Some(text.as_bytes())), micros.map(Time), "{text}");
        };
        check("1970-01-01 00:00:01", Some(1_000_000));
        check("1970-01-01 00:00:00.000007", Some(7));
        check("1970-01-01T01:00:00.5+01:00", Some(500_000));
        check("1970-01-01 00:00:00Z", Some(0));
        check("yesterday", None);
        assert_eq!(time(Some(b"2020-01-01 00:00:0\xff")), None);
        assert_eq!(time(None), None);
    }

    #[test]
    fn an_id_follows_from_what_it_names() {
        let of = |tenant: &str, name: &str| {
            let tenant = TenantId::parse(tenant).unwrap();
            id(&tenant, "message", &[name], Time(1_500))
        };
        assert_eq!(of("one", "7"), of("one", "7"));
        assert_ne!(of("one", "7"), of("two", "7"));
        assert_ne!(of("one", "7"), of("one", "8"));
        assert_eq!(of("one", "7").get_version_num(), 7);
        assert!(of("one", "7").to_string().starts_with("00000000-0001-7"));
    }

    #[test]
    fn a_user_is_called_by_the_key_or_by_a_column() {
        let check = |of_key, bare, key: &str, value: &str, expected: &str| {
            let ids = UserIds {
                of_key,
                bare_key: bare,
                bare_value: bare,
            };
            assert_eq!(ids.of(key, value).0.as_str(), expected);
        };
        let bare = "0190a3c47b1e7000800000000000abcd";
        let hyphenated = "0190a3c4-7b1e-7000-8000-00000000abcd";
        check(true, false, "7", "ana", "7");
        check(false, false, "7", "ana", "ana");
        check(false, false, "7", "ana maria", "django:7");
        check(false, false, "7", "", "django:7");
        check(true, true, bare, "", hyphenated);
        check(true, false, bare, "", bare);
        check(false, true, bare, "añ", &format!("django:{hyphenated}"));
    }
}
