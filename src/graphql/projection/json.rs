//! Plain values as JSON.

use async_graphql::{ID, ScalarType, resolver_utils::enum_value};
use serde::Serialize;

use crate::graphql::types::{
    denial::FollowDenialReason,
    scalar::{DateTime, Uri},
};

/// A value that is written as JSON.
pub(crate) trait ToJson {
    fn write(&self, json: &mut Vec<u8>);
}

/// Writes a text, a number, a flag or null.
pub(super) fn write_value(json: &mut Vec<u8>, value: impl Serialize) {
    serde_json::to_writer(json, &value).expect("texts, numbers and flags can be written");
}

impl ToJson for &str {
    fn write(&self, json: &mut Vec<u8>) {
        write_value(json, self);
    }
}

impl ToJson for bool {
    fn write(&self, json: &mut Vec<u8>) {
        write_value(json, self);
    }
}

impl ToJson for ID {
    fn write(&self, json: &mut Vec<u8>) {
        write_value(json, &**self);
    }
}

impl ToJson for Uri {
    fn write(&self, json: &mut Vec<u8>) {
        write_value(json, &self.0);
    }
}

impl ToJson for DateTime {
    fn write(&self, json: &mut Vec<u8>) {
        write_value(json, self.to_value());
    }
}

impl ToJson for FollowDenialReason {
    fn write(&self, json: &mut Vec<u8>) {
        write_value(json, enum_value(*self));
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn write(&self, json: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(json),
            None => write_value(json, ()),
        }
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn write(&self, json: &mut Vec<u8>) {
        json.push(b'[');
        for (n, item) in self.iter().enumerate() {
            if n > 0 {
                json.push(b',');
            }
            item.write(json);
        }
        json.push(b']');
    }
}
