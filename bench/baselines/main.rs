//! What Letterbox is measured beside, where no program that does it exists: the least that a gRPC
//! answer costs, and the least that the rows of a message cost on SQLite; and watches that stand by.

mod echo;
mod idle;
mod sqlite;

use std::error::Error;

use clap::Parser;
use tokio::runtime::Runtime;

#[derive(Parser)]
enum Baseline {
    /// Serve the API's form without its content: every answer comes from memory
    Echo(echo::Options),
    /// Hold watches that are told nothing
    Idle(idle::Options),
    /// Write the rows of sent messages to an SQLite file, and print how fast
    Sqlite(sqlite::Options),
}

fn main() -> Result<(), Box<dyn Error>> {
    match Baseline::parse() {
        Baseline::Echo(options) => Runtime::new()?.block_on(echo::serve(options)),
        Baseline::Idle(options) => Runtime::new()?.block_on(idle::hold(options)),
        Baseline::Sqlite(options) => sqlite::run(&options),
    }
}
