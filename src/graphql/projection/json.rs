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

/// Writes a comma, except before the first part of an object or a list.
pub(in crate::graphql) fn separate(json: &mut Vec<u8>) {
    if !matches!(json.last(), Some(b'{' | b'[')) {
        json.push(b',');
    }
}

/// Types that are written as something else that can be serialized.
macro_rules! write_as {
    ($($ty:ty: |$value:ident| $serialized:expr;)+) => {
        $(impl ToJson for $ty {
            fn write(&self, json: &mut Vec<u8>) {
                let $value = self;
                write_value(json, $serialized);
            }
        })+
    };
}
write_as! {
    &str: |text| text;
    bool: |flag| flag;
    i32: |number| number;
    ID: |id| id.as_str();
    Uri: |uri| &uri.0;
    DateTime: |time| time.to_value();
    FollowDenialReason: |reason| enum_value(*reason);
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
        for item in self {
            separate(json);
            item.write(json);
        }
        json.push(b']');
    }
}
