//! `letterbox migrate` and `letterbox check`: what an operator does to a database.

use std::process::ExitCode;

use letterbox::{
    config::Settings,
    progress::Progress,
    server::{self, StartError},
    store,
};

/// Brings the tables up to date, or only says whether they are.
pub(super) async fn migrate(settings: &Settings, only_check: bool) -> Result<ExitCode, StartError> {
    let database = server::database_address(settings)?;
    if only_check {
        let missing = store::missing_migrations(&database).await?;
        for migration in &missing {
            println!("not applied: {migration}");
        }
        if !missing.is_empty() {
            println!("the tables of the {database} are not up to date: run `letterbox migrate`");
            return Ok(ExitCode::FAILURE);
        }
    } else {
        store::migrate(&database).await?;
    }
    println!("the tables of the {database} are up to date");
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
        println!("{repaired}");
    }
    for disagreement in &report.disagreements {
        println!("{disagreement}");
    }
    println!("{report}");
    Ok(if report.disagreements.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
