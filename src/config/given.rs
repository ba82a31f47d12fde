//! The settings as they are given: by a flag, a variable or the file, in that precedence.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clap::parser::ValueSource;

use toml::Value;

use super::{Clients, SettingError, clients, values::Shown};

/// The file that is read where none is named, if it is there.
const DEFAULT_FILE: &str = "letterbox.toml";

/// What was given, and what came of it.
#[derive(Default)]
pub(super) struct Given {
    /// Values as they were written, each with where.
    values: BTreeMap<String, (String, String)>,
    /// The table of the file.
    pub(super) clients: Clients,
    /// The settings that were read, given or not, in that order.
    holding: Vec<Holding>,
}

/// A setting that holds.
pub(super) struct Holding {
    pub(super) name: String,
    /// None: it is not set, and has no default.
    pub(super) value: Option<Value>,
    /// What it was given by; none: it is the default.
    pub(super) place: Option<String>,
}

impl Given {
    /// What is given of the settings that there are, in the file that is named or found.
    pub(super) fn collect(
        names: &[&str],
        matches: &clap::ArgMatches,
        config: Option<&str>,
    ) -> Result<Self, SettingError> {
        let file = match config {
            Some(path) if !path.is_empty() => Some(PathBuf::from(path)),
            _ => Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()),
        };
        let mut given = match file {
            Some(path) => Self::of_file(names, &path)?,
            None => Self::default(),
        };
        // A global argument's value is among the matches of the innermost subcommand.
        let mut innermost = matches;
        while let Some((_, submatches)) = innermost.subcommand() {
            innermost = submatches;
        }
        for name in names {
            let id = name.replace('-', "_");
            let value = innermost.get_one::<String>(&id);
            let variable = format!("LETTERBOX_{}", id.to_uppercase());
            let of_environment = innermost.value_source(&id) == Some(ValueSource::EnvVariable);
            let place = if of_environment {
                variable
            } else {
                format!("--{name}")
            };
            // Where a variable cannot be left out, as in some templates, it is left empty.
            let is_given = |value: &&String| !(of_environment && value.is_empty());
            if let Some(value) = value.filter(is_given) {
                given
                    .values
                    .insert((*name).to_owned(), (value.clone(), place));
            }
        }
        Ok(given)
    }

    fn of_file(names: &[&str], path: &Path) -> Result<Self, SettingError> {
        let file = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| SettingError(format!("cannot read {file}: {error}")))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let start = error.span().map_or(0, |span| span.start);
            let line = text[..start.min(text.len())].matches('\n').count() + 1;
            SettingError(format!("{file}: line {line}: {}", error.message()))
        })?;
        let mut given = Self::default();
        for (key, value) in table {
            let name = key.replace('_', "-");
            if name == clients::NAME {
                given.clients = clients::read(value, &file.to_string())?;
                continue;
            }
            if !names.contains(&name.as_str()) {
                return Err(SettingError(format!("{file}: no such setting: {key}")));
            }
            let value = match value {
                toml::Value::String(text) => text,
                toml::Value::Boolean(_) | toml::Value::Integer(_) | toml::Value::Float(_) => {
                    value.to_string()
                }
                _ => return Err(SettingError(format!("{file}: {key} must be a text"))),
            };
            let place = (value, file.to_string());
            if given.values.insert(name, place).is_some() {
                // TOML finds what is spelt alike; `_` and `-` are the same here.
                return Err(SettingError(format!("{file}: {key} is given twice")));
            }
        }
        Ok(given)
    }

    /// Reads one setting, where it is given.
    pub(super) fn read<T: Shown>(
        &mut self,
        name: &str,
        field: &mut T,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<(), SettingError> {
        let given = self.values.get(name);
        if let Some((value, place)) = given {
            *field = read(value)
                .map_err(|problem| SettingError(format!("{name}: {problem} (given by {place})")))?;
        }
        self.holding.push(Holding {
            name: name.to_owned(),
            value: field.shown(),
            place: given.map(|(_, place)| place.clone()),
        });
        Ok(())
    }

    /// The settings that have been read.
    pub(super) fn holding(&self) -> &[Holding] {
        &self.holding
    }
}
