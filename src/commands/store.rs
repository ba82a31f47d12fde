//! `letterbox migrate` and `letterbox check`: what an operator does to a database.

use std::process::ExitCode;

use letterbox::{
    config::Settings,
    progress::Progress,
    server::{self, StartError},
    store,
};

use super::print;

/// Brings the tables up to date, or only says whether they are.
pub(super) async fn migrate(settings: &Settings, only_check: bool) -> Result<ExitCode, StartError> {
    let database = server::database_address(settings)?;
    if only_check {
        let missing = store::missing_migrations(&database).await?;
        if !missing.is_empty() {
            let missing = missing.iter();
            let mut lines: Vec<String> = missing
                .map(|migration| format!("not applied: {migration}"))
                .collect();
            lines.push(format!(
                "the tables of the {database} are not up to date: run `letterbox migrate`\n"
            ));
            return Ok(print(lines.join("\n"), ExitCode::FAILURE));
        }
    } else {
        store::migrate(&database).await?;
    }
    let line = format!("the tables of the {database} are up to date\n");
    Ok(print(line, ExitCode::SUCCESS))
}

/// Recomputes what is stored, and prints what disagrees.
pub(super) async fn check(settings: &Settings, repair: bool) -> Result<ExitCode, StartError> {
    let database = server::database_address(settings)?;
    let progress = Progress::new();
    let repaired = if repair {
        store::repair(&database, &progress).await?
    } else {
        Vec::new()
    };
    let report = store::check(&database, &progress).await?;
    progress.end();
    let repaired = repaired.iter().map(ToString::to_string);
    let disagreements = report.disagreements.iter().map(ToString::to_string);
    let mut lines: Vec<String> = repaired.chain(disagreements).collect();
    lines.push(format!("{report}\n"));
    let code = if report.disagreements.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    };
    Ok(print(lines.join("\n"), code))
}
