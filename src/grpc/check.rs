//! What is wrong with a request: every broken field at once.

use std::{borrow::Cow, fmt::Display};

use super::{
    auth::Identity,
    limits::Limits,
    status::{Failure, VIOLATIONS_LISTED, Violation, Violations},
    token::{List, PageStart, TokenKey},
};
use crate::{
    messenger::Caller,
    metrics::Limit,
    model::{Content, RequestId, ThreadId},
};

/// How many entries a page has where the request does not say.
const PAGE_SIZE_DEFAULT: u32 = 50;

/// More than this is taken as this (AIP-158).
const PAGE_SIZE_MAX: u32 = 200;

const NOT_NEGATIVE: &str = "must not be negative";
pub(super) const PAGE_TOKEN: &str = "must be a token of this very list";
pub(super) const KNOWN_VALUE: &str = "must be a value that the server knows";

/// What is wrong with a request, so far.
#[derive(Default)]
pub(super) struct Check {
    violations: Violations,
}

impl Check {
    /// Notes a field as broken. Of millions most are only counted, and not even named.
    pub(super) fn broken(&mut self, field: impl Display, rule: impl Into<Cow<'static, str>>) {
        self.violations.count += 1;
        if self.violations.listed.len() < VIOLATIONS_LISTED {
            self.violations.listed.push(Violation {
                field: field.to_string(),
                rule: rule.into(),
            });
        }
    }

    /// Notes the field as broken where there is no value.
    pub(super) fn some<T>(
        &mut self,
        field: impl Display,
        value: Option<T>,
        rule: &'static str,
    ) -> Option<T> {
        if value.is_none() {
            self.broken(field, rule);
        }
        value
    }

    /// Notes every rule that the field breaks.
    pub(super) fn all<T>(&mut self, field: &str, value: Result<T, Vec<&'static str>>) -> Option<T> {
        value
            .map_err(|rules| rules.into_iter().for_each(|rule| self.broken(field, rule)))
            .ok()
    }

    /// A content; a deployment may allow less than the service does.
    pub(super) fn content(&mut self, content: String, limits: &Limits) -> Option<Content> {
        let (length, max) = (content.len(), limits.of.content_bytes);
        let content = self.all("content", Content::parse(content));
        if length > max {
            limits.hit(Limit::ContentBytes);
            if content.is_some() {
                self.broken("content", format!("must be at most {max} bytes here"));
            }
        }
        content
    }

    pub(super) fn number(&mut self, field: &str, number: i32) -> Option<u32> {
        self.some(field, u32::try_from(number).ok(), NOT_NEGATIVE)
    }

    pub(super) fn page_size(&mut self, size: i32) -> Option<u32> {
        self.number("page_size", size).map(|size| match size {
            0 => PAGE_SIZE_DEFAULT,
            size => size.min(PAGE_SIZE_MAX),
        })
    }

    pub(super) fn thread_id(&mut self, id: &str) -> Option<ThreadId> {
        self.some("thread_id", ThreadId::parse(id), ThreadId::RULE)
    }

    /// A request id, where there is one.
    pub(super) fn request_id(&mut self, id: &str) -> Option<RequestId> {
        if id.is_empty() {
            return None;
        }
        self.some("request_id", RequestId::parse(id), RequestId::RULE)
    }

    /// A page token, where there is one. Where something that it is bound to is broken, only its
    /// form can be told.
    pub(super) fn page_token(
        &mut self,
        key: &TokenKey,
        token: &str,
        caller: &Caller,
        list: Option<List<'_>>,
    ) -> Option<PageStart> {
        if token.is_empty() {
            return None;
        }
        let Some(list) = list else {
            if !TokenKey::is_page_token(token) {
                self.broken("page_token", PAGE_TOKEN);
            }
            return None;
        };
        let start = key.read_page_token(token, caller, list);
        self.some("page_token", start, PAGE_TOKEN)
    }

    /// The parsed request, if nothing is wrong with it; what is optional and broken is absent
    /// from it, but counts here.
    pub(super) fn finish<T>(self, parsed: Option<T>) -> Result<T, Failure> {
        match parsed {
            Some(parsed) if self.violations.count == 0 => Ok(parsed),
            _ => Err(Failure::Invalid(self.violations)),
        }
    }
}

/// The scope comes before the request's form.
pub(super) fn require(identity: &Identity, scope: &'static str) -> Result<(), Failure> {
    if identity.scopes.contains(scope) {
        Ok(())
    } else {
        Err(Failure::ScopeMissing(scope))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    /// A field that is not to be named.
    struct Nameless;

    impl Display for Nameless {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("it is named")
        }
    }

    #[test]
    fn what_is_not_listed_is_counted_and_costs_nothing() {
        let mut check = Check::default();
        for index in 0..VIOLATIONS_LISTED {
            check.broken(index, KNOWN_VALUE);
        }
        for _ in 0..1_000_000 {
            check.broken(Nameless, KNOWN_VALUE);
        }
        assert_eq!(check.violations.listed.len(), VIOLATIONS_LISTED);
        assert_eq!(check.violations.count, VIOLATIONS_LISTED + 1_000_000);
    }
}
