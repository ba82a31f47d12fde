//! INSERTs of many rows, as data: their text and their parameters are each database's own.

use serde::{Serialize, Serializer, ser::SerializeSeq};
use uuid::Uuid;

use super::rows::hex;
use crate::model::Time;

/// How many INSERTs there are that a batch saves by; some tables have two.
pub(super) const TABLES: usize = 12;

/// When rows are committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Commit {
    /// With the transaction that is under way, which has the tenant's turn.
    Later,
    /// With their own statement, where nobody else has written meanwhile.
    AtOnce,
}

/// An INSERT of the rows that a batch has for one table.
pub(crate) struct Insert {
    /// What it is called in tests.
    pub(super) name: &'static str,
    pub(super) table: &'static str,
    /// Without the tenant, which comes from the head row.
    pub(super) columns: &'static [(&'static str, Kind)],
    pub(super) on_conflict: &'static str,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Id,
    /// 16 bits.
    Small,
    /// 32 bits.
    Int,
    /// 64 bits.
    Big,
    Text,
}

impl Insert {
    /// The text, given how a row's columns are named, and where they and the tenant's head row `h` come
    /// from.
    pub(super) fn text(&self, values: &[String], from: &str) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let (table, names, values) = (self.table, names.join(", "), values.join(", "));
        let on_conflict = self.on_conflict;
        format!(
            "INSERT INTO {table} (tenant, {names}) SELECT h.tenant, {values}
            FROM {from} WHERE h.tenant = $1 {on_conflict}"
        )
    }
}

/// The rows for one INSERT.
pub(crate) struct Rows<'a> {
    pub(super) insert: &'static Insert,
    /// One row after the other.
    values: Vec<Value<'a>>,
}

/// A value of a row.
#[derive(Clone, Debug)]
pub(crate) enum Value<'a> {
    Id(Option<Uuid>),
    Int(Option<i64>),
    Text(&'a str),
    OwnText(String),
}

impl<'a> Rows<'a> {
    pub(super) fn new(insert: &'static Insert) -> Self {
        Self {
            insert,
            values: Vec::new(),
        }
    }

    /// Adds a row, in the order of the columns.
    pub(super) fn push<const COLUMNS: usize>(&mut self, row: [Value<'a>; COLUMNS]) {
        debug_assert_eq!(COLUMNS, self.insert.columns.len());
        self.values.extend(row);
    }

    pub(super) fn count(&self) -> usize {
        self.values.len() / self.insert.columns.len()
    }

    /// One column of all rows.
    pub(super) fn column(&self, index: usize) -> impl Iterator<Item = &Value<'a>> {
        let width = self.insert.columns.len();
        self.values.iter().skip(index).step_by(width)
    }
}

impl Value<'_> {
    pub(super) fn id(&self) -> Option<Uuid> {
        match self {
            Self::Id(id) => *id,
            _ => None,
        }
    }

    /// A number, if it fits.
    pub(super) fn int<I: TryFrom<i64>>(&self) -> Option<I> {
        match self {
            Self::Int(int) => int.and_then(|int| int.try_into().ok()),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::OwnText(text) => Some(text),
            _ => None,
        }
    }
}

impl From<Uuid> for Value<'_> {
    fn from(id: Uuid) -> Self {
        Self::Id(Some(id))
    }
}

impl From<Option<Uuid>> for Value<'_> {
    fn from(id: Option<Uuid>) -> Self {
        Self::Id(id)
    }
}

impl From<i64> for Value<'_> {
    fn from(int: i64) -> Self {
        Self::Int(Some(int))
    }
}

impl From<i32> for Value<'_> {
    fn from(int: i32) -> Self {
        Self::Int(Some(int.into()))
    }
}

impl From<Time> for Value<'_> {
    fn from(time: Time) -> Self {
        Self::Int(Some(time.0))
    }
}

impl From<Option<Time>> for Value<'_> {
    fn from(time: Option<Time>) -> Self {
        Self::Int(time.map(|time| time.0))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::OwnText(text)
    }
}

impl Serialize for Rows<'_> {
    /// As an array of rows, each an array.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.count()))?;
        for row in self.values.chunks(self.insert.columns.len()) {
            rows.serialize_element(row)?;
        }
        rows.end()
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Id(id) => id.map(hex).serialize(serializer),
            Self::Int(int) => int.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::OwnText(text) => serializer.serialize_str(text),
        }
    }
}
