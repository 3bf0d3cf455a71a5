//! The GraphQL contract, over HTTP, on both engines.

mod accounts;
mod administration;
mod claims;
mod closed_doors;
mod documents;
mod events;
mod external_ids;
mod federation;
mod following;
mod guard;
mod limits;
mod paging;
mod permissions;
mod projection;
mod provider;
mod providers;
mod reading;
mod rotation;
mod safety;
mod sessions;
mod statements;
mod texts;
mod user_cache;
mod validation;
mod variables;
mod visibility;

/// Makes a test of each case on each engine. A case is `async fn case(app: TestApp)`.
macro_rules! on_both_engines {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            use crate::support::{app::{TestApp, settings}, database::{Database, Engine}};
            $(#[tokio::test]
            async fn $case() {
                super::$case(TestApp::on(Database::migrated(Engine::Sqlite).await, settings()).await).await;
            })+
        }
        mod postgres {
            use crate::support::{app::{TestApp, settings}, database::{Database, Engine}};
            $(#[tokio::test]
            async fn $case() {
                super::$case(TestApp::on(Database::migrated(Engine::Postgres).await, settings()).await).await;
            })+
        }
    };
}
pub(crate) use on_both_engines;

use serde_json::Value;

/// The code of the only error of a response.
fn code(response: &Value) -> &str {
    let errors = response["errors"].as_array().unwrap_or_else(|| panic!("no error: {response}"));
    assert_eq!(errors.len(), 1, "{response}");
    errors[0]["extensions"]["code"].as_str().expect("every error has a code")
}

/// The data of a response without an error.
fn data(response: &Value) -> &Value {
    assert_eq!(response.get("errors"), None, "{response}");
    &response["data"]
}
