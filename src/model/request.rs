//! Request ids: how a retry is told from a new request.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{MessageId, Reply, RequestId, Send, Time, UserId};

/// A request id, with what the request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// The id, of the caller's making.
    pub id: RequestId,
    /// What is asked for; a retry asks for the same.
    pub fingerprint: Fingerprint,
}

/// A request that was carried out under an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastRequest {
    /// Who made it.
    pub user: UserId,
    /// Its id.
    pub id: RequestId,
    /// What it asked for.
    pub fingerprint: Fingerprint,
    /// The message that it made.
    pub message: MessageId,
    /// When it was carried out.
    pub time: Time,
}

/// A keyed hash of what a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub Vec<u8>);

/// The deployment's secret for fingerprints, so that the store holds no guessable hash of a text.
#[derive(Clone)]
pub struct FingerprintKey(pub [u8; 32]);

impl FingerprintKey {
    /// The fingerprint of a new thread; the order of its recipients does not matter.
    pub fn of_send(&self, send: &Send) -> Fingerprint {
        let mut recipients: Vec<&str> = send.recipients.iter().map(UserId::as_str).collect();
        recipients.sort_unstable();
        let mut fields = Fields::new(self, "SendMessage");
        for recipient in recipients {
            fields.add("recipient", recipient);
        }
        fields.add("subject", send.subject.as_str());
        fields.add("content", send.content.as_str());
        fields.finish()
    }

    /// The fingerprint of a reply; a subject that is absent adds nothing.
    pub fn of_reply(&self, reply: &Reply) -> Fingerprint {
        let mut fields = Fields::new(self, "ReplyThread");
        fields.add("thread", &reply.thread.to_string());
        fields.add("content", reply.content.as_str());
        if let Some(subject) = &reply.subject {
            fields.add("subject", subject.as_str());
        }
        fields.finish()
    }
}

/// Names and values, each with its length, so that no two requests read the same.
///
/// A field that a later version adds must add nothing where it has its default: a retry may
/// cross an upgrade.
struct Fields(Hmac<Sha256>);

impl Fields {
    fn new(key: &FingerprintKey, rpc: &str) -> Self {
        let mac = Hmac::new_from_slice(&key.0).expect("HMAC takes a key of any length");
        let mut fields = Self(mac);
        fields.add("rpc", rpc);
        fields
    }

    fn add(&mut self, name: &str, value: &str) {
        for part in [name, value] {
            self.0.update(&(part.len() as u64).to_be_bytes());
            self.0.update(part.as_bytes());
        }
    }

    fn finish(self) -> Fingerprint {
        // Half of SHA-256 is plenty against accidents, and the key keeps others from trying.
        Fingerprint(self.0.finalize().into_bytes()[..16].to_vec())
    }
}
