//! Revocation of the tokens of an account: by its epoch, and by a moment in time.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use entourage::{
    domain::{NewUser, UserId},
    store::Store,
};
use tokio::task::JoinSet;

use super::{ALICE, BOB, NOBODY, at, cases, four_users, new_user};
use crate::support::database::Database;

cases! {
    a_new_account_has_revoked_no_tokens,
    a_new_password_begins_an_epoch,
    a_password_change_of_an_old_epoch_is_refused,
    a_repeated_password_change_succeeds_again,
    revoking_tokens_begins_an_epoch_and_keeps_the_password,
    the_moment_of_revocation_never_moves_back,
    a_missing_user_has_no_password_and_no_tokens;
    database:
    one_of_several_concurrent_password_changes_succeeds,
}

/// The password hash of an account (empty if it has none), its epoch, and the moment of revocation.
async fn account(store: &dyn Store, id: UserId) -> (String, i64, Option<DateTime<Utc>>) {
    let account = store.find_account(id).await.unwrap().expect("it is there");
    let credentials = store.find_credentials_by_id(id).await.unwrap().expect("it is there");
    assert_eq!(account.token_epoch, credentials.token_epoch);
    let hash = credentials.password_hash.unwrap_or_default();
    (hash, account.token_epoch, account.tokens_valid_after)
}

async fn a_new_account_has_revoked_no_tokens(store: &dyn Store) {
    four_users(store).await;
    assert_eq!(account(store, ALICE).await, (String::new(), 0, None));
}

async fn a_new_password_begins_an_epoch(store: &dyn Store) {
    let with_password =
        NewUser { password_hash: Some("$a".to_owned()), ..new_user(ALICE, "alice") };
    store.create_user(&with_password).await.unwrap();
    store.create_user(&new_user(BOB, "bob")).await.unwrap();

    assert!(store.change_password(ALICE, Some(0), "$b", at(5)).await.unwrap());
    assert_eq!(account(store, ALICE).await, ("$b".to_owned(), 1, Some(at(5))));
    assert!(store.change_password(ALICE, None, "$c", at(6)).await.unwrap());
    assert_eq!(account(store, ALICE).await, ("$c".to_owned(), 2, Some(at(6))));
    assert_eq!(account(store, BOB).await, (String::new(), 0, None));
}

async fn a_password_change_of_an_old_epoch_is_refused(store: &dyn Store) {
    four_users(store).await;
    store.end_tokens(ALICE, at(5)).await.unwrap();
    assert!(!store.change_password(ALICE, Some(0), "$b", at(6)).await.unwrap());
    assert_eq!(account(store, ALICE).await, (String::new(), 1, Some(at(5))));
}

async fn a_repeated_password_change_succeeds_again(store: &dyn Store) {
    four_users(store).await;
    assert!(store.change_password(ALICE, Some(0), "$b", at(5)).await.unwrap());
    assert!(store.change_password(ALICE, Some(0), "$b", at(5)).await.unwrap());
    assert_eq!(account(store, ALICE).await, ("$b".to_owned(), 1, Some(at(5))));
}

async fn revoking_tokens_begins_an_epoch_and_keeps_the_password(store: &dyn Store) {
    let with_password =
        NewUser { password_hash: Some("$a".to_owned()), ..new_user(ALICE, "alice") };
    store.create_user(&with_password).await.unwrap();
    store.create_user(&new_user(BOB, "bob")).await.unwrap();

    for epoch in 1..3 {
        assert!(store.end_tokens(ALICE, at(epoch)).await.unwrap());
        assert_eq!(account(store, ALICE).await, ("$a".to_owned(), epoch, Some(at(epoch))));
    }
    assert_eq!(account(store, BOB).await, (String::new(), 0, None));
}

async fn the_moment_of_revocation_never_moves_back(store: &dyn Store) {
    four_users(store).await;
    store.end_tokens(ALICE, at(9)).await.unwrap();
    store.end_tokens(ALICE, at(5)).await.unwrap();
    assert_eq!(account(store, ALICE).await, (String::new(), 2, Some(at(9))));
    store.change_password(ALICE, None, "$b", at(5)).await.unwrap();
    assert_eq!(account(store, ALICE).await, ("$b".to_owned(), 3, Some(at(9))));
}

async fn a_missing_user_has_no_password_and_no_tokens(store: &dyn Store) {
    four_users(store).await;
    assert!(!store.end_tokens(NOBODY, at(5)).await.unwrap());
    assert!(!store.change_password(NOBODY, None, "$b", at(5)).await.unwrap());
}

async fn one_of_several_concurrent_password_changes_succeeds(database: &Database) {
    four_users(database.store()).await;
    let changes: JoinSet<_> = (0..8)
        .map(|n| {
            let store = Arc::clone(&database.store);
            async move {
                let hash = format!("${n}");
                let changed = store.change_password(ALICE, Some(0), &hash, at(n)).await.unwrap();
                changed.then_some((hash, 1, Some(at(n))))
            }
        })
        .collect();

    let changed: Vec<_> = changes.join_all().await.into_iter().flatten().collect();
    assert_eq!(changed, [account(database.store(), ALICE).await]);
}
