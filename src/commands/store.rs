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
        for migration in &missing {
            print(format_args!("not applied: {migration}\n"));
        }
        if !missing.is_empty() {
            print(format_args!(
                "the tables of the {database} are not up to date: run `letterbox migrate`\n"
            ));
            return Ok(ExitCode::FAILURE);
        }
    } else {
        store::migrate(&database).await?;
    }
    print(format_args!(
        "the tables of the {database} are up to date\n"
    ));
    Ok(ExitCode::SUCCESS)
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
    for repaired in &repaired {
        print(format_args!("{repaired}\n"));
    }
    for disagreement in &report.disagreements {
        print(format_args!("{disagreement}\n"));
    }
    print(format_args!("{report}\n"));
    Ok(if report.disagreements.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
