//! Tokens: opaque, URL-safe, and proven by a keyed hash.
//!
//! The hash goes over the tenant's name, the kind of token, and all that the token is bound to;
//! so a token of another tenant, user, folder or thread is as foreign as a forged one. The first
//! byte is a version: later versions go on taking the tokens of this one.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::{
    messenger::Caller,
    model::{
        Direction, EventId, Folder, LogPosition, MessageOrder, TenantId, ThreadId, UserFilter,
        UserId,
    },
};

const VERSION: u8 = 1;

/// How much of the hash a token carries, in bytes.
const PROOF_BYTES: usize = 16;

/// The deployment's secret for tokens.
#[derive(Clone)]
pub struct TokenKey(pub [u8; 32]);

/// Where a page starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageStart {
    pub(super) direction: Direction,
    /// The place, exclusive, to read from: a log position, or a message's number.
    pub(super) from: i64,
}

/// The list that a page token belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) enum List<'a> {
    Inbox(Folder),
    Users(UserFilter),
    Thread {
        thread: ThreadId,
        order: MessageOrder,
        exclude_sender: Option<&'a UserId>,
    },
}

impl TokenKey {
    /// A token for another page of a caller's list.
    pub(super) fn page_token(&self, caller: &Caller, list: List<'_>, start: PageStart) -> String {
        let mut token = vec![VERSION, direction_byte(start.direction)];
        token.extend(start.from.to_be_bytes());
        self.seal(token, &page_proof(caller, list))
    }

    /// Reads a page token; none where it is not one of this list.
    pub(super) fn read_page_token(
        &self,
        token: &str,
        caller: &Caller,
        list: List<'_>,
    ) -> Option<PageStart> {
        let body: [u8; 10] = self.open(token, &page_proof(caller, list))?;
        let [VERSION, direction, from @ ..] = body else {
            return None;
        };
        Some(PageStart {
            direction: match direction {
                0 => Direction::Forward,
                1 => Direction::Backward,
                _ => return None,
            },
            from: i64::from_be_bytes(from),
        })
    }

    /// A token for the page of tenants after this one.
    pub(super) fn tenants_token(&self, caller: &Caller, after: &TenantId) -> String {
        let mut token = vec![VERSION];
        token.extend(after.as_str().as_bytes());
        self.seal(token, &tenants_proof(caller))
    }

    /// Reads such a token; none where it is not this caller's.
    pub(super) fn read_tenants_token(&self, token: &str, caller: &Caller) -> Option<TenantId> {
        let body = self.opened(token, &tenants_proof(caller))?;
        let (&VERSION, name) = body.split_first()? else {
            return None;
        };
        TenantId::parse(std::str::from_utf8(name).ok()?)
    }

    /// Whether this could be a page token at all, of whatever list.
    pub(super) fn is_page_token(token: &str) -> bool {
        const BYTES: usize = 10 + PROOF_BYTES;
        let bytes = URL_SAFE_NO_PAD.decode(token);
        bytes.is_ok_and(|bytes| bytes.len() == BYTES && bytes[0] == VERSION)
    }

    /// A token for a point of a tenant's log.
    pub(super) fn resume_token(&self, tenant: &TenantId, position: LogPosition) -> String {
        let mut token = vec![VERSION];
        token.extend(position.number.to_be_bytes());
        token.extend(position.event.0.as_bytes());
        self.seal(token, &resume_proof(tenant))
    }

    /// Reads a resume token; none where it is not one of this tenant.
    pub(super) fn read_resume_token(&self, token: &str, tenant: &TenantId) -> Option<LogPosition> {
        let body: [u8; 25] = self.open(token, &resume_proof(tenant))?;
        let (version, rest) = body.split_first()?;
        let (number, event) = rest.split_first_chunk()?;
        (*version == VERSION).then_some(LogPosition {
            number: i64::from_be_bytes(*number),
            event: EventId(Uuid::from_slice(event).ok()?),
        })
    }

    fn seal(&self, mut body: Vec<u8>, bound_to: &[u8]) -> String {
        let proof = self.mac(&body, bound_to).finalize().into_bytes();
        body.extend(&proof[..PROOF_BYTES]);
        URL_SAFE_NO_PAD.encode(body)
    }

    fn open<const N: usize>(&self, token: &str, bound_to: &[u8]) -> Option<[u8; N]> {
        self.opened(token, bound_to)?.try_into().ok()
    }

    fn opened(&self, token: &str, bound_to: &[u8]) -> Option<Vec<u8>> {
        let mut body = URL_SAFE_NO_PAD.decode(token).ok()?;
        let proof = body.split_off(body.len().checked_sub(PROOF_BYTES)?);
        // In constant time: a forger learns nothing from how long a refusal takes.
        let mac = self.mac(&body, bound_to);
        mac.verify_truncated_left(&proof).ok()?;
        Some(body)
    }

    fn mac(&self, body: &[u8], bound_to: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(bound_to);
        mac.update(body);
        mac
    }
}

/// Parts, each with its length, so that no two lists of parts read the same.
fn bound_to(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(*part);
    }
    bytes
}

fn resume_proof(tenant: &TenantId) -> Vec<u8> {
    bound_to(&[b"resume", tenant.as_str().as_bytes()])
}

fn tenants_proof(caller: &Caller) -> Vec<u8> {
    let tenant = caller.tenant.as_str().as_bytes();
    bound_to(&[b"tenants", tenant, caller.user.as_str().as_bytes()])
}

fn page_proof(caller: &Caller, list: List<'_>) -> Vec<u8> {
    let tenant = caller.tenant.as_str().as_bytes();
    let user = caller.user.as_str().as_bytes();
    match list {
        List::Users(filter) => bound_to(&[b"users", tenant, user, &[filter_byte(filter)]]),
        List::Inbox(folder) => bound_to(&[b"inbox", tenant, user, &[folder_byte(folder)]]),
        List::Thread {
            thread,
            order,
            exclude_sender,
        } => bound_to(&[
            b"thread",
            tenant,
            user,
            thread.0.as_bytes(),
            &[order_byte(order)],
            exclude_sender.map_or("", UserId::as_str).as_bytes(),
        ]),
    }
}

fn direction_byte(direction: Direction) -> u8 {
    match direction {
        Direction::Forward => 0,
        Direction::Backward => 1,
    }
}

fn folder_byte(folder: Folder) -> u8 {
    match folder {
        Folder::Inbox => 1,
        Folder::Unread => 2,
        Folder::Sent => 3,
        Folder::Deleted => 4,
        Folder::All => 5,
    }
}

fn filter_byte(filter: UserFilter) -> u8 {
    match filter {
        UserFilter::All => 1,
        UserFilter::Active => 2,
        UserFilter::Deactivated => 3,
    }
}

fn order_byte(order: MessageOrder) -> u8 {
    match order {
        MessageOrder::OldestFirst => 1,
        MessageOrder::NewestFirst => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(tenant: &str, user: &str) -> Caller {
        Caller {
            tenant: TenantId::parse(tenant).unwrap(),
            user: UserId::parse(user).unwrap(),
        }
    }

    #[test]
    fn a_page_token_is_good_for_its_own_list_and_caller_alone() {
        let key = TokenKey([7; 32]);
        let start = PageStart {
            direction: Direction::Backward,
            from: 42,
        };
        let ana = caller("shop", "ana");
        let inbox = List::Inbox(Folder::Inbox);
        let token = key.page_token(&ana, inbox, start);

        let read = |key: &TokenKey, token: &str, caller: &Caller, list| {
            key.read_page_token(token, caller, list)
        };
        assert_eq!(read(&key, &token, &ana, inbox), Some(start));
        assert_eq!(read(&key, &token, &ana, List::Inbox(Folder::Sent)), None);
        assert_eq!(read(&key, &token, &caller("shop", "ben"), inbox), None);
        assert_eq!(read(&key, &token, &caller("club", "ana"), inbox), None);
        assert_eq!(read(&TokenKey([8; 32]), &token, &ana, inbox), None);
    }

    #[test]
    fn a_token_with_any_bit_changed_is_refused() {
        let key = TokenKey([7; 32]);
        let shop = TenantId::parse("shop").unwrap();
        let position = LogPosition {
            number: 9,
            event: EventId(Uuid::from_u128(3)),
        };
        let token = key.resume_token(&shop, position);
        assert_eq!(key.read_resume_token(&token, &shop), Some(position));

        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let forged = URL_SAFE_NO_PAD.encode(forged);
            assert_eq!(key.read_resume_token(&forged, &shop), None, "bit {bit}");
        }
        for cut in 0..token.len() {
            assert_eq!(key.read_resume_token(&token[..cut], &shop), None);
        }
    }
}
