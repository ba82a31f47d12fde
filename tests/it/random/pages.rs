//! Walking through pages, forth to the end and back to the start.

use std::fmt::Debug;

/// A page, as it was answered.
#[derive(Debug)]
pub(super) struct Page<Item> {
    pub(super) items: Vec<Item>,
    pub(super) next: String,
    pub(super) previous: String,
}

/// What answers with pages.
pub(super) trait Pages {
    type Item: Clone + Debug + PartialEq;

    /// The page of a token, or the one that the walk begins with.
    async fn page(&mut self, token: &str, size: usize) -> Page<Self::Item>;
}

/// Walks through the pages of what is `all` there is, from the place of the first page on.
///
/// The size of the pages changes on the way.
pub(super) async fn walk<P: Pages>(pages: &mut P, all: &[P::Item], first: usize, sizes: &[usize]) {
    let mut sizes = sizes.iter().copied().cycle();
    let mut size = || sizes.next().expect("sizes to choose from");
    let mut start = first.min(all.len());
    let mut token = String::new();
    let mut page;
    loop {
        let asked = size();
        page = pages.page(&token, asked).await;
        let end = (start + asked).min(all.len());
        check(&page, all, start, end);
        if page.next.is_empty() {
            break;
        }
        start = end;
        token.clone_from(&page.next);
    }
    while !page.previous.is_empty() {
        let asked = size();
        page = pages.page(&page.previous, asked).await;
        let end = start;
        start = end.saturating_sub(asked);
        check(&page, all, start, end);
    }
}

fn check<Item: Debug + PartialEq>(page: &Page<Item>, all: &[Item], start: usize, end: usize) {
    let total = all.len();
    assert_eq!(page.items, all[start..end], "{start} to {end} of {total}");
    let (follows, precedes) = (end < total, start > 0);
    assert_eq!(
        !page.next.is_empty(),
        follows,
        "{start} to {end} of {total}: {page:?}"
    );
    assert_eq!(
        !page.previous.is_empty(),
        precedes,
        "{start} to {end} of {total}: {page:?}"
    );
}
