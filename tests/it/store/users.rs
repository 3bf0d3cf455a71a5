//! Users and their accounts.

use entourage::{
    domain::{
        AdminChange, AdminOutcome, Audience, AvatarUrl, Bio, Credentials, DisplayName, ExternalId,
        FollowCounts, NewUser, Permission, ProfileChange, UserId, UsernameKey,
    },
    store::{CreateOutcome, Store, UserNews},
};

use super::{
    ALICE, BOB, CAROL, NOBODY, at, cases, counts, create, follow, four_users, new_user, user,
};
use crate::support::{
    admin::{administer, give_role},
    database::{Database, Engine},
    follow::counts_of,
};

cases! {
    a_new_user_is_found_by_id_and_by_username_in_any_case,
    every_field_of_a_user_is_stored,
    keys_may_repeat_and_missing_rows_are_missing,
    an_empty_batch_gives_an_empty_map,
    a_new_user_has_the_default_role_and_no_follows,
    a_taken_username_external_id_or_id_creates_no_user,
    of_several_taken_values_the_first_is_named,
    only_the_given_fields_of_a_profile_change,
    a_missing_user_has_no_profile_to_change,
    an_account_has_the_permissions_of_its_role,
    a_role_is_set_only_if_user_and_role_exist,
    accounts_are_found_by_id_and_by_external_id,
    credentials_are_found_by_name_and_by_id;
    database:
    changes_elsewhere_are_reported_and_follows_are_not,
}

fn key(name: &str) -> UsernameKey {
    UsernameKey::parse(name).expect("a good name")
}

fn external_id(text: &str) -> ExternalId {
    ExternalId::parse(text).expect("an external id")
}

/// A user with a value in each field, some of them hard to write.
fn full_user(id: UserId) -> NewUser {
    NewUser {
        name: Some("Ålice \"the\\\" 🦀 O'Hara".to_owned()),
        bio: Some("line\nline\ttab {\"json\": [1]}\u{7f}".to_owned()),
        avatar_url: Some("https://example.com/a.png?x=1&y=%20".to_owned()),
        external_id: Some(external_id("idp|1")),
        password_hash: Some("$argon2id$x".to_owned()),
        ..new_user(id, "Alice_1")
    }
}

async fn a_new_user_is_found_by_id_and_by_username_in_any_case(store: &dyn Store) {
    create(store, ALICE, "AliCe").await;

    let by_id = user(store, ALICE).await;
    let by_name = store.users_by_usernames(Audience::EVERYBODY, &[key("aLIcE")]).await.unwrap();

    assert_eq!(by_id.username, "AliCe");
    assert_eq!(by_name[&key("alice")], by_id);
}

async fn every_field_of_a_user_is_stored(store: &dyn Store) {
    let new = full_user(ALICE);
    assert_eq!(store.create_user(&new).await.unwrap(), CreateOutcome::Created);
    create(store, BOB, "bob").await;

    let alice = user(store, ALICE).await;
    let bob = user(store, BOB).await;

    assert_eq!((alice.id, alice.username.as_str()), (ALICE, "Alice_1"));
    assert_eq!((alice.name.as_deref(), &alice.bio), (new.name.as_deref(), &new.bio));
    assert_eq!((&alice.avatar_url, alice.created_at), (&new.avatar_url, new.created_at));
    assert_eq!((&bob.name, &bob.bio, &bob.avatar_url), (&None, &None, &None));
}

async fn keys_may_repeat_and_missing_rows_are_missing(store: &dyn Store) {
    four_users(store).await;
    let ids = [ALICE, NOBODY, BOB, ALICE];

    let users = store.users_by_ids(Audience::EVERYBODY, &ids).await.unwrap();
    let counts = counts_of(store.lists_by_ids(Audience::EVERYBODY, &ids).await.unwrap());
    let named = [key("alice"), key("nobody"), key("alice")];
    let named = store.users_by_usernames(Audience::EVERYBODY, &named).await.unwrap();

    assert_eq!(users.len(), 2);
    assert!(users.contains_key(&ALICE) && users.contains_key(&BOB));
    assert_eq!(counts.len(), 2);
    assert_eq!(named.len(), 1);
}

async fn an_empty_batch_gives_an_empty_map(store: &dyn Store) {
    four_users(store).await;

    assert!(store.users_by_ids(Audience::EVERYBODY, &[]).await.unwrap().is_empty());
    assert!(store.users_by_usernames(Audience::EVERYBODY, &[]).await.unwrap().is_empty());
    assert!(store.lists_by_ids(Audience::EVERYBODY, &[]).await.unwrap().is_empty());
    assert!(store.relations(ALICE, &[], &[]).await.unwrap().is_empty());
}

async fn a_new_user_has_the_default_role_and_no_follows(store: &dyn Store) {
    create(store, ALICE, "alice").await;

    let account = store.find_account(ALICE).await.unwrap().expect("she is there");

    assert_eq!(account.role.name, "user");
    assert_eq!(account.role.permissions, [Permission::Follow].into_iter().collect());
    assert_eq!(counts(store, ALICE).await, FollowCounts::default());
}

async fn a_taken_username_external_id_or_id_creates_no_user(store: &dyn Store) {
    store.create_user(&full_user(ALICE)).await.unwrap();
    let same_name = new_user(BOB, "aLICE_1");
    let same_external_id =
        NewUser { external_id: Some(external_id("idp|1")), ..new_user(BOB, "bob") };
    let same_id = new_user(ALICE, "bob");

    for (taken, outcome) in [
        (same_name, CreateOutcome::UsernameTaken),
        (same_external_id, CreateOutcome::ExternalIdTaken),
        (same_id, CreateOutcome::IdTaken),
    ] {
        assert_eq!(store.create_user(&taken).await.unwrap(), outcome);
    }

    assert_eq!(store.users_by_ids(Audience::EVERYBODY, &[BOB]).await.unwrap().len(), 0);
    assert_eq!(store.lists_by_ids(Audience::EVERYBODY, &[BOB]).await.unwrap().len(), 0);
    assert_eq!(user(store, ALICE).await.username, "Alice_1");
}

async fn of_several_taken_values_the_first_is_named(store: &dyn Store) {
    store.create_user(&full_user(ALICE)).await.unwrap();
    let without_external_id = NewUser { external_id: None, ..full_user(ALICE) };

    // It says best that this is the same user.
    let all = store.create_user(&full_user(ALICE)).await.unwrap();
    let two = store.create_user(&without_external_id).await.unwrap();

    assert_eq!((all, two), (CreateOutcome::ExternalIdTaken, CreateOutcome::UsernameTaken));
}

async fn only_the_given_fields_of_a_profile_change(store: &dyn Store) {
    store.create_user(&full_user(ALICE)).await.unwrap();
    create(store, BOB, "bob").await;
    let before = user(store, ALICE).await;

    let nothing = store.update_profile(ALICE, &ProfileChange::default()).await.unwrap();
    let change = ProfileChange {
        name: Some(Some(DisplayName::parse("Al").unwrap())),
        bio: Some(None),
        avatar_url: None,
    };
    let changed = store.update_profile(ALICE, &change).await.unwrap().expect("she is there");
    let change = ProfileChange {
        name: None,
        bio: Some(Some(Bio::parse("b").unwrap())),
        avatar_url: Some(Some(AvatarUrl::parse("http://b").unwrap())),
    };
    let again = store.update_profile(ALICE, &change).await.unwrap().expect("she is there");

    assert_eq!(nothing, Some(before.clone()));
    assert_eq!((changed.name.as_deref(), &changed.bio), (Some("Al"), &None));
    assert_eq!(changed.avatar_url, before.avatar_url);
    assert_eq!((again.name.as_deref(), again.bio.as_deref()), (Some("Al"), Some("b")));
    assert_eq!(again.avatar_url.as_deref(), Some("http://b"));
    assert_eq!(user(store, ALICE).await, again);
    assert_eq!(user(store, BOB).await.name, None);
}

async fn a_missing_user_has_no_profile_to_change(store: &dyn Store) {
    let change = ProfileChange { bio: Some(None), ..ProfileChange::default() };
    assert_eq!(store.update_profile(NOBODY, &change).await.unwrap(), None);
}

async fn an_account_has_the_permissions_of_its_role(store: &dyn Store) {
    use Permission::{Admin, Follow, Moderate};
    create(store, ALICE, "alice").await;

    for (role, permissions) in [
        ("restricted", vec![]),
        ("moderator", vec![Follow, Moderate]),
        ("admin", vec![Follow, Moderate, Admin]),
        ("user", vec![Follow]),
    ] {
        give_role(store, ALICE, role).await;
        let account = store.find_account(ALICE).await.unwrap().expect("she is there");
        assert_eq!(account.role.name, role);
        assert_eq!(account.role.permissions, permissions.into_iter().collect());
    }
}

async fn a_role_is_set_only_if_user_and_role_exist(store: &dyn Store) {
    create(store, ALICE, "alice").await;
    give_role(store, ALICE, "moderator").await;

    let set =
        async |user, role: &str| administer(store, AdminChange::SetRole(user, role.into())).await;
    assert_eq!(set(ALICE, "king").await, AdminOutcome::NoSuchRole);
    assert_eq!(set(NOBODY, "admin").await, AdminOutcome::NoSuchUser);
    assert_eq!(set(NOBODY, "king").await, AdminOutcome::NoSuchUser);
    assert_eq!(set(ALICE, "moderator").await, AdminOutcome::Unchanged);

    let account = store.find_account(ALICE).await.unwrap().expect("she is there");
    assert_eq!(account.role.name, "moderator");
}

async fn accounts_are_found_by_id_and_by_external_id(store: &dyn Store) {
    store.create_user(&full_user(ALICE)).await.unwrap();
    create(store, BOB, "bob").await;

    let by_external_id = store.find_account_by_external_id(&external_id("idp|1")).await.unwrap();

    assert_eq!(by_external_id, store.find_account(ALICE).await.unwrap());
    assert_eq!(by_external_id.expect("she is there").user, user(store, ALICE).await);
    assert_eq!(store.find_account_by_external_id(&external_id("IDP|1")).await.unwrap(), None);
    assert_eq!(store.find_account(NOBODY).await.unwrap(), None);
}

async fn credentials_are_found_by_name_and_by_id(store: &dyn Store) {
    store.create_user(&full_user(ALICE)).await.unwrap();
    create(store, CAROL, "carol").await;

    let hash = Some("$argon2id$x".to_owned());
    let external_id = Some("idp|1".to_owned());
    let hers = Some(Credentials { id: ALICE, password_hash: hash, external_id, token_epoch: 0 });
    let none =
        Some(Credentials { id: CAROL, password_hash: None, external_id: None, token_epoch: 0 });
    assert_eq!(store.find_credentials(&key("ALICE_1")).await.unwrap(), hers);
    assert_eq!(store.find_credentials_by_id(ALICE).await.unwrap(), hers);
    assert_eq!(store.find_credentials(&key("carol")).await.unwrap(), none);
    assert_eq!(store.find_credentials(&key("dave")).await.unwrap(), None);
    assert_eq!(store.find_credentials_by_id(NOBODY).await.unwrap(), None);
    assert_eq!(user(store, CAROL).await.created_at, at(CAROL.0));
}

async fn changes_elsewhere_are_reported_and_follows_are_not(database: &Database) {
    let store = database.store();
    four_users(store).await;
    let mut news = store.watch_users().await.unwrap().expect("both engines tell");
    follow(store, ALICE, BOB, 0).await;
    assert_eq!(news.next().await.unwrap(), UserNews::NobodyChanged);

    let elsewhere = database.another_store().await;
    let name = Some(Some(DisplayName::parse("Robert").expect("a name")));
    let change = ProfileChange { name, bio: None, avatar_url: None };
    elsewhere.update_profile(BOB, &change).await.unwrap();
    let expected = match database.engine() {
        Engine::Sqlite => UserNews::AnyChanged,
        Engine::Postgres => UserNews::Changed(BOB),
    };
    assert_eq!(news.next().await.unwrap(), expected);
    assert_eq!(news.next().await.unwrap(), UserNews::NobodyChanged, "it was reported already");
    elsewhere.close().await;
}
