//! A message that has been encoded already.

use bytes::{Buf, BufMut, Bytes};
use prost::{
    DecodeError, Message,
    encoding::{DecodeContext, WireType, skip_field},
};

/// A protobuf message by its bytes, to send them to many, or again, without encoding it for each.
///
/// It is for sending only: nothing is kept of what is decoded into it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encoded(Bytes);

impl Encoded {
    /// Encodes a message.
    pub fn of(message: &impl Message) -> Self {
        Self(message.encode_to_vec().into())
    }

    /// The same message with more of its fields: in protobuf, one encoding after another is both merged
    /// (<https://protobuf.dev/programming-guides/encoding/#last-one-wins>).
    #[must_use]
    pub fn with(&self, more: &impl Message) -> Self {
        let mut both = Vec::with_capacity(self.0.len() + more.encoded_len());
        both.extend_from_slice(&self.0);
        more.encode_raw(&mut both);
        Self(both.into())
    }
}

impl Message for Encoded {
    fn encode_raw(&self, buffer: &mut impl BufMut) {
        buffer.put_slice(&self.0);
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buffer: &mut impl Buf,
        context: DecodeContext,
    ) -> Result<(), DecodeError> {
        skip_field(wire_type, tag, buffer, context)
    }

    fn encoded_len(&self) -> usize {
        self.0.len()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

impl From<Bytes> for Encoded {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<Encoded> for Bytes {
    fn from(Encoded(bytes): Encoded) -> Self {
        bytes
    }
}
