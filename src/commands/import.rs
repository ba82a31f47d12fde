//! `letterbox import`: from another service's database to ours.

use std::process::ExitCode;

use letterbox::{
    config::Settings,
    import::{self, Options},
    server::{Parts, StartError, Workshop},
};

use super::{fail, print};

pub(super) async fn import(source: Options, settings: &Settings) -> Result<ExitCode, StartError> {
    let workshop = Workshop::open(settings, &Parts::default()).await?;
    let Options::Django(options) = source;
    let account = import::django(&options, workshop.messenger()).await;
    workshop.close().await;
    Ok(match account {
        Ok(account) => {
            let code = print(&account, ExitCode::SUCCESS);
            if account.adds_up() {
                code
            } else {
                fail("not every message is accounted for: please report this", 1)
            }
        }
        Err(error) => fail(&error.to_string(), 1),
    })
}
