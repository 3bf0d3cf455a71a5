//! What operators read about failures of a database.

use entourage::{domain::Audience, store::Error};

use super::ALICE;
use crate::support::database::{Database, Engine};

super::cases! { ; database: a_message_has_the_words_and_the_code_of_the_database }

async fn a_message_has_the_words_and_the_code_of_the_database(database: &Database) {
    database.execute("ALTER TABLE follow_counts RENAME TO gone").await;
    let error = database.store().lists_by_ids(Audience::EVERYBODY, &[ALICE]).await.unwrap_err();
    let Error::Corrupt(cause) = error else { panic!("unexpected: {error}") };

    let message = match database.engine() {
        Engine::Sqlite => "no such table: follow_counts (SQLite code 1)",
        Engine::Postgres => "relation \"follow_counts\" does not exist (SQLSTATE 42P01)",
    };
    assert_eq!(cause.to_string(), message);
}
