//! Pages that were sent, to be sent again for as long as they are the same.
//!
//! Whether they are the database says, each time: a call that finds its page here names the edition
//! that it has it in, and the statement that would read it answers with nothing else where there is no
//! newer one. So nothing here is ever out of date, whichever replica has written, and nothing has to be
//! thrown away when something is written.

use std::{io, sync::Arc};

use prost::Message;
use quick_cache::{Weighter, sync::Cache};

use super::{pb::Encoded, status::Failure};
use crate::{
    messenger::{Caller, Error},
    metrics::{Metrics, PageSource},
    model::{Edition, InboxPage, ThreadPage},
};

/// What a page takes besides its bytes, more or less: its place, and what was asked for.
const FIXED_BYTES: u64 = 512;

/// How large a page is that was not made to be large, in bytes.
const USUAL_BYTES: usize = 8 * 1024;

/// A page that a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct AskedPage {
    caller: Caller,
    of: List,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum List {
    Inbox(InboxPage),
    Thread(ThreadPage),
}

/// A page as it was sent, without the token of the moment.
#[derive(Clone, Debug)]
pub(super) struct SentPage {
    pub(super) edition: Edition,
    encoded: Encoded,
    /// Whether it shows a message that its reader has not read.
    pub(super) is_unread: bool,
}

/// The pages that were sent last, bounded in bytes.
pub struct PageCache {
    pages: Option<Arc<Cache<AskedPage, SentPage, Bytes>>>,
    metrics: Arc<Metrics>,
}

impl AskedPage {
    pub(super) fn of_inbox(caller: &Caller, page: InboxPage) -> Self {
        Self {
            caller: caller.clone(),
            of: List::Inbox(page),
        }
    }

    pub(super) fn of_thread(caller: &Caller, page: &ThreadPage) -> Self {
        Self {
            caller: caller.clone(),
            of: List::Thread(page.clone()),
        }
    }
}

impl PageCache {
    /// Room for so many bytes; with 0, nothing is kept.
    pub fn new(bytes: usize, metrics: &Arc<Metrics>) -> Self {
        let pages = (bytes > 0)
            .then(|| Cache::with_weighter(bytes / USUAL_BYTES, bytes as u64, Bytes))
            .map(Arc::new);
        if let Some(pages) = pages.clone() {
            let of = Arc::downgrade(metrics);
            metrics.on_scrape(move || {
                let bytes = i64::try_from(pages.weight()).unwrap_or(i64::MAX);
                if let Some(metrics) = of.upgrade() {
                    metrics.pages.kept_bytes.set(bytes);
                }
            });
        }
        Self {
            pages,
            metrics: Arc::clone(metrics),
        }
    }

    /// The page as it was sent last.
    pub(super) fn get(&self, asked: &AskedPage) -> Option<SentPage> {
        self.pages.as_ref()?.get(asked)
    }

    /// Sends the page once more that was sent last.
    pub(super) fn again(&self, last: Option<SentPage>) -> Result<Encoded, Failure> {
        self.metrics.pages.sent(PageSource::Cache);
        // Whoever names no edition is answered with a page.
        let missing = || Error::Internal(Arc::new(io::Error::other("a page neither had nor read")));
        Ok(last.ok_or_else(missing)?.encoded)
    }

    /// Sends a page that was read, and keeps it where it is of an edition.
    pub(super) fn anew(
        &self,
        asked: AskedPage,
        edition: Option<Edition>,
        encoded: Encoded,
        is_unread: bool,
    ) -> Encoded {
        self.metrics.pages.sent(PageSource::Tables);
        if let (Some(pages), Some(edition)) = (&self.pages, edition) {
            let page = SentPage {
                edition,
                encoded: encoded.clone(),
                is_unread,
            };
            pages.insert(asked, page);
        }
        encoded
    }
}

/// Weighs pages by what they take.
#[derive(Clone)]
struct Bytes;

impl Weighter<AskedPage, SentPage> for Bytes {
    fn weight(&self, _: &AskedPage, page: &SentPage) -> u64 {
        FIXED_BYTES + page.encoded.encoded_len() as u64
    }
}
