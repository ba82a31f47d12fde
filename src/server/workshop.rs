//! The use cases without a server, for commands that write by the same rules.

use std::{sync::Arc, time::Duration};

use super::{Parts, StartError, database_address, messenger_parts};
use crate::{
    config::Settings,
    messenger::Messenger,
    metrics::Metrics,
    store::{self, Store},
};

/// An open database, with a messenger over it that nobody but this process calls.
pub struct Workshop {
    store: Arc<dyn Store>,
    messenger: Arc<Messenger>,
}

impl Workshop {
    /// Opens the database; its tables are made and brought up to date.
    pub async fn open(settings: &Settings, parts: &Parts) -> Result<Self, StartError> {
        let metrics = Metrics::new();
        let store = store::open(&database_address(settings)?, Arc::clone(&metrics)).await?;
        let messenger_parts = messenger_parts(settings, parts, Arc::clone(&store), &metrics);
        let messenger = Messenger::start(messenger_parts);
        Ok(Self { store, messenger })
    }

    /// What there is to be done.
    pub fn messenger(&self) -> &Arc<Messenger> {
        &self.messenger
    }

    /// Finishes what is under way, and closes the database.
    pub async fn close(self) {
        self.messenger.close(Duration::MAX).await;
        self.store.close().await;
    }
}
