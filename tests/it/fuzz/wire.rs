//! Protobuf's wire format, taken apart so far that a change of a field leaves the rest readable
//! (<https://protobuf.dev/programming-guides/encoding/>).

use prost::encoding::{decode_varint, encode_varint};

use super::mutation::{self, Chance};

/// A field as it is encoded.
#[derive(Clone)]
struct Field {
    /// Its number and wire type.
    key: u64,
    value: Value,
}

#[derive(Clone)]
enum Value {
    Number(u64),
    Bytes(Vec<u8>),
    Fixed(Vec<u8>),
}

/// Numbers that rules and types end at.
const NUMBERS: &[u64] = &[
    0,
    1,
    2,
    50,
    200,
    201,
    10_000,
    10_001,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0xffff_ffff_ffff_ffff,
    0xffff_ffff_8000_0000,
    0x8000_0000_0000_0000,
];

/// Changes a field of a message, or a field within it; false where these bytes are no message.
pub(super) fn mutate(
    chance: &mut Chance,
    message: &mut Vec<u8>,
    others: &[Vec<u8>],
    words: &[&str],
) -> bool {
    let Some(mut fields) = fields(message) else {
        return false;
    };
    if fields.is_empty() {
        return false;
    }
    let index = chance.below(fields.len());
    match chance.below(8) {
        0 => drop(fields.remove(index)),
        1 => {
            let copies = vec![fields[index].clone(); 1 + chance.below(120)];
            fields.splice(index..index, copies);
        }
        2 => {
            let number = 1 + chance.below(9) as u64;
            fields[index].key = number << 3 | fields[index].key & 7;
        }
        _ => match &mut fields[index].value {
            Value::Number(number) => *number = *chance.of(NUMBERS),
            Value::Bytes(bytes) => {
                let within = chance.once_in(2) && mutate(chance, bytes, others, words);
                if !within {
                    mutation::mutate(chance, bytes, others, words);
                }
            }
            Value::Fixed(bytes) => chance.fill(bytes),
        },
    }
    *message = encoded(&fields);
    true
}

fn fields(mut message: &[u8]) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let key = decode_varint(&mut message).ok()?;
        let length = match key & 7 {
            0 => {
                let value = Value::Number(decode_varint(&mut message).ok()?);
                fields.push(Field { key, value });
                continue;
            }
            1 => 8,
            2 => usize::try_from(decode_varint(&mut message).ok()?).ok()?,
            5 => 4,
            _ => return None,
        };
        let (bytes, rest) = message.split_at_checked(length)?;
        message = rest;
        let value = match key & 7 {
            2 => Value::Bytes(bytes.to_vec()),
            _ => Value::Fixed(bytes.to_vec()),
        };
        fields.push(Field { key, value });
    }
    Some(fields)
}

fn encoded(fields: &[Field]) -> Vec<u8> {
    let mut message = Vec::new();
    for field in fields {
        encode_varint(field.key, &mut message);
        match &field.value {
            Value::Number(number) => encode_varint(*number, &mut message),
            Value::Fixed(bytes) => message.extend(bytes),
            Value::Bytes(bytes) => {
                encode_varint(bytes.len() as u64, &mut message);
                message.extend(bytes);
            }
        }
    }
    message
}
